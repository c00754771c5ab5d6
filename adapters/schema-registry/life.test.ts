/** The life of subjects and versions by the exact codes of the Confluent REST API, and what each level says of each change. */
import { beforeEach, describe, expect, it } from "vitest";
import { checkCompatibility } from "#bus/contract/compatibility.ts";
import { LEVELS, type CompatibilityLevel } from "#bus/ports.ts";
import type { WebRequest } from "#bus/wire.ts";
import { createMemoryStore } from "#test/harness/memory.ts";
import { MEDIA_TYPE, registryFace } from "./face.ts";
import { createEmbeddedRegistry } from "./registry.ts";

const record = (...fields: readonly object[]): string => JSON.stringify({ type: "record", name: "R", fields });
const ID = { name: "id", type: "string" };
const BASE = record(ID);

let handle: ReturnType<typeof registryFace>;
beforeEach(async () => void (handle = registryFace(await createEmbeddedRegistry(createMemoryStore(), checkCompatibility))));

async function call(method: string, target: string, body?: object): Promise<readonly [status: number, json: unknown]> {
  const [path = "", query = ""] = target.split("?");
  const request: WebRequest = {
    method,
    path,
    query: new URLSearchParams(query),
    headers: { "content-type": MEDIA_TYPE },
    system: undefined,
    origin: "http://localhost",
    body: Buffer.from(body === undefined ? "" : JSON.stringify(body)),
    signal: new AbortController().signal,
  };
  const { status, body: text } = await handle(request);
  return [status, JSON.parse(String(text)) as unknown];
}
const register = (subject: string, schema: string) => call("POST", `/subjects/${subject}/versions`, { schema });
const codeOf = async (method: string, target: string, body?: object): Promise<number> => {
  const [status, json] = await call(method, target, body);
  const { error_code: code } = json as { error_code: number };
  // Five digits, the first three the status.
  expect(Math.floor(code / 100)).toBe(status);
  return code;
};

describe("what is gone", () => {
  it("for a while answers by other codes than what never was, and than what is gone for good", async () => {
    await register("s", BASE);
    await register("s", record(ID, { name: "n", type: "int", default: 0 }));
    expect(await codeOf("GET", "/subjects/t/versions")).toBe(40401);
    expect(await codeOf("GET", "/subjects/s/versions/3")).toBe(40402);
    expect(await codeOf("DELETE", "/subjects/s/versions/1?permanent=true")).toBe(40407);
    expect(await codeOf("DELETE", "/subjects/s?permanent=true")).toBe(40405);
    expect(await call("DELETE", "/subjects/s/versions/1")).toEqual([200, 1]);
    expect(await codeOf("DELETE", "/subjects/s/versions/1")).toBe(40406);
    expect(await codeOf("GET", "/subjects/s/versions/1")).toBe(40402);
    expect(await call("GET", "/subjects/s/versions/1?deleted=true")).toEqual([200, expect.objectContaining({ version: 1, id: 1 })]);
    expect(await call("GET", "/subjects/s/versions")).toEqual([200, [2]]);
    expect(await call("DELETE", "/subjects/s")).toEqual([200, [2]]);
    expect(await codeOf("DELETE", "/subjects/s")).toBe(40404);
    expect(await codeOf("GET", "/subjects/s/versions")).toBe(40401);
    expect(await call("DELETE", "/subjects/s?permanent=true")).toEqual([200, [1, 2]]);
    expect(await codeOf("DELETE", "/subjects/s?permanent=true")).toBe(40401);
  });

  it("keeps its number: a later version never takes it, while any of the subject is there", async () => {
    for (const [i, schema] of [
      BASE,
      record(ID, { name: "a", type: "int", default: 0 }),
      record(ID, { name: "b", type: "int", default: 0 }),
    ].entries()) {
      await register("s", schema);
      expect(await call("GET", "/subjects/s/versions/latest")).toEqual([200, expect.objectContaining({ version: i + 1 })]);
      if (i < 2) await call("DELETE", `/subjects/s/versions/${i + 1}`);
    }
    expect(await call("GET", "/subjects/s/versions?deleted=true")).toEqual([200, [1, 2, 3]]);
  });

  it("leaves its schema readable by id: old messages stay readable", async () => {
    await register("s", BASE);
    await call("DELETE", "/subjects/s");
    await call("DELETE", "/subjects/s?permanent=true");
    expect(await call("GET", "/schemas/ids/1")).toEqual([200, { schema: BASE, schemaType: "AVRO" }]);
    expect(await register("other", BASE)).toEqual([200, { id: 1 }]);
  });

  it("takes the subject's own level with it", async () => {
    await register("s", BASE);
    await call("PUT", "/config/s", { compatibility: "FULL" });
    await call("DELETE", "/subjects/s");
    expect(await codeOf("GET", "/config/s")).toBe(40408);
  });
});

describe("one text", () => {
  it("has one id, under whatever subjects and with whatever white space", async () => {
    expect(await register("a", BASE)).toEqual([200, { id: 1 }]);
    expect(await register("b", JSON.stringify(JSON.parse(BASE), null, 4))).toEqual([200, { id: 1 }]);
    expect(await register("a", ` ${BASE}\n`)).toEqual([200, { id: 1 }]);
    expect(await call("GET", "/subjects/a/versions")).toEqual([200, [1]]);
    expect(await call("GET", "/schemas/ids/1/subjects")).toEqual([200, ["a", "b"]]);
  });
  it("registered by twenty at once is one version", async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, () => register("s", BASE)));
    expect(new Set(answers.map((one) => JSON.stringify(one)))).toEqual(new Set(['[200,{"id":1}]']));
    expect(await call("GET", "/subjects/s/versions")).toEqual([200, [1]]);
  });
  it.each(['"string"', "string", '{"type":"string"}', '["null","string"]'])("may be any Avro schema: %s", async (schema) => {
    expect((await register("s", schema))[0]).toBe(200);
  });
});

describe("what cannot be", () => {
  it.each<[string, string, object | undefined, number]>([
    ["POST", "/subjects/s/versions", { schema: "{" }, 42201],
    ["POST", "/subjects/s/versions", { schema: '{"type":"Nope"}' }, 42201],
    ["POST", "/subjects/s/versions", { schema: 5 }, 42201],
    ["POST", "/subjects/s/versions", { schema: BASE, schemaType: "JSON" }, 42201],
    ["POST", "/subjects/s/versions", { schema: `"${"x".repeat(300_000)}"` }, 42201],
    ["GET", "/subjects/s/versions/0", undefined, 42202],
    ["GET", "/subjects/s/versions/-2", undefined, 42202],
    ["GET", "/subjects/s/versions/2147483648", undefined, 42202],
    ["GET", "/subjects/s/versions/1.0", undefined, 42202],
    ["PUT", "/config", { compatibility: "BACKWARDS" }, 42203],
    ["PUT", "/config", {}, 42203],
    ["PUT", "/mode", { mode: "READ" }, 42204],
    ["PUT", "/mode", { mode: "READONLY" }, 42205],
    ["POST", "/subjects/ș/versions", { schema: BASE }, 42208],
    ["GET", "/schemas/ids/0", undefined, 40403],
    ["GET", "/schemas/ids/99999999999", undefined, 40403],
    ["GET", "/schemas/guids/00000000-0000-0000-0000-000000000000", undefined, 40403],
    ["POST", "/subjects/s", { schema: BASE }, 40401],
  ])("%s %s %j is refused by its code", async (method, target, body, code) => {
    expect(await codeOf(method, target, body)).toBe(code);
  });
});

describe("a change", () => {
  const added = { name: "n", type: "int" };
  const CHANGES: readonly (readonly [string, string, string, readonly CompatibilityLevel[]])[] = [
    ["a field with a default added", BASE, record(ID, { ...added, default: 0 }), []],
    ["a field without a default added", BASE, record(ID, added), ["BACKWARD", "FULL"]],
    ["a field with a default removed", record(ID, { ...added, default: 0 }), BASE, []],
    ["a field without a default removed", record(ID, added), BASE, ["FORWARD", "FULL"]],
    ["an int widened to a long", record(ID, added), record(ID, { name: "n", type: "long" }), ["FORWARD", "FULL"]],
    ["a long narrowed to an int", record(ID, { name: "n", type: "long" }), record(ID, added), ["BACKWARD", "FULL"]],
    ["a number made text", record(ID, added), record(ID, { name: "n", type: "string" }), ["BACKWARD", "FORWARD", "FULL"]],
    ["null allowed", record(ID, added), record(ID, { name: "n", type: ["null", "int"] }), ["FORWARD", "FULL"]],
    ["a field renamed with an alias", record(ID, added), record(ID, { name: "m", type: "int", aliases: ["n"] }), ["FORWARD", "FULL"]],
  ];
  it.each(CHANGES.flatMap(([what, before, after, broken]) => LEVELS.map((level) => ({ what, before, after, broken, level }))))(
    "$what under $level: the verdict names the field, and a refusal registers nothing",
    async ({ before, after, broken, level }) => {
      await register("s", before);
      await call("PUT", "/config/s", { compatibility: level });
      const fits = !broken.some((one) => level === one || level === `${one}_TRANSITIVE`);
      const [, verdict] = await call("POST", "/compatibility/subjects/s/versions/latest?verbose=true", { schema: after });
      expect(verdict).toMatchObject({ is_compatible: fits });
      const [status, answer] = await register("s", after);
      expect(status).toBe(fits ? 200 : 409);
      if (!fits) {
        expect(answer).toMatchObject({ error_code: 40901 });
        for (const text of [JSON.stringify(answer), JSON.stringify(verdict)]) expect(text).toMatch(/field `[nm]`/u);
      }
      expect(await call("GET", "/subjects/s/versions")).toEqual([200, fits ? [1, 2] : [1]]);
    },
  );

  it("is judged against all versions where the level is transitive, else against the last", async () => {
    await register("s", record(ID, { name: "n", type: "int" }));
    await register("s", BASE);
    const back = { schema: record(ID, { name: "n", type: "string", default: "" }) };
    expect(await call("POST", "/compatibility/subjects/s/versions", back)).toEqual([200, { is_compatible: true }]);
    await call("PUT", "/config/s", { compatibility: "BACKWARD_TRANSITIVE" });
    expect(await call("POST", "/compatibility/subjects/s/versions", back)).toEqual([200, { is_compatible: false }]);
    expect(await call("POST", "/compatibility/subjects/s/versions/2", back)).toEqual([200, { is_compatible: true }]);
    expect(await call("POST", "/compatibility/subjects/s/versions/1", back)).toEqual([200, { is_compatible: false }]);
    expect((await register("s", back.schema))[0]).toBe(409);
  });
});
