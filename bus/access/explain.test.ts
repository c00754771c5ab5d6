/** The explanation decides as the pipeline does, and names rule, place and remedy. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { changed, grantOf, inboundOf, lookup, openBusWorld, setOf, sourceOf, START, SYSTEMS } from "#test/harness/bus-world.ts";
import { branchOf } from "#test/harness/route.ts";
import { asBusError } from "../errors.ts";
import type { Grant } from "../route/runtime.ts";
import { explainAccess, type AccessQuestion } from "./explain.ts";
import { grantStates, warningOf } from "./expiry.ts";

const OWN = "1004600030235";
const legalBasis = { act: "Law 1/2020", section: "art. 2", purpose: "p" } as const;

async function answerOf(grants: readonly Grant[], question: Partial<AccessQuestion>, routes = [lookup(), changed()]) {
  const world = await openBusWorld({ set: setOf(routes, grants) });
  const answer = explainAccess(world.bus.view(), { system: "asker/one", contract: "person.request.v1", at: START, ...question });
  await world.bus.close();
  return answer;
}
const rules = (answer: Awaited<ReturnType<typeof answerOf>>) => answer.steps.map(({ rule, verdict }) => `${rule} ${verdict}`);
const good = (over: Partial<Grant> = {}): Grant => grantOf("asker/one", "consumer", "person.request.v1", { id: "g", ...over });

describe("an explanation", () => {
  it("of what is allowed names route, grant, time, basis, call, quota and fields", async () => {
    const answer = await answerOf([good({ quota: { count: 5, per: 60_000 }, allow: ["idnp", "name"] })], {});
    expect(answer).toMatchObject({ allowed: true, grant: "g", route: "lookup" });
    expect(answer).not.toHaveProperty("code");
    expect(rules(answer)).toEqual([
      "route allows",
      "system allows",
      "grant allows",
      "time allows",
      "legal-basis allows",
      "purpose allows",
      "call tells",
      "quota tells",
      "fields tells",
    ]);
    const said = answer.steps.map((step) => step.said).join("\n");
    for (const part of ["routes/test.yaml:1", "grants.yaml:1", "5 messages in 60 s", "idnp, name", `CallingEntity is ${OWN}`])
      expect(said).toContain(part);
  });

  it.each([
    ["an unknown contract", { contract: "no.such.v1" }, "contract", "contract-unknown"],
    ["an unknown system", { system: "no/body" }, "system", "system-unknown"],
    ["a system without a grant", { system: "asker/two" }, "grant", "grant-missing"],
    ["a time after the end", { at: START + 10_000 }, "time", "grant-expired"],
    ["another basis", { call: { basis: "Law 2/2020", reason: "p" } }, "legal-basis", "legal-basis-mismatch"],
    ["another reason", { call: { basis: "Law 1/2020 art. 2", reason: "curiosity" } }, "purpose", "purpose-mismatch"],
    ["a foreign name", { call: { basis: "law 1/2020, art. 2", reason: "p", entity: "1007601008122" } }, "call", "call-context-invalid"],
  ] as const)("of %s ends with the rule that denies", async (_, question, rule, code) => {
    const grant = good({ until: START + 10_000, legalBasis: { ...legalBasis, check: "exact", reasons: ["p"] } });
    const answer = await answerOf([grant], question);
    expect(answer).toMatchObject({ allowed: false, code });
    expect(answer.steps.at(-1)).toMatchObject({ rule, verdict: "denies" });
    expect(answer.steps.slice(0, -1).every(({ verdict }) => verdict !== "denies")).toBe(true);
  });

  it("of a contract that no route takes from the system says so", async () => {
    const reserved = lookup({ sources: [sourceOf({ system: "asker/two" })] });
    const answer = await answerOf([good()], {}, [reserved]);
    expect(answer.steps).toMatchObject([{ rule: "route", verdict: "denies" }]);
  });

  it("of a receiver of events asks for a consumer's grant, of a sender for a producer's", async () => {
    const takes = grantOf("taker/a", "consumer", "person.changed.v1", { id: "takes" });
    const makes = grantOf("maker/one", "producer", "person.changed.v1", { id: "makes" });
    const ask = (system: string) => answerOf([takes, makes], { system, contract: "person.changed.v1" });
    expect(await ask("taker/a")).toMatchObject({ allowed: true, grant: "takes" });
    expect(await ask("maker/one")).toMatchObject({ allowed: true, grant: "makes" });
    expect(await ask("taker/b")).toMatchObject({ allowed: false, code: "grant-missing" });
  });

  it("is what the pipeline does, whatever grants there are and whoever asks what", async () => {
    const grants = fc.array(
      fc.record({
        system: fc.constantFrom(...SYSTEMS.keys()),
        from: fc.nat(3),
        until: fc.nat(3),
        check: fc.constantFrom("exact", "prefix", "any"),
      }),
      { maxLength: 5 },
    );
    const basis = fc.constantFrom("Law 1/2020 art. 2", "Law 1/2020", "another");
    const entity = fc.constantFrom(undefined, OWN, "1007601008122");
    await fc.assert(
      fc.asyncProperty(grants, fc.constantFrom("asker/one", "asker/two", "no/body"), basis, entity, async (list, system, said, whose) => {
        const all = list.map(({ system: of, from, until, check }, at) =>
          grantOf(of, "consumer", "person.request.v1", {
            id: `g${at}`,
            from: START - 2 + from,
            until: START - 1 + until,
            legalBasis: { ...legalBasis, check },
          }),
        );
        const world = await openBusWorld({ set: setOf([lookup({ branches: [branchOf({ system: "provider/one" })] })], all) });
        const call = { basis: said, ...(whose === undefined ? {} : { entity: whose }) };
        const answer = explainAccess(world.bus.view(), { system, contract: "person.request.v1", at: START, call });
        const outcome = await world.bus.accept(inboundOf("lookup", system, { n: 1 }, { call })).then(
          () => undefined,
          (thrown: unknown) => asBusError(thrown),
        );
        expect([answer.allowed, answer.code]).toEqual([outcome === undefined, outcome?.code]);
        if (outcome) expect(answer.steps.at(-1)?.said).toBe(outcome.message);
        await world.bus.close();
      }),
      { numRuns: 100 },
    );
  });
});

describe("the end of a grant", () => {
  const DAY = 86_400_000;
  it.each([
    [31 * DAY, undefined],
    [30 * DAY, 30],
    [7 * DAY + 1, 30],
    [7 * DAY, 7],
    [DAY, 1],
    [1, 1],
    [0, 0],
    [-DAY, 0],
  ])("%d ms before is told as %s", (left, expected) => expect(warningOf({ left })).toBe(expected));

  it("is listed with the first in front, and with whether it holds", async () => {
    const world = await openBusWorld({
      set: setOf(
        [lookup()],
        [
          good({ id: "later", until: START + 9 }),
          good({ id: "gone", until: START }),
          good({ id: "young", from: START + 1, until: START + 5 }),
        ],
      ),
    });
    const states = grantStates(world.bus.view().grants, START);
    expect(states.map(({ id, state, left }) => [id, state, left])).toEqual([
      ["gone", "ended", 0],
      ["young", "begins", 5],
      ["later", "holds", 9],
    ]);
    await world.bus.close();
  });
});
