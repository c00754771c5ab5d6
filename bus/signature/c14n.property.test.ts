/** Exclusive canonical forms beside those of libxml2, for documents with every trick of namespaces, text and attributes. */
import fc from "fast-check";
import { XmlC14NMode, XmlDocument } from "libxml2-wasm";
import { describe, expect, it } from "vitest";
import { openChild, openDocument, openRoot } from "#bus/contract/xml/cursor.ts";
import { newVocabulary } from "#bus/contract/xml/names.ts";
import type { Cursor } from "#bus/contract/xml/state.ts";
import { canonicalise } from "./c14n.ts";

const PREFIXES = ["", "a", "b", "é"] as const;
const URIS = ["urn:one", "urn:two", "http://x.example/?q=1", "URN:zwei", "urn:one:more"] as const;

type Node = Readonly<{
  prefix: string;
  local: string;
  declares: Readonly<Record<string, string>>;
  attributes: readonly (readonly [string, string, string])[];
  content: readonly (Node | string)[];
}>;

const piece = fc.constantFrom(
  "text",
  " ",
  "\n",
  "\r\n",
  "\t",
  "&amp;",
  "&lt;",
  "&gt;",
  "&#13;",
  "&#x9;",
  "&quot;",
  "'",
  '"',
  "ă",
  "\u{1F600}",
  "&#x1F600;",
  "<![CDATA[<&>]]>",
  "<![CDATA[]]>",
  "<!-- said -->",
  ">",
  "]]",
);
const value = fc
  .array(fc.constantFrom("v", " ", "&#9;", "&#10;", "&#xD;", "\n", "\t", "&amp;", "&lt;", ">", "&quot;", "'", "ș", "\u{10000}"), {
    maxLength: 4,
  })
  .map((parts) => parts.join(""));
const declares = fc.dictionary(fc.constantFrom(...PREFIXES), fc.constantFrom(...URIS), { maxKeys: 2 });
const attribute = fc.tuple(fc.constantFrom("", "a", "b", "xml"), fc.constantFrom("n", "m", "Id", "lang", "z\u00e9"), value);
const node: fc.Arbitrary<Node> = fc.letrec<{ node: Node }>((tie) => ({
  node: fc.record({
    prefix: fc.constantFrom(...PREFIXES),
    local: fc.constantFrom("e", "f", "g-1", "ț"),
    declares: fc.oneof(
      declares,
      declares.map((some) => ({ ...some, "": "" })),
    ),
    attributes: fc.uniqueArray(attribute, { maxLength: 4, selector: ([, local]) => local }),
    content: fc.array(fc.oneof({ depthSize: "small", withCrossShrink: true }, piece, tie("node")), { maxLength: 5 }),
  }),
})).node;

const qualified = (prefix: string, local: string): string => (prefix === "" ? local : `${prefix}:${local}`);

/** `marks` counts the elements in the order of their start tags. */
function write(one: Node, extra = ""): string {
  const declared = Object.entries(one.declares).map(([prefix, uri]) => (prefix === "" ? ` xmlns="${uri}"` : ` xmlns:${prefix}="${uri}"`));
  const attributes = one.attributes.map(([prefix, local, text]) => ` ${qualified(prefix, local)}='${text.replaceAll("'", "&apos;")}'`);
  const name = qualified(one.prefix, one.local);
  const content = one.content.map((inner) => (typeof inner === "string" ? inner : write(inner))).join("");
  const tag = `<${name}${attributes.join("\n ")}${extra}${declared.join(" ")}`;
  return content === ""
    ? `${tag} />`
    : `${tag}>${content.replaceAll("]]>", "]]&gt;").replaceAll(/<!\[CDATA\[(<&>)?\]\]&gt;/g, "<![CDATA[$1]]>")}</${name}>`;
}

const ROOT = ` xmlns:a="urn:one" xmlns:b="urn:two" xmlns:é="urn:three" xmlns:unused="urn:four"`;
const wrapped = (one: Node): string =>
  `<?xml version="1.0" encoding="UTF-8"?><!-- before --><a:root${ROOT} xml:lang="ro"><b:mid>${write(one)}</b:mid></a:root>`;

function ours(source: string, inclusive: readonly string[], depth = 2): string {
  const c: Cursor = openDocument(newVocabulary(), Buffer.from(source));
  openRoot(c);
  for (let i = 0; i < depth; i++) openChild(c);
  return canonicalise(c, inclusive);
}

function theirs(source: string, inclusive: readonly string[], xpath = "/*/*/*"): string {
  using document = XmlDocument.fromString(source);
  const element = document.get(xpath);
  if (element === null) throw new Error("nothing there");
  return element.canonicalizeToString({
    mode: XmlC14NMode.XML_C14N_EXCLUSIVE_1_0,
    inclusiveNamespacePrefixes: inclusive.map((prefix) => (prefix === "" ? "#default" : prefix)),
    withComments: false,
  });
}

describe("the exclusive canonical form", () => {
  it("is libxml2's, whatever the document", () => {
    fc.assert(
      fc.property(node, fc.subarray(["", "a", "b", "é", "unused", "nowhere"]), (one, inclusive) => {
        const source = wrapped(one);
        expect(ours(source, inclusive)).toBe(theirs(source, inclusive));
      }),
      { numRuns: 300 },
    );
  });

  it("of a canonical form is that form again", () => {
    fc.assert(
      fc.property(node, (one) => {
        const once = ours(wrapped(one), []);
        expect(ours(once, [], 0)).toBe(once);
      }),
      { numRuns: 100 },
    );
  });

  it("tells every element to who watches, in the order of start tags", () => {
    const seen: string[] = [];
    const c = openDocument(newVocabulary(), Buffer.from(`<a x="1"><b/>text<c><d y="2"/></c></a>`));
    openRoot(c);
    canonicalise(c, [], ({ raw, depth, attributes }) => void seen.push(`${raw[depth - 1]} ${attributes}`));
    expect(seen).toEqual(["a 1", "b 0", "c 0", "d 1"]);
  });

  it("escapes a namespace as Canonical XML says it of every attribute, where libxml2 does not", () => {
    const form = '<a xmlns="urn:x?q=1&amp;r=&lt;&quot;"></a>';
    expect(ours(form, [], 0)).toBe(form);
  });

  it.each([
    ["a document type", `<!DOCTYPE a><a/>`, "xml-forbidden"],
    ["a processing instruction", `<a><?p q?></a>`, "xml-forbidden"],
    ["an unbound prefix", `<a><p:b/></a>`, "xml-malformed"],
    ["a relative namespace", `<a xmlns="relative/one"/>`, "signature-shape"],
    ["a relative namespace of an attribute", `<a xmlns:p="../x" p:b="1"/>`, "signature-shape"],
    ["an element that is not closed", `<a><b></b>`, "xml-malformed"],
  ])("does not exist for %s", (_, source, code) => {
    expect(() => ours(source, [], 0)).toThrow(expect.objectContaining({ code }));
  });
});
