/** Calls that somebody wants to lead elsewhere: forms of forbidden addresses, names that mean another machine, redirects, values. */
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createHttpOutlet } from "#adapters/http/outlet.ts";
import { createWebClient } from "#adapters/web/client.ts";
import { createGuard, type OutboundPolicy, type Resolve } from "#adapters/web/outbound.ts";
import { outboundGuard } from "#compose/outbound.ts";
import { echoJson } from "#test/harness/echo-json.ts";
import { messageOf } from "#test/harness/message.ts";

const never = new AbortController().signal;
const hits: string[] = [];
let port = 0;
const listener: RequestListener = (request, response) => {
  hits.push(`${request.headers.host ?? ""}${request.url ?? ""}`);
  if (request.url === "/redirect") response.writeHead(302, { location: `http://127.0.0.1:${port}/secret` });
  response.end("{}");
};
const server = createServer(listener);
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  ({ port } = server.address() as AddressInfo);
});
afterAll(() => new Promise((resolve) => server.close(resolve)));

const strict: OutboundPolicy = { http: false, networks: [] };
const call = async (url: string, policy = strict, resolve?: Resolve): Promise<string> => {
  const client = createWebClient({ guard: createGuard(policy, resolve) });
  try {
    const reply = await client.request({ method: "GET", url, headers: {}, body: new Uint8Array(0), maxBytes: 1_000 }, never);
    return String(reply.status);
  } catch (error) {
    return `${(error as { code: string }).code}: ${(error as Error).message}`;
  } finally {
    await client.close();
  }
};
/** A resolver that says one thing after the other. */
const names = (...answers: readonly (readonly string[])[]) => {
  const asked: string[] = [];
  const resolve: Resolve = (host, done) => {
    const addresses = answers[Math.min(asked.length, answers.length - 1)] ?? [];
    asked.push(host);
    done(
      null,
      addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 })),
    );
  };
  return { asked, resolve };
};

describe("an address that is not public", () => {
  it.each([
    "127.0.0.1",
    "127.1",
    "0x7f000001",
    "0x7f.1",
    "2130706433",
    "0177.0.0.1",
    "0",
    "0.0.0.0",
    "１２７.0.0.1",
    "①②⑦.0.0.1",
    "[::1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[0:0:0:0:0:ffff:10.0.0.1]",
    "[::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]",
    "[fe80::1]",
    "[fec0::1]",
    "[fd12:3456::1]",
    "[ff02::1]",
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "100.64.0.1",
    "169.254.169.254",
    "198.18.0.1",
    "224.0.0.1",
    "255.255.255.255",
  ])("written as %s is not called", async (host) => {
    expect(await call(`https://${host}/`)).toMatch(/^configuration: .* not public/u);
  });

  it.each(["1.1.1.1", "172.32.0.1", "100.128.0.1", "[2606:4700::1111]"])("is not %s", (host) => {
    expect(() => createGuard(strict).check(new URL(`https://${host}/`))).not.toThrow();
  });

  it.each(["localhost", "LOCALHOST"])("behind the name %s is not called", async (host) => {
    expect(await call(`https://${host}:${port}/`)).toMatch(/^configuration: .* not public \((?:127\.0\.0\.1|::1)\)/u);
  });

  it("behind the root's own form of a name is not called", async () => {
    expect(await call("https://localhost./", strict, names(["::1"]).resolve)).toMatch(/^configuration: .* not public \(::1\)/u);
  });

  it("behind a name of the public is not called, and the name is looked up once", async () => {
    const { asked, resolve } = names(["10.1.2.3"]);
    expect(await call("https://inside.example/", strict, resolve)).toContain(
      "(10.1.2.3); if it is to be called, add its network to MBUS_OUTBOUND",
    );
    expect(asked).toEqual(["inside.example"]);
  });

  it("among several of one name makes the whole name suspect", async () => {
    const { resolve } = names(["1.1.1.1", "127.0.0.1"]);
    expect(await call("https://both.example/", strict, resolve)).toMatch(/^configuration/u);
  });

  it("is called when its network is named, and only that", async () => {
    const policy = { http: true, networks: ["127.0.0.1"] };
    expect(await call(`http://127.0.0.1:${port}/named`, policy)).toBe("200");
    expect(await call("http://127.0.0.2/", policy)).toMatch(/^configuration/u);
    expect(await call(`http://[::ffff:127.0.0.1]:${port}/mapped`, policy)).toBe("200");
  });
});

describe("a name that changes its meaning", () => {
  it("between check and connection gains nothing: the connection goes where the check looked", async () => {
    const { asked, resolve } = names(["127.0.0.1"], ["127.0.0.66"]);
    expect(await call(`http://rebind.example:${port}/once`, { http: true, networks: ["127.0.0.1"] }, resolve)).toBe("200");
    expect([asked, hits.at(-1)]).toEqual([["rebind.example"], `rebind.example:${port}/once`]);
  });

  it("is judged anew with each connection", async () => {
    const { resolve } = names(["127.0.0.1"], ["127.0.0.66"]);
    const policy = { http: true, networks: ["127.0.0.1"] };
    expect(await call(`http://rebind.example:${port}/`, policy, resolve)).toBe("200");
    expect(await call(`http://rebind.example:${port}/`, policy, resolve)).toMatch(/^configuration: .*127\.0\.0\.66/u);
  });

  it("or is not known to the platform is an endpoint that cannot be reached", async () => {
    expect(await call(`https://${"x".repeat(64)}.invalid/`)).toMatch(/^endpoint-unreachable/u);
  });

  it("or means nothing is an endpoint that cannot be reached", async () => {
    expect(await call("https://nobody.example/", strict, names([]).resolve)).toMatch(/^endpoint-unreachable/u);
  });
});

describe("what is no address of a provider", () => {
  it.each([
    "http://provider.example/",
    "file:///etc/passwd",
    "gopher://127.0.0.1/",
    "ftp://provider.example/",
    "data:text/plain,x",
    "//provider.example/",
    "provider.example",
  ])("%s is not called", async (url) => {
    expect(await call(url)).toMatch(/^configuration/u);
  });

  it.each(["https://user:hunter2@provider.example/", "https://127.0.0.1@provider.example/", "https://provider.example:443@127.0.0.1/"])(
    "%s, with user information, is not called and not repeated",
    async (url) => {
      const said = await call(url);
      expect(said).toMatch(/^configuration/u);
      expect(said).not.toContain("hunter2");
    },
  );

  it("a redirect is not followed, wherever it leads", async () => {
    const before = hits.length;
    expect(await call(`http://127.0.0.1:${port}/redirect`, { http: true, networks: ["127.0.0.0/8"] })).toBe("302");
    expect(hits.slice(before)).toEqual([`127.0.0.1:${port}/redirect`]);
  });

  it.each(["10.0.0.0/33", "10.0.0/8", "localhost", "10.0.0.0/", "::/129", "https"])("%j in the settings stops the start", (one) => {
    expect(() => outboundGuard({ outbound: ["http", one] })).toThrow(/is no network/u);
  });
});

it("a field of a message can lead no call elsewhere", async () => {
  const client = createWebClient({ guard: createGuard({ http: true, networks: ["127.0.0.1"] }) });
  const settings = {
    client,
    method: "GET",
    pattern: "query",
    codec: echoJson,
    replyCodec: undefined,
    headers: {},
    maxBytes: 1_000,
  } as const;
  const outlet = createHttpOutlet({ ...settings, address: `http://127.0.0.1:${port}/api/{text}/end`, query: { q: "{text}" } });
  const values = [
    "@evil.example",
    "//evil.example",
    "../../admin",
    "..%2f..%2fadmin",
    "a?b=c",
    "#x",
    "\\\\evil",
    "a/../../b",
    "x\r\nHost: evil",
    "a&role=admin",
    "\u0000",
  ];
  for (const text of values) {
    await outlet.send(messageOf({ text }), never);
    const [host, path = "", ...rest] = (hits.at(-1) ?? "").split("/api/");
    expect([host, rest]).toEqual([`127.0.0.1:${port}`, []]);
    const url = new URL(`http://h/api/${path}`);
    expect([url.pathname.split("/").map(decodeURIComponent), [...url.searchParams]]).toEqual([["", "api", text, "end"], [["q", text]]]);
  }
  await client.close();
});
