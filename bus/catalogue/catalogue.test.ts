/** The semantic catalogue of the sample world: what it tells, what it keeps to itself, how it is searched, and its linked data. */
import * as fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { BusError } from "#bus/errors.ts";
import { describedWorld } from "#test/harness/described.ts";
import { createCatalogue, type Catalogue } from "./catalogue.ts";
import type { Described } from "./described.ts";
import { catalogueOf, keyOfEntry } from "./entries.ts";
import type { CatalogueEntry, ClassifierEntry, ContractEntry, SystemEntry } from "./entries.ts";
import { searchCatalogue } from "./search.ts";

let described: Described;
let catalogue: Catalogue;
beforeAll(async () => {
  described = await describedWorld();
  catalogue = createCatalogue({ described: () => described, servers: { origin: "https://bus.example" } });
});
const contract = (id: string): ContractEntry => catalogue.entry("contract", id) as ContractEntry;

describe("a contract of the catalogue", () => {
  it("says what it is, who provides it, by which laws it is used and where", () => {
    expect(contract("person.request.v1")).toMatchObject({
      title: "Data of one person from the population register",
      version: 1,
      pattern: "query",
      owner: "population-registry-team",
      state: "active",
      compatibility: "BACKWARD",
      requires: ["user", "entity", "basis", "reason"],
      subject: "idnp",
      personal: true,
      providers: [
        { system: "bns/lake" },
        { system: "rsp/population", institution: { idno: "1002600024700", name: "Public Services Agency" } },
      ],
      endpoints: [
        { kind: "nats", address: "ask.ministry_2fnotes.person.request.v1" },
        { kind: "rest", address: "/mconnect/rest/person.request.v1" },
        { kind: "soap", address: "/mconnect/soap/rsp/population/PersonRegistry" },
      ],
    });
    expect(contract("person.request.v1").legalBases).toContainEqual({
      act: "Law 156/1998 on the public pension system",
      section: "art. 33",
      purpose: "pension-payment",
    });
  });

  it("says of each field its type, meaning and marks", () => {
    const [request, reply] = contract("benefit.register.v1").types;
    expect(request?.fields.find(({ path }) => path === "amount")).toEqual({
      path: "amount",
      type: "decimal(10,2)",
      optional: false,
      doc: "Amount applied for, in lei (MDL).",
      personal: true,
    });
    expect(request?.fields.find(({ path }) => path === "applicationId")).toMatchObject({ key: true });
    expect(request?.fields.find(({ path }) => path === "kind")).toMatchObject({
      type: "code of BenefitKind",
      sensitivity: "social-assistance",
      classifier: "md.cnas.benefit.BenefitKind",
    });
    expect(request?.fields.find(({ path }) => path === "iban")).toMatchObject({ type: "text", optional: true });
    expect(reply).toMatchObject({ role: "reply", id: "benefit.registered.v1" });
    expect(contract("person.request.v1").types[1]?.fields.find(({ path }) => path === "registrations.address.region")).toBeDefined();
  });

  it("of an event names who publishes it, and its state", () => {
    expect(contract("note.sent.v1")).toMatchObject({ state: "deprecated", personal: false, types: [{ role: "event" }] });
    expect(contract("note.sent.v1").providers.map(({ system }) => system)).toEqual(["ministry/notes", "primaria/registry"]);
    expect(contract("note.sent.v1").endpoints).toContainEqual({ kind: "amqp", address: "to.ministry_2fnotes.note.sent.v1" });
  });
});

describe("classifiers and systems", () => {
  it("a classifier has its codes with what they mean, and who uses it", () => {
    const weight = catalogue.entry("classifier", "md.example.Weight") as ClassifierEntry;
    expect(weight).toEqual({
      kind: "classifier",
      id: "md.example.Weight",
      title: "How much it matters",
      codes: [{ code: "light" }, { code: "heavy", meaning: "Read it today" }],
      usedBy: ["note.sent.v1"],
    });
  });

  it("a system says what it provides", () => {
    const system = catalogue.entry("system", "rsp/population") as SystemEntry;
    expect(system.provides).toEqual(["person.changed.v1", "person.request.v1"]);
  });

  it("what is not there is said so", () => {
    expect(() => catalogue.entry("contract", "nothing.v1")).toThrow(expect.objectContaining({ code: "not-found" }));
    expect(() => catalogue.openapi("no/system")).toThrow(BusError);
    expect(() => catalogue.asyncapi("no/system")).toThrow("no system `no/system` is registered");
  });
});

it("nothing of it names a grant, who holds one, a contact or an address of a provider", () => {
  const all = JSON.stringify([catalogueOf(described), catalogue.dcat(), catalogue.openapi(), catalogue.asyncapi()]);
  for (const { id } of described.grants) expect(all).not.toContain(`"${id}"`);
  for (const secret of ["nobody.special@", "127.0.0.1", "duty@", "data-protection-officer"]) expect(all).not.toContain(secret);
  const holders = described.grants
    .filter(({ contract: of, role }) => of === "person.changed.v1" && role === "consumer")
    .map(({ system }) => system);
  expect(holders.length).toBeGreaterThan(1);
  for (const system of holders) expect(JSON.stringify(contract("person.changed.v1"))).not.toContain(system);
});

describe("a search", () => {
  const found = (text: string, kind?: string): readonly string[] => catalogue.search({ text, kind, limit: 100 }).items.map(keyOfEntry);

  it("finds words in any case, with or without diacritics, in titles, fields, laws and institutions", () => {
    expect(found("POPULATION register", "contract")).toEqual(["contract/person.changed.v1", "contract/person.request.v1"]);
    expect(found("547/2003")).toEqual(["contract/benefit.register.v1"]);
    expect(found("coldSeasonAid")).toContain("classifier/md.cnas.benefit.BenefitKind");
    expect(found("1004600030235")).toContain("system/cnas/pensions");
    expect(found("no such words at all")).toEqual([]);
    const entry: CatalogueEntry = {
      kind: "system",
      id: "a/b",
      title: "Primăria Orhei",
      institution: { idno: "1", name: "x" },
      provides: [],
    };
    expect(searchCatalogue([entry], { text: "primaria ORHEI", limit: 5 }).items).toEqual([entry]);
  });

  it("gives each entry once over its pages, whatever their size", () => {
    const all = catalogueOf(described).map(keyOfEntry);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), (limit) => {
        const seen: string[] = [];
        let cursor: string | undefined;
        do {
          const page = catalogue.search({ cursor, limit });
          seen.push(...page.items.map(keyOfEntry));
          cursor = page.nextCursor ?? undefined;
        } while (cursor !== undefined && seen.length <= all.length);
        expect(seen).toEqual(all);
      }),
    );
  });
});

describe("linked data", () => {
  type Node = Readonly<Record<string, unknown>>;
  const graph = (): readonly Node[] => (catalogue.dcat() as { "@graph": readonly Node[] })["@graph"];
  const typed = (type: string): readonly Node[] => graph().filter((node) => [node["@type"]].flat().includes(type));

  it("has each node once, and every reference among its own leads to a node", () => {
    const ids = graph().map((node) => String(node["@id"]));
    expect(new Set(ids).size).toBe(ids.length);
    const refs = [...JSON.stringify(graph()).matchAll(/\{"@id":"(urn:mconnect:[^"]+)"\}/gu)].map((match) => match[1] ?? "");
    expect(refs.length).toBeGreaterThan(20);
    expect(refs.filter((ref) => !ids.includes(ref))).toEqual([]);
  });

  it("has what DCAT-AP asks of a catalogue, a data service, a dataset and an agent", () => {
    const must = {
      "dcat:Catalog": ["dct:title", "dct:description", "dct:publisher"],
      "dcat:DataService": ["dct:title", "dcat:endpointURL"],
      "dcat:Dataset": ["dct:title", "dct:description"],
      "foaf:Agent": ["foaf:name"],
      "skos:Concept": ["skos:prefLabel", "skos:inScheme"],
    };
    for (const [type, properties] of Object.entries(must)) {
      expect(typed(type).length, type).toBeGreaterThan(0);
      for (const node of typed(type)) for (const property of properties) expect(node, type).toHaveProperty([property]);
    }
    expect(typed("dcat:DataService")).toHaveLength(described.contracts.size);
  });

  it("says a contract's state, its laws and where it is asked", () => {
    const note = graph().find((node) => node["@id"] === "urn:mconnect:contract:note.sent.v1");
    expect(note).toMatchObject({ "adms:status": { "@id": "http://purl.org/adms/status/Deprecated" } });
    const person = graph().find((node) => node["@id"] === "urn:mconnect:contract:person.request.v1");
    expect(person?.["dcat:endpointURL"]).toContainEqual({ "@id": "https://bus.example/mconnect/rest/person.request.v1" });
    expect(JSON.stringify(person?.["dcatap:applicableLegislation"])).toContain("Law%20156%2F1998");
  });
});
