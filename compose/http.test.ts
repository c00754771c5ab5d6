/** The HTTP outlets of a branch on real connections: certificates, tokens, accounts, and what is refused before any call. */
import { mkdtemp, rm } from "node:fs/promises";
import { createServer as createHttpServer } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TLSSocket } from "node:tls";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openKeys, type Keys } from "#adapters/keys/ca.ts";
import { createWebClient } from "#adapters/web/client.ts";
import { createGuard } from "#adapters/web/outbound.ts";
import type { Outlet } from "#bus/ports.ts";
import { echoJson } from "#test/harness/echo-json.ts";
import { messageOf } from "#test/harness/message.ts";
import { branchOf, contractOf, routeOf } from "#test/harness/route.ts";
import { systemClock } from "./clock.ts";
import { httpOutlets } from "./http.ts";

let folder = "";
let keys: Keys;
let secrets: Record<string, string> = {};
let [provider, login]: (Server | ReturnType<typeof createHttpServer> | undefined)[] = [];
let [address, token] = ["", ""];
const seen: { who: string | undefined; authorization: string | undefined; url: string }[] = [];
let taken = new Set<string>();
let issued = 0;

const listening = async (server: Server | ReturnType<typeof createHttpServer>): Promise<number> => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "http-outlets-"));
  keys = await openKeys(folder);
  const own = await keys.issue("mconnect/bus", "1010600034203");
  secrets = { cert: own.cert, key: own.key, ca: keys.ca, id: "bus", secret: "hunter2", password: "correct horse" };
  provider = createServer({ ...keys.server, ca: keys.ca, requestCert: true, rejectUnauthorized: false }, (request, response) => {
    const { authorization } = request.headers;
    seen.push({
      who: (request.socket as TLSSocket).getPeerCertificate().subject?.CN as string | undefined,
      authorization,
      url: request.url ?? "",
    });
    const known = authorization === undefined || authorization.startsWith("Basic ") || taken.has(authorization);
    response.writeHead(known ? 200 : 401, { "content-type": "application/json" }).end('{"text":"there"}');
  });
  login = createHttpServer((_, response) => {
    taken = new Set([`Bearer token-${++issued}`]);
    response.end(JSON.stringify({ access_token: `token-${issued}`, token_type: "bearer", expires_in: 3600 }));
  });
  address = `https://127.0.0.1:${await listening(provider)}/cases/{text}`;
  token = `http://127.0.0.1:${await listening(login)}/token`;
});
afterAll(async () => {
  for (const server of [provider, login]) {
    server?.closeAllConnections();
    server?.close();
  }
  await rm(folder, { recursive: true });
});

const TLS = { cert: "${secret:cert}", key: "${secret:key}", ca: "${secret:ca}" };
function make(
  options: Record<string, unknown>,
  addresses = [address],
  headers: Record<string, string> = {},
  http = true,
): readonly Outlet[] {
  const guard = createGuard({ http, networks: ["127.0.0.1"] });
  const secret = (name: string): string => {
    const found = secrets[name];
    if (found === undefined) throw new Error(`secret ${name} is not set`);
    return found;
  };
  const parts = { client: createWebClient({ guard }), guard, clock: systemClock, secret };
  const route = routeOf({ contract: contractOf("query", "test.echo.v1") });
  const branch = branchOf({ addresses, binding: { kind: "http", options, codec: echoJson, replyCodec: echoJson } });
  return httpOutlets(parts, route, branch, { codec: echoJson, headers, maxBytes: 10_000 });
}
const send = async (options: Record<string, unknown>, times = 1): Promise<unknown> => {
  const [outlet] = make(options);
  try {
    for (let i = 1; i < times; i++) await outlet?.send(messageOf({ text: "a/b" }), new AbortController().signal);
    return await outlet?.send(messageOf({ text: "a/b" }), new AbortController().signal);
  } finally {
    await outlet?.close();
  }
};

describe("who the bus is to a provider", () => {
  it("is its certificate for that address, and the provider is known by an authority of its own", async () => {
    expect(await send({ tls: TLS, method: "GET" })).toEqual({ text: "there" });
    expect(seen.at(-1)).toEqual({ who: "mconnect/bus", authorization: undefined, url: "/cases/a%2Fb" });
  });

  it("is not said to a provider whose authority is not trusted", async () => {
    const before = seen.length;
    await expect(send({ tls: { cert: TLS.cert, key: TLS.key } })).rejects.toMatchObject({ code: "endpoint-unreachable" });
    expect(seen).toHaveLength(before);
  });

  it("is user and password", async () => {
    await send({ tls: { ca: TLS.ca }, basic: { user: "${secret:id}", password: "${secret:password}" } });
    expect(seen.at(-1)).toMatchObject({ who: undefined, authorization: `Basic ${Buffer.from("bus:correct horse").toString("base64")}` });
  });

  it("is a token that is had once for many calls, and anew when the provider takes it no more", async () => {
    const oauth = { token, client: "${secret:id}", secret: "${secret:secret}" };
    const before = issued;
    const [outlet] = make({ tls: { ca: TLS.ca }, oauth });
    const one = (): Promise<unknown> => outlet?.send(messageOf({ text: "x" }), new AbortController().signal) ?? Promise.resolve();
    for (let i = 0; i < 5; i++) await one();
    expect(issued).toBe(before + 1);
    taken.clear();
    expect(await one()).toEqual({ text: "there" });
    expect(issued).toBe(before + 2);
    await outlet?.close();
  });
});

describe("a route is refused when it is loaded", () => {
  it.each([
    [{ oauth: { token: "https://10.0.0.1/", client: "a", secret: "b" } }, "not public"],
    [{ oauth: { token: "login.example", client: "a", secret: "b" } }, "must be a whole one"],
    [{ oauth: { token: "https://l.example/", client: "a", secret: "b" }, basic: { user: "a", password: "b" } }, "`oauth` and `basic`"],
    [{ basic: { user: "a:b", password: "c" } }, "no colon"],
    [{ basic: { user: "a", password: "${secret:none}" } }, "secret none is not set"],
    [{ tls: { cert: "${secret:cert}" } }, "needs `cert` and `key`"],
  ])("with %j", (options, why) => {
    expect(() => make(options)).toThrow(why);
  });

  it.each(["https://10.0.0.1/{text}", "http://provider.example/", "https://{text}.example/", "provider.example"])(
    "with the address %s",
    (one) => {
      expect(() => make({}, [one], {}, false)).toThrow(expect.objectContaining({ code: "configuration" }) as Error);
    },
  );

  it("with an Authorization header beside another way", () => {
    expect(() => make({ basic: { user: "a", password: "b" } }, [address], { authorization: "Bearer x" })).toThrow("`basic` and `auth`");
  });
});

it("each address of a system has its outlet, by its template", () => {
  expect(make({}, ["https://a.example/{text}", "https://b.example/{text}"]).map(({ endpoint }) => endpoint)).toEqual([
    "https://a.example/{text}",
    "https://b.example/{text}",
  ]);
});
