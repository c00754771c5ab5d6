/** The WSDL that is served: one document that says what was loaded, readable again without a second fetch, at any address. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { joinPath } from "./schema.ts";
import { loadWsdl, type Wsdl } from "./wsdl.ts";
import { compileWsdl } from "./wsdl-write.ts";

const fromDisk = (location: string, base: string | undefined): string | undefined => {
  try {
    return readFileSync(joinPath(base, location), "utf8");
  } catch {
    return undefined;
  }
};
/** Reads a text that must stand alone: whatever else is asked for is not there. */
const alone = (text: string): Wsdl =>
  loadWsdl({ wsdl: "served.wsdl", resolve: (location) => (location === "served.wsdl" ? text : undefined) });

const FILES = ["test/fixtures/xml/person.wsdl", "contracts/rsp/population.wsdl", "contracts/cnas/pensions.wsdl"];
const ADDRESS = "http://127.0.0.1:8080/mconnect/soap/rsp/population/PersonRegistry";

describe.each(FILES)("%s", (file) => {
  const loaded = loadWsdl({ wsdl: file, resolve: fromDisk });
  const write = compileWsdl(loaded);
  const text = write(ADDRESS);

  it("served and read again has the same service, operations, actions and elements", () => {
    const again = alone(text);
    expect([again.namespace, again.service, again.portType]).toEqual([loaded.namespace, loaded.service, loaded.portType]);
    expect(again.operations).toEqual(loaded.operations);
  });

  it("says the same when it is written from what was read of it, inherited prefixes aside", () => {
    const bare = (wsdl: string): string => wsdl.replaceAll(/ xmlns:[\w-]+="[^"]*"/gu, "");
    expect(bare(compileWsdl(alone(text))(ADDRESS))).toBe(bare(text));
  });

  it("has one port for each SOAP version, both at the address that was asked", () => {
    expect(text.match(/<soap:address location="[^"]*"\/>/gu)).toEqual([`<soap:address location="${ADDRESS}"/>`]);
    expect(text.match(/<soap12:address location="[^"]*"\/>/gu)).toEqual([`<soap12:address location="${ADDRESS}"/>`]);
    expect(text.match(/<wsdl:binding /gu)).toHaveLength(2);
    expect(text.match(/<wsdl:port /gu)).toHaveLength(2);
  });

  it("is document/literal throughout, with each operation once in each part", () => {
    expect(text.match(/style="document"/gu)).toHaveLength(2 + 2 * loaded.operations.length);
    expect(text).not.toMatch(/use="encoded"|style="rpc"/u);
    for (const { name } of loaded.operations) expect(text.split(`<wsdl:operation name="${name}">`)).toHaveLength(4);
  });

  it("leads nowhere: no import with a location is left", () => {
    expect(text).not.toMatch(/schemaLocation|<wsdl:import|:include /u);
  });

  it("names no place of ours but the address", () => {
    expect(text).not.toContain(process.cwd());
    expect(write("http://other.example/x").replaceAll("http://other.example/x", ADDRESS)).toBe(text);
  });

  it("is fixed but for the address, which may hold any character", () => {
    const address = `http://h/x?a=1&b="2"<3>'4'`;
    const odd = write(address);
    expect(odd).toContain("a=1&amp;b=&quot;2&quot;&lt;3");
    expect(alone(odd).operations).toEqual(loaded.operations);
  });
});

describe("what a WSDL may lack or hold", () => {
  const loaded = loadWsdl({ wsdl: FILES[0] ?? "", resolve: fromDisk });
  const [first] = loaded.operations;
  if (first === undefined) throw new Error("the fixture has no operation");

  it("a one-way operation has no output in any part", () => {
    const text = compileWsdl({ ...loaded, operations: [{ ...first, output: undefined }] })(ADDRESS);
    expect(text).not.toContain("wsdl:output");
    expect(alone(text).operations[0]?.output).toBeUndefined();
  });

  it("documentation and actions are escaped and come back as they were", () => {
    const doc = `a < b & "c" > d`;
    const action = `urn:x?a="1"&b=<2>`;
    const [again] = alone(compileWsdl({ ...loaded, operations: [{ ...first, doc, action }] })(ADDRESS)).operations;
    expect([again?.doc, again?.action]).toEqual([doc, action]);
  });
});
