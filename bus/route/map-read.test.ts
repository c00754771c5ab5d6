/** Map files as people write, break and attack them: one message at its place for each fault, and never a throw. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatFinding } from "./findings.ts";
import { MAP_LIMITS, type MapSource } from "./map-document.ts";
import { parseMap } from "./map-read.ts";
import { compileMap } from "./map.ts";

const faults = (text: string): readonly string[] => parseMap("m.map.yaml", text).findings.map(formatFinding);
const at = (place: string, rule: string, text: string): readonly string[] => [`m.map.yaml:${place}  error  ${rule}  ${text}`];

/** The source of the only target `a`. */
function sourceOf(text: string): MapSource {
  const { map, findings } = parseMap("m.map.yaml", text);
  expect(findings).toEqual([]);
  const source = map?.entries.find(({ target }) => target.join(".") === "a")?.source;
  if (source === undefined) throw new Error("no source for `a`");
  return source;
}

/** What a map makes of a value, when all its sources are synchronous. */
function made(text: string, value: Record<string, unknown>): unknown {
  const { map, findings } = parseMap("m.map.yaml", text);
  expect(findings).toEqual([]);
  if (map === undefined) throw new Error("no map");
  return compileMap(map)(value, undefined);
}

const SOURCES = "a source is a path, or { from }, { value }, { concat }, { jsonata }, { each, map } or { map }";
const BEGIN = "a map file begins with `map:` and its target fields below it";

describe("a map file that cannot be read says at its place", () => {
  it.each([
    ["nothing at all", "", at("1:1", "map-shape", BEGIN)],
    ["comments only", "# to do\n\n# really\n", at("1:1", "map-shape", BEGIN)],
    ["a list", "- a\n- b\n", at("1:1", "map-shape", BEGIN)],
    ["a list below map", "map:\n  - a\n", at("1:1", "map-shape", BEGIN)],
    ["map without fields below it", "map:\n", at("1:1", "map-shape", BEGIN)],
    [
      "a field beside map",
      "version: 2\nmap:\n  a: b\n",
      at("1:1", "unknown-field", "`version` is not a field of a map file; only `map` is"),
    ],
    ["a target twice", "map:\n  a: b\n  a: c\n", at("3:3", "yaml-syntax", "`a`: this key stands twice in one block; remove one of them")],
    ["a record and a field in it", "map:\n  a.b: x\n  c: y\n  a: z\n", at("4:3", "map-target-twice", "`a` is mapped on line 2 already")],
    ["a field in a mapped record", "map:\n  a: z\n  a.b.c: x\n", at("3:3", "map-target-twice", "`a.b.c` is mapped on line 2 already")],
    [
      "a tab before a target",
      "map:\n\ta: b\n",
      at("2:1", "yaml-syntax", "this line is indented by a tab; YAML takes spaces only, so replace the tab by spaces"),
    ],
    [
      "a second document",
      "map:\n  a: b\n---\nmap:\n  c: d\n",
      at("4:1", "map-shape", "a map file holds one map; put what stands below `---` into a file of its own"),
    ],
    ["a number for a path", "map:\n  a: 5\n", at("2:6", "map-shape", SOURCES)],
    ["a truth for a path", "map:\n  a: true\n", at("2:6", "map-shape", SOURCES)],
    ["no source", "map:\n  a: b\n  c:\n", at("3:3", "map-shape", SOURCES)],
    ["a list of sources", "map:\n  a: [b, c]\n", at("2:6", "map-shape", SOURCES)],
    [
      "a word near a known one",
      "map:\n  a: { from: b, defualt: c }\n",
      at("2:17", "unknown-field", "`defualt` is not a field of a source; did you mean `default`?"),
    ],
    ["two ways at once", "map:\n  a: { value: b, from: c }\n", at("2:18", "map-shape", "`from` does not go with `value`")],
    [
      "a convert that is none",
      "map:\n  a: { from: b, convert: [trim, capitals] }\n",
      at(
        "2:33",
        "map-convert",
        "`capitals` is no convert; known are trim, upper, lower, digits, text, number, integer, decimal, decimal-comma, boolean, date(dd.mm.yyyy), date(yyyy-mm-dd to dd.mm.yyyy)",
      ),
    ],
    [
      "a table that is a list",
      "map:\n  a: { from: b, table: [x, y] }\n",
      at("2:24", "map-shape", "`table` takes source values and what they become: { A: active, P: passive }"),
    ],
    [
      "a record in a table",
      "map:\n  a: { from: b, table: { A: { x: 1 } } }\n",
      at("2:29", "map-shape", "`A` takes a text, number, boolean or null"),
    ],
    [
      "a default that is a list",
      "map:\n  a: { from: b, default: [] }\n",
      at("2:26", "map-shape", "`default` takes a text, number, boolean or null"),
    ],
    ["a concat of one text", "map:\n  a: { concat: b }\n", at("2:16", "map-shape", "`concat` takes a list of paths")],
    ["a concat of nothing", "map:\n  a: { concat: [] }\n", at("2:16", "map-shape", "`concat` takes a list of paths")],
    ["a number to join with", "map:\n  a: { concat: [b], with: 5 }\n", at("2:27", "map-shape", "`with` takes a text")],
    ["each without a map", "map:\n  a: { each: b }\n", at("2:6", "map-shape", "`map` with the fields of the record is missing")],
    [
      "a target that is an expression",
      "map:\n  a[0]: b\n",
      at("2:3", "map-path", "`a[0]` is no field path; write names joined by dots, for example `residence.country`"),
    ],
    [
      "a path that is an expression",
      "map:\n  a: b + c\n",
      at("2:6", "map-path", "`b + c` is no field path; write names joined by dots, for example `residence.country`"),
    ],
    [
      "the prototype as a target",
      "map:\n  __proto__: b\n",
      at("2:3", "map-path", "`__proto__` is no field path; write names joined by dots, for example `residence.country`"),
    ],
    [
      "an alias without its anchor",
      "map:\n  a: { value: *nobody }\n",
      at("2:15", "yaml-syntax", "nothing above is called `&nobody`; define it before this `*nobody`, or quote the text"),
    ],
    [
      "another version of YAML",
      "%YAML 1.1\n---\nmap:\n  a: { value: yes }\n",
      at("1:1", "yaml-syntax", "a `%YAML 1.1` line gives `yes`, `no` and `010` another meaning than all other files have; take it out"),
    ],
    [
      "a number beyond what is exact",
      "map:\n  a: { value: 12345678901234567890 }\n",
      at("2:15", "map-shape", "`12345678901234567890` is no number that a message can carry exactly; put it in quotes"),
    ],
    [
      "infinity, deep inside a literal",
      "map:\n  a: { value: { list: [1, .inf] } }\n",
      at("2:27", "map-shape", "`.inf` is no number that a message can carry exactly; put it in quotes"),
    ],
  ])("%s", (_, text, expected) => {
    expect(faults(text)).toEqual(expected);
    expect(parseMap("m.map.yaml", text).map).toBeUndefined();
  });

  it("all its faults, not only the first", () => {
    expect(faults("map:\n  a: 5\n  b: { from: x, convert: y }\n  c: { frm: z }\n").map((line) => line.split("  ")[0])).toEqual([
      "m.map.yaml:2:6",
      "m.map.yaml:3:26",
      "m.map.yaml:4:8",
      "m.map.yaml:4:6",
    ]);
  });
});

describe("a map file as editors and systems leave it", () => {
  it("reads lines that end as Windows ends them, with the same places", () => {
    expect(made("map:\r\n  a: b\r\n  c: { from: d, convert: trim }\r\n", { b: "1", d: " x " })).toEqual({ a: "1", c: "x" });
    expect(faults("map:\r\n  a: b\r\n  c: { from: d, convert: trimm }\r\n")[0]).toMatch(/^m\.map\.yaml:3:26 /);
  });

  it("reads a file that begins with a byte order mark, and counts its columns as an editor does", () => {
    expect(made("\uFEFFmap:\n  a: b\n", { b: "1" })).toEqual({ a: "1" });
    expect(faults("\uFEFFversion: 1\n")[0]).toMatch(/^m\.map\.yaml:1:1 /);
  });

  it("lets one anchor serve several targets", () => {
    expect(made("map:\n  a: &code { from: Query.Code, convert: upper }\n  b: *code\n", { Query: { Code: "x" } })).toEqual({
      a: "X",
      b: "X",
    });
  });

  it("takes yes, no, on and off for texts, and numbers as they are meant", () => {
    expect(made("map:\n  a: { value: [yes, no, on, off, y, n, ~, 1e3, 0o7, 0x1F, +5, 1_000, true] }\n", {})).toEqual({
      a: ["yes", "no", "on", "off", "y", "n", null, 1000, 7, 31, 5, "1_000", true],
    });
  });

  it("takes a date for the text that is written", () => {
    expect(sourceOf("map:\n  a: { value: 2026-01-31 }\n")).toEqual({ kind: "value", value: "2026-01-31" });
  });
});

describe("a table", () => {
  const table = (keys: string): string => `map:\n  a: { from: s, table: { ${keys} } }\n`;

  it.each([
    ["01", "1"],
    ["007", "7"],
    ["1.10", "1.1"],
    ["1e3", "1000"],
    ["0x10", "16"],
    ["true", "True"],
    ["null", ""],
    ["~", "null"],
    ["no", "false"],
  ])("finds the code %s as it is written, and nothing else", (code, other) => {
    const text = table(`${code}: found`).replace("} }", "}, default: none }");
    expect(made(text, { s: code })).toEqual({ a: "found" });
    expect(made(text, { s: other })).toEqual({ a: "none" });
  });

  it("keeps codes apart that are one number", () => {
    const text = table("1: one, 01: zero one, 1.0: one point zero");
    expect(["1", "01", "1.0"].map((s) => made(text, { s }))).toEqual([{ a: "one" }, { a: "zero one" }, { a: "one point zero" }]);
  });

  it("finds a number of the source by its plain digits", () => {
    expect(made(table("7: seven"), { s: 7 })).toEqual({ a: "seven" });
    expect(made(table("7: seven"), { s: 7n })).toEqual({ a: "seven" });
  });
});

describe("limits of a map file", () => {
  it.each([
    ["an alias bomb", "map:\n  x0: { value: &x0 [1,1,1,1,1,1,1,1,1] }\n".concat(bomb(8)), "yaml-too-deep"],
    ["brackets without end", `map:\n  a: { value: ${"[".repeat(20_000)}`, "yaml-too-deep"],
    ["brackets that close again", `map:\n  a: { value: ${"[".repeat(5000)}${"]".repeat(5000)} }\n`, "yaml-too-deep"],
    ["an alias to itself", "map:\n  a: { value: &a [*a] }\n", "yaml-too-deep"],
    ["two million letters", `map:\n  a: ${"b".repeat(2_000_000)}\n`, "file-too-large"],
  ])("stop %s with one message", (_, text, rule) => {
    const { findings, map } = parseMap("m.map.yaml", text);
    expect(map).toBeUndefined();
    expect(findings.map((finding) => finding.rule)).toEqual([rule]);
  });

  it("let so many fields through and no more, whether in one record or in many", () => {
    const fields = (count: number): string => Array.from({ length: count }, (_, n) => `  f${n}: x\n`).join("");
    expect(faults(`map:\n${fields(MAP_LIMITS.entries)}`)).toEqual([]);
    expect(faults(`map:\n${fields(MAP_LIMITS.entries + 1)}`)).toEqual(
      at(`${MAP_LIMITS.entries + 2}:3`, "map-shape", `a map has at most ${MAP_LIMITS.entries} fields`),
    );
    const nested = Array.from(
      { length: 101 },
      (_, n) => `  r${n}: { map: { ${Array.from({ length: 50 }, (__, m) => `m${m}: x`).join(", ")} } }\n`,
    );
    expect(faults(`map:\n${nested.join("")}`).length).toBeGreaterThan(0);
  });

  it("let records nest so deep and no deeper", () => {
    const nest = (depth: number): string => `map: { ${"a: { map: { ".repeat(depth)}a: x${" } }".repeat(depth)} }\n`;
    expect(faults(nest(MAP_LIMITS.depth))).toEqual([]);
    expect(faults(nest(MAP_LIMITS.depth + 1)).join()).toContain(`records nest deeper than ${MAP_LIMITS.depth}`);
  });

  function bomb(levels: number): string {
    return Array.from({ length: levels }, (_, n) => `  x${n + 1}: { value: &x${n + 1} [${Array(9).fill(`*x${n}`).join(",")}] }\n`).join("");
  }
});

describe("any text at all", () => {
  const GOOD =
    'map:\n  code: Query.Code\n  born: { from: Query.Born, convert: [trim, "date(dd.mm.yyyy)"] }\n  state: { from: S, table: { A: on, 01: off }, default: on }\n  name: { concat: [G, F], with: " " }\n  l: { each: L, map: { n: N, o: $$.Query.Code } }\n  home.city: { jsonata: "$length(x) > 3" }\n';
  const check = (text: string): void => {
    const { map, findings } = parseMap("m.map.yaml", text);
    expect(map === undefined).toBe(findings.length > 0);
    const lines = text.split("\n");
    for (const { line, column, text: words } of findings) {
      expect(line).toBeGreaterThanOrEqual(1);
      expect(line).toBeLessThanOrEqual(lines.length);
      expect(column).toBeGreaterThanOrEqual(1);
      expect(column).toBeLessThanOrEqual((lines[line - 1] ?? "").length + 1);
      expect(words).not.toMatch(/undefined|\[object|NaN/);
    }
  };

  it("is a map or has findings that stand inside it, and is never thrown at anybody", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ maxLength: 200 }), fc.string({ maxLength: 200, unit: "binary" })), (text) => {
        check(text);
        check(`map:\n  a: ${text}`);
        check(`map:\n  a: { value: ${text} }`);
      }),
      { numRuns: 300 },
    );
  });

  it("with one character of a good map changed, too", () => {
    const char = fc.constantFrom(..."{}[]:,#&*!|>'\"%@`\t -\n\r$\\\0.\uFEFF".split(""));
    fc.assert(
      fc.property(fc.nat(), char, fc.constantFrom(0, 1, 5), (offset, added, removed) => {
        const place = offset % GOOD.length;
        check(GOOD.slice(0, place) + added + GOOD.slice(place + removed));
      }),
      { numRuns: 500 },
    );
  });
});
