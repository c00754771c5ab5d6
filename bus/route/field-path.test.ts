import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Message } from "../envelope.ts";
import { compileMessagePath, compilePath, compileTextPath } from "./field-path.ts";

const message: Message = {
  envelope: {
    id: "m-1",
    source: "office/erp",
    type: "t",
    time: 5,
    key: "k",
    correlationId: "c-1",
    contract: "c",
    call: { user: "2000000000001" },
    headers: { "official-id": "A77", "a.b": "dotted" },
    body: new Uint8Array(),
  },
  value: {
    message: { id: "field" },
    headers: "field",
    call: { user: "field", deep: { x: 1 } },
    id: "field",
    list: [{ a: 1 }, { b: 2 }, { a: [3] }],
    none: null,
  },
};

describe("paths over a message", () => {
  it.each([
    ["headers.official-id", "A77"],
    ["headers.Official-ID", "A77"],
    ["headers.a.b", "dotted"],
    ["$headers.official-id", "A77"],
    ["call.user", "2000000000001"],
    ["$call.user", "2000000000001"],
    ["call.basis", undefined],
    ["$id", "m-1"],
    ["$source", "office/erp"],
    ["$key", "k"],
    ["$correlationId", "c-1"],
    ["$subject", undefined],
    ["$time", 5],
    ["message.id", "field"],
    ["id", "field"],
    ["headers", "field"],
    ["call.deep.x", 1],
    ["list.a", [1, 3]],
    ["list.c", undefined],
    ["none", null],
    ["none.x", undefined],
    ["constructor", undefined],
    ["list.length", undefined],
  ])("%s", (path, expected) => {
    expect(compileMessagePath(path)(message)).toEqual(expected);
  });

  it.each([
    "$nope",
    "$id.x",
    "$headers",
    "$call",
    "a..b",
    "",
    "a[0]",
    "a b",
    "__proto__.x",
    "$",
    Array.from({ length: 40 }, () => "a").join("."),
  ])("refuses %j", (path) => {
    expect(() => compileMessagePath(path)(message)).toThrow(/is no field path|a message has/);
  });

  it("gives text: scalars as they are, structures as JSON, nothing for null", () => {
    const text = (value: unknown): string | undefined => compileTextPath("x")({ ...message, value: { x: value } });
    expect([text("a"), text(1.5), text(12345678901234567890n), text(true), text(null), text(undefined)]).toEqual([
      "a",
      "1.5",
      "12345678901234567890",
      "true",
      undefined,
      undefined,
    ]);
    expect(text([1, 2n])).toBe('[1,"2"]');
  });
});

describe("any path", () => {
  const name = fc.stringMatching(/^[A-Za-z][A-Za-z0-9_-]{0,6}$/);
  it("finds what was put there, and nothing beside it", () => {
    fc.assert(
      fc.property(fc.array(name, { minLength: 1, maxLength: 6 }), fc.integer(), (names, value) => {
        const record = names.reduceRight<unknown>((inner, each) => ({ [each]: inner }), value);
        expect(compilePath(names.join("."))(record)).toBe(value);
        expect(compilePath([...names, "more"].join("."))(record)).toBeUndefined();
        expect(compilePath(names.map((each) => `${each}x`).join("."))(record)).toBeUndefined();
      }),
    );
  });
});
