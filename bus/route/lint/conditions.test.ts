/** Conditions that could never hold, and fields that do not exist, wherever a route asks about a field. */
import { describe, expect, it } from "vitest";
import { edited, lintTexts, saidOf, type Texts } from "#test/harness/good-files.ts";

const BENEFIT = "routes/benefit-register.yaml";
const CHANGED = "routes/person-changed.yaml";
const SCHEMA = "contracts/benefit.register.v1.avsc";

const FIELDS = `{ "name": "caseNumber", "type": "string", "key": true },
  { "name": "amount", "type": "int" },
  { "name": "sum", "type": { "type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2 } },
  { "name": "day", "type": ["null", { "type": "int", "logicalType": "date" }], "default": null },
  { "name": "urgent", "type": ["null", "boolean"], "default": null },
  { "name": "state", "type": { "type": "enum", "name": "State", "symbols": ["open", "closed"] } },
  { "name": "before", "type": ["null", "State"], "default": null },
  { "name": "either", "type": ["null", "string", "long"], "default": null },
  { "name": "extra", "type": { "type": "map", "values": "string" } },
  { "name": "person", "type": { "type": "record", "name": "Person", "fields": [{ "name": "age", "type": "int" }] } }`;
/** The good files with more fields in the command, and these steps. */
const withSteps = (steps: string, route = BENEFIT): Texts =>
  edited(
    route,
    "  - filter: { when: { field: amount, notEquals: 0 } }\n",
    steps,
    edited(SCHEMA, '{ "name": "caseNumber", "type": "string", "key": true },\n  { "name": "amount", "type": "int" }', FIELDS),
  );
const filter = (test: string): Texts => withSteps(`  - filter: { when: { ${test} } }\n`);

describe("a comparison that can be true", () => {
  it.each([
    "field: caseNumber, equals: '007'",
    "field: amount, in: [1, 2, 3]",
    "field: sum, equals: '12.50'",
    "field: day, equals: 2026-01-31",
    "field: urgent, equals: true",
    "field: state, in: [open, closed]",
    "field: before, notEquals: closed",
    "field: either, in: [x, 5]",
    "field: extra.anything, equals: x",
    "field: person.age, equals: 5",
    "field: amount, matches: '[0-9]+'",
    "field: amount, exists: true",
    "field: headers.case-number, equals: '5'",
    "field: $time, notEquals: 0",
    "field: $source, equals: taxoffice/erp",
    "field: call.user, notEquals: '2000000000007'",
  ])("is left alone: %s", (test) => expect(saidOf(filter(test))).toEqual([]));
});

describe("a comparison that never can", () => {
  it.each([
    ["field: caseNumber, equals: ", "007", "`caseNumber` is a text and never equals `7`, a number; write it in quotes"],
    ["field: caseNumber, equals: ", "true", "`caseNumber` is a text and never equals `true`, true or false; write it in quotes"],
    ["field: amount, equals: ", "'5'", "`amount` is a number and never equals `5`, a text; write it without quotes"],
    ["field: amount, notEquals: ", "none", "`amount` is a number and never equals `none`, a text; write it without quotes"],
    ["field: sum, equals: ", "12.50", "`sum` is a text and never equals `12.5`, a number; write it in quotes"],
    ["field: urgent, equals: ", "yes", "`urgent` is true or false and never equals `yes`, a text; write it without quotes"],
    ["field: state, equals: ", "opn", "`state` is never `opn`; did you mean `open`?"],
    ["field: before, in: [open, ", "gone]", "`before` is never `gone`; known are open, closed"],
    ["field: person.age, in: [5, ", "'6', 7]", "`person.age` is a number and never equals `6`, a text; write it without quotes"],
    ["field: headers.case-number, equals: ", "5", "`headers.case-number` is a text and never equals `5`, a number; write it in quotes"],
    ["field: $time, equals: ", "now", "`$time` is a number and never equals `now`, a text; write it without quotes"],
  ])("is told at its literal: %s%s", (before, literal, text) => {
    const column = `  - filter: { when: { ${before}`.length + 1;
    expect(saidOf(filter(before + literal))).toEqual([`${BENEFIT}:11:${column}  error  never-equal  ${text}`]);
  });
});

describe("a field that is not there is told", () => {
  it("in a case of a choose, at the case and not at its neighbours", () => {
    const steps = `  - choose:
      - when: { field: amount, equals: 0 }
        steps: []
      - when: { field: amont, equals: 1 }
        steps: []
      - otherwise: true
        steps:
          - choose:
              - when: { field: caseNumbr, exists: true }
                steps: []
              - otherwise: true
                steps: []
`;
    expect(saidOf(withSteps(steps))).toEqual([
      `${BENEFIT}:14:24  error  contract-field  \`benefit.register.v1\` has no field \`amont\`; did you mean \`amount\`?`,
      `${BENEFIT}:19:32  error  contract-field  \`benefit.register.v1\` has no field \`caseNumbr\`; did you mean \`caseNumber\`?`,
    ]);
  });

  it("in the condition of a branch", () => {
    const texts = edited(
      CHANGED,
      "when: { jsonata: \"$count(changes[field = 'residence']) > 0\" }",
      "when: { field: revison, exists: true }",
    );
    expect(saidOf(texts)).toEqual([
      `${CHANGED}:14:20  error  contract-field  \`person.changed.v1\` has no field \`revison\`; did you mean \`revision\`?`,
    ]);
  });

  it("in what an aggregate correlates by", () => {
    const steps = "steps:\n  - aggregate: { correlate: persnKey, complete: { count: 2, timeout: 5m } }\nfanOut:\n";
    expect(saidOf(edited(CHANGED, "fanOut:\n", steps))).toEqual([
      `${CHANGED}:12:29  error  contract-field  \`person.changed.v1\` has no field \`persnKey\`; did you mean \`personKey\`?`,
    ]);
  });

  it.each([
    ["a map", "  - map: ./map/vehicle.map.yaml\n"],
    ["an xml-to-json", "  - xml-to-json: { from: caseNumber, into: content }\n"],
    ["an enrich", "  - enrich: { contract: person.request.v1, into: person }\n"],
  ])("but not after %s, when the message has another shape", (_, step) => {
    const lines = saidOf(
      withSteps(`${step}  - filter: { when: { field: other, equals: 5 } }\n  - tap: { topic: t.x.v1, fields: [other] }\n`),
    );
    expect(lines.filter((line) => line.includes("contract-field"))).toEqual([]);
  });

  it("and headers are still texts after any step", () => {
    const lines = saidOf(withSteps("  - map: ./map/vehicle.map.yaml\n  - filter: { when: { field: headers.x, equals: 5 } }\n"));
    expect(lines).toEqual([
      `${BENEFIT}:12:49  error  never-equal  \`headers.x\` is a text and never equals \`5\`, a number; write it in quotes`,
    ]);
  });
});

describe("personal data", () => {
  const index = (field: string): Texts =>
    edited(
      "routes/vehicle-import.yaml",
      "deadletter: { keep: 90d, replay: manual }\n",
      `deadletter: { keep: 90d, replay: manual }\njournal: { index: [${field}] }\n`,
    );

  it("may not stand in the index, not even inside a record that is named whole", () => {
    for (const field of ["owner.idnp", "owner"])
      expect(
        lintTexts(index(field)).findings.map(({ rule, text }) => `${rule} ${text}`),
        field,
      ).toEqual([
        `personal-data \`${field}\` is personal data and must not stand in the search index; take it out or use an identifier that is not personal`,
      ]);
    expect(lintTexts(index("vin")).findings).toEqual([]);
  });

  it("may not go out by a copy of the record that holds it", () => {
    const texts = edited(CHANGED, "fanOut:\n", "steps:\n  - tap: { topic: audit.changes.v1, fields: [person] }\nfanOut:\n");
    const schema = edited(
      "contracts/person.changed.v1.avsc",
      '{ "name": "revision", "type": "long" },',
      '{ "name": "revision", "type": "long" },\n  { "name": "person", "type": { "type": "record", "name": "P", "fields": [{ "name": "name", "type": { "type": "record", "name": "N", "fields": [{ "name": "family", "type": "string", "personal": true }] } }] } },',
      texts,
    );
    expect(saidOf(schema)).toEqual([
      `${CHANGED}:12:46  error  personal-data  \`person\` is personal data and must not stand in a copy that no grant covers; take it out or use an identifier that is not personal`,
    ]);
    const plain = edited("contracts/person.changed.v1.avsc", '"personal": true }] } }] } },', '"personal": false }] } }] } },', schema);
    expect(saidOf(plain)).toEqual([]);
  });
});
