/** WSDLs in the manner of six toolkits become files that lint clean, and what cannot be said is said with its place. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { adapters } from "#adapters/registry.ts";
import { BusError } from "#bus/errors.ts";
import { formatFinding } from "#bus/route/findings.ts";
import { lintFiles } from "#bus/route/lint/lint.ts";
import { filesFrom } from "#test/files-of.ts";
import { joinPath } from "../xml/schema.ts";
import { loadWsdl } from "../xml/wsdl.ts";
import { importWsdl } from "./import.ts";
import type { ImportOptions } from "./options.ts";

const FIXTURES = "test/fixtures/wsdl";
const fromDisk = (location: string, base: string | undefined): string | undefined => {
  try {
    return readFileSync(`${FIXTURES}/${joinPath(base, location)}`, "utf8");
  } catch {
    return undefined;
  }
};
const options = (wsdl: string, more: Partial<ImportOptions> = {}): ImportOptions => ({
  wsdl,
  resolve: fromDisk,
  owner: "register-team",
  system: "inst/register",
  consumer: "inst/register",
  entity: "1002600024700",
  valid: { from: "2026-01-01", until: "2036-12-31" },
  register: { idno: "1002600024700", institution: "Institution" },
  ...more,
});
const toolkits = [
  ["WCF", "wcf/CivilStatus.svc.wsdl", ["FindActs", "Touch"]],
  ["CXF", "cxf/LandRegister.wsdl", ["getParcel"]],
  ["PHP", "php/school.wsdl", ["getPupils"]],
  ["gSOAP", "gsoap/meter.wsdl", ["readings"]],
  ["X-Road", "xroad/population.wsdl", ["personData"]],
  ["Axis", "axis/Customs.wsdl", ["getDeclaration"]],
] as const;

/** The fault of an import that must fail. */
function refusal(more: ImportOptions): BusError {
  try {
    importWsdl(more);
  } catch (error) {
    if (error instanceof BusError) return error;
    throw error;
  }
  throw new Error("it was imported");
}

describe.each(toolkits)("a WSDL of %s", (_, wsdl, operations) => {
  const imported = importWsdl(options(wsdl));

  it("gives its operations as contracts", () => {
    expect(imported.operations.map(({ operation }) => operation)).toEqual(operations);
    for (const { contract, pattern } of imported.operations) {
      expect(contract).toMatch(/^inst\.register\.[a-z0-9-]+\.request\.v1$/u);
      expect(pattern).toBe(contract.includes("touch") ? "command" : "query");
    }
  });

  it("lints without error or warning", () => {
    const { findings, documents } = lintFiles(filesFrom(Object.fromEntries(imported.files)), adapters, {}, Date.parse("2026-02-01"));
    expect(findings.map(formatFinding)).toEqual([]);
    expect(documents.routes.size).toBe(operations.length);
  });

  it("gives the same bytes again", () => {
    expect([...importWsdl(options(wsdl)).files]).toEqual([...imported.files]);
  });

  it("keeps one description, which says the same without its imports", () => {
    const path = [...imported.files.keys()].find((name) => name.endsWith(".wsdl")) ?? "";
    const again = loadWsdl({ wsdl: path, resolve: (location) => (location === path ? imported.files.get(path) : undefined) });
    const before = loadWsdl({ ...options(wsdl), refuse: () => undefined });
    expect(again.operations).toEqual(before.operations.filter(({ name }) => operations.some((one) => one === name)));
  });

  it("carries a test for each operation", () => {
    const tests = [...imported.files.keys()].filter((name) => name.endsWith(".test.yaml"));
    expect(tests).toHaveLength(operations.length);
  });
});

describe("what an import cannot say", () => {
  const notes = (wsdl: string): readonly string[] =>
    importWsdl(options(wsdl)).notes.map(({ kind, operation, place, text }) => `${kind} ${operation} ${place} ${text}`);

  it("encoded use is left out by line, with what to do", () => {
    expect(notes("php/school.wsdl")).toEqual([
      expect.stringMatching(/^left-out legacy php\/school\.wsdl:45:\d+ use="encoded" is not supported; have the service publish/u),
    ]);
  });

  it("wildcards are left out by line", () => {
    expect(notes("gsoap/meter.wsdl")).toContainEqual(
      expect.stringMatching(/^left-out debug gsoap\/meter\.wsdl:51:\d+ xs:any lets anything/u),
    );
  });

  it("types that Avro lacks are named where they stand", () => {
    expect(notes("gsoap/meter.wsdl")).toContainEqual(
      expect.stringMatching(/^weaker readings gsoap\/meter\.wsdl:38:\d+ month is text .*gYearMonth/u),
    );
    expect(notes("cxf/LandRegister.wsdl")).toContainEqual(
      expect.stringMatching(/schema\/LandRegister\.xsd:24:\d+ usage is text .*BUILDING-PLOT/u),
    );
    expect(notes("wcf/CivilStatus.svc.wsdl")).toContainEqual(expect.stringMatching(/xsd2\.xsd:36:\d+ Fee is text .*totalDigits/u));
  });

  it("header blocks of a protocol are named", () => {
    expect(notes("xroad/population.wsdl")).toContainEqual(
      expect.stringMatching(/^to-do personData .*client, service, userId, id, issue, protocolVersion/u),
    );
  });

  it("an operation that is not there is refused with those that are", () => {
    expect(refusal(options("cxf/LandRegister.wsdl", { operations: ["getOwner"] })).message).toContain(
      "no operation getOwner; it has getParcel",
    );
  });

  it("when nothing is left, every reason is told", () => {
    const { message } = refusal(options("php/school.wsdl", { operations: ["legacy"] }));
    expect(message).toMatch(/no operation of php\/school\.wsdl can be imported:\n {2}legacy: php\/school\.wsdl:45:\d+ use="encoded"/u);
  });
});

describe("an import's schemas", () => {
  const schema = (wsdl: string, name: string): string =>
    importWsdl(options(wsdl)).files.get(`contracts/inst/register/inst.register.${name}.v1.avsc`) ?? "";

  it("mark what looks personal, and name the subject where the XSD says it is an IDNP", () => {
    expect(JSON.parse(schema("xroad/population.wsdl", "person-data.response"))).toMatchObject({
      fields: [
        {},
        { name: "response", type: { fields: [{ name: "givenName", personal: true }, { name: "surname", personal: true }, {}, {}] } },
      ],
    });
    expect(importWsdl(options("xroad/population.wsdl")).files.get("routes/inst/register/contracts.yaml")).toContain(
      "subject: request.personalCode",
    );
    expect(importWsdl(options("wcf/CivilStatus.svc.wsdl")).files.get("routes/inst/register/contracts.yaml")).not.toContain("subject:");
  });

  it("carry the documentation of the XSD", () => {
    expect(schema("xroad/population.wsdl", "person-data.request")).toContain('"doc": "Code of the person asked for."');
  });

  it("keep attributes, simple content and names that are no Avro names", () => {
    const text = schema("cxf/LandRegister.wsdl", "get-parcel.response");
    expect(text).toContain('"xml": "@revision"');
    expect(text).toContain('"xml": "#text"');
    expect(text).toContain('"logicalType": "decimal"');
  });
});
