import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Envelope } from "#bus/envelope.ts";
import { BusError, CODES, type ErrorCode } from "#bus/errors.ts";
import { readAnswer, readCarried, writeAnswer, writeCarried, writeRefusal } from "./carry.ts";

const text = fc.string({ unit: "grapheme", maxLength: 40 });
const part = fc.record(
  { subject: text, key: text, causationId: text, traceparent: text, dataref: text, deadline: fc.nat() },
  { requiredKeys: [] },
);
const envelope: fc.Arbitrary<Envelope> = fc
  .record({
    id: text,
    source: text,
    type: text,
    time: fc.nat(),
    correlationId: text,
    contract: text,
    call: fc.record({ user: text, basis: text }, { requiredKeys: [] }),
    headers: fc.dictionary(text, text, { maxKeys: 4 }),
    body: fc.uint8Array({ maxLength: 2_000 }),
  })
  .chain((whole) => part.map((more) => ({ ...whole, ...more })));
const plain = (value: Envelope): unknown => ({ ...value, body: [...value.body], headers: { ...value.headers } });

describe("what a message is on NATS", () => {
  it("reads as it was written", () => {
    fc.assert(
      fc.property(envelope, fc.maxSafeNat(), fc.integer({ min: -1 }), (sent, position, after) => {
        const read = readCarried(writeCarried({ envelope: sent, position, after }));
        expect([plain(read.envelope), read.position, read.after]).toEqual([plain(sent), position, after]);
        expect(plain(readAnswer(writeAnswer(sent)))).toEqual(plain(sent));
      }),
    );
  });
  it("is a copy: what was written stays when the next is written", () => {
    const make = (id: string): Envelope => ({
      id,
      source: "",
      type: "",
      time: 0,
      correlationId: "",
      contract: "",
      call: {},
      headers: {},
      body: Uint8Array.of(1),
    });
    const first = writeAnswer(make("first"));
    writeAnswer(make("other"));
    expect(readAnswer(first).id).toBe("first");
  });
  it("refuses damage and what is not ours with a BusError, never another error", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        for (const read of [readCarried, readAnswer])
          try {
            read(Uint8Array.from(bytes));
          } catch (error) {
            expect(error).toBeInstanceOf(BusError);
          }
      }),
      { numRuns: 2_000, examples: [[Uint8Array.of(3)], [Uint8Array.of(3, 0x7b)], [Uint8Array.of()], [Buffer.from("\u0003null")]] },
    );
  });
  it.each(Object.keys(CODES) as ErrorCode[])("passes a refusal %s on", (code) => {
    expect(() => readAnswer(writeRefusal(new BusError(code, "ț\r\n")))).toThrow(expect.objectContaining({ code, message: "ț\r\n" }));
  });
});
