/** Requests of the Confluent REST API, bounded in time and size, and its failures in the bus's words. */
import { BusError, type ErrorCode } from "#bus/errors.ts";

export const MEDIA_TYPE = "application/vnd.schemaregistry.v1+json";
const MAX_BYTES = 8_388_608;

/** Address without credentials and trailing slash, and the credentials apart. */
export type Address = Readonly<{ host: string; auth: Readonly<{ username: string; password: string }> | undefined }>;

export type Answer = Readonly<{ status: number; json: Readonly<Record<string, unknown>> }>;

export type Rest = (method: "GET" | "POST", path: string, body?: object) => Promise<Answer>;

export function addressOf(url: string): Address {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed === undefined || !/^https?:$/u.test(parsed.protocol))
    throw new BusError(
      "configuration",
      "the address of the schema registry is no http or https address; write for example http://host:8081",
    );
  const auth = parsed.username === "" ? undefined : { username: decoded(parsed.username), password: decoded(parsed.password) };
  return { host: `${parsed.origin}${parsed.pathname.replace(/\/+$/u, "")}`, auth };
}

/** A percent sign that begins no byte stands for itself, as in most passwords that hold one. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export function openRest({ host, auth }: Address, timeout: number): Rest {
  const credentials =
    auth === undefined ? {} : { authorization: `Basic ${Buffer.from(`${auth.username}:${auth.password}`).toString("base64")}` };
  return async (method, path, body) => {
    const request: RequestInit = {
      method,
      headers: { accept: MEDIA_TYPE, ...credentials, ...(body === undefined ? {} : { "content-type": MEDIA_TYPE }) },
      redirect: "error",
      signal: AbortSignal.timeout(timeout),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    };
    try {
      const response = await fetch(`${host}${path}`, request);
      return { status: response.status, json: asObject(await textOf(response)) };
    } catch (error) {
      if (error instanceof BusError) throw error;
      const late = error instanceof Error && error.name === "TimeoutError";
      const what = late ? `did not answer within ${timeout} ms` : "cannot be reached";
      throw new BusError(late ? "attempt-timeout" : "endpoint-unreachable", `the schema registry at ${host} ${what}`, { cause: error });
    }
  };
}

async function textOf(response: Response): Promise<string> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of response.body ?? []) {
    size += part.length;
    if (size > MAX_BYTES) throw new BusError("message-too-large", `an answer of the schema registry has more than ${MAX_BYTES} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts).toString("utf8");
}

function asObject(text: string): Readonly<Record<string, unknown>> {
  try {
    const json: unknown = JSON.parse(text);
    if (typeof json === "object" && json !== null) return json as Readonly<Record<string, unknown>>;
  } catch {
    // Told by the status: what is no JSON is no answer of a registry.
  }
  return {};
}

/** What an unsuccessful answer means. `what` says what was asked for. */
export function failure(status: number, message: unknown, what: string): BusError {
  const said = typeof message === "string" && message !== "" ? message : `HTTP ${status}`;
  return new BusError(codeOf(status), `the schema registry refused to ${what}: ${said}`);
}

function codeOf(status: number): ErrorCode {
  if (status === 409) return "schema-incompatible";
  if (status === 422) return "schema-invalid";
  if (status === 413) return "message-too-large";
  if (status === 429) return "endpoint-throttled";
  return status === 401 || status === 403 ? "configuration" : "endpoint-unavailable";
}
