import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { anyRecord } from "#test/harness/record-arbitrary.ts";
import { messageOf } from "#test/harness/message.ts";
import { numbered, stored } from "#test/harness/evidence.ts";
import { newSink } from "../journal/bytes.ts";
import { readRecord, writeRecord } from "../journal/codec.ts";
import type { JournalRecord, StoredRecord } from "../journal/record.ts";
import { createEntries } from "./entry.ts";

const entryOf = createEntries(Buffer.alloc(32, 7));
const textOf = (record: StoredRecord): string => Buffer.from(entryOf(record)).toString();
const position = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });

function throughCodec(record: JournalRecord): JournalRecord {
  const sink = newSink(8);
  writeRecord(sink, record);
  return readRecord(Buffer.from(sink.buf.subarray(0, sink.at)));
}

describe("an entry of the evidence log", () => {
  it("is the same text for a record before it is written and after it was read", () =>
    fc.assert(
      fc.property(anyRecord, position, (record, at) => {
        expect(textOf(stored(throughCodec(record), at))).toBe(textOf(stored(record, at)));
      }),
      { numRuns: 300 },
    ));

  it("is the same where a text holds half of a surrogate pair, and where it only looks so", () => {
    for (const id of ["\ud800", "a\udc00b", "\\ud800", "\\\ud83d", "😀"]) {
      const record = numbered(1, { id, detail: id });
      expect(textOf(stored(throughCodec(record), 1))).toBe(textOf(stored(record, 1)));
      expect(
        Buffer.from(entryOf(stored(record, 1)))
          .toString()
          .isWellFormed(),
      ).toBe(true);
    }
  });

  it("does not depend on the order of search fields or headers", () => {
    const one = numbered(1, { index: { a: "1", b: "2" } });
    const two = numbered(1, { index: { b: "2", a: "1" } });
    expect(textOf(stored(one, 5))).toBe(textOf(stored(two, 5)));
  });

  it("says every member of the record, so that no change of one stays unseen", () => {
    const { envelope } = messageOf({ idnp: "2000000000007" });
    const whole: JournalRecord = {
      ...numbered(1),
      branch: "b",
      contract: "person.request.v1",
      system: "a/b",
      target: "c/d",
      grant: "g",
      errorClass: "timeout",
      errorCode: "timeout",
      detail: "late",
      attempt: 2,
      elapsed: 3.5,
      index: { idnp: "2" },
      envelope: {
        ...envelope,
        subject: "s",
        key: "k",
        causationId: "x",
        deadline: 9,
        call: { user: "1", entity: "2", basis: "3", reason: "4" },
      },
      original: Buffer.from("o"),
      topic: "t",
      dedupe: { key: "k", window: 7 },
      call: { user: "5", entity: "6", basis: "7", reason: "8" },
    };
    const before = textOf(stored(whole, 1));
    for (const changed of changes(whole)) expect([changed[0], textOf(stored(changed[1], 1)) !== before]).toEqual([changed[0], true]);
    expect(textOf(stored(whole, 2))).not.toBe(before);
  });

  it("has the digest of the body that the envelope really holds, not the one that the record claims", () => {
    const { envelope } = messageOf({}, { body: Buffer.from("a body") });
    const body = Buffer.from("b body");
    const record = numbered(1, { envelope });
    expect(textOf(stored({ ...record, envelope: { ...envelope, body } }, 1))).not.toBe(textOf(stored(record, 1)));
  });

  it("holds no payload: neither the body nor the bytes of a refused message", () => {
    const { envelope } = messageOf({}, { body: Buffer.from("2000000000007") });
    const text = textOf(stored(numbered(1, { envelope, original: Buffer.from("<idnp>2000000000007</idnp>") }), 1));
    expect(text).not.toContain("2000000000007");
  });

  it("has a salt of its own for each position, which nobody makes without the key", () => {
    const record = numbered(1);
    const salts = [1, 2, 3].map((at) => (JSON.parse(textOf(stored(record, at))) as { salt: string }).salt);
    expect(new Set(salts).size).toBe(3);
    for (const salt of salts) expect(salt).toMatch(/^[A-Za-z0-9+/]{22}$/u);
    expect(Buffer.from(createEntries(Buffer.alloc(32, 8))(stored(record, 1))).toString()).not.toBe(textOf(stored(record, 1)));
  });
});

/** The record with one member changed, for each of its members and those of its envelope and call. */
function changes(record: JournalRecord): readonly (readonly [string, JournalRecord])[] {
  const change = (value: unknown): unknown => {
    if (typeof value === "string") return `${value}x`;
    if (typeof value === "number") return value + 1;
    if (value instanceof Uint8Array) return Buffer.concat([value, Buffer.of(1)]);
    return { ...(value as object), added: "1" };
  };
  const { envelope } = record;
  if (!envelope) return [];
  const top = Object.keys(record).filter((name) => name !== "envelope" && name !== "dedupe" && name !== "call");
  return [
    ...top.map((name) => [name, { ...record, [name]: change(record[name as keyof JournalRecord]) }] as const),
    ...Object.keys(envelope)
      .filter((name) => name !== "call")
      .map(
        (name) =>
          [`envelope.${name}`, { ...record, envelope: { ...envelope, [name]: change(envelope[name as keyof typeof envelope]) } }] as const,
      ),
    ...(["user", "entity", "basis", "reason"] as const).map(
      (name) => [`call.${name}`, { ...record, envelope: { ...envelope, call: { ...envelope.call, [name]: "other" } } }] as const,
    ),
    ...(["user", "entity", "basis", "reason"] as const).map(
      (name) => [`own call.${name}`, { ...record, call: { ...record.call, [name]: "other" } }] as const,
    ),
    ["dedupe.key", { ...record, dedupe: { key: "other", window: 7 } }],
    ["dedupe.window", { ...record, dedupe: { key: "k", window: 8 } }],
  ];
}
