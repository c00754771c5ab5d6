/** Whatever the steps of a route do to a message, it ends one way that can be seen: reply, refusal, delivery, dead letter or a drop with its row. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { changed, GRANTS, inboundOf, lookup, openBusWorld, register, setOf, type BusWorld } from "#test/harness/bus-world.ts";
import { branchOf } from "#test/harness/route.ts";
import type { Message } from "./envelope.ts";
import { asBusError, BusError } from "./errors.ts";
import type { Outcome } from "./ports.ts";
import type { Route, Step, StepResult } from "./route/runtime.ts";

type Deed = "next" | "later" | "drop" | "fail" | "throw" | "answer" | "many" | "wait";
const DEEDS: readonly Deed[] = ["next", "later", "drop", "fail", "throw", "answer", "many", "wait"];

function stepOf(deed: Deed, index: number): Step {
  const result = (message: Message, now: number): StepResult => {
    if (deed === "drop") return { kind: "drop", reason: `dropped by step ${index}` };
    if (deed === "fail") throw new BusError("map-failed", `step ${index} failed`);
    if (deed === "throw") throw new TypeError("a bug in a step");
    if (deed === "answer") return { kind: "answer", value: { answered: index } };
    if (deed === "wait" && now < message.envelope.time + 60_000) return { kind: "delay", ms: 60_000, message };
    if (deed === "many")
      return {
        kind: "many",
        messages: ["x", "y"].map((part) => ({ ...message, envelope: { ...message.envelope, id: `${message.envelope.id}/${part}` } })),
      };
    return { kind: "next", message };
  };
  return {
    name: deed,
    place: `routes/r.yaml:${index + 10}`,
    ...(deed === "wait" ? { waits: true } : undefined),
    run: (message, context) =>
      deed === "later" ? Promise.resolve().then(() => result(message, context.clock.now())) : result(message, context.clock.now()),
  };
}

type Case = Readonly<{ route: readonly Deed[]; branch: readonly Deed[]; provider: "well" | "ill" }>;
const deeds = (most: number) => fc.array(fc.constantFrom(...DEEDS), { maxLength: most });
const cases: fc.Arbitrary<Case> = fc.record({ route: deeds(3), branch: deeds(2), provider: fc.constantFrom("well", "ill") });

async function run(
  route: Route,
  inbound: Parameters<BusWorld["bus"]["accept"]>[0],
  provider: Case["provider"],
  look: (seen: Seen) => void,
) {
  const send = () => {
    if (provider === "ill") throw new BusError("provider-fault", "locked", { providerCode: "Locked" });
    return { ok: true };
  };
  const world = await openBusWorld({ set: setOf([route], GRANTS), send });
  try {
    const outcome = await world.bus.accept(inbound).then(
      (value: Outcome) => value,
      (thrown: unknown) => asBusError(thrown),
    );
    for (let minute = 0; minute < 5; minute += 1) await world.clock.advance(60_000);
    const letters = await world.bus.deadletters.list();
    look({ outcome, world, rows: world.rows(), dead: letters.length });
  } finally {
    await world.bus.close();
  }
}

type Seen = Readonly<{ outcome: Outcome | BusError; world: BusWorld; rows: readonly string[]; dead: number }>;
const count = (rows: readonly string[], begin: string): number => rows.filter((row) => row.startsWith(begin)).length;

describe("a query", () => {
  it("is answered or refused, and the last of its rows says which", async () => {
    await fc.assert(
      fc.asyncProperty(cases, async ({ route: list, provider }) => {
        // a route whose query waits is refused when it is compiled
        const steps = list.filter((deed) => deed !== "wait").map(stepOf);
        await run(
          lookup({ steps }),
          inboundOf("lookup", "asker/one", { id: 7 }, { id: "q" }),
          provider,
          ({ outcome, rows, dead, world }) => {
            expect(dead).toBe(0);
            expect(world.errors).toEqual([]);
            if (outcome instanceof BusError) expect(rows.at(-1)).toMatch(/^refused /);
            else expect([outcome.kind, rows.at(-1)]).toEqual(["reply", "replied ok"]);
          },
        );
      }),
      { numRuns: 120 },
    );
  }, 60_000);
});

describe("an event", () => {
  it("that was taken is delivered, dropped with its row, or a dead letter; one that was not left its row and nothing else", async () => {
    await fc.assert(
      fc.asyncProperty(cases, async ({ route: list, branch, provider }) => {
        const branches = [branchOf({ name: "a", system: "taker/a", steps: branch.map(stepOf) })];
        const route = changed({ steps: list.map(stepOf), branches });
        await run(route, inboundOf("changed", "maker/one", { n: 1 }, { id: "e" }), provider, ({ outcome, rows, dead, world }) => {
          expect(world.errors).toEqual([]);
          const ends = count(rows, "delivered ok") + count(rows, "dropped") + dead;
          if (outcome instanceof BusError) {
            expect([rows.length, world.sent.length, dead]).toEqual([1, 0, 0]);
            expect(rows[0]).toMatch(/^refused /);
          } else expect(ends, rows.join("\n")).toBeGreaterThanOrEqual(1);
        });
      }),
      { numRuns: 120 },
    );
  }, 60_000);

  it("leaves nothing undone: an hour later the engine holds no message of it", async () => {
    await fc.assert(
      fc.asyncProperty(cases, async ({ route: list, branch, provider }) => {
        const branches = [branchOf({ name: "a", system: "taker/a", steps: branch.map(stepOf) })];
        await run(
          changed({ steps: list.map(stepOf), branches }),
          inboundOf("changed", "maker/one", { n: 1 }, { id: "e" }),
          provider,
          ({ world }) => {
            for (const log of world.disk.topics.values()) for (const group of log.groups.values()) expect(group.open).toEqual([]);
          },
        );
      }),
      { numRuns: 60 },
    );
  }, 60_000);
});

describe("a command", () => {
  it("that was taken has an answer to its ticket in the end, unless a step dropped it or cut it in parts", async () => {
    await fc.assert(
      fc.asyncProperty(cases, async ({ route: list, provider }) => {
        const steps = list.filter((deed) => deed !== "many" && deed !== "drop").map(stepOf);
        const route = register({ steps });
        const world = await openBusWorld({
          set: setOf([route], GRANTS),
          send: () => {
            if (provider === "ill") throw new BusError("provider-fault", "locked", { providerCode: "Locked" });
            return { ok: true };
          },
        });
        try {
          const outcome = await world.bus
            .accept(inboundOf("register", "asker/one", { n: 1 }, { id: "c" }))
            .catch((thrown: unknown) => asBusError(thrown));
          for (let minute = 0; minute < 5; minute += 1) await world.clock.advance(60_000);
          if (outcome instanceof BusError || outcome.kind === "reply") return;
          const { state } = await world.bus.commands.ticket(world.bus.view().routes, "c", "asker/one");
          const dead = (await world.bus.deadletters.list()).length;
          expect([state, dead], world.rows().join("\n")).toEqual(dead > 0 ? ["failed", 1] : ["done", 0]);
        } finally {
          await world.bus.close();
        }
      }),
      { numRuns: 100 },
    );
  }, 60_000);
});
