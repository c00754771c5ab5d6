/**
 * How each sample program lives: it listens on a loopback port, says so in one JSON line on stdout, and ends on SIGTERM or when
 * its parent's end of stdin closes. Addresses are `METHOD /path`, with one optional `*` for a segment.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export type Received = Readonly<{
  method: string;
  path: string;
  /** What stood for `*`. */
  segment: string;
  query: string;
  headers: IncomingMessage["headers"];
  body: string;
}>;
export type Reply = Readonly<{ status: number; headers?: Readonly<Record<string, string>>; body?: string }>;
export type Addresses = Readonly<Record<string, (received: Received) => Promise<Reply> | Reply>>;

/** What a program needs from its surroundings. `data` is a folder that only this program writes to. */
export type Surroundings = Readonly<{ bus: string; data: string; port: number }>;

export function surroundings(): Surroundings {
  const data = process.env["SAMPLE_DIR"];
  if (data === undefined || data === "") throw new Error("SAMPLE_DIR must name a folder for this program's data");
  return { bus: process.env["MBUS_URL"] ?? "http://127.0.0.1:8080", data, port: Number(process.env["SAMPLE_PORT"] ?? 0) };
}

/** The largest request that is read. */
const MAX_BYTES = 1_048_576;

/** Answers with JSON. */
export const json = (status: number, value: unknown): Reply => ({
  status,
  headers: { "content-type": "application/json; charset=utf-8" },
  body: JSON.stringify(value),
});

/** Resolves once the program listens. `close` runs once, before the program ends. `facts` are added to the line on stdout. */
export async function serve(
  system: string,
  port: number,
  addresses: Addresses,
  close: () => Promise<void> | void,
  facts: Readonly<Record<string, string>> = {},
): Promise<Readonly<{ listening: string }>> {
  // only this machine, unless the systems of the world live in containers
  const host = process.env["SAMPLE_HOST"] ?? "127.0.0.1";
  const server = createServer({ keepAliveTimeout: 30_000 }, (request, response) => void answer(addresses, request, response));
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(port, host, resolve));
  const listening = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  let ending = false;
  const end = (): void => {
    if (ending) return;
    ending = true;
    server.close();
    server.closeAllConnections();
    void Promise.resolve(close()).finally(() => process.exit(0));
  };
  process.once("SIGTERM", end);
  process.once("SIGINT", end);
  if (!process.stdin.isTTY) process.stdin.once("end", end).once("close", end).resume();
  process.stdout.write(`${JSON.stringify({ listening, system, ...facts })}\n`);
  return { listening };
}

async function answer(addresses: Addresses, request: IncomingMessage, response: ServerResponse): Promise<void> {
  let reply: Reply;
  try {
    reply = await handle(addresses, request);
  } catch (error) {
    reply = json(500, { error: error instanceof Error ? error.message : String(error) });
  }
  if (response.destroyed) return;
  response.writeHead(reply.status, { ...reply.headers, "content-length": Buffer.byteLength(reply.body ?? "") });
  response.end(reply.body);
}

async function handle(addresses: Addresses, request: IncomingMessage): Promise<Reply> {
  const [path = "/", query = ""] = (request.url ?? "/").split("?", 2);
  const method = request.method ?? "GET";
  for (const [address, act] of Object.entries(addresses)) {
    const segment = fits(address, `${method} ${path}`);
    if (segment === undefined) continue;
    const body = await bodyOf(request);
    if (body === undefined) return json(413, { error: `a request may have ${MAX_BYTES} bytes` });
    return act({ method, path, segment, query, headers: request.headers, body });
  }
  return json(404, { error: `${method} ${path} is no address of this system`, addresses: Object.keys(addresses) });
}

/** What stands for `*`; empty where the address has none; undefined where it does not fit. */
function fits(address: string, asked: string): string | undefined {
  const star = address.indexOf("*");
  if (star === -1) return address === asked ? "" : undefined;
  const [before, after] = [address.slice(0, star), address.slice(star + 1)];
  const segment = asked.slice(before.length, asked.length - after.length);
  const whole = asked.startsWith(before) && asked.endsWith(after) && asked === before + segment + after;
  return whole && segment !== "" && !segment.includes("/") ? decodeURIComponent(segment) : undefined;
}

async function bodyOf(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size <= MAX_BYTES) chunks.push(chunk);
  }
  return size > MAX_BYTES ? undefined : Buffer.concat(chunks).toString("utf8");
}
