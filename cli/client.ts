/** Speaks to the running bus: address and token come from its data folder, so that only who may read the folder may administer. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { CommandFailed } from "./output.ts";

export type Place = Readonly<{ http: string; registry: string; token: string }>;

type Running = Readonly<{ http?: string; registry?: string }>;

export function place(env: Readonly<Record<string, string | undefined>> = process.env): Place {
  const dataDir = env["MBUS_DATA_DIR"] ?? ".mbus";
  const run = read(join(dataDir, "run.json"));
  const token = read(join(dataDir, "admin.token"))?.trim();
  if (token === undefined)
    throw new CommandFailed(
      `no bus has run with the data folder \`${dataDir}\`: start one with \`mbus start\`, or name its folder in MBUS_DATA_DIR`,
    );
  const port = env["MBUS_HTTP_PORT"];
  const known = run === undefined ? {} : (json(run, `${join(dataDir, "run.json")} is damaged: start the bus again`) as Running);
  const http = port !== undefined && port !== "" && port !== "0" ? `http://127.0.0.1:${port}` : (known.http ?? "http://127.0.0.1:8080");
  return { http, registry: known.registry ?? "http://127.0.0.1:8081", token };
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}

/** Bytes that the administration API gives, for example a container. */
export async function adminBytes(path: string): Promise<Buffer> {
  const { http, token } = place();
  const response = await fetchOr(`${http}/api/v1${path}`, { headers: { authorization: `Bearer ${token}` } });
  if (!response.ok) throw new CommandFailed(detail(await response.text(), response.status));
  return Buffer.from(await response.arrayBuffer());
}

/** One call of the administration API; a problem becomes a CommandFailed with its detail. */
export async function admin<T>(method: "GET" | "POST", path: string, body?: unknown): Promise<T> {
  const { http, token } = place();
  const response = await fetchOr(`${http}/api/v1${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, ...(body === undefined ? undefined : { "content-type": "application/json" }) },
    ...(body === undefined ? undefined : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  if (!response.ok) throw new CommandFailed(detail(text, response.status));
  return json(text, `what answers at ${http} is no bus; MBUS_DATA_DIR or MBUS_HTTP_PORT names another place`) as T;
}

/** What a JSON text says; `otherwise` is what a person is told where it is none. */
export function json(text: string, otherwise: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new CommandFailed(otherwise);
  }
}

export async function fetchOr(url: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, init);
  } catch (cause) {
    throw new CommandFailed(
      `no bus answers at ${new URL(url).origin}: is it running? (${cause instanceof Error && cause.cause instanceof Error ? cause.cause.message : String(cause)})`,
    );
  }
}

export function detail(text: string, status: number): string {
  try {
    const problem = JSON.parse(text) as { detail?: string; title?: string };
    return `${problem.title ?? status}: ${problem.detail ?? text}`;
  } catch {
    return `${status}: ${text.slice(0, 500)}`;
  }
}
