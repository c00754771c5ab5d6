/** A call is its caller's own: whose institution it names, and numbers that are numbers. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { GRANTS, inboundOf, lookup, openBusWorld, setOf, SYSTEMS } from "#test/harness/bus-world.ts";
import { contractOf, typeOf } from "#test/harness/route.ts";
import type { IdentifierField } from "../contract/contract.ts";
import type { CallContext } from "../envelope.ts";
import { asBusError } from "../errors.ts";
import type { System } from "../route/runtime.ts";
import { checkCaller, checkIdentifiers, LENIENT, type IdentifierRules } from "./binding.ts";
import { withCheckDigit } from "./idnp.ts";

const OWN = "1004600030235";
const OTHER = "1007601008122";
const base = SYSTEMS.get("asker/one") as System;
const system: System = { ...base, id: "asker/one", institution: { idno: OWN, name: "x" }, actsFor: [OTHER], place: "systems.yaml:4" };
const USER = "2004100010095";
const WRONG = "2004100010094";

const told: string[] = [];
const rules = (digits: IdentifierRules["digits"]): IdentifierRules => ({ digits, warn: (who, text) => void told.push(`${who} ${text}`) });
const said = (call: CallContext, of = LENIENT, who = system): string => {
  try {
    checkCaller(who, call, of);
    return "taken";
  } catch (thrown) {
    const error = asBusError(thrown);
    return `${error.code} ${error.message}`;
  }
};

describe("CallingEntity", () => {
  it.each([[undefined], [OWN], [OTHER]])("%s is the caller's to name", (entity) => {
    expect(said(entity === undefined ? {} : { entity })).toBe("taken");
  });

  it("of another institution is refused: with whom it may be and where that is said", () => {
    const text = said({ entity: "1006601000233" });
    expect(text).toMatch(/^call-context-invalid CallingEntity 1006601000233 is not the institution of system `asker\/one`/u);
    for (const part of [OWN, OTHER, "`actsFor` of the system (systems.yaml:4)"]) expect(text).toContain(part);
  });

  it("of no other institution is taken, whichever it is", () => {
    const idno = fc.integer({ min: 0, max: 999_999_999_999 }).map((n) => withCheckDigit(String(n).padStart(12, "0")));
    fc.assert(
      fc.property(idno, fc.array(idno, { maxLength: 4 }), idno, (own, actsFor, entity) => {
        const who = { ...system, institution: { idno: own, name: "x" }, actsFor };
        expect(said({ entity }, LENIENT, who) === "taken").toBe(entity === own || actsFor.includes(entity));
      }),
    );
  });
});

describe("a wrong check digit in the call", () => {
  it.each([
    ["off", "taken", 0],
    ["warn", "taken", 1],
    ["refuse", "call-context-invalid CallingUser: the check digit of this IDNP is wrong; look for a typing error", 0],
  ] as const)("under `%s`: %s", (digits, expected, warnings) => {
    told.length = 0;
    expect(said({ user: WRONG, entity: OWN }, rules(digits))).toBe(expected);
    expect(told).toHaveLength(warnings);
    expect(said({ user: USER, entity: OWN }, rules(digits))).toBe("taken");
    expect(told).toHaveLength(warnings);
  });

  it("is told without the number: it may be somebody's", () => {
    told.length = 0;
    said({ user: WRONG }, rules("warn"));
    expect(said({ user: WRONG }, rules("refuse"))).not.toContain(WRONG);
    expect(told.join()).not.toContain(WRONG);
  });
});

describe("a field that its contract marks as an identifier", () => {
  const at = (kind: IdentifierField["kind"], ...parts: IdentifierField["parts"]): IdentifierField => ({
    path: parts.filter((part) => part !== undefined).join("."),
    parts,
    kind,
  });
  const type = {
    ...typeOf("x.y.v1"),
    identifiers: [
      at("IDNP", "idnp"),
      at("IDNP", "children", "idnp"),
      at("IDNP", "wards", undefined, "idnp"),
      at("IDNO", "employer", "idno"),
    ],
  };
  const code = (value: Record<string, unknown>, digits: IdentifierRules["digits"]): string => {
    try {
      checkIdentifiers(type, value, "a/b", rules(digits));
      return "taken";
    } catch (thrown) {
      const error = asBusError(thrown);
      return `${error.code} ${error.places.map(({ path }) => path).join()}`;
    }
  };

  it.each([
    ["thirteen digits", { idnp: WRONG }, "taken"],
    ["twelve digits", { idnp: "200410001009" }, "avro-violation idnp"],
    ["letters", { idnp: "x".repeat(13) }, "avro-violation idnp"],
    ["digits of another script", { idnp: "２００４１０００１００９５" }, "avro-violation idnp"],
    ["nothing", { idnp: null }, "taken"],
    ["one of a list", { children: [{ idnp: USER }, { idnp: "1" }] }, "avro-violation children.idnp"],
    ["one of a map", { wards: { first: { idnp: USER }, second: { idnp: "1" } } }, "avro-violation wards.idnp"],
    ["an unmarked field", { note: "1" }, "taken"],
    ["a record that is not there", { employer: null }, "taken"],
  ])("has its form on every stage: %s", (_, value, expected) => {
    for (const digits of ["off", "warn"] as const) expect(code(value, digits)).toBe(expected);
  });

  it("has its check digit where the stage refuses wrong ones", () => {
    expect(code({ idnp: WRONG, employer: { idno: OWN } }, "refuse")).toBe("avro-violation idnp");
    expect(code({ idnp: USER, employer: { idno: USER } }, "refuse")).toBe("avro-violation employer.idno");
    expect(code({ idnp: USER, employer: { idno: OWN } }, "refuse")).toBe("taken");
    told.length = 0;
    expect(code({ idnp: WRONG }, "warn")).toBe("taken");
    expect(told).toEqual(["a/b idnp: the check digit of this IDNP is wrong; look for a typing error"]);
  });

  it("is named twenty times at most, however many are wrong", () => {
    const children = Array.from({ length: 1000 }, () => ({ idnp: "1" }));
    expect(code({ children }, "off").split(",")).toHaveLength(20);
  });
});

describe("a bus", () => {
  it("refuses a call in another institution's name before anybody is asked, and keeps who said so", async () => {
    const world = await openBusWorld();
    const ask = (call: CallContext) => world.bus.accept(inboundOf("lookup", "asker/one", { n: 1 }, { call }));
    await expect(ask({ entity: OTHER, user: USER })).rejects.toMatchObject({ code: "call-context-invalid" });
    expect(world.sent).toEqual([]);
    expect(world.journal.records.at(-1)).toMatchObject({ step: "refused", errorCode: "call-context-invalid", call: { entity: OTHER } });
    await expect(ask({ entity: OWN, user: USER })).resolves.toMatchObject({ kind: "reply" });
    await world.bus.close();
  });

  it("refuses a marked field that is no number before anybody is asked", async () => {
    const contract = contractOf("query", "person.request.v1");
    const identifiers = [{ path: "idnp", parts: ["idnp"], kind: "IDNP" as const }];
    const route = lookup({ contract: { ...contract, request: { ...contract.request, identifiers } } });
    const world = await openBusWorld({ set: setOf([route], GRANTS) });
    await expect(world.bus.accept(inboundOf("lookup", "asker/one", { idnp: "12" }))).rejects.toMatchObject({ code: "avro-violation" });
    expect(world.sent).toEqual([]);
    await world.bus.close();
  });
});
