import { describe, expect, it } from "vitest";
import { AT, MAPS, routeWorld, type RouteWorld } from "#test/harness/route-world.ts";
import type { Piece } from "../wire.ts";
import type { Route } from "./runtime.ts";
import { runRouteTests } from "./testing/run.ts";

const WSDL = `<?xml version="1.0" encoding="UTF-8"?>
<wsdl:definitions xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/" xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:t="urn:register" targetNamespace="urn:register">
  <wsdl:types>
    <xs:schema targetNamespace="urn:register" elementFormDefault="qualified"><xs:include schemaLocation="types.xsd"/></xs:schema>
  </wsdl:types>
  <wsdl:message name="In"><wsdl:part name="p" element="t:Find"/></wsdl:message>
  <wsdl:message name="Out"><wsdl:part name="p" element="t:FindResponse"/></wsdl:message>
  <wsdl:message name="In2"><wsdl:part name="p" element="t:Drop"/></wsdl:message>
  <wsdl:portType name="Register">
    <wsdl:operation name="Find"><wsdl:input message="t:In"/><wsdl:output message="t:Out"/></wsdl:operation>
    <wsdl:operation name="Drop"><wsdl:input message="t:In2"/><wsdl:output message="t:Out"/></wsdl:operation>
  </wsdl:portType>
  <wsdl:binding name="B" type="t:Register">
    <soap:binding style="document" transport="http://schemas.xmlsoap.org/soap/http"/>
    <wsdl:operation name="Find"><soap:operation soapAction="urn:find"/><wsdl:input><soap:body use="literal"/></wsdl:input><wsdl:output><soap:body use="literal"/></wsdl:output></wsdl:operation>
    <wsdl:operation name="Drop"><soap:operation soapAction="urn:drop"/><wsdl:input><soap:body use="literal"/></wsdl:input><wsdl:output><soap:body use="literal"/></wsdl:output></wsdl:operation>
  </wsdl:binding>
  <wsdl:service name="Register"><wsdl:port name="P" binding="t:B"><soap:address location="http://localhost/"/></wsdl:port></wsdl:service>
</wsdl:definitions>`;

const TYPES = `<?xml version="1.0" encoding="UTF-8"?>
<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:t="urn:register" targetNamespace="urn:register" elementFormDefault="qualified">
  <xs:element name="Find"><xs:complexType><xs:sequence><xs:element name="Nr" type="xs:string"/></xs:sequence></xs:complexType></xs:element>
  <xs:element name="Drop"><xs:complexType><xs:sequence><xs:element name="Nr" type="xs:string"/></xs:sequence></xs:complexType></xs:element>
  <xs:element name="FindResponse"><xs:complexType><xs:sequence><xs:element name="Name" type="xs:string"/><xs:element name="Born" type="xs:string" minOccurs="0"/></xs:sequence></xs:complexType></xs:element>
  <xs:element name="People"><xs:complexType><xs:sequence><xs:element name="Person" type="t:Person" maxOccurs="unbounded"/></xs:sequence></xs:complexType></xs:element>
  <xs:complexType name="Person"><xs:sequence><xs:element name="Code" type="xs:string"/><xs:element name="What" type="xs:string"/></xs:sequence></xs:complexType>
</xs:schema>`;

/** Both sides speak SOAP with shapes of their own; the contract stands between. */
const BRIDGE = `
bus: route/v1
id: bridge
title: Bridge
owner: register
contract: { request: person.request.v1, reply: person.reply.v1 }
from:
  - name: legacy
    system: office/erp
    soap: { wsdl: ./wsdl/register.wsdl, operation: Find, path: /legacy }
    in: { map: ./map/in.map.yaml }
    out: { map: ./map/out.map.yaml }
to:
  system: register/main
  soap: { wsdl: ./wsdl/register.wsdl, operation: Find }
  in: { map: ./map/to.map.yaml }
  out: { map: ./map/back.map.yaml }
`;

const FILES = {
  ...MAPS,
  "routes/wsdl/register.wsdl": WSDL,
  "routes/wsdl/types.xsd": TYPES,
  "routes/bridge.yaml": BRIDGE,
  "routes/map/in.map.yaml": "map:\n  code: nr\n",
  "routes/map/to.map.yaml": "map:\n  nr: code\n",
  "routes/map/back.map.yaml": "map:\n  status: { value: found }\n  name: name\n  born: { from: born, convert: date(dd.mm.yyyy) }\n",
  "routes/map/out.map.yaml":
    'map:\n  name: { from: name, default: "-" }\n  born: { from: born, convert: date(yyyy-mm-dd to dd.mm.yyyy) }\n',
};

const errors = (world: RouteWorld): string[] =>
  [...world.lint, ...world.findings]
    .filter((one) => one.severity === "error")
    .map((one) => `${one.file}:${one.line} ${one.rule} ${one.text}`);

function route(world: RouteWorld, id: string): Route {
  const found = world.set.routes.get(id);
  if (found === undefined) throw new Error(errors(world).join("\n"));
  return found;
}

const ask = (element: string): string =>
  `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Header><m:CallReason xmlns:m="https://mconnect.gov.md">case 7</m:CallReason></s:Header><s:Body>${element}</s:Body></s:Envelope>`;

describe("a route between two SOAP services", () => {
  it("binds both sides to the shapes of their own WSDL", async () => {
    const bridge = route(await routeWorld(FILES), "bridge");
    expect(bridge.sources[0]?.binding).toMatchObject({ kind: "soap", operation: "Find" });
    expect(bridge.branches[0]?.binding.service?.operations).toEqual(["Find"]);
    expect(bridge.branches[0]?.binding.service?.action("Find")).toBe("urn:find");
  });

  it("carries a message from XML to XML", async () => {
    const test = `
bus: test/v1
route: bridge
cases:
  - name: from XML to XML
    given: { file: ./ask.xml }
    mocks: { to: { reply: ./answer.xml } }
    expect:
      sent:
        to: { contract: person.request.v1, json: { code: "7" }, xml: { /t:Find/t:Nr: "7" } }
      reply: { json: { status: found, name: Ana, born: null }, xml: { /r:FindResponse/r:Name: Ana, count(/FindResponse/Born): 0 } }
  - name: a provider that answers what its XSD does not know
    given: { file: ./ask.xml }
    mocks: { to: { reply: ./wrong.xml } }
    expect: { fault: provider-fault }
  - name: a caller that sends what its XSD does not know
    given: { file: ./wrong.xml }
    expect: { fault: contract-violation, sent: { to: none } }
`;
    const world = await routeWorld({
      ...FILES,
      "routes/bridge.test.yaml": test,
      "routes/ask.xml": ask('<Find xmlns="urn:register"><Nr>7</Nr></Find>'),
      "routes/answer.xml": ask('<FindResponse xmlns="urn:register"><Name>Ana</Name><Born>05.03.1994</Born></FindResponse>'),
      "routes/wrong.xml": ask('<Nothing xmlns="urn:register"/>'),
    });
    expect(errors(world)).toEqual([]);
    const report = await runRouteTests(world.set, world.documents.tests, { files: world.files, at: AT });
    expect(report.cases.flatMap(({ name, problems }) => problems.map((problem) => ({ name, ...problem })))).toEqual([]);
    expect(report.passed).toBe(3);
  });

  it.each([
    [
      "no operation where there are several",
      { "routes/bridge.yaml": BRIDGE.replace("operation: Find, path", "path") },
      "has several operations; add `operation:` with one of Find, Drop",
    ],
    [
      "an operation that is not there",
      { "routes/bridge.yaml": BRIDGE.replace("operation: Find }", "operation: Fnd }") },
      "has no operation `Fnd`",
    ],
    [
      "a map that names no element",
      { "routes/map/back.map.yaml": "map:\n  status: { value: found }\n  name: nme\n" },
      "routes/map/back.map.yaml:3 map-source-unknown",
    ],
    [
      "a map that leaves out a required element",
      { "routes/map/to.map.yaml": "map: {}\n" },
      "required field `nr` of the target is not mapped",
    ],
    ["a schema that is missing", { "routes/wsdl/types.xsd": undefined }, "types.xsd"],
    ["no map between shapes that differ", { "routes/bridge.yaml": BRIDGE.replace("    in: { map: ./map/in.map.yaml }\n", "") }, "Find"],
    [
      "a map on the contract's own service",
      {
        "routes/bridge.yaml": BRIDGE.replace(
          "soap: { wsdl: ./wsdl/register.wsdl, operation: Find, path: /legacy }",
          "soap: { path: /legacy }",
        ),
      },
      "needs no map",
    ],
  ])("refuses %s", async (_, change, text) => {
    const world = await routeWorld({ ...FILES, ...change });
    expect(errors(world).join("\n")).toContain(text);
    expect(world.set.routes.has("bridge")).toBe(false);
  });

  it("counts the WSDL and what it includes into the revision", async () => {
    const before = route(await routeWorld(FILES), "bridge").revision;
    const after = route(
      await routeWorld({ ...FILES, "routes/wsdl/types.xsd": TYPES.replace('name="What"', 'name="Which"') }),
      "bridge",
    ).revision;
    expect(after).not.toBe(before);
  });
});

const IMPORT = `
bus: route/v1
id: import
title: Import
owner: register
contract: { event: person.changed.v1 }
from:
  - name: drop
    system: register/main
    file: { directory: in, match: "*.xml", format: xml, record: { xpath: /t:People/t:Person, namespaces: { t: "urn:register" }, xsd: ./wsdl/types.xsd } }
    in: { map: ./map/person.map.yaml }
to: { system: office/erp, http: { path: /events } }
`;
const PEOPLE =
  '<People xmlns="urn:register"><Person><Code>1</Code><What>moved</What></Person><Person><Code>2</Code><What>named</What></Person></People>';
const DROPPED = {
  ...FILES,
  "routes/import.yaml": IMPORT,
  "routes/map/person.map.yaml": "map:\n  code: code\n  kind: what\n  changes: { value: [] }\n",
};

async function pieces(of: Route, text: string): Promise<readonly Piece[]> {
  const found: Piece[] = [];
  const chunks = async function* () {
    yield new TextEncoder().encode(text);
  };
  for await (const piece of of.sources[0]?.binding.splitter?.split(chunks()) ?? []) found.push(piece);
  return found;
}

describe("a route from files", () => {
  it("splits XML by its path, and maps each record", async () => {
    const imported = route(await routeWorld(DROPPED), "import");
    const records = await pieces(imported, PEOPLE);
    expect(records.map((piece) => imported.sources[0]?.in?.(piece.read(), undefined))).toEqual([
      { code: "1", kind: "moved", changes: [], secret: null },
      { code: "2", kind: "named", changes: [], secret: null },
    ]);
  });

  it("gives one message for each record of a test's file", async () => {
    const test =
      "bus: test/v1\nroute: import\ncases:\n  - name: it\n    given: { file: ./people.xml }\n    mocks: { to: { reply: {} } }\n    expect: { sent: { to: { count: 2, json: { code: '2', kind: named } } } }\n";
    const world = await routeWorld({ ...DROPPED, "routes/i.test.yaml": test, "routes/people.xml": PEOPLE });
    const report = await runRouteTests(world.set, world.documents.tests, { files: world.files, at: AT });
    expect(report.cases.flatMap((one) => one.problems)).toEqual([]);
  });

  it("takes the leading steps about the file's XML as the source's own work", async () => {
    const folded = IMPORT.replace(/, record: .*/, " }")
      .replace("    in: { map: ./map/person.map.yaml }\n", "")
      .replace(
        "to: {",
        'steps:\n  - validate: { xsd: ./wsdl/types.xsd }\n  - split: { xpath: "/t:People/t:Person", namespaces: { t: "urn:register" }, stream: true }\n  - map: ./map/person.map.yaml\n  - filter: { when: { field: kind, equals: moved }, onDrop: journal }\nto: {',
      );
    const world = await routeWorld({ ...DROPPED, "routes/import.yaml": folded });
    const imported = route(world, "import");
    expect(imported.steps.map((step) => step.name)).toEqual(["filter"]);
    expect(await imported.sources[0]?.in?.((await pieces(imported, PEOPLE))[0]?.read() ?? {}, undefined)).toMatchObject({
      code: "1",
      kind: "moved",
    });
  });

  it("reads CSV by the contract's field names", async () => {
    const csv = IMPORT.replace(/format: xml, record: .*/, 'format: csv, record: { separator: ";" } }').replace(
      "    in: { map: ./map/person.map.yaml }\n",
      "",
    );
    const world = await routeWorld({
      ...FILES,
      "contracts/changed.avsc": JSON.stringify({
        type: "record",
        name: "Changed",
        fields: [
          { name: "code", type: "string" },
          { name: "kind", type: "string" },
        ],
      }),
      "routes/import.yaml": csv,
      "routes/grants.yaml": undefined,
    });
    const [finding] = world.findings.filter((one) => one.file === "routes/import.yaml");
    expect(finding).toBeUndefined();
    const found = world.set.routes.get("import");
    if (found !== undefined)
      expect((await pieces(found, "code;kind\n1;moved\n")).map((piece) => piece.read())).toEqual([{ code: "1", kind: "moved" }]);
  });

  it.each([
    ["no path of the records", IMPORT.replace(/record: .*/, "record: { xsd: ./wsdl/types.xsd } }"), "where the records stand"],
    ["no XSD", IMPORT.replace(", xsd: ./wsdl/types.xsd", ""), "what each record is checked against"],
    ["a map for CSV", IMPORT.replace(/format: xml, record: .*/, "format: csv }"), "leave the map out"],
  ])("refuses %s", async (_, text, expected) => {
    const world = await routeWorld({ ...DROPPED, "routes/import.yaml": text });
    expect(errors(world).join("\n")).toContain(expected);
  });
});
