/** Every key of every good file, misspelt, doubled or left without its value: one message, at its line, and none for what only follows from it. */
import { describe, expect, it } from "vitest";
import { GOOD, lintTexts } from "#test/harness/good-files.ts";
import type { Finding } from "../findings.ts";
import { readTrees, type TreeNode } from "../schema/tree.ts";

type Key = Readonly<{ file: string; line: number; column: number; name: string; path: string; value: TreeNode }>;

function keysOf(file: string): readonly Key[] {
  const found: Key[] = [];
  const walk = (node: TreeNode, path: string): void => {
    if (node.kind === "list") for (const item of node.items) walk(item, `${path}[]`);
    if (node.kind !== "map") return;
    for (const [name, { key, node: value }] of node.entries) {
      found.push({ file, line: key.line, column: key.column, name, path: `${path}.${name}`, value });
      walk(value, `${path}.${name}`);
    }
  };
  for (const { root } of readTrees(file, GOOD[file] ?? "")) if (root) walk(root, "");
  return found;
}

const FILES = Object.keys(GOOD).filter((file) => file.endsWith(".yaml") && !file.endsWith(".map.yaml"));
/** Names that people choose: below these any name is one. */
const FREE = /\.(vars|headers|json|xml|with|namespaces)\.|\.expect\.journal\.|\.mocks\.to(\[\])?\.reply\./;
const isFree = ({ path }: Key): boolean => FREE.test(path);

/** The lines of the file with those of the key replaced. */
function changed({ file, line }: Key, change: (text: string) => readonly string[]): Readonly<Record<string, string>> {
  const lines = (GOOD[file] ?? "").split("\n");
  lines.splice(line - 1, 1, ...change(lines[line - 1] ?? ""));
  return { ...GOOD, [file]: lines.join("\n") };
}

const errorsOf = (texts: Readonly<Record<string, string>>): readonly Finding[] =>
  lintTexts(texts).findings.filter(({ severity }) => severity === "error");
const placed = ({ file, line, rule }: Finding): string => `${file}:${line} ${rule}`;

/** Each way to a key once: the tenth grant of a file proves nothing that the first does not. */
const seen = new Set<string>();
function newKeysOf(file: string): readonly Key[] {
  return keysOf(file).filter((key) => !isFree(key) && !seen.has(key.path) && seen.add(key.path).size > 0);
}

describe.each(FILES)("%s", (file) => {
  const keys = newKeysOf(file);

  it("has one message for each misspelt key, at its line, that names the key that was meant or all there are", () => {
    for (const key of keys) {
      // the parameters of a template may be misspelt where they are declared or where they are used
      if (/^\.parameters\.[^.]+$/.test(key.path)) continue;
      const at = key.column - 1;
      const errors = errorsOf(changed(key, (text) => [`${text.slice(0, at)}${key.name}x${text.slice(at + key.name.length)}`]));
      expect(
        errors.map(({ file: in_, line }) => `${in_}:${line}`),
        `${key.path} at line ${key.line}`,
      ).toEqual([`${file}:${key.line}`]);
      expect(errors[0]?.text, key.path).toMatch(/did you mean|known here|known are|must be|sends nothing/);
    }
  }, 120_000);

  it("has one message for each key that stands twice, at the second one", () => {
    for (const key of keys) {
      const text = (GOOD[file] ?? "").split("\n")[key.line - 1] ?? "";
      const at = key.column - 1;
      if (!/^\s*(- )?$/.test(text.slice(0, at)) || key.value.spot.line !== key.line) continue;
      const errors = errorsOf(changed(key, (line) => [line, `${" ".repeat(at)}${line.slice(at)}`]));
      expect(errors.map(placed), `${key.path} at line ${key.line}`).toEqual([`${file}:${key.line + 1} yaml-syntax`]);
    }
  }, 120_000);

  it("has one message for each value that is missing, at its line", () => {
    for (const key of keys) {
      const { value } = key;
      if (value.kind !== "scalar" || value.spot.line !== key.line || typeof value.value === "object") continue;
      const end = value.spot.column - 1 + value.text.length;
      const plain = (GOOD[file] ?? "").split("\n")[key.line - 1]?.slice(value.spot.column - 1, end) === value.text;
      if (!plain) continue;
      const errors = errorsOf(changed(key, (line) => [`${line.slice(0, value.spot.column - 1)}${line.slice(end)}`]));
      expect(
        errors.map(({ file: in_, line }) => `${in_}:${line}`),
        `${key.path} at line ${key.line}`,
      ).toEqual([`${file}:${key.line}`]);
    }
  }, 120_000);
});

it("goes through more than two hundred ways to a key", () => {
  expect(seen.size).toBeGreaterThan(200);
});

describe("what leans on a document that cannot be read", () => {
  it("has no message of its own: variables of a broken environment", () => {
    const text = (GOOD["config/development.yaml"] ?? "").replace("vars:", "varz:");
    const { findings, documents } = lintTexts({ ...GOOD, "config/development.yaml": text });
    expect(findings.map(({ rule }) => rule)).toEqual(["unknown-field"]);
    expect(documents.routes.has("person-changed-fanout")).toBe(false);
    expect(documents.routes.has("person-lookup")).toBe(true);
  });

  it("has its message where the stage's values are given and one is missing", () => {
    expect(lintTexts(GOOD, {}).findings.map(({ rule }) => rule)).toEqual(["unset-variable"]);
  });

  it.each([
    ["a template of an unknown kind", "bus: template/v1", "bus: templat/v1", "unknown-kind"],
    ["a template without its id", "id: vehicle-subscriber\n", "id:\n", "no-value"],
    ["a route whose `template` is misspelt", "template: vehicle-subscriber", "templte: vehicle-subscriber", "unknown-field"],
    ["a route that only has `with`", "template: vehicle-subscriber\n", "", "missing-field"],
  ])("has no message of its own: %s", (_, from, to, rule) => {
    const path = "routes/vehicle-import.yaml";
    const { findings, documents } = lintTexts({ ...GOOD, [path]: (GOOD[path] ?? "").replace(from, to) });
    expect(findings.map((finding) => finding.rule)).toEqual([rule]);
    expect(documents.routes.has("vehicles-to-benefits")).toBe(false);
  });
});
