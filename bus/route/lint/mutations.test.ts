import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { adapters } from "#adapters/registry.ts";
import { filesFrom, textsOf } from "#test/files-of.ts";
import { lintFiles } from "./lint.ts";

const good = textsOf("test/good");
const yaml = Object.keys(good).filter((path) => path.endsWith(".yaml") && !path.endsWith(".map.yaml"));
const now = Date.parse("2026-06-01T00:00:00Z");

/** Lints one changed file among the good ones and checks what must hold of every message. */
function check(path: string, text: string): void {
  const { findings } = lintFiles(filesFrom({ ...good, [path]: text }), adapters, undefined, now);
  for (const finding of findings) {
    expect(finding.line).toBeGreaterThanOrEqual(1);
    expect(finding.column).toBeGreaterThanOrEqual(1);
    expect(Number.isInteger(finding.line) && Number.isInteger(finding.column)).toBe(true);
    const lines = (finding.file === path ? text : (good[finding.file] ?? "")).split("\n");
    expect(finding.line, JSON.stringify(finding)).toBeLessThanOrEqual(lines.length);
    expect(finding.text.length).toBeGreaterThan(5);
    expect(finding.text).not.toMatch(/undefined|\[object|NaN/);
  }
  const keys = findings.map(({ file, line, column, rule, text: words }) => `${file}:${line}:${column}:${rule}:${words}`);
  expect(new Set(keys).size).toBe(keys.length);
  const places = findings.map(({ file, line, column }) => [file, line, column] as const);
  const sorted = places.toSorted((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : a[1] - b[1] || a[2] - b[2]));
  expect(places).toEqual(sorted);
}

const file = fc.constantFrom(...yaml);

describe("a good file with one mistake", () => {
  it("never breaks lint: one character replaced, added or taken away", () => {
    const char = fc.oneof(
      fc.constantFrom(..."{}[]:,#&*!|>'\"%@`\t -\n$\\\0".split("")),
      fc.string({ minLength: 1, maxLength: 1, unit: "binary" }),
    );
    fc.assert(
      fc.property(file, fc.nat(), char, fc.constantFrom(0, 1), fc.boolean(), (path, at, added, removed, adds) => {
        const text = good[path] ?? "";
        const offset = at % text.length;
        check(path, text.slice(0, offset) + (adds ? added : "") + text.slice(offset + removed));
      }),
      { numRuns: 250 },
    );
  }, 120_000);

  it("never breaks lint: one line gone, doubled, moved or indented otherwise", () => {
    const change = fc.constantFrom("gone", "doubled", "moved", "deeper", "flatter", "tab");
    fc.assert(
      fc.property(file, fc.nat(), fc.nat(), change, (path, from, to, how) => {
        const lines = (good[path] ?? "").split("\n");
        const at = from % lines.length;
        const line = lines[at] ?? "";
        const with_ =
          { gone: [], doubled: [line, line], moved: [], deeper: [`  ${line}`], flatter: [line.replace(/^ /, "")], tab: [`\t${line}`] }[
            how
          ] ?? [];
        lines.splice(at, 1, ...with_);
        if (how === "moved") lines.splice(to % lines.length, 0, line);
        check(path, lines.join("\n"));
      }),
      { numRuns: 250 },
    );
  }, 120_000);

  it("never breaks lint: any text at all", () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 300 }), (text) => check("routes/any.yaml", text)),
      { numRuns: 150 },
    );
  }, 120_000);
});

describe("hostile files", () => {
  it.each([
    ["deep nesting", "a: ".repeat(1) + "[".repeat(20_000)],
    [
      "alias bomb",
      `a: &a [x,x,x,x,x,x,x,x,x]\n${"bcdefghij"
        .split("")
        .map((name, at) => `${name}: &${name} [${`*${"abcdefghi"[at]},`.repeat(9)}]`)
        .join("\n")}`,
    ],
    ["a text of 2 MiB", `bus: ${"x".repeat(2 * 1024 * 1024)}`],
    ["__proto__ as a key", "bus: system/v1\n__proto__: { polluted: true }\nid: a/b"],
    ["an alias to itself", "a: &a [*a]"],
    ["a key that is a list", "? [a, b]\n: c"],
  ])("%s gives findings, not a crash", (_, text) => {
    const { findings } = lintFiles(filesFrom({ ...good, "routes/hostile.yaml": text }), adapters, undefined, now);
    expect(findings.filter((finding) => finding.file === "routes/hostile.yaml").length).toBeGreaterThan(0);
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });
});
