import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type RequestListener, type Server } from "node:http";
import { createServer as createTcpServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { openKeys } from "#adapters/keys/ca.ts";
import type { WebClient } from "#bus/wire.ts";
import { failureOf, readRetryAfter } from "./client-failure.ts";
import { createWebClient } from "./client.ts";
import { createWebHost } from "./host.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function serve(listener: RequestListener): Promise<string> {
  const server: Server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  cleanups.push(() => (server.closeAllConnections(), server.close()));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function open(settings: Parameters<typeof createWebClient>[0] = {}): WebClient {
  const client = createWebClient(settings);
  cleanups.push(() => client.close());
  return client;
}

const never = new AbortController().signal;
const call = (url: string, maxBytes = 1000) => ({ method: "POST", url, headers: { "x-a": "1" }, body: Buffer.from("hello"), maxBytes });

describe("a call", () => {
  it("sends what it is given and gives back any answer", async () => {
    const origin = await serve(
      (request, response) => void request.pipe(response.writeHead(404, { "x-path": request.url, "set-cookie": ["a=1", "b=2"] })),
    );
    const reply = await open().request(call(`${origin}/x?y=z`), never);
    expect([reply.status, reply.headers["x-path"], reply.headers["set-cookie"], Buffer.from(reply.body).toString()]).toEqual([
      404,
      "/x?y=z",
      "a=1, b=2",
      "hello",
    ]);
  });

  it("keeps connections and never has more than its bound per origin", async () => {
    const sockets = new Set<unknown>();
    const origin = await serve((request, response) => void (sockets.add(request.socket), setTimeout(() => response.end(), 5)));
    const client = open({ connections: 3 });
    await Promise.all(Array.from({ length: 30 }, () => client.request(call(origin), never)));
    expect(sockets.size).toBe(3);
  });

  it("follows no redirect", async () => {
    const origin = await serve((_, response) => void response.writeHead(302, { location: "http://127.0.0.1:1/" }).end());
    expect((await open().request(call(origin), never)).status).toBe(302);
  });

  it.each([true, false])("reads no more of an answer than it may (Content-Length announced: %s)", async (announced) => {
    const origin = await serve((_, response) => {
      if (announced) response.setHeader("content-length", 5000);
      response.write("x".repeat(2000));
      response.end("x".repeat(3000));
    });
    const client = open();
    await expect(client.request(call(origin), never)).rejects.toMatchObject({ code: "provider-reply-invalid" });
    expect((await client.request(call(origin, 5000), never)).body.byteLength).toBe(5000);
  });

  it.each(["ftp://localhost/", "http://user:pass@localhost/", "nonsense"])("to %s is a fault of the configuration", async (url) => {
    await expect(open().request(call(url), never)).rejects.toMatchObject({ code: "configuration" });
  });
});

describe("failures", () => {
  it.each([502, 503, 504])("%i is unavailable", async (status) => {
    const origin = await serve((_, response) => void response.writeHead(status).end("busy"));
    await expect(open().request(call(origin), never)).rejects.toMatchObject({
      code: "endpoint-unavailable",
      providerCode: String(status),
      retryAfter: undefined,
    });
  });

  it("name the origin and never the path", async () => {
    const error: unknown = await open()
      .request(call("http://127.0.0.1:1/secret-path?token=x"), never)
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: "endpoint-unreachable",
      message: "http://127.0.0.1:1 could not be reached: nothing listens there (ECONNREFUSED)",
    });
  });

  it("of a provider that does not speak HTTP are its own", async () => {
    const server = createTcpServer((socket) => void socket.once("data", () => socket.write("SSH-2.0-OpenSSH\r\n")));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    cleanups.push(() => server.close());
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    await expect(open().request(call(url), never)).rejects.toMatchObject({ code: "provider-reply-invalid" });
  });

  it("of TLS are unreachable, with the reason; a known authority is trusted and our certificate shown", async () => {
    const dataDir = await mkdtemp(join(tmpdir(), "client-"));
    cleanups.push(() => rm(dataDir, { recursive: true }));
    const keys = await openKeys(dataDir);
    const at = { host: "127.0.0.1", port: 0 };
    const identify: Parameters<typeof createWebHost>[0]["identify"] = ({ certificate }) => certificate && keys.identify(certificate);
    const host = await createWebHost({ http: at, https: { ...at, ...keys.server, ca: keys.ca }, samples: false, identify, maxBytes: 100 });
    cleanups.push(() => host.close());
    host.mount("systems", "/who", async (request) => ({ status: 200, body: request.system ?? "nobody" }));
    const url = `${host.address.https ?? ""}/who`;
    await expect(open().request(call(url), never)).rejects.toMatchObject({
      code: "endpoint-unreachable",
      message: expect.stringContaining("is not trusted") as string,
    });
    const system = await keys.issue("mconnect/bus", "1010600034203");
    const reply = await open({ tls: { ca: keys.ca, ...system } }).request(call(url), never);
    expect(Buffer.from(reply.body).toString()).toBe("mconnect/bus");
  });

  it("that are a header we built wrong are ours", async () => {
    const origin = await serve((_, response) => void response.end());
    await expect(open().request({ ...call(origin), headers: { "bad name": "x" } }, never)).rejects.toMatchObject({ code: "configuration" });
  });

  it("of several addresses at once tell the first", () => {
    const refused = Object.assign(new Error("refused"), { code: "ECONNREFUSED" });
    expect(failureOf(new AggregateError([refused, refused]), "http://x", never).message).toContain("nothing listens there");
  });
});

it.each([
  ["7", 7000],
  ["0", 0],
  ["999999999", 86_400_000],
  ["Mon, 04 May 2026 09:00:10 GMT", 10_000],
  ["Mon, 04 May 2026 08:00:00 GMT", 0],
  ["soon", undefined],
  [undefined, undefined],
])("Retry-After: %s is %s milliseconds", (value, expected) => {
  expect(readRetryAfter(value, Date.UTC(2026, 4, 4, 9))).toBe(expected);
});
