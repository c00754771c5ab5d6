/** YAML files as trees: every node at its place, values as they are meant, and limits that no file gets past. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { stringify } from "yaml";
import { formatFinding } from "../findings.ts";
import { MAX_TEXT, nodeAt, plain, readTrees, textAt, type TreeNode } from "./tree.ts";

const trees = (text: string) => readTrees("f.yaml", text);
const faults = (text: string): readonly string[] => trees(text).flatMap(({ findings }) => findings.map(formatFinding));
const syntax = (place: string, text: string): readonly string[] => [`f.yaml:${place}  error  yaml-syntax  ${text}`];

function rootOf(text: string): TreeNode {
  const [first, ...more] = trees(text);
  expect(first?.findings).toEqual([]);
  expect(more).toEqual([]);
  if (first?.root === undefined) throw new Error("no document");
  return first.root;
}

const place = (node: TreeNode): string => `${node.spot.line}:${node.spot.column}`;
/** Places of keys and values of a map, by name. */
const placesOf = (text: string): Readonly<Record<string, string>> => {
  const root = rootOf(text);
  const entries = root.kind === "map" ? [...root.entries] : [];
  return Object.fromEntries(entries.map(([name, { key, node }]) => [name, `${key.line}:${key.column} ${place(node)}`]));
};

describe("a node stands where an editor shows it", () => {
  it.each([
    ["lines that end with a line feed", "a: 1\nbb:   x\nc: [1, 2]\n"],
    ["lines that end as Windows ends them", "a: 1\r\nbb:   x\r\nc: [1, 2]\r\n"],
    ["a byte order mark before the first key", "\uFEFFa: 1\nbb:   x\nc: [1, 2]\n"],
    ["no end of the last line", "a: 1\nbb:   x\nc: [1, 2]"],
  ])("with %s", (_, text) => {
    expect(placesOf(text)).toEqual({ a: "1:1 1:4", bb: "2:1 2:7", c: "3:1 3:4" });
  });

  it("after letters outside the alphabet, counted as editors count them", () => {
    expect(placesOf("ă: țară\n")).toEqual({ ă: "1:1 1:4" });
    expect(place(nodeAt(rootOf("[😀, b]\n"), [1]))).toBe("1:6");
  });

  it("also in the second and third document of a file", () => {
    const spots = trees("# first\na: 1\n---\n\nb: 2\n--- # third\nc: 3\n").map(({ root }) => root && place(root));
    expect(spots).toEqual(["2:1", "5:1", "7:1"]);
  });

  it("at the nearest ancestor when a path leads nowhere", () => {
    const root = rootOf("a:\n  b:\n    - x\n");
    expect(place(nodeAt(root, ["a", "b", 0]))).toBe("3:7");
    expect(place(nodeAt(root, ["a", "b", 7, "c"]))).toBe("3:5");
    expect(place(nodeAt(root, ["a", "nothing"]))).toBe("2:3");
    expect(place(nodeAt(root, ["nothing"]))).toBe("1:1");
  });

  it("where an alias stands, the values are found at their anchor", () => {
    const root = rootOf("base: &b { x: 1 }\nuse: *b\n");
    expect(place(nodeAt(root, ["use", "x"]))).toBe("1:15");
  });
});

describe("an offset in a text leads back to its letter", () => {
  const at = (text: string, offset: number): string => {
    const node = nodeAt(rootOf(text), ["a"]);
    if (node.kind !== "scalar") throw new Error("no scalar");
    const { line, column } = node.at(offset);
    return `${line}:${column}`;
  };

  it.each([
    ["a plain text", "a: hello\n", 2, "1:6"],
    ["double quotes", 'a: "hello"\n', 2, "1:7"],
    ["an escape before it", 'a: "\\thello"\n', 2, "1:8"],
    ["a code point written as a number", 'a: "\\u0041bc"\n', 2, "1:12"],
    ["single quotes with a doubled one", "a: 'it''s x'\n", 4, "1:10"],
    ["a block of lines", "a: |\n  one\n  two x\n", 8, "3:7"],
    ["the first line of a block", "a: |\n  one\n  two\n", 1, "2:4"],
    ["an end that is past the text", "a: abc\n", 99, "1:6"],
  ])("in %s", (_, text, offset, expected) => {
    expect(at(text, offset)).toBe(expected);
  });

  it("and to its beginning where lines were folded", () => {
    expect(at("a: >\n  one\n  two\n", 5)).toBe("1:4");
    expect(at('a: "one\n  two"\n', 5)).toBe("1:4");
  });
});

describe("values are what they look like", () => {
  it.each([
    ["yes", "yes"],
    ["No", "No"],
    ["on", "on"],
    ["true", true],
    ["False", false],
    ["~", null],
    ["null", null],
    ["", null],
    ["007", 7],
    ["0o17", 15],
    ["0x1F", 31],
    ["1e3", 1000],
    ["1_000", "1_000"],
    ["12:30", "12:30"],
    ["2026-01-31", "2026-01-31"],
    ["'5'", "5"],
    ['"yes"', "yes"],
    ["=", "="],
    ["<<", "<<"],
  ])("%s", (written, value) => {
    expect(plain(rootOf(`a: ${written}\n`))).toEqual({ a: value });
  });

  it.each(["007", "1.10", "1e3", "0x1F", "+5", "12345678901234567890"])("and %s is kept as it was written", (written) => {
    expect(textAt(rootOf(`a: ${written}\n`), "a")).toBe(written);
  });

  it("keys are texts, whatever they look like", () => {
    expect(Object.keys(plain(rootOf("1: a\n01: b\ntrue: c\n~: d\n1.0: e\n")) as object).toSorted()).toEqual([
      "01",
      "1",
      "1.0",
      "true",
      "~",
    ]);
  });

  it("a merge key is a key like any other, so nothing is merged in silence", () => {
    expect(plain(rootOf("base: &b { x: 1 }\nuse:\n  <<: *b\n"))).toEqual({ base: { x: 1 }, use: { "<<": { x: 1 } } });
  });

  it("a key named __proto__ changes no prototype", () => {
    const value = plain(rootOf("__proto__: { polluted: true }\n")) as Record<string, unknown>;
    expect(Object.keys(value)).toEqual(["__proto__"]);
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });
});

describe("documents of a file", () => {
  it.each([
    ["an empty file", "", 0],
    ["comments", "# a\n# b\n", 0],
    ["separators without documents", "---\n---\n", 0],
    ["one with a separator at its end", "a: 1\n---\n", 1],
    ["one after an end mark", "a: 1\n...\nb: 2\n", 2],
    ["two, joined by a tool that left its byte order mark", "a: 1\n---\n\uFEFFb: 2\n", 2],
  ])("%s", (_, text, count) => {
    expect(trees(text)).toHaveLength(count);
    expect(faults(text)).toEqual([]);
    expect(trees(text).every(({ root }) => root?.kind === "map")).toBe(true);
    expect(
      trees(text)
        .flatMap(({ root }) => (root?.kind === "map" ? [...root.entries.keys()] : []))
        .join(""),
    ).not.toContain("\uFEFF");
  });

  it("a fault in one leaves the others whole", () => {
    const [first, second, third] = trees("a: 1\n---\na: [1\n---\nb: 2\n");
    expect([first?.findings, third?.findings ?? []]).toEqual([[], []]);
    expect(second?.findings).toHaveLength(1);
    expect(first?.root && plain(first.root)).toEqual({ a: 1 });
  });
});

describe("a fault is said once, in plain words, at its place", () => {
  it.each([
    ["a key twice", "a: 1\nb: 2\na: 3\n", syntax("3:1", "`a`: this key stands twice in one block; remove one of them")],
    ["a key twice, once in quotes", "a: 1\n'a': 3\n", syntax("2:1", "`a`: this key stands twice in one block; remove one of them")],
    [
      "a key twice between brackets",
      "x: {b: 1, c: 2, b: 3}\n",
      syntax("1:17", "`b`: this key stands twice in one block; remove one of them"),
    ],
    [
      "the first of two keys that stand twice",
      "a:\n  b: 1\n  b: 2\nc: 1\nc: 2\n",
      syntax("3:3", "`b`: this key stands twice in one block; remove one of them"),
    ],
    [
      "a key twice before another fault",
      "a: 1\na: 2\nb: [1\n",
      syntax("2:1", "`a`: this key stands twice in one block; remove one of them"),
    ],
    [
      "an alias that nothing above defines",
      "a: { b: *c }\n",
      syntax("1:9", "nothing above is called `&c`; define it before this `*c`, or quote the text"),
    ],
    [
      "an alias before its anchor",
      "a: *x\nb: &x 1\n",
      syntax("1:4", "nothing above is called `&x`; define it before this `*x`, or quote the text"),
    ],
    [
      "a tab in the indentation",
      "a:\n\tb: 1\n",
      syntax("2:1", "this line is indented by a tab; YAML takes spaces only, so replace the tab by spaces"),
    ],
    ["a key that is a list", "? [a, b]\n: c\n", syntax("1:3", "a key must be a name")],
    ["a tag of nobody", "a: !secret x\n", syntax("1:4", "tags (`!…`) are not known here; leave the tag out, or quote the text")],
    [
      "YAML of another version",
      "# old\n%YAML 1.1\n---\na: yes\n",
      syntax("2:1", "a `%YAML 1.1` line gives `yes`, `no` and `010` another meaning than all other files have; take it out"),
    ],
    ["two tags", "a: !!str !!int 5\n", syntax("1:10", "a value takes only one tag")],
    ["two anchors", "a: &x &y 5\n", syntax("1:7", "a value takes only one anchor (`&name`)")],
  ])("%s", (_, text, expected) => {
    expect(faults(text)).toEqual(expected);
  });

  it("YAML of our own version may be named", () => {
    expect(faults("%YAML 1.2\n---\na: yes\n")).toEqual([]);
  });
});

describe("limits", () => {
  it.each([
    ["brackets without end", `a: ${"[".repeat(20_000)}`],
    ["brackets that close", `a: ${"[".repeat(70)}${"]".repeat(70)}`],
    ["lists in lists", `${"- ".repeat(70)}x\n`],
    ["an alias to itself", "a: &a [*a]\n"],
    ["two aliases to each other", "a: &a { b: &b { c: *a } }\n"],
    [
      "aliases that multiply",
      `a: &a0 [x,x,x,x,x,x,x,x,x]\n${Array.from({ length: 9 }, (_, n) => `b${n}: &a${n + 1} [${`*a${n},`.repeat(9)}]\n`).join("")}`,
    ],
    ["more values than a person writes", `a:\n${"- x\n".repeat(50_001)}`],
  ])("end %s with one message", (_, text) => {
    expect(trees(text).map(({ root }) => root)).toEqual([undefined]);
    expect(trees(text).flatMap(({ findings }) => findings.map(({ rule }) => rule))).toEqual(["yaml-too-deep"]);
  });

  it("let sixty levels and fifty thousand values through", () => {
    expect(faults(`a: ${"[".repeat(60)}${"]".repeat(60)}`)).toEqual([]);
    expect(faults("- x\n".repeat(49_000))).toEqual([]);
  });

  it("refuse a file by its length before it is read", () => {
    expect(faults(`a: ${"x".repeat(MAX_TEXT)}`)).toEqual([
      "f.yaml:1:1  error  file-too-large  the file is larger than 1 MiB; split it into several files",
    ]);
    expect(faults(`a: ${"x".repeat(MAX_TEXT - 3)}`)).toEqual([]);
  });

  it("look at each key of a wide block once, not at all before it", () => {
    const wide = (count: number): string => Array.from({ length: count }, (_, n) => `k${n}:\n`).join("");
    const [tree] = trees(`${wide(40_000)}k7:\n`);
    expect(tree?.findings.map(formatFinding)).toEqual(syntax("40001:1", "`k7`: this key stands twice in one block; remove one of them"));
  });
});

describe("whatever a program writes as YAML", () => {
  it("is read back as it was", () => {
    const leaf = fc.oneof(
      fc.string({ maxLength: 12 }),
      fc.integer(),
      fc.boolean(),
      fc.constant(null),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
    );
    const { value } = fc.letrec<{ value: unknown }>((tie) => ({
      value: fc.oneof(
        { maxDepth: 4 },
        leaf,
        fc.array(tie("value"), { maxLength: 4 }),
        fc.dictionary(
          fc.string({ minLength: 1, maxLength: 8 }).filter((name) => name !== "__proto__"),
          tie("value"),
          { maxKeys: 4 },
        ),
      ),
    }));
    fc.assert(
      fc.property(value, (given) => {
        const root = rootOf(stringify({ given }, { version: "1.2", aliasDuplicateObjects: false }));
        expect(normal(plain(root))).toEqual(normal({ given }));
      }),
      { numRuns: 300 },
    );
  });

  /** -0 is written as 0 by JSON, and records have no prototype that matters. */
  function normal(value: unknown): unknown {
    return JSON.parse(JSON.stringify(value)) as unknown;
  }
});
