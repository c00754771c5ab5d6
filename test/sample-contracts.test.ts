/** The sample world's contracts, seen by stacks from outside and by the bus: both must read the same thing in them. */
import { execFile } from "node:child_process";
import { globSync, readFileSync } from "node:fs";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import avro from "avsc";
import { compileType } from "#bus/contract/avro.ts";
import { jsonCodec } from "#bus/contract/json.ts";
import { parseSchema, parseShape } from "#bus/contract/parse.ts";
import { compileSoapService, type CompiledSoapService } from "#bus/contract/xml/soap.ts";
import { checkMap } from "#bus/route/map-check.ts";
import { parseMap } from "#bus/route/map-read.ts";
import { lintFiles } from "#bus/route/lint/lint.ts";
import { adapters } from "#adapters/registry.ts";
import type { RecordShape } from "#bus/contract/shape.ts";

const ROOT = new URL("..", import.meta.url).pathname;
const text = (path: string): string => readFileSync(ROOT + path, "utf8");
const all = (pattern: string): readonly string[] => globSync(pattern, { cwd: ROOT }).sort((left, right) => left.localeCompare(right));
const run = promisify(execFile);

const SCHEMAS = all("contracts/*/*.avsc");
const WSDLS = all("contracts/*/*.wsdl");
const service = (wsdl: string): CompiledSoapService => compileSoapService({ wsdl, resolve: text });
const contract = (name: string): RecordShape => parseSchema(text(`contracts/${name}.avsc`)).shape;

describe("contracts of the sample world", () => {
  it.each(SCHEMAS)("%s compiles with avsc itself, and every field says what it is", (path) => {
    const schema = JSON.parse(text(path)) as { fields: { name: string; doc?: string }[] };
    expect(avro.Type.forSchema(schema as unknown as avro.Schema).typeName).toBe("record");
    expect(schema.fields.filter((field) => (field.doc ?? "") === "").map((field) => field.name)).toEqual([]);
  });

  it.each(SCHEMAS)("%s has examples that go through JSON and Avro unchanged", (path) => {
    const type = compileType({ id: path, schemaText: text(path), schemaId: 7 });
    const codec = jsonCodec(type);
    const examples = JSON.parse(text(path.replace(".avsc", ".examples.json"))) as unknown[];
    expect(examples.length).toBeGreaterThan(0);
    for (const example of examples) {
      const value = codec.read(Buffer.from(JSON.stringify(example)));
      const back = codec.write(type.decode(type.encode(value)));
      expect(JSON.parse(Buffer.from(back).toString())).toEqual(example);
    }
  });

  it("mark every field that tells of a person in the person contracts", () => {
    const fields = (JSON.parse(text("contracts/rsp/person.response.v1.avsc")) as { fields: { name: string; personal?: boolean }[] }).fields;
    expect(fields.filter((field) => field.personal !== true).map((field) => field.name)).toEqual(["status"]);
  });

  it("let a grant empty any field of the reply but `status`", () => {
    const type = compileType({ id: "reply", schemaText: text("contracts/rsp/person.response.v1.avsc"), schemaId: 1 });
    expect(type.check({ status: "found" })).toEqual([]);
  });
});

describe("service descriptions", () => {
  it.each([
    ["contracts/rsp/population.wsdl", "samples/population-register/population.wsdl"],
    ["contracts/cnas/pensions.wsdl", "samples/pensions/pensions.wsdl"],
    ["contracts/asp/vehicles.xsd", "samples/vehicles/vehicles.xsd"],
  ])("%s is what its operator publishes", (ours, theirs) => {
    expect(text(ours)).toBe(text(theirs));
  });

  it.each(WSDLS)("%s is read alike by zeep, by PHP and by the bus", async (path) => {
    const mine = [...service(path).operations].sort((left, right) => left.localeCompare(right));
    const python =
      "import sys, zeep\nfor s in zeep.Client(sys.argv[1]).wsdl.services.values():\n for p in s.ports.values():\n  print(*sorted(p.binding._operations))";
    const zeep = await run("/usr/bin/python3", ["-c", python, ROOT + path]);
    expect(zeep.stdout.trim().split("\n")).toEqual([mine.join(" "), mine.join(" ")]);
    const code = "foreach ((new SoapClient($argv[1]))->__getFunctions() as $f) echo preg_replace('/^\\S+ (\\w+).*/', '$1', $f), ' ';";
    const php = await run("php", ["-r", code, ROOT + path]);
    expect([...new Set(php.stdout.trim().split(" "))].sort((left, right) => left.localeCompare(right))).toEqual(mine);
  });
});

describe("files of the sample world", () => {
  const paths = all("{contracts,routes,config}/**/*.{yaml,avsc,json,wsdl,xsd,xml}");
  const { documents, findings } = lintFiles({ paths, text }, adapters, undefined, Date.parse("2026-11-23T09:00:00Z"));

  it("have no findings", () => {
    expect(findings).toEqual([]);
    expect(documents.leftOut).toEqual([]);
  });

  it("hold the routes of the world, each with tests of its own", () => {
    expect([...documents.routes.keys()].sort((left, right) => left.localeCompare(right))).toEqual([
      "benefit-register",
      "person-changed",
      "person-lookup",
      "vehicle-nightly",
    ]);
    const tested = new Map<string, number>();
    for (const test of documents.tests) tested.set(test.route, (tested.get(test.route) ?? 0) + test.cases.length);
    for (const route of documents.routes.keys()) expect(tested.get(route), route).toBeGreaterThanOrEqual(4);
  });

  it("let the data-protection officer own every grant, and nobody else", () => {
    expect([...documents.grants.values()].map((grant) => grant.owner)).toEqual(
      Array(documents.grants.size).fill("data-protection-officer"),
    );
    for (const route of documents.routes.values()) expect(route.owner).not.toBe("data-protection-officer");
  });

  const population = service("contracts/rsp/population.wsdl").derived;
  const pensions = service("contracts/cnas/pensions.wsdl").derived;
  const wire = (schema: unknown): RecordShape => parseShape(schema) as RecordShape;
  it.each([
    ["rsp/map/population-request", contract("rsp/person.request.v1"), wire(population["GetPerson"]?.request)],
    ["rsp/map/population-reply", wire(population["GetPerson"]?.reply), contract("rsp/person.response.v1")],
    ["rsp/map/pensions-notify", contract("rsp/person.changed.v1"), wire(pensions["NotifyPersonChange"]?.request)],
    ["cnas/map/benefit-request", contract("cnas/benefit.register.v1"), wire(pensions["RegisterBenefit"]?.request)],
    ["cnas/map/benefit-reply", wire(pensions["RegisterBenefit"]?.reply), contract("cnas/benefit.registered.v1")],
  ])("%s fits both of its sides", (name, from, to) => {
    const path = `routes/${name}.map.yaml`;
    const { map, findings: faults } = parseMap(path, text(path));
    expect(faults).toEqual([]);
    expect(map && checkMap(map, from, to)).toEqual([]);
  });
});
