import { Ajv2020 } from "ajv/dist/2020.js";
import { describe, expect, it } from "vitest";
import { parseAllDocuments } from "yaml";
import { adapters } from "#adapters/registry.ts";
import { textsOf } from "#test/files-of.ts";
import { publishedSchema } from "./published.ts";
import { schemasFor } from "./kinds.ts";
import type { Schema } from "./schema.ts";

const schema = publishedSchema(adapters);
const validate = new Ajv2020({ strict: false, allErrors: true }).compile(schema);
const documents = Object.entries(textsOf("test/good"))
  .filter(([path]) => path.endsWith(".yaml") && !path.endsWith(".map.yaml"))
  .flatMap(([path, text]) => parseAllDocuments(text).map((document, at) => [`${path} #${at}`, document.toJS() as object] as const));

describe("published schema", () => {
  it.each(documents)("accepts %s", (_, value) => {
    validate(value);
    expect(validate.errors).toBeNull();
  });

  it("refuses a typo in a step with few, exact errors", () => {
    const route = structuredClone(documents.find(([name]) => name.startsWith("routes/benefit-register"))?.[1]) as { steps: object[] };
    route.steps = [{ dedup: { key: "$id" } }];
    expect(validate(route)).toBe(false);
    const exact = (validate.errors ?? []).filter((error) => error.keyword !== "if");
    expect(exact.map(({ instancePath, keyword }) => `${instancePath} ${keyword}`)).toEqual(["/steps/0 additionalProperties"]);
  });

  it("knows topics on brokers on both sides of a route, and refuses what is no option of theirs", () => {
    const routeOn = (from: object, to: object): object => ({
      bus: "route/v1",
      id: "on-topics",
      title: "Topics",
      owner: "team",
      contract: { event: "person.changed.v1" },
      from: [{ name: "in", system: "a/b", ...from }],
      to: { system: "c/d", ...to },
    });
    expect(validate(routeOn({ nats: {} }, { amqp: { format: "avro" } }))).toBe(true);
    expect(validate(routeOn({ amqp: { headers: ["case"] } }, { nats: {} }))).toBe(true);
    expect(validate(routeOn({ nats: { format: "avro" } }, { amqp: {} }))).toBe(false);
    expect(validate(routeOn({ nats: {} }, { amqp: { format: "xml" } }))).toBe(false);
  });

  it("has no oneOf and no anyOf anywhere", () => {
    expect(JSON.stringify(schema)).not.toMatch(/"(oneOf|anyOf)":/);
  });

  it("describes every field, and shows an example for every value of ours", () => {
    const bare: string[] = [];
    const look = (node: Schema, path: string): void => {
      for (const [key, child] of Object.entries(node.properties ?? {})) {
        const at = `${path}.${key}`;
        if (child.description === undefined || child.description === "") bare.push(`${at}: description`);
        const leaf = child.type !== "object" && child.$ref === undefined;
        if (leaf && child.examples === undefined) bare.push(`${at}: example`);
        look(child, at);
        if (child.items) look(child.items, `${at}[]`);
      }
    };
    const { kinds, defs, instance } = schemasFor([]);
    for (const [kind, one] of Object.entries({ ...kinds, ...defs, instance })) look(one, kind);
    expect(bare).toEqual([]);
  });
});
