import { describe, expect, it } from "vitest";
import { BusError } from "../../errors.ts";
import { advance, closeDocument, closeTag, openDocument, openRoot, readText } from "./cursor.ts";
import { intern, newVocabulary } from "./names.ts";
import type { Cursor } from "./state.ts";

const open = (source: string, vocabulary = newVocabulary()): Cursor => {
  const c = openDocument(vocabulary, Buffer.from(source));
  openRoot(c);
  return c;
};
function place(run: () => unknown): { code: string; line: number | undefined; column: number | undefined; path: string | undefined } {
  try {
    run();
  } catch (error) {
    if (!(error instanceof BusError)) throw error;
    const [first] = error.places;
    return { code: error.code, line: first?.line, column: first?.column, path: first?.path };
  }
  throw new Error("nothing was thrown");
}

describe("the pull parser", () => {
  it("walks elements and gives whole text, whatever it is made of", () => {
    const c = open(
      "<?xml version='1.0' encoding='UTF-8' standalone=\"yes\"?><!-- c --><r><a>x&amp;<!-- c -->y<![CDATA[<z>\r\n]]>\r\nș&#x219;&#537;𝄞</a>\n <b/><c></c></r>\n<!-- c -->\n",
    );
    expect(advance(c)?.local).toBe("a");
    expect(readText(c)).toBe("x&y<z>\n\nșșș𝄞");
    expect(advance(c)?.local).toBe("b");
    expect(readText(c)).toBe("");
    expect(advance(c)?.local).toBe("c");
    expect(readText(c)).toBe("");
    expect(advance(c)).toBeUndefined();
    closeTag(c);
    closeDocument(c);
  });

  it.each([63, 64, 65, 200, 5000])("reads the same text of %i characters in its short and its long way", (length) => {
    const pieces = ["a", "ș", "&lt;", "\r\n", "]", "𝄞", "&#65;"];
    let source = "";
    for (let i = 0; source.length < length; i++) source += pieces[i % pieces.length];
    const wanted = source.replaceAll("\r\n", "\n").replaceAll("&lt;", "<").replaceAll("&#65;", "A");
    expect(readText(open(`<r>${source}</r>`))).toBe(wanted);
  });

  it("normalises attribute values, but not what was written as a reference", () => {
    const c = open("<r a=' x\r\ny\tz&#10;&#9;&quot;ș' b=\"'\"/>");
    expect(c.attributeValues.slice(0, c.attributes)).toEqual([' x y z\n\t"ș', "'"]);
  });

  it("resolves names by the scope they stand in", () => {
    const vocabulary = newVocabulary();
    const known = intern(vocabulary, "urn:1", "a");
    const c = open(
      '<p:r xmlns:p="urn:1" xmlns="urn:1"><a/><p:a/><a xmlns=""/><p:a xmlns:p="urn:2"/><ă:a xmlns:ă="urn:1"/><a/></p:r>',
      vocabulary,
    );
    const seen: boolean[] = [];
    while (advance(c) !== undefined) {
      seen.push(c.next === known);
      readText(c);
    }
    expect(seen).toEqual([true, true, false, false, true, true]);
  });

  it("keeps nothing of what strangers declare beyond its bounds", () => {
    const vocabulary = newVocabulary();
    intern(vocabulary, "", "r");
    for (let i = 0; i < 1000; i++) open(`<r xmlns:x${i}="urn:${i}" x${i}:a="1"><y${i}/></r>`, vocabulary);
    expect(vocabulary.names.size).toBe(1);
    expect(vocabulary.root.inner.size).toBeLessThanOrEqual(64);
    expect(vocabulary.root.elements.size).toBeLessThanOrEqual(1);
  });

  it("says where the input breaks, in characters, with the open elements", () => {
    const walk = (source: string) => () => {
      const c = open(source);
      while (advance(c) !== undefined) readText(c);
      closeTag(c);
      closeDocument(c);
    };
    expect(place(walk("<r>\n<ș>a</ș><a>&x;</a></r>"))).toEqual({ code: "xml-malformed", line: 2, column: 12, path: "/r/a" });
    expect(place(walk("<r>\r\n<a>\r</b></r>"))).toEqual({ code: "xml-malformed", line: 3, column: 1, path: "/r/a" });
    expect(place(walk("<r><a"))).toMatchObject({ code: "xml-malformed", line: 1, column: 6 });
    expect(place(walk("<r><a>"))).toMatchObject({ code: "xml-malformed", line: 1, column: 7 });
    expect(place(() => openDocument(newVocabulary(), Buffer.from([0x3c, 0x72, 0x3e, 0x0a, 0xc8, 0x99, 0xff])))).toMatchObject({
      code: "xml-encoding",
      line: 2,
      column: 2,
    });
  });

  it("never guesses a name from another scope: the same letters under another declaration are another name", () => {
    const vocabulary = newVocabulary();
    const mine = intern(vocabulary, "urn:1", "a");
    intern(vocabulary, "urn:1", "r");
    const first = (source: string): unknown => advance(open(source, vocabulary));
    for (let i = 0; i < 3; i++) {
      expect(first('<p:r xmlns:p="urn:1"><p:a/></p:r>')).toBe(mine);
      expect(first('<p:r xmlns:p="urn:1"><p:a xmlns:p="urn:evil"/></p:r>')).toEqual({ ns: "urn:evil", local: "a" });
      expect(first('<p:r xmlns:p="urn:1"><p:a xmlns:p="urn:1"/></p:r>')).toBe(mine);
    }
  });

  it("guesses wrongly without harm: documents of other orders are read right after one another", () => {
    const vocabulary = newVocabulary();
    for (const local of ["r", "a", "ab", "b"]) intern(vocabulary, "", local);
    const orders = ["a ab b", "ab a b", "b b b", "a a ab", "ab ab ab"];
    for (const order of [...orders, ...orders.toReversed(), ...orders]) {
      const c = open(
        `<r>${order
          .split(" ")
          .map((local) => `<${local}>${local}</${local}>`)
          .join("")}</r>`,
        vocabulary,
      );
      const seen: string[] = [];
      while (advance(c) !== undefined) seen.push(`${c.next?.local}=${readText(c)}`);
      expect(seen).toEqual(order.split(" ").map((local) => `${local}=${local}`));
    }
  });
});
