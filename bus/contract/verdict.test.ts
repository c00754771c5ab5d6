/** Verdicts name the field and who is hit, in both directions and for both halves of an exchange. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LEVELS } from "../ports.ts";
import { verdictOf } from "./verdict.ts";

const schema = (...fields: readonly unknown[]): string => JSON.stringify({ type: "record", name: "M", fields });
const code = { name: "code", type: "string" };
const bare = { name: "born", type: "string" };
const optional = { name: "born", type: ["null", "string"], default: null };

describe("a verdict", () => {
  it("of what did not change, and of a first version, hits nobody", () => {
    const calm = { compatible: true, rules: [], backward: [], forward: [], affected: [] };
    expect(verdictOf(schema(code), [schema(code)], "FULL", "request")).toEqual(calm);
    expect(verdictOf(schema(code), [], "FULL_TRANSITIVE", "event")).toEqual(calm);
  });

  it("of a field that is added without a default names it, and the callers that do not send it yet", () => {
    expect(verdictOf(schema(code, bare), [schema(code)], "BACKWARD", "request")).toEqual({
      compatible: false,
      rules: ["field `born` was added without a default: old messages cannot be read"],
      backward: ["field `born` was added without a default: old messages cannot be read"],
      forward: [],
      affected: ["callers that still send the older request"],
    });
  });

  it("of a field that is taken from a reply is told even where the level allows it", () => {
    expect(verdictOf(schema(code), [schema(code, bare)], "BACKWARD", "reply")).toEqual({
      compatible: true,
      rules: [],
      backward: [],
      forward: ["field `born` was removed, and older readers have no default for it: older readers cannot read new messages"],
      affected: ["callers that still read the older reply"],
    });
  });

  it("of an optional field hits nobody", () => {
    for (const role of ["request", "command", "event", "reply"] as const)
      expect(verdictOf(schema(code, optional), [schema(code)], "FULL", role).affected).toEqual([]);
  });

  it("of a changed type hits both sides", () => {
    const { affected } = verdictOf(schema({ ...code, type: "int" }), [schema(code)], "NONE", "event");
    expect(affected).toEqual([
      "publishers that still send the older event, and events that are replayed",
      "subscribers that still read the older event",
    ]);
  });

  it("looks at all former versions where the level is transitive, at the last one otherwise", () => {
    const history = [schema(code), schema(code, optional)];
    expect(verdictOf(schema(code, bare), history, "BACKWARD_TRANSITIVE", "command").backward).toContainEqual(
      expect.stringContaining("version 1 of 2"),
    );
    expect(verdictOf(schema(code, bare), history, "BACKWARD", "command").backward).toEqual([
      "field `born` no longer allows null: old messages cannot be read",
    ]);
  });

  it("is compatible at a level exactly when the directions of that level are clean", () => {
    const field = fc.constantFrom(code, bare, optional, { name: "code", type: "bytes" }, { name: "n", type: "int", default: 1 });
    const any = fc.uniqueArray(field, { selector: ({ name }) => name, maxLength: 3 }).map((fields) => schema(...fields));
    fc.assert(
      fc.property(any, fc.array(any, { maxLength: 3 }), fc.constantFrom(...LEVELS), (next, history, level) => {
        const { compatible, backward, forward } = verdictOf(next, history, level, "event");
        const asked = level.startsWith("BACKWARD")
          ? backward
          : level.startsWith("FORWARD")
            ? forward
            : level === "NONE"
              ? []
              : [...backward, ...forward];
        expect(compatible).toBe(asked.length === 0);
      }),
    );
  });
});
