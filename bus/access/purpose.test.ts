/** Legal basis and reason: what a grant asks of a call, and the denial that says how to write it. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { grantOf } from "#test/harness/bus-world.ts";
import { asBusError, type BusError } from "../errors.ts";
import type { Grant, LegalBasis } from "../route/runtime.ts";
import { findGrant, indexGrants } from "./grants.ts";
import { misfit, misfitError } from "./purpose.ts";

const ACT = "Law 436/2006 on local public administration";
const given = (over: Partial<LegalBasis>, id = "g"): Grant =>
  grantOf("asker/one", "consumer", "person.request.v1", {
    id,
    place: "grants.yaml:9",
    legalBasis: { act: ACT, section: "art. 29", purpose: "citizen-service", ...over },
  });

describe("the legal basis of a call", () => {
  it.each([
    ["exact", `${ACT}, art. 29`, undefined],
    ["exact", `  law 436/2006 ON local public   administration,art. 29 `, undefined],
    ["exact", `${ACT}, art. 29 (1)`, "basis"],
    ["exact", ACT, "basis"],
    ["exact", "art. 29", "basis"],
    ["prefix", ACT, undefined],
    ["prefix", `${ACT}; art. 30`, undefined],
    ["prefix", `${ACT}s`, "basis"],
    ["prefix", `see ${ACT}`, "basis"],
    ["any", "whatever it is", undefined],
    [undefined, "whatever it is", undefined],
  ] as const)("under `check: %s`, said as %j: %s", (check, basis, expected) => {
    expect(misfit(given(check === undefined ? {} : { check }), { basis })).toBe(expected);
  });

  it("that is not said fits only where nothing is asked", () => {
    expect(misfit(given({ check: "exact" }), {})).toBe("basis");
    expect(misfit(given({ check: "prefix" }), {})).toBe("basis");
    expect(misfit(given({}), {})).toBeUndefined();
  });

  it("is compared in whole words: the number of one act is not the beginning of another's", () => {
    const act = given({ act: "Law 1/20", check: "prefix" });
    expect(misfit(act, { basis: "Law 1/20 art. 3" })).toBeUndefined();
    expect(misfit(act, { basis: "Law 1/2000 art. 3" })).toBe("basis");
  });

  it("written in any case, with any spaces, commas and combining letters is the same basis", () => {
    const words = fc.constantFrom(" ", "  ", ", ", ",", "; ", "\n");
    fc.assert(
      fc.property(fc.array(words, { minLength: 8, maxLength: 8 }), fc.boolean(), (between, capital) => {
        const grant = given({ act: "Legea nr. 133 privind protecția datelor", section: "art. 5", check: "exact" });
        const parts = ["Legea", "nr.", "133", "privind", "protecția", "datelor", "art.", "5"];
        const basis = parts
          .map((part, at) => `${part}${at === parts.length - 1 ? "" : between[at]}`)
          .join("")
          .normalize("NFD");
        expect(misfit(grant, { basis: capital ? basis.toUpperCase() : basis })).toBeUndefined();
      }),
    );
  });

  it("of another act never fits `exact` or `prefix`", () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 256 }), fc.constantFrom("exact", "prefix"), (basis, check) => {
        fc.pre(!basis.toLowerCase().includes("law"));
        expect(misfit(given({ check }), { basis })).toBe("basis");
      }),
    );
  });
});

describe("the reason of a call", () => {
  const grant = given({ reasons: ["citizen-service", "residence check"] });

  it.each([
    ["citizen-service", undefined],
    ["Citizen-Service, file 12", undefined],
    ["residence  check of flat 4", undefined],
    ["citizen-services", "reason"],
    ["curiosity", "reason"],
    ["my residence check", "reason"],
    ["", "reason"],
  ] as const)("%j: %s", (reason, expected) => {
    expect(misfit(grant, { basis: "x", reason })).toBe(expected);
  });

  it("that is not said is none of those asked for", () => {
    expect(misfit(grant, {})).toBe("reason");
  });
});

describe("the denial", () => {
  const grounds = (...grants: readonly Grant[]) => indexGrants(grants);
  const SYSTEM = new Map([["asker/one", {} as never]]);
  const ask = (index: ReturnType<typeof indexGrants>, call: { basis?: string; reason?: string }): Grant | BusError => {
    try {
      return findGrant(index, SYSTEM, { system: "asker/one", role: "consumer", contract: "person.request.v1", call }, [], 1);
    } catch (thrown) {
      return asBusError(thrown);
    }
  };

  it.each([
    ["exact", "write `Law 436/2006 on local public administration, art. 29`"],
    ["prefix", "begin it with `Law 436/2006 on local public administration`"],
  ] as const)("of a basis under `%s` names rule, grant, file and line, what to write and who can change it", (check, write) => {
    const error = ask(grounds(given({ check })), { basis: "another act" });
    expect(error).toMatchObject({ code: "legal-basis-mismatch", class: "access-denied" });
    for (const part of ["`g` (grants.yaml:9)", `legalBasis.check: ${check}`, write, "owner `dpo`"])
      expect((error as BusError).message).toContain(part);
  });

  it("of a reason names those that are let through", () => {
    const error = ask(grounds(given({ reasons: ["a", "b"] })), { basis: "x", reason: "c" });
    expect(error).toMatchObject({ code: "purpose-mismatch", places: [{ path: "CallReason", rule: "legalBasis.reasons" }] });
    expect((error as BusError).message).toContain("begin it with `a` or `b`");
  });

  it("repeats nothing of what the caller wrote", () => {
    for (const value of ["basis", "reason"] as const)
      expect(misfitError(given({ check: "exact", reasons: ["a"] }), value).message).not.toContain("2004100010095");
    expect((ask(grounds(given({ check: "exact" })), { basis: "2004100010095" }) as BusError).message).not.toContain("2004100010095");
  });

  it("is none where another grant of the system names this basis: the fitting one is used", () => {
    const tax = given({ act: "Taxation Act", check: "prefix" }, "tax");
    const town = given({ check: "prefix" }, "town");
    for (const index of [grounds(tax, town), grounds(town, tax)]) {
      expect(ask(index, { basis: `${ACT} art. 3` })).toBe(town);
      expect(ask(index, { basis: "taxation act, § 27" })).toBe(tax);
      expect(ask(index, { basis: "Law of the jungle" })).toMatchObject({ code: "legal-basis-mismatch" });
    }
  });

  it("of a grant that has ended is that it ended, whatever the basis", () => {
    const ended = { ...given({ check: "exact" }), until: 1 };
    expect(ask(grounds(ended), { basis: "wrong" })).toMatchObject({ code: "grant-expired" });
  });
});
