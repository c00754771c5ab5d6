import { mkdtemp, rm } from "node:fs/promises";
import { request as httpsRequest } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { connect } from "node:tls";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { WebRequest } from "#bus/wire.ts";
import { openKeys, type Keys } from "#adapters/keys/ca.ts";
import { issueCertificate, type KeyPair } from "#adapters/keys/issue.ts";
import { rawHttp } from "#test/harness/raw-http.ts";
import { createWebHost, type RunningWebHost, type WebHostSettings } from "./host.ts";

let dataDir: string;
let keys: Keys;
let system: KeyPair;
const hosts: RunningWebHost[] = [];

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "host-"));
  keys = await openKeys(dataDir);
  system = await keys.issue("taxoffice/erp", "1010600034203");
});
afterAll(() => rm(dataDir, { recursive: true }));
afterEach(async () => {
  for (const host of hosts.splice(0)) await host.close();
});

async function open(settings: Partial<WebHostSettings> = {}): Promise<RunningWebHost> {
  const host = await createWebHost({
    http: { host: "127.0.0.1", port: 0 },
    https: { host: "127.0.0.1", port: 0, ...keys.server, ca: keys.ca },
    samples: true,
    identify: ({ certificate, header }) => (certificate === undefined ? header : keys.identify(certificate)),
    maxBytes: 10_000,
    drainTimeout: 500,
    ...settings,
  });
  hosts.push(host);
  return host;
}

const whoami = async (request: WebRequest) => ({
  status: 200,
  body: JSON.stringify({ system: request.system, path: request.path, origin: request.origin }),
});

type Secure = Readonly<{ status: number; body: string }>;
function viaTls(
  host: RunningWebHost,
  path: string,
  options: Partial<KeyPair> & { servername?: string; host?: string } = {},
): Promise<Secure> {
  const { host: hostHeader, ...tls } = options;
  return new Promise((resolve, reject) => {
    const url = new URL(host.address.https ?? "");
    const headers = hostHeader === undefined ? {} : { host: hostHeader };
    const request = httpsRequest({ host: "127.0.0.1", port: url.port, path, ca: keys.ca, agent: false, headers, ...tls }, (response) => {
      let body = "";
      response.on("data", (chunk: Buffer) => (body += chunk.toString()));
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body }));
    });
    request.on("error", reject);
    request.end();
  });
}

describe("who calls", () => {
  it("is the system of the client certificate", async () => {
    const host = await open();
    host.mount("systems", "/who", whoami);
    expect(JSON.parse((await viaTls(host, "/who", system)).body)).toMatchObject({ system: "taxoffice/erp" });
  });

  it("is unknown without a certificate, and X-System does not count on TLS", async () => {
    const host = await open();
    let header: string | undefined;
    host.mount("systems", "/who", async (request) => {
      header = request.headers["x-system"];
      return whoami(request);
    });
    const answer = await viaTls(host, "/who");
    expect(JSON.parse(answer.body)).not.toHaveProperty("system");
    expect(header).toBeUndefined();
  });

  it("is refused with a certificate of another authority, with the reason", async () => {
    const host = await open();
    host.mount("systems", "/who", whoami);
    const stranger = await issueCertificate({ name: "taxoffice/erp", organization: "1010600034203", use: "client", days: 10 });
    const answer = await viaTls(host, "/who", stranger);
    expect(answer.status).toBe(403);
    expect(answer.body).toContain("SELF_SIGNED");
  });

  it("is named by X-System on the samples' plain port", async () => {
    const host = await open();
    host.mount("systems", "/who", whoami);
    const response = await fetch(`${host.address.http}/who`, { headers: { "x-system": "taxoffice/erp" } });
    expect(await response.json()).toMatchObject({ system: "taxoffice/erp" });
  });
});

describe("the two faces", () => {
  it("keep systems off the plain port outside samples mode", async () => {
    const host = await open({ samples: false });
    host.mount("systems", "/who", whoami);
    expect((await fetch(`${host.address.http}/who`, { headers: { "x-system": "taxoffice/erp" } })).status).toBe(404);
    expect((await viaTls(host, "/who", system)).status).toBe(200);
  });

  it("keep administration off the TLS port", async () => {
    const host = await open();
    host.mount("admin", "/", whoami);
    host.mount("admin", "/api/v1", whoami);
    expect((await viaTls(host, "/api/v1/routes", system)).status).toBe(404);
    expect((await fetch(`${host.address.http}/api/v1/routes`)).status).toBe(200);
  });

  it("tell no caller's name to administration", async () => {
    const host = await open();
    host.mount("admin", "/api/v1", whoami);
    expect(await (await fetch(`${host.address.http}/api/v1`, { headers: { "x-system": "a/b" } })).json()).not.toHaveProperty("system");
  });

  it("serve a service by its host name as well as by its path", async () => {
    const host = await open();
    host.mount("systems", "/mlog", whoami);
    expect(JSON.parse((await viaTls(host, "/register", { host: "mlog.localhost" })).body)).toMatchObject({
      path: "/mlog/register",
      origin: "https://mlog.localhost",
    });
    expect(JSON.parse((await viaTls(host, "/mlog/register", { host: "mlog.localhost" })).body)).toMatchObject({ path: "/mlog/register" });
    expect((await viaTls(host, "/register", { host: "mdocs.localhost" })).status).toBe(404);
  });

  it("present a certificate for each service's name", async () => {
    const host = await open();
    const port = Number(new URL(host.address.https ?? "").port);
    const socket = connect({ host: "127.0.0.1", port, ca: keys.ca, servername: "mlog.localhost" });
    const authorized = await new Promise<boolean>((resolve, reject) => {
      socket.once("secureConnect", () => resolve(socket.authorized));
      socket.once("error", reject);
    });
    expect([authorized, socket.alpnProtocol]).toEqual([true, false]);
    socket.destroy();
  });

  it("speak no TLS below 1.2", async () => {
    const host = await open();
    const port = Number(new URL(host.address.https ?? "").port);
    const socket = connect({
      host: "127.0.0.1",
      port,
      ca: keys.ca,
      maxVersion: "TLSv1.1",
      minVersion: "TLSv1",
      ciphers: "DEFAULT@SECLEVEL=0",
    });
    await expect(new Promise((_, reject) => socket.once("error", reject))).rejects.toThrow(/protocol|version|alert/i);
  });
});

describe("mounting", () => {
  it("gives the longest prefix, whole segments only, and a request that matches none a 404 that helps", async () => {
    const host = await open();
    const named = (name: string) => async () => ({ status: 200, body: name });
    host.mount("systems", "/mconnect", named("all"));
    host.mount("systems", "/mconnect/soap", named("soap"));
    const get = async (path: string): Promise<string> => (await fetch(host.address.http + path)).text();
    expect(await Promise.all(["/mconnect", "/mconnect/", "/mconnect/soap", "/mconnect/soap/a/b", "/mconnect/soapy"].map(get))).toEqual([
      "all",
      "all",
      "soap",
      "soap",
      "all",
    ]);
    const missing = await fetch(`${host.address.http}/mconect/soap`);
    expect([missing.status, missing.headers.get("content-type")]).toEqual([404, "application/problem+json"]);
    expect(await missing.json()).toMatchObject({
      status: 404,
      instance: "/mconect/soap",
      detail: expect.stringContaining("/mconnect/soap") as string,
    });
  });

  it("ends with the function it gave, and refuses a second handler", async () => {
    const host = await open();
    const unmount = host.mount("admin", "/x", whoami);
    expect(() => host.mount("admin", "/x", whoami)).toThrow(/two handlers/);
    unmount();
    unmount();
    expect((await fetch(`${host.address.http}/x`)).status).toBe(404);
    host.mount("admin", "/x", whoami);
  });
});

describe("requests and answers", () => {
  it("carry method, decoded path, query, headers and body", async () => {
    const host = await open();
    let seen: WebRequest | undefined;
    host.mount(
      "admin",
      "/x",
      async (request) => ((seen = request), { status: 201, headers: { "x-y": "z" }, body: new Uint8Array([1, 2]) }),
    );
    const response = await fetch(`${host.address.http}/x/%C8%99i?a=1&a=2`, { method: "PUT", headers: { "X-Case": "T-1" }, body: "hello" });
    expect([response.status, response.headers.get("x-y"), await response.bytes()]).toEqual([201, "z", new Uint8Array([1, 2])]);
    expect(seen).toMatchObject({ method: "PUT", path: "/x/și", origin: host.address.http });
    expect([seen?.query.getAll("a"), seen?.headers["x-case"], Buffer.from(seen?.body ?? []).toString()]).toEqual([
      ["1", "2"],
      "T-1",
      "hello",
    ]);
  });

  it.each([1, 255, 65_535, 65_536, 65_537, 300_000])(
    "carry %i bytes of every value unchanged, and text as UTF-8 beside headers that are Latin-1",
    async (length) => {
      const host = await open();
      const bytes = Uint8Array.from({ length: length + 2 }, (_, i) => (i * 7) % 256);
      const text = "ș€😀".repeat(length / 8 + 1);
      // a part of a bigger buffer: what stands around it must not leave
      host.mount("admin", "/bytes", async () => ({ status: 200, body: bytes.subarray(1, length + 1) }));
      host.mount("admin", "/text", async () => ({ status: 200, headers: { "x-y": "é" }, body: text }));
      const answer = await fetch(`${host.address.http}/bytes`);
      expect([answer.headers.get("content-length"), Buffer.compare(await answer.bytes(), bytes.subarray(1, length + 1))]).toEqual([
        `${length}`,
        0,
      ]);
      const other = await fetch(`${host.address.http}/text`);
      expect([other.headers.get("x-y"), (await other.text()) === text]).toEqual(["é", true]);
    },
  );

  it("HEAD is GET without a body, OPTIONS names the methods", async () => {
    const host = await open();
    host.mount("admin", "/x", async (request) => ({ status: 200, body: request.method }));
    const head = await fetch(`${host.address.http}/x`, { method: "HEAD" });
    expect([head.status, head.headers.get("content-length"), await head.text()]).toEqual([200, "3", ""]);
    const options = await fetch(`${host.address.http}/x`, { method: "OPTIONS" });
    expect([options.status, options.headers.get("allow")]).toEqual([204, expect.stringContaining("POST")]);
    expect(options.headers.get("access-control-allow-origin")).toBeNull();
  });

  it("answers a broken handler with a bare 500 and tells the operator", async () => {
    const told: string[] = [];
    const host = await open({ onError: (error, path) => void told.push(`${path}: ${String(error)}`) });
    host.mount("admin", "/x", () => Promise.reject(new Error("the password is hunter2")));
    host.mount("admin", "/y", async () => ({ status: 200, headers: { bad: "a\nb" } }));
    const response = await fetch(`${host.address.http}/x`);
    expect([response.status, (await response.text()).includes("hunter2")]).toEqual([500, false]);
    await expect(fetch(`${host.address.http}/y`)).rejects.toThrow();
    expect(told).toEqual(["/x: Error: the password is hunter2", expect.stringContaining("/y: ")]);
  });

  it("aborts the signal when the caller goes away, and not after an answer", async () => {
    const host = await open();
    const signals: AbortSignal[] = [];
    const gone = Promise.withResolvers<void>();
    host.mount("admin", "/good", async (request) => (signals.push(request.signal), { status: 200 }));
    host.mount("admin", "/slow", (request) => {
      request.signal.addEventListener("abort", () => gone.resolve());
      return new Promise(() => {});
    });
    await (await fetch(`${host.address.http}/good`)).text();
    await expect(fetch(`${host.address.http}/slow`, { signal: AbortSignal.timeout(50) })).rejects.toThrow();
    await gone.promise;
    expect(signals[0]?.aborted).toBe(false);
  });

  it("serves many requests on one connection", async () => {
    const host = await open();
    host.mount("admin", "/x", async () => ({ status: 200, body: "y\n" }));
    const get = "GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n";
    expect(await rawHttp(Number(new URL(host.address.http).port), get + get + get)).toMatchObject({
      statuses: [200, 200, 200],
      closed: false,
    });
  });
});

describe("closing", () => {
  it("waits for a running request and answers it, then refuses connections", async () => {
    const host = await open();
    const gate = Promise.withResolvers<void>();
    const reached = Promise.withResolvers<void>();
    host.mount("admin", "/x", async () => {
      reached.resolve();
      await gate.promise;
      return { status: 200, body: "late but whole" };
    });
    const answer = fetch(`${host.address.http}/x`);
    await reached.promise;
    let closed = false;
    const closing = host.close().then(() => void (closed = true));
    await sleep(50);
    expect(closed).toBe(false);
    gate.resolve();
    const response = await answer;
    expect([response.headers.get("connection"), await response.text()]).toEqual(["close", "late but whole"]);
    await closing;
    await expect(fetch(`${host.address.http}/x`)).rejects.toThrow();
  });

  it("ends idle connections at once, and stuck requests after the drain time; twice is once", async () => {
    const host = await open({ drainTimeout: 100 });
    host.mount("admin", "/stuck", () => new Promise(() => {}));
    const port = Number(new URL(host.address.http).port);
    const idle = rawHttp(port, "GET /none HTTP/1.1\r\nHost: localhost\r\n\r\n", { quiet: 5000 });
    const stuck = rawHttp(port, "GET /stuck HTTP/1.1\r\nHost: localhost\r\n\r\n", { quiet: 5000 });
    await sleep(100);
    const first = host.close();
    expect(host.close()).toBe(first);
    await first;
    expect([(await idle).closed, (await stuck).closed, (await stuck).statuses]).toEqual([true, true, []]);
  });
});

it("says which port is taken", async () => {
  const host = await open();
  const port = Number(new URL(host.address.http).port);
  await expect(open({ http: { host: "127.0.0.1", port } })).rejects.toMatchObject({
    code: "configuration",
    message: expect.stringContaining(String(port)) as string,
  });
});

it("gives back the plain port when the TLS port is taken", async () => {
  const host = await open();
  const taken = Number(new URL(host.address.https ?? "").port);
  const https = { host: "127.0.0.1", port: taken, ...keys.server, ca: keys.ca };
  await expect(open({ https })).rejects.toMatchObject({ code: "configuration" });
});
