import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { AvroRecord } from "#bus/envelope.ts";
import { messageOf } from "#test/harness/message.ts";
import { compileTarget } from "./target.ts";

const at = (address: string, value: AvroRecord = {}, query: Record<string, string> = {}): string =>
  compileTarget(address, query)(messageOf(value, { id: "m-1" }));
const code = (wanted: string): Error => expect.objectContaining({ code: wanted }) as Error;

describe("an address", () => {
  it.each([
    ["https://h/a/b?x=1", {}, {}, "https://h/a/b?x=1"],
    ["https://h:8443/persons/{idnp}", { idnp: "2000000000001" }, {}, "https://h:8443/persons/2000000000001"],
    ["https://h/{a}-{b}/{$id}", { a: 1, b: true }, {}, "https://h/1-true/m-1"],
    ["https://h/x", { d: "2026-01-31", n: null }, { since: "{d}", until: "{n}", kind: "all" }, "https://h/x?since=2026-01-31&kind=all"],
    ["https://h/x?v=2", { d: "a b" }, { q: "{d}!" }, "https://h/x?v=2&q=a%20b%21"],
    ["https://h/x", { d: "", e: null }, { q: "{d}", r: "{d}{e}" }, "https://h/x?q="],
    ["https://h/x", {}, { "a b&": "1" }, "https://h/x?a%20b%26=1"],
    ["https://h", { d: 1 }, { d: "{d}" }, "https://h?d=1"],
  ])("%j with %j and %j is %s", (address, value, query, wanted) => {
    expect(at(address, value, query)).toBe(wanted);
  });

  it.each([
    "https://{host}/x",
    "https://h.{domain}/x",
    "https://h:{port}/x",
    "{scheme}://h/x",
    "https://user{x}@h/x",
    "https://h/x?y={z}",
    "https://h/x#{z}",
    "https://h/x#y",
    "ftp://h/{x}",
    "/only/{path}",
    "https://h/{a..b}",
  ])("%j is refused when the route is loaded", (address) => {
    expect(() => compileTarget(address)).toThrow(code("configuration"));
  });

  it.each([".", "..", "", null, undefined])("has no segment %j", (x) => {
    expect(() => at("https://h/a/{x}/b", { x })).toThrow(code("map-failed"));
  });

  it("has no segment that becomes two dots of two fields, or of a field and what stands beside it", () => {
    expect(() => at("https://h/a/{x}{x}/b", { x: "." })).toThrow(code("map-failed"));
    expect(() => at("https://h/a/.{x}", { x: "." })).toThrow(code("map-failed"));
    expect(at("https://h/a/{x}{x}", { x: "..." })).toBe("https://h/a/......");
  });

  it("is bounded", () => {
    expect(() => at("https://h/{x}", { x: "a".repeat(9_000) })).toThrow(code("message-too-large"));
  });

  it("keeps host, segments and parameters whatever a value holds, and the value comes out again", () => {
    const nasty = fc.oneof(
      fc.string({ unit: "grapheme", minLength: 1 }),
      fc
        .array(fc.constantFrom("/", "..", ".", "?", "#", "@", ":", "\\", "%2e", "%2F", "&", "=", "+", " ", "\r\n", "\0", "//", "a"), {
          minLength: 1,
        })
        .map((parts) => parts.join("")),
    );
    fc.assert(
      fc.property(nasty, nasty, (one, two) => {
        fc.pre(one !== "." && one !== "..");
        const url = new URL(at("https://provider.example/a/{one}/b", { one, two }, { q: "{two}", end: "1" }));
        expect([url.host, url.username, url.hash]).toEqual(["provider.example", "", ""]);
        expect(url.pathname.split("/").map(decodeURIComponent)).toEqual(["", "a", one.toWellFormed(), "b"]);
        expect([...url.searchParams]).toEqual([
          ["q", two.toWellFormed()],
          ["end", "1"],
        ]);
      }),
      { numRuns: 1_000 },
    );
  });
});
