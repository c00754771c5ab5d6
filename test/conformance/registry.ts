/**
 * What every schema registry promises, as a library: a test gives a name and a constructor. The first part is the Registry
 * port alone; the second is for registries that also can be administered.
 */
import { afterEach, describe, expect, it } from "vitest";
import { asBusError } from "#bus/errors.ts";
import type { Registry } from "#bus/ports.ts";
import type { SchemaRegistry } from "#adapters/schema-registry/model.ts";

export type RegistryOptions<T extends Registry> = Readonly<{
  name: string;
  skip?: Readonly<Record<string, string>>;
  /** A fresh registry; `reopen` gives another one over the same data. */
  open(): Promise<Readonly<{ registry: T; reopen(): Promise<T>; close(): Promise<void> }>>;
}>;

const record = (name: string, ...fields: object[]): string => JSON.stringify({ type: "record", name, fields });
const idnp = { name: "idnp", type: "string" };
const PERSON = record("Person", idnp);
const PERSON_OPTIONAL = record("Person", idnp, { name: "surname", type: ["null", "string"], default: null });
const PERSON_BROKEN = record("Person", idnp, { name: "surname", type: "string" });
const VEHICLE = record("Vehicle", { name: "vin", type: "string" });

async function codeOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => "nothing was thrown",
    (error: unknown) => asBusError(error).code,
  );
}

async function faultOf(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => "nothing was thrown",
    (error: unknown) => (error as { errorCode?: number }).errorCode,
  );
}

type World<T extends Registry> = Awaited<ReturnType<RegistryOptions<T>["open"]>>;

function cases<T extends Registry>(options: RegistryOptions<T>): (title: string, body: (world: World<T>) => Promise<void>) => void {
  const worlds: World<T>[] = [];
  afterEach(async () => {
    for (const world of worlds.splice(0)) await world.close();
  });
  return (title, body) => {
    const run = async (): Promise<void> => {
      const world = await options.open();
      worlds.push(world);
      await body(world);
    };
    const reason = options.skip?.[title];
    if (reason === undefined) it(title, run);
    else it.skip(`${title} (${reason})`, run);
  };
}

/** The Registry port. */
export function registryConformance(options: RegistryOptions<Registry>): void {
  describe(`${options.name} as a registry`, () => {
    const test = cases(options);

    test("gives an id for a schema and the schema for the id", async ({ registry }) => {
      const id = await registry.register("person-value", PERSON);
      expect(JSON.parse(await registry.schema(id))).toEqual(JSON.parse(PERSON));
    });
    test("gives ids that fit the Confluent frame", async ({ registry }) => {
      const id = await registry.register("person-value", PERSON);
      expect(Number.isInteger(id) && id > 0 && id < 2 ** 31).toBe(true);
    });
    test("finds a schema that is registered already", async ({ registry }) => {
      const id = await registry.register("person-value", PERSON);
      expect(await registry.register("person-value", PERSON)).toBe(id);
    });
    test("gives one schema text the same id under every subject", async ({ registry }) => {
      expect(await registry.register("a-value", PERSON)).toBe(await registry.register("b-value", PERSON));
    });
    test("does not mind white space", async ({ registry }) => {
      const id = await registry.register("person-value", PERSON);
      expect(await registry.register("person-value", JSON.stringify(JSON.parse(PERSON), null, 2))).toBe(id);
    });
    test("gives different schemas different ids", async ({ registry }) => {
      expect(await registry.register("a-value", PERSON)).not.toBe(await registry.register("b-value", VEHICLE));
    });
    test("takes a compatible version", async ({ registry }) => {
      const first = await registry.register("person-value", PERSON);
      expect(await registry.register("person-value", PERSON_OPTIONAL)).not.toBe(first);
    });
    test("refuses an incompatible version and says which field", async ({ registry }) => {
      await registry.register("person-value", PERSON);
      await expect(registry.register("person-value", PERSON_BROKEN)).rejects.toThrow(/surname/);
      expect(await codeOf(registry.register("person-value", PERSON_BROKEN))).toBe("schema-incompatible");
    });
    test("keeps nothing of what it refused", async ({ registry }) => {
      await registry.register("person-value", PERSON);
      await codeOf(registry.register("person-value", PERSON_BROKEN));
      expect(await registry.compatibility("person-value", PERSON_OPTIONAL)).toEqual([]);
    });
    test("answers compatibility without registering", async ({ registry }) => {
      await registry.register("person-value", PERSON);
      expect(await registry.compatibility("person-value", PERSON_BROKEN)).toEqual([expect.stringContaining("surname")]);
      expect(await registry.compatibility("person-value", PERSON_OPTIONAL)).toEqual([]);
    });
    test("finds everything compatible with a new subject", async ({ registry }) => {
      expect(await registry.compatibility("never-seen", PERSON)).toEqual([]);
    });
    test("refuses what is no schema", async ({ registry }) => {
      for (const bad of ["{", "{}", '{"type":"record","name":"A"}', '{"type":"record","name":"A","fields":[{"name":"f","type":"Nope"}]}'])
        expect(await codeOf(registry.register("bad-value", bad))).toBe("schema-invalid");
    });
    test("refuses a schema nested too deeply", async ({ registry }) => {
      const deep = `${'{"type":"array","items":'.repeat(5000)}"int"${"}".repeat(5000)}`;
      expect(await codeOf(registry.register("deep-value", deep))).toBe("schema-invalid");
    });
    test("says that an id is unknown", async ({ registry }) => {
      expect(await codeOf(registry.schema(4711))).toBe("schema-unknown");
      expect(await codeOf(registry.schema(-1))).toBe("schema-unknown");
    });
    test("gives each of many registrations at once one id per schema", async ({ registry }) => {
      const ids = await Promise.all(
        Array.from({ length: 12 }, (_, i) => registry.register(`s${i % 4}-value`, record(`R${i % 3}`)).catch(() => 0)),
      );
      const texts = await Promise.all([...new Set(ids.filter((id) => id > 0))].map((id) => registry.schema(id)));
      expect(new Set(texts).size).toBe(texts.length);
    });
    test("knows all of it after a restart", async ({ registry, reopen }) => {
      const id = await registry.register("person-value", PERSON);
      const again = await reopen();
      expect(await again.register("person-value", PERSON)).toBe(id);
      expect(await codeOf(again.register("person-value", PERSON_BROKEN))).toBe("schema-incompatible");
      expect(await again.register("vehicle-value", VEHICLE)).not.toBe(id);
    });
  });
}

/** Subjects, versions, levels and deletion. */
export function registryAdminConformance(options: RegistryOptions<SchemaRegistry>): void {
  describe(`${options.name} as an administered registry`, () => {
    const test = cases(options);

    test("lists subjects in order, by prefix where asked", async ({ registry }) => {
      for (const subject of ["b-value", "a-value", "b/x"]) await registry.register(subject, PERSON);
      expect(await registry.subjects()).toEqual(["a-value", "b-value", "b/x"]);
      expect(await registry.subjects({ prefix: "b" })).toEqual(["b-value", "b/x"]);
    });
    test("numbers versions from 1", async ({ registry }) => {
      await registry.register("p", PERSON);
      const id = await registry.register("p", PERSON_OPTIONAL);
      expect(await registry.versions("p")).toEqual([1, 2]);
      expect(await registry.version("p", "latest")).toMatchObject({ subject: "p", version: 2, id });
      expect(await registry.version("p", 1)).toMatchObject({ version: 1, schema: PERSON });
    });
    test("keeps a subject apart from one whose name goes on", async ({ registry }) => {
      await registry.register("p", PERSON);
      await registry.register("p-value", VEHICLE);
      expect(await registry.versions("p")).toEqual([1]);
    });
    test("says what is missing", async ({ registry }) => {
      await registry.register("p", PERSON);
      expect(await faultOf(registry.versions("q"))).toBe(40401);
      expect(await faultOf(registry.version("p", 9))).toBe(40402);
      expect(await faultOf(registry.lookup("p", VEHICLE))).toBe(40403);
      expect(await faultOf(registry.lookup("q", VEHICLE))).toBe(40401);
      expect(await faultOf(registry.usages(99))).toBe(40403);
    });
    test("refuses subjects that are no names", async ({ registry }) => {
      for (const subject of ["", " ", "-x", "a b", "a\n", "é", "x".repeat(201)])
        expect(await faultOf(registry.register(subject, PERSON))).toBe(42208);
    });
    test("finds where a schema is used", async ({ registry }) => {
      const id = await registry.register("a", PERSON);
      await registry.register("b", PERSON);
      expect((await registry.usages(id)).map(({ subject, version }) => [subject, version])).toEqual([
        ["a", 1],
        ["b", 1],
      ]);
      const { guid } = await registry.version("a", 1);
      expect(await registry.byGuid(guid)).toMatchObject({ id, schema: PERSON });
    });
    test("has no level of a subject until one is set", async ({ registry }) => {
      expect(await registry.level("p")).toBeUndefined();
      expect(await registry.level(undefined)).toBe("BACKWARD");
      await registry.setLevel("p", "NONE");
      expect(await registry.level("p")).toBe("NONE");
      expect(await registry.clearLevel("p")).toBe("NONE");
      expect(await registry.level("p")).toBeUndefined();
      expect(await faultOf(registry.clearLevel("p"))).toBe(40408);
    });
    test("decides by the subject's level, then by the global one", async ({ registry }) => {
      await registry.register("p", PERSON);
      await registry.setLevel(undefined, "NONE");
      expect(await registry.compatibility("p", PERSON_BROKEN)).toEqual([]);
      await registry.setLevel("p", "FULL");
      expect(await registry.compatibility("p", PERSON_BROKEN)).toHaveLength(1);
    });
    test("looks at all versions where the level is transitive", async ({ registry }) => {
      await registry.setLevel("p", "FORWARD");
      for (const schema of [PERSON_BROKEN, PERSON_OPTIONAL, PERSON])
        await registry.register("p", schema).catch(() => registry.setLevel("p", "FORWARD"));
      await registry.setLevel("p", "FORWARD_TRANSITIVE");
      expect(await registry.compatibility("p", VEHICLE)).not.toEqual([]);
    });
    test("checks against one version", async ({ registry }) => {
      await registry.register("p", PERSON);
      await registry.register("p", PERSON_OPTIONAL);
      expect(await registry.check("p", PERSON_BROKEN, 1)).toHaveLength(1);
      expect(await registry.check("p", record("Person", idnp, { name: "surname", type: ["null", "string"] }), 2)).toEqual([]);
      expect(await faultOf(registry.check("p", PERSON, 7))).toBe(40402);
      expect(await registry.check("new", PERSON, "latest")).toEqual([]);
    });
    test("hides a deleted version, keeps its number and its id", async ({ registry }) => {
      const id = await registry.register("p", PERSON);
      await registry.register("p", PERSON_OPTIONAL);
      expect(await registry.deleteVersion("p", "latest", false)).toBe(2);
      expect(await registry.versions("p")).toEqual([1]);
      expect(await registry.versions("p", { deleted: true })).toEqual([1, 2]);
      await registry.register("p", PERSON_OPTIONAL);
      expect(await registry.versions("p")).toEqual([1, 3]);
      expect(await registry.schema(id)).toBe(PERSON);
    });
    test("deletes in two steps only", async ({ registry }) => {
      await registry.register("p", PERSON);
      expect(await faultOf(registry.deleteSubject("p", true))).toBe(40405);
      expect(await faultOf(registry.deleteVersion("p", 1, true))).toBe(40407);
      expect(await registry.deleteVersion("p", 1, false)).toBe(1);
      expect(await faultOf(registry.deleteVersion("p", 1, false))).toBe(40406);
      expect(await faultOf(registry.deleteSubject("p", false))).toBe(40404);
      expect(await registry.deleteSubject("p", true)).toEqual([1]);
      expect(await faultOf(registry.versions("p", { deleted: true }))).toBe(40401);
    });
    test("does not compare with deleted versions", async ({ registry }) => {
      await registry.register("p", PERSON);
      expect(await registry.deleteSubject("p", false)).toEqual([1]);
      expect(await registry.subjects()).toEqual([]);
      expect(await registry.subjects({ deleted: true })).toEqual(["p"]);
      await registry.register("p", VEHICLE);
      expect(await registry.version("p", "latest")).toMatchObject({ version: 2, schema: VEHICLE });
    });
    test("never takes a schema's id back", async ({ registry }) => {
      const id = await registry.register("p", PERSON);
      await registry.deleteSubject("p", false);
      await registry.deleteSubject("p", true);
      expect(await registry.schema(id)).toBe(PERSON);
      expect(await registry.register("q", PERSON)).toBe(id);
    });
    test("keeps levels and deletions over a restart", async ({ registry, reopen }) => {
      await registry.register("p", PERSON);
      await registry.setLevel("p", "FULL");
      await registry.register("q", PERSON);
      await registry.deleteSubject("q", false);
      const again = await reopen();
      expect(await again.level("p")).toBe("FULL");
      expect(await again.subjects()).toEqual(["p"]);
      expect(await again.subjects({ deleted: true })).toEqual(["p", "q"]);
    });
    test("lists everything, or only the latest", async ({ registry }) => {
      await registry.register("p", PERSON);
      await registry.register("p", PERSON_OPTIONAL);
      await registry.register("q", VEHICLE);
      expect((await registry.all()).map(({ subject, version }) => `${subject}:${version}`)).toEqual(["p:1", "p:2", "q:1"]);
      expect((await registry.all({ latestOnly: true })).map(({ subject, version }) => `${subject}:${version}`)).toEqual(["p:2", "q:1"]);
    });
  });
}
