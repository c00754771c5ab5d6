/** A contract that is a type of MConnect Events: each mistake in it has one message, which says what to write. */
import { describe, expect, it } from "vitest";
import { edited, GOOD, saidOf, type Texts } from "#test/harness/good-files.ts";

const FILE = "contracts/contracts.yaml";
const SCHEMA = JSON.stringify({ $schema: "https://json-schema.org/draft/2020-12/schema", type: "object" });
const EVENTS = `events:
  type: Registry.Population.Person.Changed
  schema: ./person.changed.v1.schema.json
  sources: [{ system: registry/population, uris: [/registry/population] }]
  retention: 5d
  partitionKey: idnp
  personal: { subject: idnp, basis: "Law 1, art. 2", reason: data-exchange }
`;
const AT = "title: A person's data changed\nowner: population-registry-team\npattern: event\n";
const good: Texts = { ...edited(FILE, AT, AT + EVENTS), "contracts/person.changed.v1.schema.json": SCHEMA };
const said = (from: string, to: string): readonly string[] => saidOf(edited(FILE, from, to, good)).filter((line) => !before.has(line));
const before = new Set(saidOf(GOOD));

describe("a contract as a type of events", () => {
  it("lints clean when all of it is right, and when it is only a name", () => {
    expect(saidOf(good).filter((line) => !before.has(line))).toEqual([]);
    expect(said(EVENTS, "events: { type: Registry.Population.Person.Changed }\n")).toEqual([]);
  });

  it.each([
    [
      "a name of too few parts",
      "Registry.Population.Person.Changed",
      "Registry.Changed",
      "`type`",
      "write Organization.System.Entity.Action",
    ],
    [
      "a field that it has not",
      "retention: 5d",
      "retentions: 5d",
      "unknown-field",
      "there is no field `retentions`; did you mean `retention`?",
    ],
    [
      "a schema file that is missing",
      "./person.changed.v1.schema.json",
      "./person.schema.json",
      "file-missing",
      "contracts/person.schema.json",
    ],
    ["more days than the journal promises", "retention: 5d", "retention: 32d", "events", "the journal promises 31 days; write 31d or less"],
    [
      "a key that is no field",
      "partitionKey: idnp",
      "partitionKey: idno",
      "events",
      "`person.changed.v1` has no field `idno`; did you mean `idnp`?",
    ],
    ["a subject that is no field", "subject: idnp, basis", "subject: person, basis", "events", "has no field `person`"],
    [
      "a reason that is said twice",
      "reason: data-exchange",
      "reason: data-exchange, reasonField: idnp",
      "events",
      "`reason` and `reasonField` say the same twice; keep one",
    ],
    [
      "a producer that is no system",
      "system: registry/population, uris",
      "system: registry/populaton, uris",
      "unknown-system",
      "there is no system `registry/populaton`; did you mean `registry/population`?",
    ],
    [
      "a producer without a grant",
      "system: registry/population, uris",
      "system: benefits/core, uris",
      "events",
      "no grant lets `benefits/core` produce `person.changed.v1`: write a `bus: grant/v1` document with `producer: benefits/core`",
    ],
    ["a source with a space", "uris: [/registry/population]", "uris: [/registry population]", "`uris`", "write a URI without spaces"],
    [
      "a call context, which no event brings",
      "pattern: event\nevents",
      "pattern: event\nrequires: [user]\nevents",
      "events",
      "take `requires` or `events` away",
    ],
  ])("says of %s what to write", (_, from, to, rule, words) => {
    const lines = said(from, to);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain(rule);
    expect(lines[0]).toContain(words);
    expect(lines[0]).toMatch(/^contracts\/contracts\.yaml:\d+:\d+ {2}(error|warn)/u);
  });

  it("has a name that no other contract has", () => {
    const twice = edited(
      FILE,
      "owner: transport-integration\npattern: event\n",
      "owner: transport-integration\npattern: event\nevents: { type: Registry.Population.Person.Changed }\n",
      good,
    );
    expect(saidOf(twice).filter((line) => !before.has(line))).toEqual([
      expect.stringContaining("`person.changed.v1` is `Registry.Population.Person.Changed` already"),
    ]);
  });

  it("is an event", () => {
    const query = edited(FILE, "subject: idnp\n---", "subject: idnp\nevents: { type: Registry.Population.Person.Asked }\n---");
    expect(saidOf(query).join("\n")).toContain("only a contract of `pattern: event` can be a type of events");
  });

  it.each([
    ["no JSON", "{", "is no JSON"],
    ["no draft's name", "{}", "has `$schema` missing"],
    ["a draft that is too old", '{"$schema":"http://json-schema.org/draft-04/schema#"}', "did you mean"],
  ])("refuses a schema with %s", (_, text, words) => {
    const lines = saidOf({ ...good, "contracts/person.changed.v1.schema.json": text });
    expect(lines.filter((line) => !before.has(line))).toEqual([expect.stringContaining(words)]);
  });

  it.each([
    "http://json-schema.org/draft-06/schema#",
    "http://json-schema.org/draft-07/schema#",
    "https://json-schema.org/draft/2019-09/schema",
  ])("takes a schema of %s", (draft) => {
    const lines = saidOf({ ...good, "contracts/person.changed.v1.schema.json": JSON.stringify({ $schema: draft }) });
    expect(lines.filter((line) => !before.has(line))).toEqual([]);
  });
});
