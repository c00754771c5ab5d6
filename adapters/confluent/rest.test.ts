import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { refusal, refusalOf } from "#test/harness/refusal.ts";
import { addressOf, failure, openRest } from "./rest.ts";

describe("an address", () => {
  it.each([
    ["http://r:8081", "http://r:8081", undefined],
    ["https://r/", "https://r", undefined],
    ["http://r:8081/base//", "http://r:8081/base", undefined],
    ["http://u:p@r:8081", "http://r:8081", { username: "u", password: "p" }],
    ["http://u%40x:p%3A%2F@r", "http://r", { username: "u@x", password: "p:/" }],
    ["http://u:100%@r", "http://r", { username: "u", password: "100%" }],
    ["http://u:%zz%41@r", "http://r", { username: "u", password: "%zz%41" }],
    ["http://u@r", "http://r", { username: "u", password: "" }],
  ])("%s is %s with its credentials apart", (url, host, auth) => {
    expect(addressOf(url)).toEqual({ host, auth });
  });
  it.each(["", "r:8081", "ftp://r", "file:///etc/passwd", "javascript:1", "http://"])(
    "%j is none, and the fault does not repeat it",
    (url) => {
      const error = refusal(() => addressOf(url));
      expect(error.code).toBe("configuration");
      if (url.length > 7) expect(error.message).not.toContain(url);
    },
  );
});

describe("an answer", () => {
  let url = "";
  const seen: { method: string; authorization: string | undefined; type: string | undefined; body: string }[] = [];
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("end", () => {
      seen.push({
        method: request.method ?? "",
        authorization: request.headers.authorization,
        type: request.headers["content-type"],
        body: Buffer.concat(parts).toString(),
      });
      if (request.url === "/late") return;
      if (request.url === "/moved") response.writeHead(302, { location: "/text" }).end();
      else if (request.url === "/huge") response.end(Buffer.alloc(9_000_000, 0x20));
      else if (request.url === "/text") response.end("<html>");
      else if (request.url === "/list") response.end("[1]");
      else response.writeHead(404).end('{"error_code":40401,"message":"no"}');
    });
  });
  beforeAll(async () => {
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => {
    server.closeAllConnections();
    return new Promise((done) => server.close(done));
  });

  it("of any status is given with its JSON", async () => {
    const rest = openRest(addressOf(url.replace("//", "//us%C8%99er:p@")), 5_000);
    expect(await rest("POST", "/x", { a: 1 })).toEqual({ status: 404, json: { error_code: 40401, message: "no" } });
    expect(seen.at(-1)).toEqual({
      method: "POST",
      authorization: `Basic ${Buffer.from("usșer:p").toString("base64")}`,
      type: "application/vnd.schemaregistry.v1+json",
      body: '{"a":1}',
    });
  });
  it("that is no JSON is an empty one: the status tells", async () => {
    const rest = openRest(addressOf(url), 5_000);
    expect(await rest("GET", "/text")).toEqual({ status: 200, json: {} });
    expect((await rest("GET", "/list")).json).toEqual([1]);
    expect(seen.at(-1)).toMatchObject({ authorization: undefined, type: undefined });
  });
  it.each([
    ["/huge", "message-too-large"],
    ["/moved", "endpoint-unreachable"],
    ["/late", "attempt-timeout"],
  ])("from %s is %s", async (path, code) => {
    expect((await refusalOf(openRest(addressOf(url), 500)("GET", path))).code).toBe(code);
  });
  it("of nobody is endpoint-unreachable, and names the host without its credentials", async () => {
    const error = await refusalOf(openRest(addressOf("http://user:secret@127.0.0.1:1"), 2_000)("GET", "/"));
    expect([error.code, error.message.includes("secret")]).toEqual(["endpoint-unreachable", false]);
  });
  it.each([
    [409, "schema-incompatible"],
    [422, "schema-invalid"],
    [413, "message-too-large"],
    [429, "endpoint-throttled"],
    [401, "configuration"],
    [403, "configuration"],
    [500, "endpoint-unavailable"],
    [503, "endpoint-unavailable"],
  ] as const)("of %d means %s", (status, code) => {
    expect(failure(status, "why", "register").code).toBe(code);
    expect([failure(status, "why", "register").message, failure(status, undefined, "register").message]).toEqual([
      "the schema registry refused to register: why",
      `the schema registry refused to register: HTTP ${status}`,
    ]);
  });
});
