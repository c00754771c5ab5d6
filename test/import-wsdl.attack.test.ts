/** Hostile service descriptions: an administrator imports what a stranger published. Nothing is fetched or read that was not meant, and all of it ends. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { BusError } from "#bus/errors.ts";
import { importInto, type ImportedFiles } from "#compose/import-wsdl.ts";

const TODAY = new Date().toISOString().slice(0, 10);
const dir = mkdtempSync(join(tmpdir(), "mbus-hostile-"));
const asked: string[] = [];
let served: Readonly<Record<string, string>> = {};
let server: Server;
let other: Server;

const listening = (handler: (url: string) => string | undefined): Promise<Server> =>
  new Promise((done) => {
    const made = createServer((request, response) => {
      asked.push(`${request.headers.host}${request.url}`);
      const text = handler(request.url ?? "");
      if (text?.startsWith("->")) response.writeHead(302, { location: text.slice(2) }).end();
      else response.writeHead(text === undefined ? 404 : 200, { "content-type": "text/xml" }).end(text);
    }).listen(0, "127.0.0.1", () => done(made));
  });
const addressOf = (one: Server): string => `http://127.0.0.1:${(one.address() as AddressInfo).port}`;

beforeAll(async () => {
  server = await listening((url) => served[url]);
  other = await listening(() => "<secret/>");
});
beforeEach(() => {
  asked.length = 0;
  served = {};
});
afterAll(async () => {
  for (const one of [server, other]) {
    one.closeAllConnections();
    await new Promise((done) => one.close(done));
  }
  rmSync(dir, { recursive: true, force: true });
});

const TYPES = `<xs:element name="M"><xs:complexType><xs:sequence><xs:element name="a" type="xs:string"/></xs:sequence></xs:complexType></xs:element>`;
/** A sound description; `types` replaces its schema, `head` stands before it, `more` inside. */
const wsdl = ({ types = TYPES, head = "", more = "", address = "http://provider.example/s" } = {}): string =>
  `${head}<w:definitions xmlns:w="http://schemas.xmlsoap.org/wsdl/" xmlns:s="http://schemas.xmlsoap.org/wsdl/soap/" xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:t="urn:t" targetNamespace="urn:t">${more}<w:types><xs:schema targetNamespace="urn:t" elementFormDefault="qualified">${types}</xs:schema></w:types><w:message name="In"><w:part name="p" element="t:M"/></w:message><w:portType name="P"><w:operation name="Do"><w:input message="t:In"/><w:output message="t:In"/></w:operation></w:portType><w:binding name="B" type="t:P"><s:binding style="document"/><w:operation name="Do"><s:operation soapAction=""/><w:input><s:body use="literal"/></w:input><w:output><s:body use="literal"/></w:output></w:operation></w:binding><w:service name="S"><w:port name="P" binding="t:B"><s:address location="${address}"/></w:port></w:service></w:definitions>`;

let count = 0;
async function bring(source: string): Promise<ImportedFiles & { root: string }> {
  const root = join(dir, `out-${(count += 1)}`);
  const done = await importInto({ wsdl: source, root, owner: "team", system: "inst/sys", from: TODAY, force: false });
  return { ...done, root };
}
function file(text: string, name = "service.wsdl"): string {
  const folder = join(dir, `in-${(count += 1)}`);
  mkdirSync(folder);
  writeFileSync(join(folder, name), text);
  return join(folder, name);
}
async function refused(source: string): Promise<string> {
  const error: unknown = await bring(source).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof BusError)) throw new Error(`it was not refused: ${String(error)}`);
  expect(error.code).toBe("configuration");
  return error.message;
}

it("the description that all attacks below are made from is imported", async () => {
  const { operations, findings, root } = await bring(file(wsdl()));
  expect(operations).toHaveLength(1);
  expect(findings).toEqual([]);
  expect(readFileSync(join(root, "routes/inst/sys/do.yaml"), "utf8")).toContain("operation: Do");
});

describe("A02 document types and entities", () => {
  it.each([
    ["a DOCTYPE", '<!DOCTYPE w [<!ENTITY x SYSTEM "file:///etc/passwd">]>'],
    ["an external DTD", '<!DOCTYPE w SYSTEM "http://127.0.0.1:1/x.dtd">'],
    ["an instruction", '<?xml-stylesheet href="http://127.0.0.1:1/x.xsl"?>'],
  ])("%s is refused, in a file and from the web", async (_, head) => {
    expect(await refused(file(wsdl({ head })))).toContain("service.wsdl:1:1");
    served = { "/s?wsdl": wsdl({ head }) };
    await refused(`${addressOf(server)}/s?wsdl`);
    expect(asked).toHaveLength(1);
  });
});

describe("B15 imports that lead elsewhere", () => {
  const importing = (location: string): string => wsdl({ types: `<xs:import namespace="urn:o" schemaLocation="${location}"/>${TYPES}` });

  it.each(["http", "https", "ftp", "file", "jar:http"])("a file's import by %s is not fetched", async (scheme) => {
    const location = `${scheme}://${addressOf(other).slice(7)}/o.xsd`;
    expect(await refused(file(importing(location)))).toContain("nothing is fetched from the network");
    expect(asked).toEqual([]);
  });

  it.each(["../secret.xsd", "a/../../secret.xsd", "/etc/passwd", "link.xsd"])("a file's import of %s stays unread", async (location) => {
    const path = file(importing(location));
    writeFileSync(join(path, "../../secret.xsd"), '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:o"/>');
    symlinkSync("/etc/hostname", join(path, "../link.xsd"));
    expect(await refused(path)).toMatch(/leads out of the WSDL's folder|was not found/u);
  });

  it("a web address's import from another host is not fetched", async () => {
    served = { "/s?wsdl": importing(`${addressOf(other)}/o.xsd`) };
    expect(await refused(`${addressOf(server)}/s?wsdl`)).toContain("leads to another host");
    expect(asked).toEqual([`${addressOf(server).slice(7)}/s?wsdl`]);
  });

  it("a web address's import of a local file is not read", async () => {
    served = { "/s?wsdl": importing("file:///etc/passwd") };
    expect(await refused(`${addressOf(server)}/s?wsdl`)).toContain("leads to another host");
  });

  it("a redirect is not followed, neither of the description nor of an import", async () => {
    served = { "/s?wsdl": `->${addressOf(other)}/o.wsdl` };
    expect(await refused(`${addressOf(server)}/s?wsdl`)).toContain("cannot be fetched");
    served = { "/s?wsdl": importing("o.xsd"), "/o.xsd": `->${addressOf(other)}/o.xsd` };
    expect(await refused(`${addressOf(server)}/s?wsdl`)).toContain("was not found");
    expect(asked.filter((each) => each.includes("/o.wsdl") || each.startsWith(addressOf(other).slice(7)))).toEqual([]);
  });

  it("imports of the same host are followed, also by query alone", async () => {
    served = {
      "/s?wsdl": importing("?xsd=1"),
      "/s?xsd=1":
        '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:o"><xs:import namespace="urn:p" schemaLocation="?xsd=2"/></xs:schema>',
      "/s?xsd=2": '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:p"/>',
    };
    expect((await bring(`${addressOf(server)}/s?wsdl`)).operations).toHaveLength(1);
    expect(asked).toHaveLength(3);
  });
});

describe("B15 descriptions without end", () => {
  it("imports in a ring end", async () => {
    const ring = (to: string): string =>
      `<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:t"><xs:include schemaLocation="${to}"/></xs:schema>`;
    const path = file(
      wsdl({ types: `<xs:include schemaLocation="a.xsd"/>${TYPES}`, more: '<w:import namespace="urn:t" location="service.wsdl"/>' }),
    );
    writeFileSync(join(path, "../a.xsd"), ring("b.xsd"));
    writeFileSync(join(path, "../b.xsd"), ring("a.xsd"));
    expect((await bring(path)).operations).toHaveLength(1);
  });

  it("a web of imports without end is cut off", async () => {
    let made = 0;
    const endless = await listening(() => {
      made++;
      return made === 1
        ? wsdl({ types: `<xs:import namespace="urn:n0" schemaLocation="/n0"/>${TYPES}` })
        : `<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:n${made - 2}"><xs:import namespace="urn:n${made - 1}" schemaLocation="/n${made - 1}"/></xs:schema>`;
    });
    expect(await refused(`${addressOf(endless)}/s?wsdl`)).toContain("more than 50 documents");
    endless.closeAllConnections();
    await new Promise((done) => endless.close(done));
  });

  it.each([
    ["10^9 of a required element", '<xs:element name="a" type="xs:string" minOccurs="1000000000" maxOccurs="1000000000"/>'],
    ["more digits than a number has", `<xs:element name="a" type="xs:string" maxOccurs="${"9".repeat(400)}"/>`],
  ])("%s is left out by line", async (_, element) => {
    const types = `<xs:element name="M"><xs:complexType><xs:sequence>${element}</xs:sequence></xs:complexType></xs:element>`;
    expect(await refused(file(wsdl({ types })))).toMatch(/Do: service\.wsdl:1:\d+ m..Occurs/u);
  });

  it("types that contain themselves for ever are refused, those that may end are not", async () => {
    const nest = (occurs: string): string =>
      `<xs:element name="M" type="t:N"/><xs:complexType name="N"><xs:sequence><xs:element name="n" type="t:N"${occurs}/></xs:sequence></xs:complexType>`;
    expect(await refused(file(wsdl({ types: nest("") })))).toContain("Do:");
    expect((await bring(file(wsdl({ types: nest(' minOccurs="0"') })))).operations).toHaveLength(1);
  });

  it("a description too big, too deep or too wide is refused", async () => {
    expect(await refused(file(wsdl({ more: `<!--${"x".repeat(11 * 1024 * 1024)}-->` })))).toContain("bytes");
    served = { "/s?wsdl": wsdl({ more: `<!--${"x".repeat(11 * 1024 * 1024)}-->` }) };
    expect(await refused(`${addressOf(server)}/s?wsdl`)).toContain("bytes");
    expect(await refused(file(wsdl({ more: "<w:x>".repeat(10_000) })))).toMatch(/service\.wsdl:1:\d+/u);
    const wide = Array.from({ length: 2000 }, (_, i) => `<xs:element name="a${i}" type="xs:string"/>`).join("");
    const types = `<xs:element name="M"><xs:complexType><xs:sequence>${wide}</xs:sequence></xs:complexType></xs:element>`;
    expect(await refused(file(wsdl({ types })))).toContain("Do:");
  });
});

describe("names that would leave their place", () => {
  it("an operation's name makes no path and no YAML of its own", async () => {
    const evil = wsdl().replaceAll('name="Do"', 'name="../../../etc/x"');
    expect(await refused(file(evil))).toContain("no XML name");
  });

  it("documentation and addresses stay text", async () => {
    const doc = `"\nbus: grant/v1\nid: all\n--- # ${"x".repeat(400)}`;
    const text = wsdl({ address: "http://h.example/a?b=1&amp;c=%22%0Aid: x" }).replace(
      '<w:operation name="Do"><w:input',
      `<w:operation name="Do"><w:documentation>${doc.replaceAll('"', "&quot;")}</w:documentation><w:input`,
    );
    const { findings, root } = await bring(file(text));
    expect(findings).toEqual([]);
    expect(readFileSync(join(root, "routes/inst/sys/do.yaml"), "utf8")).not.toMatch(/^bus: grant/mu);
  });

  it("a system's id that is a path is refused", async () => {
    for (const system of ["../x", "a/../../b", "a/b/c", "A/b", "a"]) {
      const root = join(dir, "out-never");
      const brought = importInto({ wsdl: file(wsdl()), root, owner: "team", system, from: TODAY, force: false });
      await expect(brought).rejects.toThrow("no system id");
    }
  });
});

describe("files that stand there", () => {
  it("are not written over, none of them, unless it is asked for", async () => {
    const source = file(wsdl());
    const { root } = await bring(source);
    const ask = (force: boolean): Promise<ImportedFiles> =>
      importInto({ wsdl: source, root, owner: "other", system: "inst/sys", from: TODAY, force });
    await expect(ask(false)).rejects.toThrow(
      /differ; --force writes over them, and nothing was written:\n {2}routes\/inst\/sys\/contracts\.yaml/u,
    );
    expect(readFileSync(join(root, "routes/inst/sys/do.yaml"), "utf8")).toContain('owner: "team"');
    await ask(true);
    expect(readFileSync(join(root, "routes/inst/sys/do.yaml"), "utf8")).toContain('owner: "other"');
  });

  it("may be the same: an import can be repeated", async () => {
    const source = file(wsdl());
    const { root, files } = await bring(source);
    const again = await importInto({ wsdl: source, root, owner: "team", system: "inst/sys", from: TODAY, force: false });
    expect(again.files).toEqual(files);
  });
});
