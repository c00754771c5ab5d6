import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { asBusError } from "../../errors.ts";
import { advance, closeDocument, closeTag, openDocument, openRoot } from "./cursor.ts";
import { readLoose } from "./loose.ts";
import { intern, newVocabulary, showName, type Vocabulary } from "./names.ts";
import { skipElement } from "./reader-parts.ts";
import type { Cursor } from "./state.ts";

/** Names and declarations that meet each other again with another meaning. */
const name = fc.constantFrom("a", "p:a", "q:a", "b", "p:b", "xml:a", "ș");
const uri = fc.constantFrom("urn:1", "urn:2", "urn:&amp;", "");
const declaration = fc.tuple(fc.constantFrom("xmlns", "xmlns:p", "xmlns:q"), uri).map(([prefix, ns]) => ` ${prefix}="${ns}"`);
const attribute = fc.constantFrom(' x="1"', ' p:x="1"', ' q:x="2"', " x='&lt;'", "  ", "\n");
const tag = fc.array(fc.oneof({ weight: 3, arbitrary: declaration }, attribute), { maxLength: 3 }).map((parts) => parts.join(""));

const written = (depth: number): fc.Arbitrary<string> =>
  fc
    .tuple(name, tag, depth === 0 ? fc.constant([]) : fc.array(written(depth - 1), { maxLength: 3 }), fc.boolean())
    .map(([raw, parts, children, short]) =>
      short && children.length === 0 ? `<${raw}${parts}/>` : `<${raw}${parts}>${children.join("")}</${raw}>`,
    );
const element = written(3);

function newKnown(): Vocabulary {
  const vocabulary = newVocabulary();
  for (const ns of ["", "urn:1", "urn:2", "urn:&"]) for (const local of ["a", "b", "x"]) intern(vocabulary, ns, local);
  return vocabulary;
}

/** All that a reader can see of a document: each element with its attributes, in order, or why it is refused and where. */
function seen(source: string, vocabulary: Vocabulary): readonly string[] {
  const list: string[] = [];
  const note = (c: Cursor, what: string): void => {
    const attributes = c.attributeNames.slice(0, c.attributes).map((each, i) => `${showName(each)}=${c.attributeValues[i]}`);
    list.push(`${what} ${attributes.join(" ")} ${c.references}`);
  };
  const walk = (c: Cursor): void => {
    for (let next = advance(c); next !== undefined; next = advance(c)) {
      note(c, showName(next));
      walk(c);
    }
    closeTag(c);
  };
  try {
    const c = openDocument(vocabulary, Buffer.from(source));
    note(c, showName(openRoot(c)));
    walk(c);
    closeDocument(c);
  } catch (error) {
    const { code, message, places } = asBusError(error);
    list.push(JSON.stringify([code, message, places]));
  }
  return list;
}

describe("what was read before", () => {
  it("never changes what a document says: a parser that has seen others reads it as a new one does", () => {
    fc.assert(
      fc.property(fc.array(element, { minLength: 1, maxLength: 6 }), (documents) => {
        const experienced = newKnown();
        for (const document of [...documents, ...documents]) expect(seen(document, experienced)).toEqual(seen(document, newKnown()));
      }),
      { numRuns: 400 },
    );
  });

  it("does not carry a namespace from one document to the next that writes the same tag", () => {
    const vocabulary = newKnown();
    const twice = (outer: string): readonly string[] =>
      seen(`<p:a xmlns:p="${outer}"><b xmlns="urn:2"/><p:b xmlns:q="urn:1"/></p:a>`, vocabulary);
    for (const outer of ["urn:1", "urn:2", "urn:1", "urn:3"]) {
      expect(twice(outer).map((line) => line.trim().split(" ")[0])).toEqual([`{${outer}}a`, "{urn:2}b", `{${outer}}b`]);
    }
  });

  it("does not lend an element the prefixes of a parent that it stood in last time", () => {
    const vocabulary = newKnown();
    const within = `<a><b xmlns:p="urn:1"><x></x><p:b xmlns:q="urn:2"></p:b></b></a>`;
    const behind = `<a><b xmlns:p="urn:1"><x></x></b><p:b xmlns:q="urn:2"></p:b></a>`;
    for (let turn = 0; turn < 2; turn++) {
      expect(seen(within, vocabulary).at(-1)).toBe("{urn:1}b  0");
      expect(seen(behind, vocabulary).at(-1)).toContain("xml-malformed");
    }
  });

  it("counts the references of a declaration every time it stands there", () => {
    const vocabulary = newKnown();
    const source = `<a><b xmlns="urn:&amp;"></b><b xmlns="urn:&amp;"></b></a>`;
    for (let turn = 0; turn < 3; turn++) expect(seen(source, vocabulary).at(-1)).toBe("{urn:&}b  2");
  });

  it("leaves unknown elements readable: those that are skipped and those that are read loosely", () => {
    const vocabulary = newKnown();
    for (let turn = 0; turn < 3; turn++) {
      const c = openDocument(
        vocabulary,
        Buffer.from(`<a><z:z xmlns:z="urn:9"><z:y>1</z:y></z:z><z:z xmlns:z="urn:9"><z:y>2</z:y></z:z></a>`),
      );
      openRoot(c);
      expect(advance(c)).toEqual({ ns: "urn:9", local: "z" });
      skipElement(c);
      expect(advance(c)).toEqual({ ns: "urn:9", local: "z" });
      expect(readLoose(c)).toMatchObject({ local: "z", children: [{ local: "y", text: "2" }] });
      expect(advance(c)).toBeUndefined();
    }
  });
});
