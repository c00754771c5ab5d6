import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { RunningWebHost } from "#adapters/web/host.ts";
import { BusError } from "#bus/errors.ts";
import type { Accept, Inbound, Inlet } from "#bus/ports.ts";
import type { HttpInletSettings, SourceBinding } from "#bus/wire.ts";
import { accepted } from "#test/conformance/inlet.ts";
import { echoJson } from "#test/harness/echo-json.ts";
import { openTestHost } from "#test/harness/web-world.ts";
import { createHttpInlet } from "./inlet.ts";

let host: RunningWebHost;
let inlet: Inlet;
let seen: Inbound[];

const reading: Accept = async (inbound) => {
  seen.push(inbound);
  inbound.read();
  return accepted(inbound);
};

async function open(pattern: SourceBinding["pattern"], accept: Accept = reading, settings: Partial<HttpInletSettings> = {}): Promise<void> {
  host = await openTestHost(10_000);
  const binding = { route: "echo", from: "erp", system: undefined, pattern };
  const replyCodec = pattern === "query" ? echoJson : undefined;
  inlet = createHttpInlet({
    host,
    path: "/echo",
    method: "POST",
    codec: echoJson,
    replyCodec,
    binding,
    limits: { maxBytes: 5000, maxInFlight: 10 },
    ...settings,
  });
  await inlet.start(accept);
}

async function post(body: string, headers: Record<string, string> = {}, method = "POST") {
  const response = await fetch(`${host.address.http}/echo`, { method, headers: { "content-type": "application/json", ...headers }, body });
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    text,
    json: (text === "" ? {} : JSON.parse(text)) as Record<string, unknown>,
  };
}

beforeEach(() => void (seen = []));
afterEach(async () => {
  await inlet.close();
  await host.close();
});

const good = JSON.stringify({ text: "hi" });
const binary = { "ce-specversion": "1.0", "ce-id": "e-1", "ce-source": "/registry", "ce-type": "person.changed" };

describe("answers by pattern", () => {
  it("a query has its reply", async () => {
    await open("query", async (inbound) => accepted(inbound, "reply"));
    const answer = await post(good, { "x-message-id": "m-1", "x-correlation-id": "c-1" });
    expect([answer.status, answer.json]).toEqual([200, { text: "hi" }]);
    expect([answer.headers.get("content-type"), answer.headers.get("x-message-id")]).toEqual(["application/json", "m-1"]);
  });

  it("an event is accepted with id, correlation and position", async () => {
    await open("event");
    const answer = await post(good, { "x-message-id": "m-1" });
    expect([answer.status, answer.json]).toEqual([202, { id: "m-1", correlationId: "correlation", position: 7 }]);
  });

  it("a command is accepted with a place to ask for its reply", async () => {
    await open("command");
    const answer = await post(good, { "x-message-id": "m/1" });
    expect([answer.status, answer.headers.get("location")]).toEqual([202, "/mconnect/commands/m%2F1"]);
  });
});

describe("facts of a message", () => {
  it("come from plain headers", async () => {
    await open("query");
    const traceparent = `00-${"a".repeat(32)}-${"b".repeat(16)}-01`;
    const headers = {
      "message-id": "m-1",
      traceparent,
      prefer: "respond-async, wait=10",
      "x-system": "taxoffice/erp",
      "case-number": "T-1",
      CallingUser: "2000000000001",
      CallBasis: "legea 133",
    };
    await post(good, headers);
    expect(seen[0]).toMatchObject({
      route: "echo",
      from: "erp",
      system: "taxoffice/erp",
      id: "m-1",
      traceparent,
      waits: 10_000,
      mediaType: "application/json",
    });
    expect([seen[0]?.call, seen[0]?.headers]).toEqual([{ user: "2000000000001", basis: "legea 133" }, { "case-number": "T-1" }]);
  });

  it("keep only the headers that the route names, where it names some", async () => {
    await open("query", reading, { headers: ["case-number"] });
    await post(good, { "case-number": "T-1", "other-number": "2" });
    expect(seen[0]?.headers).toEqual({ "case-number": "T-1" });
  });

  it("have a trace of their own where the caller sends none or a broken one", async () => {
    await open("query");
    await post(good);
    await post(good, { traceparent: "00-zz" });
    for (const one of seen) expect(one.traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
  });
});

describe("CloudEvents", () => {
  it("in binary mode give id and subject, percent-decoded", async () => {
    await open("event");
    const answer = await post(good, {
      ...binary,
      "ce-subject": "dosar%20nr.%201%C8%99",
      "ce-correlationid": "c-9",
      "ce-partitionkey": "k",
    });
    expect(answer.status).toBe(202);
    expect(seen[0]).toMatchObject({ id: "e-1", subject: "dosar nr. 1ș", correlationId: "c-9" });
    expect(seen[0]?.headers).toEqual({});
  });

  it("in structured mode give the data to the codec as it was written", async () => {
    let given = "";
    const codec = { ...echoJson, read: (bytes: Uint8Array) => ((given = Buffer.from(bytes).toString()), echoJson.read(bytes)) };
    await open("event", reading, { codec });
    const data = '{ "text": "a } , \\" b", "big": 12345678901234567890, "list": [1, {"x": "]"}] }';
    const event = `{"specversion":"1.0","id":"e-2","source":"/r","type":"t","subject":"s","data" : ${data} ,"time":"2026-01-01T00:00:00Z"}`;
    const answer = await post(event, { "content-type": "application/cloudevents+json; charset=utf-8" });
    expect([answer.status, given]).toEqual([202, data]);
    expect(seen[0]).toMatchObject({ id: "e-2", subject: "s" });
  });

  it.each([
    ["without id", { "ce-specversion": "1.0", "ce-source": "/r", "ce-type": "t" }, "http-request"],
    ["of another version", { ...binary, "ce-specversion": "0.3" }, "http-request"],
    ["with an overlong encoding", { ...binary, "ce-subject": "%C0%A0" }, "http-request"],
    ["with an id of spaces", { ...binary, "ce-id": "a%20b" }, "http-request"],
  ] as const)("%s are refused", async (_, headers, code) => {
    await open("event");
    expect((await post(good, headers)).json).toMatchObject({ type: `urn:mconnect-bus:error:${code}`, status: 400 });
  });

  const structured = (members: Record<string, unknown>): string =>
    JSON.stringify({ specversion: "1.0", id: "e", source: "/r", type: "t", ...members });
  it.each([
    ["that is a list", "[]", "json-malformed"],
    ["that breaks off", '{"specversion":"1.0"', "json-malformed"],
    ["that repeats a member", structured({ data: {} }).replace("{", '{"id":"other",'), "json-malformed"],
    ["without data", structured({}), "json-violation"],
    ["with packed data", structured({ data_base64: "e30=" }), "media-type"],
    ["whose data breaks the contract", structured({ data: { no: 1 } }), "json-violation"],
  ])("structured %s are refused", async (_, body, code) => {
    await open("event");
    expect((await post(body, { "content-type": "application/cloudevents+json" })).json).toMatchObject({
      type: `urn:mconnect-bus:error:${code}`,
    });
    expect(seen).toHaveLength(1);
  });

  it("are no queries", async () => {
    await open("query");
    expect((await post(structured({ data: {} }), { "content-type": "application/cloudevents+json" })).status).toBe(415);
  });
});

describe("problems", () => {
  const refuse = (thrown: unknown) => () => Promise.reject(thrown);

  it("have the shape of the state's API guide", async () => {
    const places = [
      { path: "idnp", text: "13 digits are needed" },
      { path: "idnp", text: "and no letters" },
      { line: 3, column: 2, text: "odd" },
    ];
    await open("query", refuse(new BusError("json-violation", "two members break their contract", { places })));
    const traceparent = `00-${"a".repeat(32)}-${"b".repeat(16)}-01`;
    const answer = await post(good, { traceparent });
    expect(answer.headers.get("content-type")).toBe("application/problem+json");
    expect(answer.json).toEqual({
      type: "urn:mconnect-bus:error:json-violation",
      title: "a member of the JSON document breaks its contract",
      status: 400,
      detail: "two members break their contract",
      instance: "/echo",
      traceId: traceparent,
      errors: { idnp: ["13 digits are needed", "and no letters"], "line 3, column 2": ["odd"] },
    });
  });

  it.each([
    [new BusError("grant-missing", "no"), 403, null],
    [new BusError("id-reused", "no"), 409, null],
    [new BusError("attempt-timeout", "no"), 504, null],
    [new BusError("rate-exceeded", "no", { retryAfter: 2500 }), 429, "3"],
    [new BusError("breaker-open", "no"), 503, "1"],
    [new Error("the password is hunter2"), 500, null],
  ] as const)("%s has status %i", async (error, status, retryAfter) => {
    await open("query", refuse(error));
    const answer = await post(good);
    expect([answer.status, answer.json["status"], answer.headers.get("retry-after")]).toEqual([status, status, retryAfter]);
    expect(answer.text).not.toContain("hunter2");
  });

  it.each([
    ["text/plain", "415"],
    ["application/json; charset=iso-8859-1", "415"],
    ["application/xml", "415"],
  ])("a body of %s is refused", async (type, status) => {
    await open("query");
    expect(String((await post(good, { "content-type": type })).status)).toBe(status);
    expect(seen).toHaveLength(1);
  });

  it("a body above the limit is refused", async () => {
    await open("query");
    expect((await post(JSON.stringify({ text: "x".repeat(6000) }))).status).toBe(413);
  });

  it("another method is told which one", async () => {
    await open("query");
    const answer = await post(good, {}, "PUT");
    expect([answer.status, answer.json["status"], answer.headers.get("allow")]).toEqual([405, 405, "POST"]);
    expect(seen).toEqual([]);
  });
});
