import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { isIdentifier } from "../lib/identifiers.ts";
import { addressOf, idnpOf, personOf, PERSONS, type Person } from "./persons.ts";
import { chanceOf } from "../lib/random.ts";

const all: readonly Person[] = Array.from({ length: PERSONS }, (_, index) => personOf(idnpOf(index)) as Person);

describe("the register's persons", () => {
  it("are the same in every run, on every machine", () => {
    expect(createHash("sha256").update(JSON.stringify(all)).digest("hex")).toMatchInlineSnapshot(
      `"88de65f2bc59a9827bf604034f1c01cd13d6f6bcd990c912652b6173d1201ad7"`,
    );
  });

  it("have IDNPs with valid check digits, each one once", () => {
    expect(all.every((person) => isIdentifier(person.IDNP) && person.IDNP.startsWith("2"))).toBe(true);
    expect(new Set(all.map((person) => person.IDNP)).size).toBe(PERSONS);
  });

  it("are born before anything else happens to them, on days of the calendar", () => {
    const isDay = (text: string): boolean => new Date(`${text}T00:00:00Z`).toISOString().startsWith(text);
    for (const person of all) {
      const days = [person.DateOfBirth, ...person.Registrations.Registration.flatMap((one) => [one.From, one.To ?? one.From])];
      expect(days.every(isDay), person.IDNP).toBe(true);
      expect(person.DeathDate === null || person.DeathDate > person.DateOfBirth, person.IDNP).toBe(true);
      expect(
        person.Registrations.Registration.every(
          (one) => one.From.slice(0, 4) >= person.DateOfBirth.slice(0, 4) && (one.To ?? one.From) >= one.From,
        ),
        person.IDNP,
      ).toBe(true);
      expect(
        person.Documents.Document.every((one) => Number(one.IssuedOn.slice(0, 4)) - Number(person.DateOfBirth.slice(0, 4)) >= 16),
      ).toBe(true);
    }
  });

  it("show every kind of data that the contract knows", () => {
    const some = (fits: (person: Person) => boolean): boolean => all.some(fits);
    expect(some((person) => person.DeathDate !== null)).toBe(true);
    expect(some((person) => person.Patronymic === undefined)).toBe(true);
    expect(some((person) => person.Registrations.Registration.some((one) => one.Type === "R"))).toBe(true);
    expect(some((person) => person.Registrations.Registration.some((one) => one.Address.Street === undefined))).toBe(true);
    expect(some((person) => person.Documents.Document.length === 2)).toBe(true);
    expect(some((person) => person.Documents.Document.length === 0 && person.DeathDate === null)).toBe(true);
  });

  it("end with the last one", () => {
    expect(personOf(idnpOf(PERSONS))).toBeUndefined();
    expect(personOf("2004100423781")).toBeUndefined();
  });

  it("have a house but no flat in a village", () => {
    for (let seed = 0; seed < 300; seed += 1) {
      const address = addressOf(chanceOf(seed, 1));
      expect(address.House).toMatch(/^\d+$/u);
      if (address.Street === undefined) expect(address.Flat).toBeUndefined();
    }
  });
});
