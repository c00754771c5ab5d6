import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { messageOf } from "#test/harness/message.ts";
import { refusal } from "#test/harness/refusal.ts";
import { eachAttribute, encodeValue, readBinary, readStructured, writeBinary } from "./cloudevents.ts";

const MINIMUM = { "ce-specversion": "1.0", "ce-id": "1", "ce-source": "/s", "ce-type": "t" };
const TRACE = `00-${"a".repeat(32)}-${"b".repeat(16)}-01`;
/** Text of any kind: ASCII with controls, other letters, halves of surrogate pairs. */
const anyText = fc.oneof(
  fc.string(),
  fc.string({ unit: "binary" }),
  fc.string({ unit: fc.constantFrom("%", '"', "\\", "\r", "\n", "ș", "\ud800", "𝄞", " ", "4", "1") }),
);

describe("a value in a header", () => {
  it("of any text is visible ASCII without quotes, and comes back", () => {
    fc.assert(
      fc.property(anyText, (value) => {
        const encoded = encodeValue(value);
        expect(encoded).toMatch(/^[\x21\x23-\x7e]*$/u);
        const facts = readBinary({ ...MINIMUM, "ce-subject": encoded });
        expect(facts?.subject).toBe(value.toWellFormed());
      }),
      { numRuns: 1_000 },
    );
  });
  it.each([
    ["a\r\nx-evil: 1", "a%0D%0Ax-evil:%201"],
    ["\u0000\u007f", "%00%7F"],
    ['say "50%"', "say%20%2250%25%22"],
    ["Ștefan 𝄞", "%C8%98tefan%20%F0%9D%84%9E"],
    ["\ud800", "%EF%BF%BD"],
    ["", ""],
  ])("%j is written %s", (value, encoded) => {
    expect(encodeValue(value)).toBe(encoded);
  });
  it.each([
    ["plain", "plain"],
    ['"quoted text"', "quoted text"],
    ['"a \\"b\\" \\\\c"', 'a "b" \\c'],
    ["100%", "100%"],
    ["%zz%41", "%zzA"],
    ['"', '"'],
    ["%C8%98", "Ș"],
  ])("%s is read as %j", (value, text) => {
    expect(readBinary({ ...MINIMUM, "ce-subject": value })?.subject).toBe(text);
  });
  it.each(["%C8", "%ff%fe", "%ED%A0%80", "%C0%AF", "%F5%80%80%80"])("%s, which is no UTF-8, is refused by the header's name", (value) => {
    const error = refusal(() => readBinary({ ...MINIMUM, "ce-subject": value }));
    expect([error.code, error.message]).toEqual(["http-request", "the header ce-subject is not percent-encoded UTF-8"]);
  });
});

describe("binary mode", () => {
  it("is none without attributes", () => {
    expect(readBinary({})).toBeUndefined();
    expect(readBinary({ "content-type": "application/json", "ce-time": "2026-01-31T08:00:00Z" })).toBeUndefined();
  });
  it.each(["specversion", "id", "source", "type"])("without %s is refused, and the fault names it", (name) => {
    for (const value of [undefined, ""]) {
      const headers: Record<string, string | undefined> = { ...MINIMUM, [`ce-${name}`]: value };
      if (headers["ce-id"] === undefined && headers["ce-specversion"] === undefined) continue;
      const error = refusal(() => readBinary(headers));
      expect([error.code, error.places.map((place) => place.path)]).toEqual(["http-request", [name]]);
    }
  });
  it.each(["0.3", "1.1", "1", "2.0"])("of version %s is refused", (version) => {
    expect(refusal(() => readBinary({ ...MINIMUM, "ce-specversion": version })).message).toBe("specversion must be 1.0");
  });
  it("gives what the bus takes over, and nothing else", () => {
    const headers = {
      ...MINIMUM,
      "ce-subject": "s",
      "ce-correlationid": "c",
      "ce-traceparent": TRACE,
      "ce-time": "x",
      "ce-__proto__": "p",
      "ce-constructor": "k",
    };
    expect(readBinary(headers)).toEqual({ id: "1", subject: "s", correlationId: "c", traceparent: TRACE });
    expect(({} as Record<string, unknown>)["p"]).toBeUndefined();
  });
  it.each(["", "00", `${TRACE}x`, TRACE.toUpperCase(), "x\r\ny"])(
    "with the trace %j has none: what is no trace is not passed on",
    (trace) => {
      expect(readBinary({ ...MINIMUM, "ce-traceparent": encodeValue(trace) })).toEqual({ id: "1" });
    },
  );
  it("of any envelope reads back with its id, subject, correlation and trace", () => {
    const envelope = fc.record({
      id: fc.string({ minLength: 1 }),
      correlationId: fc.string({ minLength: 1 }),
      subject: fc.option(anyText, { nil: undefined }),
      traceparent: fc.constantFrom(undefined, TRACE),
    });
    fc.assert(
      fc.property(envelope, (facts) => {
        const given = Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined));
        const written = writeBinary(messageOf({}, given).envelope);
        for (const value of Object.values(written)) expect(value).toMatch(/^[\x20-\x7e]*$/u);
        const { subject, ...others } = given as { subject?: string };
        expect(readBinary(written)).toEqual({ ...others, ...(subject !== undefined && { subject: subject.toWellFormed() }) });
      }),
    );
  });
  it("names every attribute once, with the time of the event and its deadline as instants", () => {
    const { envelope } = messageOf({}, { deadline: Date.UTC(2026, 4, 4, 10), key: "k", causationId: "m-0" });
    const seen: string[] = [];
    eachAttribute(envelope, (name) => seen.push(name));
    expect(new Set(seen).size).toBe(seen.length);
    expect(writeBinary(envelope)).toMatchObject({
      "ce-time": "2026-05-04T09:00:00.000Z",
      "ce-expirytime": "2026-05-04T10:00:00.000Z",
      "ce-partitionkey": "k",
      "ce-causationid": "m-0",
    });
  });
});

describe("structured mode", () => {
  const event = (data: string, more = ""): Uint8Array =>
    Buffer.from(`{"specversion":"1.0","id":"1","source":"/s","type":"t"${more},"data":${data}}`);
  const dataOf = (bytes: Uint8Array): string => Buffer.from(readStructured(bytes).data).toString();

  it.each([
    '{"a":12345678901234567890}',
    '{"a":1,"a":2}',
    '{ "a" : [ 1 , { "b" : "}" } ] }',
    "[]",
    '"text"',
    "1e400",
    "null",
    '{"\\u0061":"\\ud83c\\udfbc"}',
  ])("gives the data %s as it stood, character by character", (data) => {
    expect(dataOf(event(data))).toBe(data);
  });
  it("of any JSON gives the very text, whatever stands before and behind it", () => {
    const space = fc.constantFrom("", " ", "\n\t");
    fc.assert(
      fc.property(fc.json(), fc.json(), space, (data, other, gap) => {
        const text = `${gap}{${gap}"other"${gap}:${gap}${other}${gap},"specversion":"1.0","id":"1","source":"/s","type":"t","data"${gap}:${gap}${data}${gap},"last":${other}}${gap}`;
        expect(dataOf(Buffer.from(text))).toBe(data.trimEnd());
      }),
      { numRuns: 500 },
    );
  });
  it.each<[string, Uint8Array, string]>([
    ["no JSON", Buffer.from("{"), "json-malformed"],
    ["a list", Buffer.from("[]"), "json-malformed"],
    ["nothing", Buffer.from(""), "json-malformed"],
    [
      "bytes that are not UTF-8 inside the data",
      Buffer.from('{"specversion":"1.0","id":"1","source":"/s","type":"t","data":"\u00ff"}', "latin1"),
      "json-malformed",
    ],
    ["an overlong slash", Buffer.concat([Buffer.from('{"data":"'), Buffer.from([0xc0, 0xaf]), Buffer.from('"}')]), "json-malformed"],
    ["a byte order mark", Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), event("1")]), "json-malformed"],
    ["UTF-16", Buffer.from('{"specversion":"1.0"}', "utf16le"), "json-malformed"],
    ["a repeated member", event("1", ',"id":"2"'), "json-malformed"],
    ["a member repeated by an escape", event("1", ',"i\\u0064":"2"'), "json-malformed"],
    ["data in base64", event("1", ',"data_base64":"AA=="'), "media-type"],
    ["no data", Buffer.from('{"specversion":"1.0","id":"1","source":"/s","type":"t"}'), "json-violation"],
    ["an id that is a number", Buffer.from('{"specversion":"1.0","id":1,"source":"/s","type":"t","data":1}'), "http-request"],
    ["another version", Buffer.from('{"specversion":"0.3","id":"1","source":"/s","type":"t","data":1}'), "http-request"],
  ])("with %s is refused", (_, bytes, code) => {
    expect(refusal(() => readStructured(bytes)).code).toBe(code);
  });
  it("takes names that mean something in JavaScript as names", () => {
    const { event: facts } = readStructured(event("1", ',"__proto__":"x","constructor":"y","toString":"z"'));
    expect(facts).toEqual({ id: "1" });
    expect(({} as Record<string, unknown>)["x"]).toBeUndefined();
  });
  it("reads a member of megabytes", () => {
    expect(dataOf(event(`"${"x".repeat(3_000_000)}"`)).length).toBe(3_000_002);
    expect(readStructured(event("1", `,"${"k".repeat(1_000_000)}":1`)).event.id).toBe("1");
  });
});
