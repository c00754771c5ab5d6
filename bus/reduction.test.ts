/** What a grant lets its holder see: never more than it names, compiled once for each grant. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { grantOf } from "#test/harness/bus-world.ts";
import { compileType } from "./contract/avro.ts";
import { createReduction } from "./reduction.ts";

const optional = (name: string, type: unknown = "string") => ({ name, type: ["null", type], default: null });
const type = compileType({
  id: "person.response.v1",
  schemaId: 1,
  schemaText: JSON.stringify({
    type: "record",
    name: "Person",
    fields: [
      optional("surname"),
      optional("health"),
      optional("home", { type: "record", name: "Home", fields: [optional("city"), optional("street")] }),
    ],
  }),
});
const whole = { surname: "Rusu", health: "secret", home: { city: "Orhei", street: "secret" } };
const grant = (allow: readonly string[] | undefined) => grantOf("a/b", "consumer", "person.request.v1", { allow });

describe("a reduction", () => {
  it.each([
    [["surname"], { surname: "Rusu", health: null, home: null }],
    [["surname", "home.city"], { surname: "Rusu", health: null, home: { city: "Orhei", street: null } }],
    [["home"], { surname: null, health: null, home: { city: "Orhei", street: "secret" } }],
  ])("to %j leaves those fields and nothing of the others", (allow, left) => {
    expect(createReduction(type)(grant(allow), whole)).toEqual(left);
  });

  it("changes nothing where the grant names no fields", () => {
    expect(createReduction(type)(grant(undefined), whole)).toBe(whole);
  });

  it("never changes the value it was given: other subscribers get the same one", () => {
    const value = structuredClone(whole);
    createReduction(type)(grant(["surname"]), value);
    expect(value).toEqual(whole);
  });

  it("is kept for each grant by itself: two grants of one system do not see each other's fields", () => {
    const reduce = createReduction(type);
    const [one, two] = [grant(["surname"]), grant(["health"])];
    for (let i = 0; i < 3; i++) {
      expect(reduce(one, whole)).toMatchObject({ surname: "Rusu", health: null });
      expect(reduce(two, whole)).toMatchObject({ surname: null, health: "secret" });
    }
  });

  it("shows nothing that is not named, whatever is named and whatever is there, and still fits the contract", () => {
    const text = fc.option(fc.string({ maxLength: 5 }));
    const value = fc.record({ surname: text, health: text, home: fc.option(fc.record({ city: text, street: text })) });
    const names = fc.uniqueArray(fc.constantFrom("surname", "health", "home.city", "home.street"), { minLength: 1 });
    fc.assert(
      fc.property(value, names, (given, allow) => {
        const left = createReduction(type)(grant(allow), given) as typeof given;
        expect(type.check(left)).toEqual([]);
        expect(left.surname).toBe(allow.includes("surname") ? given.surname : null);
        expect(left.health).toBe(allow.includes("health") ? given.health : null);
        if (!allow.includes("home.street")) expect(left.home?.street ?? null).toBeNull();
        if (!allow.includes("home.city")) expect(left.home?.city ?? null).toBeNull();
        if (allow.includes("home.city") && given.home) expect(left.home?.city ?? null).toBe(given.home.city);
      }),
    );
  });
});
