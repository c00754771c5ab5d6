/** Events as producers send them: what is read of them, and what is refused with which words. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { asBusError } from "#bus/errors.ts";
import { refusal, statusOf, structured } from "./answers.ts";
import { readBatch, readRaw, readStructured } from "./incoming.ts";
import { flag, readOffset, readWish } from "./wish.ts";

const bytes = (value: unknown): Uint8Array => Buffer.from(typeof value === "string" ? value : JSON.stringify(value));
const event = { specversion: "1.0", id: "e-1", source: "/rsp/population", type: "RSP.Population.Person.Changed", data: { idnp: "1" } };
const headers = {
  "ce-specversion": "1.0",
  "ce-id": "e-1",
  "ce-source": "/rsp/population",
  "ce-type": "T.A.B.C",
  "content-type": "application/json",
};
const refused = (work: () => unknown): string => {
  try {
    work();
  } catch (thrown) {
    const error = asBusError(thrown);
    return `${statusOf(error)} ${error.message}`;
  }
  return "taken";
};

describe("an event in the JSON format", () => {
  it("is read with its attributes, and the caller's own text of the data", () => {
    const text =
      '{"specversion":"1.0","id":"e-1","source":"/s","type":"T","time":"2026-11-25T08:30:00.1234567+03:00","subject":"p","partitionkey":"idnp:1","datacontenttype":"application/json; charset=utf-8","sequence":7,"urgent":true,"empty":null,"data": {"n": 12345678901234567890} }';
    const { data, ...read } = readStructured(bytes(text));
    expect(read).toEqual({
      id: "e-1",
      source: "/s",
      type: "T",
      time: "2026-11-25T08:30:00.1234567+03:00",
      subject: "p",
      partitionKey: "idnp:1",
      more: { sequence: "7", urgent: "true" },
    });
    expect(Buffer.from(data).toString()).toBe('{"n": 12345678901234567890}');
  });

  it.each<[string, unknown, string]>([
    ["no JSON", "{", "400 the event is not a JSON object"],
    ["an array", [event], "400 the event is not a JSON object"],
    ["a member that is there twice", `{"id":"a","\\u0069d":"b"}`, "400 the event repeats the member id"],
    ["data that is there twice", JSON.stringify(event).replace("}}", '},"data":{}}'), "400 the event repeats the member data"],
    ["nothing it must have", { data: 1 }, "400 the event lacks specversion, id, source, type"],
    ["an empty id", { ...event, id: "" }, "400 the event lacks id"],
    ["an id with a line break", { ...event, id: "a\nb" }, "400 the attribute id is longer than 2048 characters or has control characters"],
    ["an id with a space", { ...event, id: "a b" }, "400 id must be 1 to 200 visible ASCII characters without spaces"],
    ["another version", { ...event, specversion: "0.3" }, "400 specversion must be 1.0"],
    ["no data", { ...event, data: undefined }, "400 the event has no data"],
    ["binary data", { ...event, data_base64: "AA==" }, "400 data_base64 is not taken here"],
    ["data that is said to be text", { ...event, datacontenttype: "text/plain" }, '400 datacontenttype is "text/plain"'],
    ["an attribute that is an object", { ...event, extra: {} }, "400 the attribute extra is no text, whole number or boolean"],
    ["an attribute that is a fraction", { ...event, extra: 0.5 }, "400 the attribute extra is no text, whole number or boolean"],
    ["an attribute with capitals", { ...event, Extra: "x" }, '400 "Extra" is no attribute\'s name'],
    ["the prototype of everything", `${JSON.stringify(event).slice(0, -1)},"__proto__":"x"}`, '400 "__proto__" is no attribute\'s name'],
    ["an offset, which only the platform gives", { ...event, offset: "1" }, "400 offset is the platform's own attribute"],
    ["a time that is none", { ...event, time: "yesterday" }, "400 time must be a moment of RFC 3339"],
    ["a day that is none", { ...event, time: "2026-13-45T00:00:00Z" }, "400 time must be a moment of RFC 3339"],
    ["a correlation with spaces", { ...event, correlationid: "a b" }, "400 correlationid must be 1 to 200 visible ASCII"],
    [
      "more attributes than anybody needs",
      { ...event, ...Object.fromEntries(Array.from({ length: 65 }, (_, at) => [`x${at}`, "y"])) },
      "400 the event has 69 attributes",
    ],
    ["more than 64 KiB", { ...event, data: "x".repeat(65_536) }, "413 the event has"],
  ])("is refused with %s", (_, value, words) => {
    expect(refused(() => readStructured(bytes(value)))).toContain(words);
  });

  it("is refused when it is no UTF-8: mended bytes would be other data", () => {
    expect(refused(() => readStructured(Buffer.from([0x7b, 0xff, 0x7d])))).toBe("400 the event is not UTF-8");
  });

  it("may come back with its offset, as a dead letter does", () => {
    expect(readStructured(bytes({ ...event, offset: "12" }), true)).toEqual(readStructured(bytes(event)));
  });

  it("is what it was when it was handed out and came back", () => {
    const text = fc.string({ unit: "grapheme", maxLength: 20 }).filter((one) => !/\p{Cc}/u.test(one));
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 3 }), text, fc.nat(), (data, subject, offset) => {
        const attributes = { specversion: "1.0", id: "e-1", source: "/s", type: "T", subject, datacontenttype: "application/json" };
        const handed = structured({ offset, attributes, data: JSON.stringify(data) });
        expect(JSON.parse(handed)).toEqual({ ...attributes, offset: String(offset), data: JSON.parse(JSON.stringify(data)) as unknown });
        const back = readStructured(bytes(handed), true);
        expect(back.subject ?? "").toBe(subject);
        expect(Buffer.from(back.data).toString()).toBe(JSON.stringify(data));
      }),
    );
  });
});

describe("an event in HTTP binary mode", () => {
  it("is read from its headers, percent-decoded once, and the body", () => {
    const { data, ...read } = readRaw(
      { ...headers, "ce-subject": "Ion%20%C8%98erban%2520", "ce-partitionkey": "idnp:1", "x-other": "y" },
      bytes("{}"),
    );
    expect(read).toEqual({
      id: "e-1",
      source: "/rsp/population",
      type: "T.A.B.C",
      subject: "Ion Șerban%20",
      partitionKey: "idnp:1",
      more: {},
    });
    expect(Buffer.from(data).toString()).toBe("{}");
  });

  it.each<[string, Record<string, string | undefined>, string]>([
    ["no type of its body", { "content-type": undefined }, "400 Content-Type is missing"],
    ["a body that is text", { "content-type": "text/plain" }, '400 Content-Type is "text/plain"'],
    ["a body that is bytes", { "content-type": "application/octet-stream" }, '400 Content-Type is "application/octet-stream"'],
    ["the header that binary mode forbids", { "ce-datacontenttype": "application/json" }, "400 ce-datacontenttype must not be sent"],
    ["a value that is no UTF-8", { "ce-subject": "%C0%A0" }, "400 the header ce-subject is not percent-encoded UTF-8"],
    ["an encoded line break", { "ce-subject": "a%0d%0ab" }, "400 the attribute subject is longer"],
    ["no id", { "ce-id": undefined }, "400 the event lacks id"],
  ])("is refused with %s", (_, over, words) => {
    expect(refused(() => readRaw({ ...headers, ...over }, bytes("{}")))).toContain(words);
  });

  it("counts headers and body together", () => {
    expect(refused(() => readRaw(headers, Buffer.alloc(65_500, " ")))).toContain("413 the event has");
  });
});

describe("a batch", () => {
  it("is each of its events, whatever stands between and inside them", () => {
    const items = fc.array(fc.record({ id: fc.stringMatching(/^[!-~]{1,20}$/u), data: fc.jsonValue({ maxDepth: 4 }) }), {
      minLength: 1,
      maxLength: 10,
    });
    fc.assert(
      fc.property(items, fc.constantFrom("", " ", "\n\t"), (list, gap) => {
        const text = `${gap}[${gap}${list.map((one) => JSON.stringify({ ...event, ...one })).join(`${gap},${gap}`)}${gap}]${gap}`;
        const read = readBatch(bytes(text));
        expect(read.map(({ id }) => id)).toEqual(list.map(({ id }) => id));
        expect(read.map(({ data }) => Buffer.from(data).toString())).toEqual(list.map(({ data }) => JSON.stringify(data)));
      }),
    );
  });

  it.each<[string, unknown, string]>([
    ["one event without brackets", event, "400 the batch is not a JSON array of events"],
    ["nothing", [], "400 the batch is empty"],
    ["a number among the events", [event, 5], "400 event 1 (from 0): the event is not a JSON object. Nothing of this request was taken."],
    [
      "a bad event among good ones",
      [event, { ...event, id: "" }, event],
      "400 event 1 (from 0): the event lacks id. Nothing of this request was taken.",
    ],
    ["a big event among small ones", [event, { ...event, data: "x".repeat(70_000) }], "413 event 1 (from 0): the event has"],
    ["an end that is missing", "[{}", "400 the batch is not a JSON array"],
  ])("is refused whole with %s", (_, value, words) => {
    expect(refused(() => readBatch(bytes(value)))).toContain(words);
  });

  it("of deep nesting is refused or read, and never breaks the process", () => {
    const deep = `[${"[".repeat(200_000)}${"]".repeat(200_000)}]`;
    expect(refused(() => readBatch(bytes(deep)))).toMatch(/^4(00|13) /u);
  });
});

describe("what a consumer asks for", () => {
  const wish = (query: string): unknown => readWish(new URLSearchParams(query));

  it("is ordinary and test events of the default group unless it says otherwise", () => {
    expect(wish("")).toEqual({ group: "~default", events: true, test: true, dead: false });
    expect(wish("events=False&test=false&dead=True&group=night")).toEqual({ group: "night", events: false, test: false, dead: true });
    expect(wish("dead")).toMatchObject({ dead: true });
  });

  it.each([
    ["events=maybe", "events must be true or false"],
    ["dead=true&dead=false", "dead is given 2 times"],
    ["group=a/b", "group must be 1 to 60"],
    ["group=../x", "group must be 1 to 60"],
    [`group=${"x".repeat(61)}`, "group must be 1 to 60"],
    ["deed=true", "deed is no parameter here; known are events, test, dead, group"],
  ])("is refused: %s", (query, words) => {
    expect(refused(() => wish(query))).toContain(words);
  });

  it.each(["", "-1", "1.5", "1e3", "0x10", "9".repeat(16), "٣", null])("takes no offset that is no plain whole number: %s", (text) => {
    expect(refused(() => readOffset(text))).toContain("400 an offset is a whole number");
  });

  it("reads a flag that stands alone", () => {
    expect(flag(new URLSearchParams("confirm"), "confirm", false)).toBe(true);
    expect(readOffset("007")).toBe(7);
  });
});

describe("a refusal", () => {
  it("tells nothing of a failure inside", () => {
    const answer = refusal(new TypeError("secret of the inside"));
    expect(answer.status).toBe(500);
    expect(String(answer.body)).not.toContain("secret");
  });
});
