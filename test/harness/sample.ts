/** Starts a program of the sample world for real, as the bus's own start does, and speaks to it over HTTP. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

export type Answer = Readonly<{ status: number; text: string; json: () => Readonly<Record<string, unknown>> }>;

export type RunningSample = Readonly<{
  url: string;
  /** Its first line on stdout. */
  said: Readonly<Record<string, string>>;
  child: ChildProcess;
  post(path: string, body: string, headers?: Readonly<Record<string, string>>): Promise<Answer>;
  get(path: string): Promise<Answer>;
  /** Ends it with SIGTERM (or another signal); gives its exit code. */
  end(signal?: NodeJS.Signals): Promise<number | null>;
}>;

export type SampleOptions = Readonly<{ dir: string; bus?: string; env?: Readonly<Record<string, string>> }>;

/** `program` from the root of the project, for example `samples/pensions/main.ts`. */
export async function startSample(program: string, options: SampleOptions): Promise<RunningSample> {
  const file = fileURLToPath(new URL(`../../${program}`, import.meta.url));
  const env = { ...process.env, SAMPLE_DIR: options.dir, MBUS_URL: options.bus ?? "http://127.0.0.1:9", ...options.env };
  const child = spawn(process.execPath, [file], { stdio: ["pipe", "pipe", "pipe"], env });
  let errors = "";
  child.stderr.on("data", (chunk: Buffer) => (errors += chunk.toString()));
  const ended = once(child, "exit") as Promise<[number | null]>;
  const line = once(createInterface({ input: child.stdout }), "line") as Promise<[string]>;
  const first = await Promise.race([line, ended.then(() => undefined)]);
  if (!first) throw new Error(`${program} ended before it listened: ${errors}`);
  const said = JSON.parse(first[0]) as Readonly<Record<string, string>>;
  const url = said["listening"] ?? "";
  return {
    url,
    said,
    child,
    post: (path, body, headers) => ask(url + path, { method: "POST", body, headers: { ...headers } }),
    get: (path) => ask(url + path, {}),
    async end(signal = "SIGTERM") {
      child.kill(signal);
      return (await ended)[0];
    },
  };
}

async function ask(url: string, init: RequestInit): Promise<Answer> {
  const response = await fetch(url, init);
  const text = await response.text();
  return { status: response.status, text, json: () => JSON.parse(text) as Readonly<Record<string, unknown>> };
}

export async function temporaryFolder(): Promise<Readonly<{ path: string; remove: () => Promise<void> }>> {
  const path = await mkdtemp(join(tmpdir(), "mbus-sample-"));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}

export type Heard = Readonly<{ method: string; url: string; headers: IncomingHttpHeaders; body: string }>;
export type Saying = Readonly<{ status: number; type: string; body: string }>;

/** A stand-in for the bus's address: keeps what it hears, answers as told. The port stays the same when it is given. */
export async function listen(
  say: (heard: Heard, count: number) => Saying,
  port = 0,
): Promise<Readonly<{ url: string; port: number; heard: Heard[]; close: () => Promise<void> }>> {
  const heard: Heard[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const one: Heard = {
        method: request.method ?? "",
        url: request.url ?? "",
        headers: request.headers,
        body: Buffer.concat(chunks).toString("utf8"),
      };
      heard.push(one);
      const { status, type, body } = say(one, heard.length);
      response.writeHead(status, { "content-type": type }).end(body);
    });
  });
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  const taken = (server.address() as AddressInfo).port;
  const close = async (): Promise<void> => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return { url: `http://127.0.0.1:${taken}`, port: taken, heard, close };
}

/** An envelope around an element. */
export function envelope(version: "1.1" | "1.2", element: string): string {
  const namespace = version === "1.1" ? "http://schemas.xmlsoap.org/soap/envelope/" : "http://www.w3.org/2003/05/soap-envelope";
  return `<?xml version="1.0"?><s:Envelope xmlns:s="${namespace}"><s:Body>${element}</s:Body></s:Envelope>`;
}

/** Waits until `done` holds, at most `limit` milliseconds. */
export async function until(done: () => boolean | Promise<boolean>, limit = 10_000): Promise<void> {
  const end = Date.now() + limit;
  while (!(await done())) {
    if (Date.now() > end) throw new Error(`it did not happen within ${limit} ms`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
