import { describe, expect, it } from "vitest";
import { BusError } from "../errors.ts";
import type { Route } from "../route/runtime.ts";
import { checkCallContext } from "./call-context.ts";

const route = {
  contract: { id: "person.request.v1", requires: ["user", "entity", "basis", "reason"] },
  access: { grants: [], require: ["headers.case-number"] },
} as unknown as Route;
const call = { user: "2004001234567", entity: "1004600030235", basis: "Law 489/1999 art. 5", reason: "pension file" };
const headers = { "case-number": "A-1" };

function refusal(given: Parameters<typeof checkCallContext>[1], withHeaders: Record<string, string> = headers): BusError {
  try {
    checkCallContext(route, given, withHeaders);
  } catch (thrown) {
    if (thrown instanceof BusError) return thrown;
  }
  throw new Error("it was not refused");
}

describe("call context", () => {
  it("lets a whole one pass", () => {
    expect(() => checkCallContext(route, call, headers)).not.toThrow();
  });

  it("names every value that is missing, by its name on the wire", () => {
    const error = refusal({ user: call.user });
    expect(error.code).toBe("call-context-missing");
    expect(error.places.map((place) => place.path)).toEqual(["CallingEntity", "CallBasis", "CallReason"]);
  });

  it("names a header that the route requires", () => {
    expect(refusal(call, {}).places.map((place) => place.path)).toEqual(["case-number"]);
  });

  it.each([
    ["user", "200400123456"],
    ["user", "20040012345678"],
    ["user", "２００４００１２３４５６７"],
    ["entity", "x004600030235"],
    ["basis", "b".repeat(257)],
    ["reason", "r".repeat(513)],
    ["reason", ""],
  ] as const)("refuses %s of a wrong form: %s", (key, value) => {
    const error = refusal({ ...call, [key]: value });
    expect(error.code).toBe("call-context-invalid");
    expect(error.places).toHaveLength(1);
  });

  it("lets values at their limit pass", () => {
    expect(() => checkCallContext(route, { ...call, basis: "b".repeat(256), reason: "r".repeat(512) }, headers)).not.toThrow();
  });
});
