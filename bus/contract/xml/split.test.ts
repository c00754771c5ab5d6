import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { BusError } from "../../errors.ts";
import type { Piece } from "../../wire.ts";
import { compileXmlCodec } from "./codec.ts";
import { xsdToAvro } from "./derive.ts";
import { loadSchemas } from "./schema.ts";
import { xmlSplitter } from "./split.ts";

const NS = "urn:cars";
const schemas = loadSchemas(
  [
    {
      file: "cars.xsd",
      text: `<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="${NS}" elementFormDefault="qualified">
        <xs:element name="Car"><xs:complexType><xs:sequence>
          <xs:element name="Plate" type="xs:string"/><xs:element name="Year" type="xs:int"/>
        </xs:sequence></xs:complexType></xs:element></xs:schema>`,
    },
  ],
  { resolve: () => undefined },
);
const element = { ns: NS, local: "Car" };
const codec = compileXmlCodec({ schemas, element, avro: xsdToAvro(schemas, element) });
const splitter = xmlSplitter({ path: "/c:Cars/c:Car", namespaces: { c: NS }, codec, maxRecord: 2000 });

async function* chunked(text: string, size: number): AsyncIterable<Uint8Array> {
  const bytes = Buffer.from(text);
  for (let i = 0; i < bytes.length; i += size) yield bytes.subarray(i, i + size);
}

async function all(text: string, size = 7): Promise<Piece[]> {
  const pieces: Piece[] = [];
  for await (const piece of splitter.split(chunked(text, size))) pieces.push(piece);
  return pieces;
}

async function failure(text: string, size = 7): Promise<BusError> {
  try {
    await all(text, size);
  } catch (error) {
    if (error instanceof BusError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

const car = (plate: string, year: string | number): string => `<v:Car>\n<v:Plate>${plate}</v:Plate><v:Year>${year}</v:Year></v:Car>`;
const file = (inside: string): string =>
  `<?xml version="1.0"?>\n<v:Cars xmlns:v="${NS}">\n<v:Day>2026-01-01</v:Day>\n${inside}\n</v:Cars>\n`;

describe("xmlSplitter", () => {
  it("gives the same records whatever the size of the chunks", async () => {
    const text = file(`${car("ă>1", 2001)}<!-- <v:Car> -->${car("<![CDATA[</v:Car>]]>", 2002)}\n${car("C", 2003)}`);
    for (const size of [1, 2, 3, 5, 64, 100_000]) {
      const pieces = await all(text, size);
      expect(pieces.map((piece) => piece.read())).toEqual([
        { plate: "ă>1", year: 2001 },
        { plate: "</v:Car>", year: 2002 },
        { plate: "C", year: 2003 },
      ]);
      expect(pieces.map((piece) => [piece.index, piece.line])).toEqual([
        [1, 4],
        [2, 5],
        [3, 7],
      ]);
    }
  });

  it("carries the prefixes in scope to the record, so that its bytes stand for themselves", async () => {
    const [piece] = await all(`<Cars xmlns="${NS}" xmlns:x="urn:x"><Car><Plate>A</Plate><Year>1</Year></Car></Cars>`);
    expect(piece && codec.read(piece.bytes)).toEqual({ plate: "A", year: 1 });
    const [own] = await all(`<v:Cars xmlns:v="${NS}"><v:Car xmlns:v="${NS}"><v:Plate>A</v:Plate><v:Year>1</v:Year></v:Car></v:Cars>`);
    expect(own?.read()).toEqual({ plate: "A", year: 1 });
  });

  it("lets one bad record fail alone, with its line in the file", async () => {
    const pieces = await all(file(`${car("A", 1)}\n${car("B", "x")}\n${car("C &nope;", 3)}\n${car("D", 4)}`));
    expect(pieces).toHaveLength(4);
    expect(pieces[0]?.read()).toEqual({ plate: "A", year: 1 });
    expect(() => pieces[1]?.read()).toThrow(/^line 7, \/v:Car\/v:Year: expected a whole number/);
    expect(() => pieces[2]?.read()).toThrow(BusError);
    expect(pieces[3]?.read()).toEqual({ plate: "D", year: 4 });
  });

  it("lets a record that is too long fail alone and holds little of it", async () => {
    const pieces = await all(file(`${car("x".repeat(50_000), 1)}\n${car("B", 2)}`), 1000);
    expect(pieces[0]?.bytes.length).toBe(0);
    expect(() => pieces[0]?.read()).toThrow(/longer than a record may be/);
    expect(pieces[1]?.read()).toEqual({ plate: "B", year: 2 });
  });

  it.each([
    ["tags that do not match", file("<v:Car><v:Plate></v:Car>"), "xml-malformed", 4],
    ["a file that stops", `<v:Cars xmlns:v="${NS}">\n<v:Car>`, "xml-malformed", 2],
    ["a file that stops inside a tag", `<v:Cars xmlns:v="${NS}">\n<v:Ca`, "xml-malformed", 2],
    ["another root", "<Lorries/>", "xsd-violation", 1],
    ["a second root", `<v:Cars xmlns:v="${NS}"/><v:Cars xmlns:v="${NS}"/>`, "xml-malformed", 1],
    ["a DTD", `<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>${file("")}`, "xml-forbidden", 1],
    ["a processing instruction", file("<?php x ?>"), "xml-forbidden", 4],
    ["an unbound prefix", "<v:Cars/>", "xml-malformed", 1],
    ["UTF-16", "<\u0000a\u0000/\u0000>\u0000", "xml-encoding", 1],
    ["nothing", "", "xml-malformed", 1],
    ["100 levels and more", file("<a>".repeat(200)), "xml-limit", 4],
  ])("gives the file up at %s, with the line", async (_name, text, code, line) => {
    const error = await failure(text);
    expect(error.code).toBe(code);
    expect(error.places[0]?.line).toBe(line);
  });

  it("keeps memory bounded over a file of 40 MB", async () => {
    const one = Buffer.from(car("A".repeat(500), 2001).repeat(100));
    async function* big(): AsyncIterable<Uint8Array> {
      yield Buffer.from(`<v:Cars xmlns:v="${NS}">`);
      for (let i = 0; i < 700; i++) yield one;
      yield Buffer.from("</v:Cars>");
    }
    let count = 0;
    let most = 0;
    for await (const piece of splitter.split(big())) {
      count++;
      most = Math.max(most, piece.bytes.buffer.byteLength);
    }
    expect(count).toBe(70_000);
    expect(most).toBeLessThan(1_000_000);
  });

  it("needs a path it can resolve", () => {
    expect(() => xmlSplitter({ path: "/x:Cars/x:Car", namespaces: {}, codec })).toThrow(/prefix x/);
    expect(() => xmlSplitter({ path: "Car", namespaces: {}, codec })).toThrow(/form \/root\/record/);
  });

  it("reads the sample mainframe's file", async () => {
    const xsd = readFileSync("contracts/asp/vehicles.xsd", "utf8");
    expect(loadSchemas([{ file: "vehicles.xsd", text: xsd }], { resolve: () => undefined }).targets).toEqual(["urn:asp:vehicles:2"]);
  });
});
