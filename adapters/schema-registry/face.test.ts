import { SchemaRegistry as KafkaClient, SchemaType, COMPATIBILITY } from "@kafkajs/confluent-schema-registry";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { compileType } from "#bus/contract/avro.ts";
import { checkCompatibility } from "#bus/contract/compatibility.ts";
import { createMemoryStore } from "#test/harness/memory.ts";
import { MAX_BODY, startRegistryServer } from "./face.ts";
import type { SchemaRegistry } from "./model.ts";
import { createEmbeddedRegistry } from "./registry.ts";

const PERSON = { type: "record", name: "Person", namespace: "md.asp", fields: [{ name: "idnp", type: "string" }] };
const OPTIONAL = { ...PERSON, fields: [...PERSON.fields, { name: "surname", type: ["null", "string"], default: null }] };
const BROKEN = { ...PERSON, fields: [...PERSON.fields, { name: "surname", type: "string" }] };

let registry: SchemaRegistry;
let server: Awaited<ReturnType<typeof startRegistryServer>>;
beforeEach(async () => {
  registry = await createEmbeddedRegistry(createMemoryStore(), checkCompatibility);
  server = await startRegistryServer(registry, {
    host: "127.0.0.1",
    port: 0,
    mayWrite: (subject) => (subject?.startsWith("locked.") === true ? "this subject belongs to another institution" : true),
  });
});
afterEach(() => server.close());

const address = (): string => `http://127.0.0.1:${server.port}`;
const TYPE = "application/vnd.schemaregistry.v1+json";

async function call(method: string, path: string, body?: unknown, type = TYPE): Promise<{ status: number; json: unknown }> {
  // The media type goes with every request, as the clients send it.
  const init = { method, headers: { "content-type": type } };
  const response = await fetch(
    address() + path,
    body === undefined ? init : { ...init, body: typeof body === "string" ? body : JSON.stringify(body) },
  );
  expect(response.headers.get("content-type")).toBe(TYPE);
  return { status: response.status, json: await response.json() };
}
const get = (path: string) => call("GET", path);
const register = (subject: string, schema: unknown) => call("POST", `/subjects/${subject}/versions`, { schema: JSON.stringify(schema) });

describe("the stock client @kafkajs/confluent-schema-registry", () => {
  const client = () => new KafkaClient({ host: address(), retry: { retries: 0 } });

  it("registers a new subject and sets its level", async () => {
    const { id } = await client().register({ type: SchemaType.AVRO, schema: JSON.stringify(PERSON) }, { subject: "person-value" });
    expect(id).toBe(1);
    expect((await get("/config/person-value")).json).toEqual({ compatibilityLevel: "BACKWARD" });
  });
  it("encodes what the bus decodes, and the other way round", async () => {
    const { id } = await client().register({ type: SchemaType.AVRO, schema: JSON.stringify(PERSON) }, { subject: "person-value" });
    const type = compileType({ id: "person.request.v1", schemaText: await registry.schema(id), schemaId: id });
    expect(type.decode(await client().encode(id, { idnp: "2" }))).toEqual({ idnp: "2" });
    expect({ ...(await client().decode(Buffer.from(type.encode({ idnp: "3" })))) }).toEqual({ idnp: "3" });
  });
  it("finds ids by subject, by version and by schema", async () => {
    const subject = "md.asp/Person-value";
    const one = await client().register({ type: SchemaType.AVRO, schema: JSON.stringify(PERSON) }, { subject });
    const two = await client().register({ type: SchemaType.AVRO, schema: JSON.stringify(OPTIONAL) }, { subject });
    expect(await client().getLatestSchemaId(subject)).toBe(two.id);
    expect(await client().getRegistryId(subject, 1)).toBe(one.id);
    expect(await client().getRegistryIdBySchema(subject, { type: SchemaType.AVRO, schema: JSON.stringify(PERSON) })).toBe(one.id);
  });
  it("is refused an incompatible schema, by field", async () => {
    const subject = "person-value";
    await client().register({ type: SchemaType.AVRO, schema: JSON.stringify(PERSON) }, { subject });
    await expect(client().register({ type: SchemaType.AVRO, schema: JSON.stringify(BROKEN) }, { subject })).rejects.toThrow(/surname/);
  });
  it("notices another level than its own", async () => {
    const subject = "person-value";
    await client().register({ type: SchemaType.AVRO, schema: JSON.stringify(PERSON) }, { subject, compatibility: COMPATIBILITY.FULL });
    await expect(client().register({ type: SchemaType.AVRO, schema: JSON.stringify(OPTIONAL) }, { subject })).rejects.toThrow(
      /compatibility/i,
    );
  });
  it("is told that an id is unknown", async () => {
    await expect(client().getSchema(99)).rejects.toThrow(/Schema 99 not found/);
  });
});

describe("paths and shapes", () => {
  beforeEach(async () => {
    await register("p", PERSON);
    await register("p", OPTIONAL);
  });
  it.each([
    ["/", {}],
    ["/subjects", ["p"]],
    ["/subjects/", ["p"]],
    ["/subjects?subjectPrefix=x", []],
    ["/subjects/p/versions", [1, 2]],
    ["/subjects/p/versions/1/schema", PERSON],
    ["/subjects/p/versions/latest/referencedby", []],
    ["/schemas/types", ["AVRO"]],
    ["/schemas/ids/1", { schema: JSON.stringify(PERSON), schemaType: "AVRO" }],
    ["/schemas/ids/1/schema", PERSON],
    ["/schemas/ids/1/subjects", ["p"]],
    ["/schemas/ids/2/versions", [{ subject: "p", version: 2 }]],
    ["/mode", { mode: "READWRITE" }],
    ["/contexts", ["."]],
    ["/config", { compatibilityLevel: "BACKWARD" }],
    ["/config/p?defaultToGlobal=true", { compatibilityLevel: "BACKWARD" }],
  ])("GET %s", async (path, json) => {
    expect(await get(path)).toEqual({ status: 200, json });
  });
  it("gives a version, and the same by guid", async () => {
    const { json } = await get("/subjects/p/versions/latest");
    expect(json).toMatchObject({ subject: "p", version: 2, id: 2, schema: JSON.stringify(OPTIONAL) });
    const { guid } = json as { guid: string };
    expect((await get(`/schemas/guids/${guid}`)).json).toMatchObject({ schema: JSON.stringify(OPTIONAL) });
    expect((await get("/schemas?latestOnly=true")).json).toEqual([json]);
  });
  it("looks a schema up under its subject", async () => {
    expect((await call("POST", "/subjects/p", { schema: JSON.stringify(PERSON) })).json).toMatchObject({ subject: "p", version: 1, id: 1 });
  });
  it("takes and gives levels by different names", async () => {
    expect(await call("PUT", "/config/p", { compatibility: "FULL" })).toEqual({ status: 200, json: { compatibility: "FULL" } });
    expect((await get("/config/p")).json).toEqual({ compatibilityLevel: "FULL" });
    expect((await call("DELETE", "/config/p")).json).toEqual({ compatibilityLevel: "FULL" });
    expect((await call("PUT", "/config", { compatibility: "none" })).json).toEqual({ compatibility: "NONE" });
  });
  it("answers compatibility, with reasons where asked", async () => {
    const body = { schema: JSON.stringify(BROKEN) };
    const path = "/compatibility/subjects/p/versions/1";
    expect((await call("POST", path, body)).json).toEqual({ is_compatible: false });
    expect((await call("POST", `${path}?verbose=true`, body)).json).toEqual({
      is_compatible: false,
      messages: ["field `surname` was added without a default: old messages cannot be read"],
    });
    expect((await call("POST", "/compatibility/subjects/new/versions/latest", body)).json).toEqual({ is_compatible: true });
  });
  it("deletes in two steps", async () => {
    expect((await call("DELETE", "/subjects/p/versions/2")).json).toBe(2);
    expect((await call("DELETE", "/subjects/p")).json).toEqual([1]);
    expect((await get("/subjects?deleted=true")).json).toEqual(["p"]);
    expect((await call("DELETE", "/subjects/p?permanent=true")).json).toEqual([1, 2]);
    expect((await get("/schemas/ids/1")).status).toBe(200);
  });
});

describe("refusals", () => {
  beforeEach(async () => {
    await register("p", PERSON);
  });
  it.each([
    ["GET", "/subjects/q/versions", undefined, 404, 40401, "Subject 'q' not found."],
    ["GET", "/subjects/p/versions/3", undefined, 404, 40402, "Version 3 not found."],
    ["GET", "/subjects/p/versions/zero", undefined, 422, 42202, "not a valid version"],
    ["GET", "/schemas/ids/7", undefined, 404, 40403, "Schema 7 not found"],
    ["GET", "/schemas/ids/x", undefined, 404, 40403, "not found"],
    ["GET", "/config/p", undefined, 404, 40408, "does not have subject-level compatibility configured"],
    ["GET", "/mode/p", undefined, 404, 40409, "mode"],
    ["GET", "/subjects/p/metadata", undefined, 404, 40402, "not found"],
    ["DELETE", "/subjects/p?permanent=true", undefined, 404, 40405, "was not deleted first"],
    ["PUT", "/config/p", { compatibility: "SIDEWAYS" }, 422, 42203, "Invalid compatibility level"],
    ["PUT", "/mode", { mode: "IMPORT" }, 422, 42205, "READWRITE"],
    ["PUT", "/mode", { mode: "X" }, 422, 42204, "Invalid mode"],
    ["POST", "/subjects/p/versions", { schema: JSON.stringify(BROKEN) }, 409, 40901, "surname"],
    ["POST", "/subjects/p/versions", { schema: "{" }, 422, 42201, "JSON"],
    ["POST", "/subjects/p/versions", {}, 422, 42201, "`schema`"],
    ["POST", "/subjects/p/versions", { schema: "{}", schemaType: "PROTOBUF" }, 422, 42201, "AVRO"],
    ["POST", "/subjects/p/versions", { schema: '"int"', references: [{ name: "x" }] }, 422, 42201, "references"],
    ["POST", "/subjects/a%20b/versions", { schema: JSON.stringify(PERSON) }, 422, 42208, "not valid"],
    ["POST", "/subjects/locked.x/versions", { schema: JSON.stringify(PERSON) }, 422, 42205, "belongs to another institution"],
    ["POST", "/subjects/p/versions", "[]", 400, 400, "no JSON object"],
    ["GET", "/associations/x", undefined, 404, 404, "Not Found"],
    ["PATCH", "/subjects", undefined, 405, 405, "Not Allowed"],
    ["GET", "/subjects/%ff/versions", undefined, 400, 400, "percent-encoded"],
  ])("%s %s %j", async (method, path, body, status, code, text) => {
    const answer = await call(method, path, body);
    expect(answer).toMatchObject({ status, json: { error_code: code } });
    expect((answer.json as { message: string }).message).toContain(text);
  });
  it("another media type", async () => {
    expect((await call("POST", "/subjects/p/versions", { schema: "{}" }, "text/plain")).status).toBe(415);
  });
  it("a body beyond the limit", async () => {
    expect((await call("POST", "/subjects/p/versions", { schema: "x".repeat(MAX_BODY) })).status).toBe(413);
  });
});

it("closes once and for all", async () => {
  await server.close();
  await server.close();
  await expect(fetch(address())).rejects.toThrow();
});
