import { describe, expect, it } from "vitest";
import { contractNames, kebab, routeId } from "./names.ts";
import { parseContractId } from "../compile.ts";
import fc from "fast-check";

describe("names of an import", () => {
  it.each([
    ["GetPersonData", "get-person-data"],
    ["getPupils", "get-pupils"],
    ["IDNPLookup2", "idnp-lookup2"],
    ["find_acts.v2", "find-acts-v2"],
    ["2ndTry", "op-2nd-try"],
    ["Căutare", "c-utare"],
    ["___", "op"],
  ])("%s becomes %s", (name, expected) => expect(kebab(name)).toBe(expected));

  it("are contract ids whatever the operation is called", () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1, maxLength: 40 }), (name) => {
        const { request, reply } = contractNames("cnas/pensions-2", name);
        expect([parseContractId(request)?.id, parseContractId(reply)?.id]).toEqual([request, reply]);
      }),
    );
  });

  it("say institution, system and operation", () => {
    expect(contractNames("cnas/pensions", "RegisterBenefit")).toEqual({
      request: "cnas.pensions.register-benefit.request.v1",
      reply: "cnas.pensions.register-benefit.response.v1",
    });
    expect(routeId("cnas/pensions", "RegisterBenefit")).toBe("pensions-register-benefit");
  });
});
