import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { createWebClient } from "#adapters/web/client.ts";
import type { Envelope } from "#bus/envelope.ts";
import { BusError } from "#bus/errors.ts";
import type { HttpOutletSettings } from "#bus/wire.ts";
import { echoJson } from "#test/harness/echo-json.ts";
import { openFarSide, type Canned, type FarSide } from "#test/harness/far-side.ts";
import { messageOf } from "#test/harness/message.ts";
import { encodeValue, readBinary, writeBinary } from "#bus/edge/cloudevents.ts";
import { createHttpOutlet } from "./outlet.ts";

let far: FarSide;
const json = { "content-type": "application/json" };
const good: Canned = { status: 200, headers: json, body: '{"text":"there"}' };

async function send(settings: Partial<HttpOutletSettings> = {}, envelope: Partial<Envelope> = {}, answer = good) {
  const client = createWebClient();
  const standard = {
    client,
    method: "POST",
    pattern: "query",
    codec: echoJson,
    replyCodec: echoJson,
    headers: {},
    maxBytes: 10_000,
  } as const;
  far = await openFarSide({
    client,
    outlet: (address) => createHttpOutlet({ ...standard, address, ...settings }),
    message: (id) => messageOf({ text: "here" }, { id, ...envelope }),
    good: () => answer,
    fault: answer,
  });
  return far.world.outlet.send(far.world.message("m-1"), new AbortController().signal);
}
const event = { pattern: "event", replyCodec: undefined } as const;

afterEach(() => far.world.close());

describe("a call", () => {
  it("carries plain JSON, ids, call context and its own headers", async () => {
    expect(await send({ method: "PUT", headers: { Authorization: "Bearer t" } }, { call: { user: "2000000000001" } })).toEqual({
      text: "there",
    });
    expect(far.seen[0]).toMatchObject({ method: "PUT", url: "/service", body: '{"text":"here"}' });
    expect(far.seen[0]?.headers).toMatchObject({
      "content-type": "application/json",
      "idempotency-key": "m-1",
      "x-correlation-id": "c-1",
      callinguser: "2000000000001",
      authorization: "Bearer t",
    });
    expect(Object.keys(far.seen[0]?.headers ?? {}).filter((name) => name.startsWith("ce-"))).toEqual([]);
  });

  it("with an event carries its attributes, and not who asked", async () => {
    const envelope = {
      subject: "dosar 1ș%",
      key: "k",
      causationId: "m-0",
      deadline: Date.UTC(2026, 4, 5),
      call: { user: "2000000000001" },
    };
    expect(await send(event, envelope, { status: 204, headers: {}, body: "" })).toBeUndefined();
    expect(far.seen[0]?.headers).toMatchObject({
      "ce-specversion": "1.0",
      "ce-id": "m-1",
      "ce-source": "taxoffice/erp",
      "ce-type": "mbus.test.echo.v1",
      "ce-time": "2026-05-04T09:00:00.000Z",
      "ce-subject": "dosar%201%C8%99%25",
      "ce-partitionkey": "k",
      "ce-correlationid": "c-1",
      "ce-causationid": "m-0",
      "ce-expirytime": "2026-05-05T00:00:00.000Z",
      "content-type": "application/json",
      "idempotency-key": "m-1",
    });
    expect(far.seen[0]?.headers).not.toHaveProperty("ce-datacontenttype");
    expect(far.seen[0]?.headers).not.toHaveProperty("callinguser");
  });
});

describe("an answer", () => {
  it.each([200, 201, 202, 204])("of %i confirms an event", async (status) => {
    expect(await send(event, {}, { status, headers: {}, body: "" })).toBeUndefined();
  });

  it.each([
    ["that repeats the key", { "idempotency-key": "m-1" }, ""],
    ["that says it is a replay", { "idempotency-replayed": "true" }, ""],
    ["that is our own problem type", { "content-type": "application/problem+json" }, '{"type":"urn:mconnect-bus:error:duplicate-message"}'],
  ])("of 409 %s means delivered already", async (_, headers, body) => {
    expect(await send(event, {}, { status: 409, headers, body })).toBeUndefined();
  });

  it.each([
    ["without more", {}, ""],
    ["with another key", { "idempotency-key": "m-2" }, ""],
    ["with another content under the id", { "content-type": "application/problem+json" }, '{"type":"urn:mconnect-bus:error:id-reused"}'],
    ["with a broken problem", { "content-type": "application/problem+json" }, "{"],
  ])("of 409 %s is the receiver's fault", async (_, headers, body) => {
    await expect(send(event, {}, { status: 409, headers, body })).rejects.toMatchObject({ code: "provider-fault", providerCode: "409" });
  });

  it("of 409 to a query is never a success", async () => {
    await expect(send({}, {}, { status: 409, headers: { "idempotency-key": "m-1" }, body: "" })).rejects.toMatchObject({
      providerCode: "409",
    });
  });

  it("that breaks the reply's contract names the places", async () => {
    await expect(send({}, {}, { ...good, body: "{}" })).rejects.toMatchObject({
      code: "provider-reply-invalid",
      places: [{ path: "text" }],
    });
  });
});

describe("a REST service", () => {
  it.each(["GET", "DELETE"] as const)("is asked by %s without a body, with the address of the message", async (method) => {
    const address = { query: { since: "{text}", none: "{missing}" }, method };
    expect(await send(address)).toEqual({ text: "there" });
    expect(far.seen[0]).toMatchObject({ method, url: "/service?since=here", body: "" });
    expect(far.seen[0]?.headers).toMatchObject({ accept: "application/json", "idempotency-key": "m-1" });
    expect(far.seen[0]?.headers).not.toHaveProperty("content-type");
  });

  it("is changed by PATCH with a body", async () => {
    await send({ method: "PATCH" });
    expect(far.seen[0]).toMatchObject({ method: "PATCH", body: '{"text":"here"}' });
  });

  it.each([
    [404, { "404": "delivered" }, undefined],
    [404, { "4xx": "delivered" }, undefined],
    [
      404,
      { "404": "contract-violation", "4xx": "delivered" },
      { code: "json-violation", class: "contract-violation", providerCode: "404" },
    ],
    [423, { "423": "provider-unavailable" }, { code: "endpoint-unavailable", providerCode: "423" }],
    [500, { "5xx": "throttled" }, { code: "endpoint-throttled", providerCode: "500" }],
    [501, { "501": "timeout" }, { code: "attempt-timeout", providerCode: "501" }],
    [400, { "5xx": "delivered" }, { code: "provider-fault", providerCode: "400" }],
    [302, {}, { code: "provider-fault", providerCode: "302" }],
  ] as const)("that answers %i means what the route says: %j", async (status, statuses, wanted) => {
    const sent = send({ ...event, statuses }, {}, { status, headers: {}, body: "" });
    if (wanted === undefined) expect(await sent).toBeUndefined();
    else await expect(sent).rejects.toMatchObject(wanted);
  });

  it("that refuses a token is asked once more with a new one, and no third time", async () => {
    const refused: string[] = [];
    let count = 0;
    const authorization = { header: () => Promise.resolve(`Bearer t-${++count}`), refused: (header: string) => void refused.push(header) };
    await expect(send({ authorization }, {}, { status: 401, headers: {}, body: "" })).rejects.toMatchObject({ providerCode: "401" });
    expect(far.seen.map(({ headers }) => headers["authorization"])).toEqual(["Bearer t-1", "Bearer t-2"]);
    expect(refused).toEqual(["Bearer t-1", "Bearer t-2"]);
  });

  it("is not asked when there is no token, or no address", async () => {
    const authorization = { header: () => Promise.reject(new BusError("endpoint-unavailable", "no token")), refused: () => undefined };
    await expect(send({ authorization })).rejects.toMatchObject({ code: "endpoint-unavailable" });
    expect(far.seen).toEqual([]);
    await far.world.close();
    await expect(send({ address: "https://provider.example/{missing}" })).rejects.toMatchObject({ code: "map-failed" });
  });
});

describe("attribute values", () => {
  it("stay visible ASCII and come back as they were", async () => {
    await send();
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", minLength: 1 }), (text) => {
        const encoded = encodeValue(text);
        expect(encoded).toMatch(/^[\x21\x23-\x7e]+$/);
        const headers = { ...writeBinary(messageOf({}, { subject: text }).envelope) };
        expect(readBinary(headers)?.subject).toBe(text.toWellFormed());
      }),
    );
  });

  it("are taken in quotes, too, with one round of decoding", async () => {
    await send();
    const attributes = { "ce-specversion": "1.0", "ce-id": "1", "ce-source": "/", "ce-type": "t" };
    expect(readBinary({ ...attributes, "ce-subject": '"a \\"b\\" c"' })?.subject).toBe('a "b" c');
    expect(readBinary({ ...attributes, "ce-subject": "50%2525" })?.subject).toBe("50%25");
    expect(readBinary({ "content-type": "application/json" })).toBeUndefined();
  });
});
