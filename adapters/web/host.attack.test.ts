/** Shapes of HTTP that attackers send: smuggling, Host and target tricks, slow and oversized requests, packed bodies. */
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { rawHttp } from "#test/harness/raw-http.ts";
import { createWebHost, type RunningWebHost } from "./host.ts";

let host: RunningWebHost;
let port: number;
let served: { path: string; body: string }[];

beforeEach(async () => {
  served = [];
  host = await createWebHost({
    http: { host: "127.0.0.1", port: 0 },
    samples: true,
    identify: ({ header }) => header,
    maxBytes: 1000,
    headersTimeout: 300,
    requestTimeout: 600,
    drainTimeout: 100,
  });
  host.mount("systems", "/echo", async (request) => {
    served.push({ path: request.path, body: Buffer.from(request.body).toString("latin1") });
    return { status: 200, body: "served" };
  });
  port = Number(new URL(host.address.http).port);
});
afterEach(() => host.close());

const HOST = "Host: localhost\r\n";
const post = (headers: string, body = ""): string => `POST /echo HTTP/1.1\r\n${HOST}${headers}\r\n${body}`;

describe("request smuggling", () => {
  const smuggled = "GET /echo/smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n";
  const shapes: Record<string, string> = {
    "both Content-Length and Transfer-Encoding": post("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", `0\r\n\r\n${smuggled}`),
    "two different Content-Lengths": post("Content-Length: 4\r\nContent-Length: 5\r\n", `abcd${smuggled}`),
    "a Content-Length with a plus": post("Content-Length: +4\r\n", `abcd${smuggled}`),
    "a list of Content-Lengths": post("Content-Length: 4, 4\r\n", `abcd${smuggled}`),
    "an unknown transfer coding": post("Transfer-Encoding: xchunked\r\n", `0\r\n\r\n${smuggled}`),
    "a space before the colon": post("Transfer-Encoding : chunked\r\n", `0\r\n\r\n${smuggled}`),
    "chunked that is not the last coding": post("Transfer-Encoding: chunked, identity\r\n", `0\r\n\r\n${smuggled}`),
    "a folded header": post("X-Fold: a\r\n b\r\n", smuggled),
    "a hexadecimal prefix on a chunk size": post("Transfer-Encoding: chunked\r\n", `0x5\r\nabcde\r\n0\r\n\r\n${smuggled}`),
    "a NUL in a header": post("X-Nul: a\0b\r\n", smuggled),
  };
  for (const [name, request] of Object.entries(shapes))
    it(`refuses ${name}, and serves nothing behind it`, async () => {
      const answer = await rawHttp(port, request);
      expect(answer.statuses[0]).toBe(400);
      expect(answer.closed).toBe(true);
      expect(served.map((one) => one.path)).not.toContain("/echo/smuggled");
    });
});

describe("Host and target", () => {
  const get = (target: string, headers = HOST, version = "1.1"): string => `GET ${target} HTTP/${version}\r\n${headers}\r\n`;
  const shapes: Record<string, string> = {
    "two Host headers": get("/echo", `${HOST}Host: evil.example\r\n`),
    "two equal Host headers": get("/echo", HOST + HOST),
    "no Host header": get("/echo", ""),
    "an empty Host header": get("/echo", "Host:\r\n"),
    "a name that is not served": get("/echo", "Host: evil.example\r\n"),
    "a name that only ends like ours": get("/echo", "Host: evillocalhost\r\n"),
    "a Host with user information": get("/echo", "Host: a@localhost\r\n"),
    "a Host with a path": get("/echo", "Host: localhost/x\r\n"),
    "an absolute target": get("http://localhost/echo"),
    "a target with two slashes": get("//evil.example/echo"),
    "an asterisk target": `OPTIONS * HTTP/1.1\r\n${HOST}\r\n`,
    "dot segments": get("/echo/../admin"),
    "encoded dot segments": get("/echo/%2e%2e/admin"),
    "an encoded slash before dot segments": get("/echo%2f..%2fadmin"),
    "a backslash": get("/echo\\..\\admin"),
    "an encoded NUL": get("/echo%00.wsdl"),
    "an encoded line break": get("/echo%0d%0aX: y"),
    "broken percent-encoding": get("/echo%zz"),
    "percent-encoding that is no UTF-8": get("/echo%ff"),
  };
  for (const [name, request] of Object.entries(shapes))
    it(`refuses ${name}`, async () => {
      const answer = await rawHttp(port, request);
      expect(answer.statuses).toEqual([400]);
      expect(served).toEqual([]);
    });

  it("does not tunnel", async () => {
    const answer = await rawHttp(port, `CONNECT localhost:22 HTTP/1.1\r\n${HOST}\r\n`);
    expect(answer.statuses).not.toContain(200);
    expect(answer.closed).toBe(true);
  });

  it("does not change to HTTP/2", async () => {
    const answer = await rawHttp(
      port,
      get("/echo", `${HOST}Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n`),
    );
    expect(answer.statuses).toEqual([200]);
    expect(answer.text).not.toContain("101 Switching");
  });

  it("refuses TRACE, which would show a caller its own credentials", async () => {
    expect((await rawHttp(port, `TRACE /echo HTTP/1.1\r\n${HOST}\r\n`)).statuses).toEqual([405]);
  });
});

describe("size and time", () => {
  it("refuses a body by its announced length, without reading or asking for it", async () => {
    const answer = await rawHttp(port, post("Content-Length: 5000\r\nExpect: 100-continue\r\n"));
    expect(answer.statuses).toEqual([413]);
    expect(answer.closed).toBe(true);
  });

  it("refuses a chunked body once it passes the bound", async () => {
    const chunk = `400\r\n${"x".repeat(0x400)}\r\n`;
    const answer = await rawHttp(port, post("Transfer-Encoding: chunked\r\n", chunk + chunk));
    expect(answer.statuses).toEqual([413]);
    expect(answer.closed).toBe(true);
    expect(served).toEqual([]);
  });

  it("takes a body of exactly the bound", async () => {
    const answer = await rawHttp(port, post("Content-Length: 1000\r\n", "x".repeat(1000)));
    expect(answer.statuses).toEqual([200]);
  });

  it("refuses headers above 16 KiB", async () => {
    expect((await rawHttp(port, post(`X-Long: ${"x".repeat(20_000)}\r\n`))).statuses).toEqual([431]);
  });

  it("ends a connection whose headers come too slowly", async () => {
    const drops = ["GET /echo HTTP/1.1\r\n", ...Array.from({ length: 20 }, (_, i) => `X-${i}: y\r\n`)];
    const answer = await rawHttp(port, drops, { gap: 100, quiet: 4000 });
    expect(answer.closed).toBe(true);
    expect(answer.statuses).toEqual([408]);
    expect(served).toEqual([]);
  });

  it("ends a connection whose body comes too slowly", async () => {
    const answer = await rawHttp(port, [post("Content-Length: 500\r\n"), ...Array.from({ length: 30 }, () => "x")], {
      gap: 100,
      quiet: 4000,
    });
    expect(answer.closed).toBe(true);
    expect(served).toEqual([]);
  });

  it("refuses packed bodies, however small they are", async () => {
    const bomb = gzipSync(Buffer.alloc(10_000_000));
    for (const encoding of ["gzip", "br", "gzip, gzip", "deflate"]) {
      const response = await fetch(`${host.address.http}/echo`, {
        method: "POST",
        headers: { "content-encoding": encoding },
        body: bomb.subarray(0, 900),
      });
      expect(response.status).toBe(415);
    }
    expect(served).toEqual([]);
  });

  it("holds no more connections than it may", async () => {
    const small = await createWebHost({
      http: { host: "127.0.0.1", port: 0 },
      samples: false,
      identify: () => undefined,
      maxBytes: 10,
      maxSockets: 2,
      drainTimeout: 50,
    });
    const at = Number(new URL(small.address.http).port);
    const idle = [rawHttp(at, "", { quiet: 500 }), rawHttp(at, "", { quiet: 500 })];
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(await rawHttp(at, `GET / HTTP/1.1\r\n${HOST}\r\n`)).toMatchObject({ statuses: [], closed: true });
    await Promise.all(idle);
    await small.close();
  });
});
