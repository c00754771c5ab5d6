/** Who may do what, as properties: nothing is allowed that no grant allows, and every refusal says which rule it was. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { grantOf, SYSTEMS } from "#test/harness/bus-world.ts";
import { createVirtualClock } from "#test/harness/virtual-clock.ts";
import { contractOf, routeOf } from "#test/harness/route.ts";
import { asBusError } from "../errors.ts";
import type { Grant } from "../route/runtime.ts";
import { checkCallContext } from "./call-context.ts";
import { authorise, findGrant, indexGrants } from "./grants.ts";
import { createQuotas } from "./quota.ts";

const systems = fc.constantFrom(...SYSTEMS.keys());
const role = fc.constantFrom("consumer", "producer");
const contract = fc.constantFrom("person.request.v1", "person.request.v2", "person.changed.v1");
const time = fc.nat(100);
const grants = fc.array(
  fc
    .record({ system: systems, role, contract, from: time, until: time })
    .map(({ system, role: as, contract: of, from, until }) => ({ system, as, of, from, until })),
  { maxLength: 12 },
);
const built = (
  list: readonly Readonly<{ system: string; as: "consumer" | "producer"; of: string; from: number; until: number }>[],
): readonly Grant[] => list.map(({ system, as, of, from, until }, at) => grantOf(system, as, of, { id: `g${at}`, from, until }));
const caught = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    return asBusError(error).code;
  }
  return "allowed";
};

describe("a grant", () => {
  it("allows exactly its system, role, contract and time", () => {
    const asker = fc.record({ system: fc.option(fc.oneof(systems, fc.constant("no/body")), { nil: undefined }), role, contract });
    fc.assert(
      fc.property(grants, asker, time, (list, who, now) => {
        const all = built(list);
        const own = all.filter((grant) => grant.system === who.system && grant.role === who.role && grant.contract === who.contract);
        const valid = own.filter((grant) => grant.from <= now && now < grant.until);
        const answer = caught(() => {
          const found = findGrant(indexGrants(all), SYSTEMS, who, [], now);
          expect(valid).toContain(found);
        });
        const expected =
          who.system === undefined
            ? "system-missing"
            : !SYSTEMS.has(who.system)
              ? "system-unknown"
              : own.length === 0
                ? "grant-missing"
                : valid.length === 0
                  ? "grant-expired"
                  : "allowed";
        expect(answer).toBe(expected);
      }),
      { numRuns: 500 },
    );
  });

  it("that the route does not name counts for nothing, where the route names some", () => {
    fc.assert(
      fc.property(
        grants,
        fc.uniqueArray(
          fc.nat(11).map((at) => `g${at}`),
          { minLength: 1, maxLength: 4 },
        ),
        time,
        (list, named, now) => {
          const index = indexGrants(built(list));
          for (const system of SYSTEMS.keys()) {
            const asker = { system, role: "consumer", contract: "person.request.v1" } as const;
            try {
              expect(named).toContain(findGrant(index, SYSTEMS, asker, named, now).id);
            } catch (error) {
              expect(["grant-missing", "grant-expired"]).toContain(asBusError(error).code);
            }
          }
        },
      ),
    );
  });

  it("more never takes away what one alone allows", () => {
    fc.assert(
      fc.property(grants, grants, time, (some, more, now) => {
        for (const system of SYSTEMS.keys()) {
          const ask = (list: typeof some): string =>
            caught(() =>
              findGrant(indexGrants(built(list)), SYSTEMS, { system, role: "producer", contract: "person.changed.v1" }, [], now),
            );
          if (ask(some) === "allowed") expect(ask([...some, ...more])).toBe("allowed");
        }
      }),
    );
  });
});

describe("the role that a route asks for", () => {
  it.each([
    ["query", "consumer"],
    ["command", "consumer"],
    ["event", "producer"],
  ] as const)("of a %s is %s, whatever other grants there are", (pattern, needed) => {
    const route = routeOf({ contract: contractOf(pattern, "x.y.v1") });
    for (const as of ["consumer", "producer"] as const) {
      const grounds = { grants: indexGrants([grantOf("asker/one", as, "x.y.v1")]), systems: SYSTEMS };
      expect(caught(() => authorise(route, grounds, { system: "asker/one" }, 1))).toBe(as === needed ? "allowed" : "grant-missing");
    }
  });
});

describe("a quota", () => {
  it("lets through as many in each window as it says, whatever the times and whatever was used before", async () => {
    const gaps = fc.array(fc.integer({ min: 0, max: 40 }), { maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(gaps, fc.integer({ min: 1, max: 5 }), fc.nat(6), async (waits, count, before) => {
        const clock = createVirtualClock(1000);
        const per = 100;
        const grant = grantOf("a/b", "consumer", "x.y.v1", { quota: { count, per } });
        // the journal holds what was used in the first window before this process began
        const quotas = createQuotas(clock, async (_, from) => (from === 1000 ? before : 0));
        const used = new Map<number, number>([[1000, before]]);
        for (const wait of waits) {
          await clock.advance(wait);
          const window = Math.floor(clock.now() / per) * per;
          const left = count - (used.get(window) ?? 0);
          const answer = await Promise.resolve()
            .then(() => quotas.take(grant))
            .then(
              () => "ok",
              (error: unknown) => asBusError(error),
            );
          if (left > 0) {
            expect(answer).toBe("ok");
            used.set(window, (used.get(window) ?? 0) + 1);
          } else expect(answer).toMatchObject({ code: "quota-exceeded", retryAfter: window + per - clock.now() });
        }
      }),
      { numRuns: 30 },
    );
  });
});

describe("the call context", () => {
  const digits = fc.stringMatching(/^[0-9]{13}$/);
  const wrong = fc.oneof(
    fc.stringMatching(/^[0-9]{0,12}$/),
    fc.stringMatching(/^[0-9]{14,16}$/),
    fc.constantFrom("abcdefghijklm", " 200400123456", "200400123456\n", "٢٠٠٤٠٠١٢٣٤٥٦٧"),
  );
  const route = routeOf();

  it("of the right form passes; of a wrong form it is refused with one place for each value at fault", () => {
    const value = (good: fc.Arbitrary<string>, bad: fc.Arbitrary<string>) =>
      fc.option(
        fc.oneof(
          good.map((text) => ({ text, good: true })),
          bad.map((text) => ({ text, good: false })),
        ),
        { nil: undefined },
      );
    const length = (min: number, max: number) => fc.integer({ min, max }).map((n) => "x".repeat(n));
    const call = fc.record({
      user: value(digits, wrong),
      entity: value(digits, wrong),
      basis: value(length(1, 256), fc.constantFrom("", "x".repeat(257))),
      reason: value(length(1, 512), fc.constantFrom("", "x".repeat(513))),
    });
    fc.assert(
      fc.property(call, (given) => {
        const context = Object.fromEntries(
          Object.entries(given).flatMap(([name, each]) => (each === undefined ? [] : [[name, each.text]])),
        );
        const faults = Object.values(given).filter((each) => each?.good === false).length;
        try {
          checkCallContext(route, context, {});
          expect(faults).toBe(0);
        } catch (error) {
          const { code, places, message } = asBusError(error);
          expect([code, places.length]).toEqual(["call-context-invalid", faults]);
          for (const each of Object.values(given)) if (each && each.text.length > 5) expect(message).not.toContain(each.text);
        }
      }),
      { numRuns: 300 },
    );
  });

  it("is only required where the contract or the route says so", () => {
    const requires = ["user", "basis"] as const;
    const strict = routeOf({ contract: { ...contractOf("query"), requires }, access: { grants: [], require: ["headers.x-case"] } });
    expect(caught(() => checkCallContext(route, {}, {}))).toBe("allowed");
    try {
      checkCallContext(strict, { user: "2004001234567" }, {});
    } catch (error) {
      expect(asBusError(error)).toMatchObject({
        code: "call-context-missing",
        message: "CallBasis is missing; header x-case is missing: contract `person.changed.v1` requires it",
      });
    }
    expect(caught(() => checkCallContext(strict, { user: "2004001234567", basis: "Law" }, { "x-case": "1" }))).toBe("allowed");
  });
});
