/** Order, completeness and isolation of branches under random failures, restarts and pauses. */
import { describe, expect, it } from "vitest";
import fc from "fast-check";
import { BusError } from "#bus/errors.ts";
import { createWorld, type Answer } from "#test/harness/delivery.ts";
import { policyOf } from "#test/harness/policy.ts";
import { branchOf } from "#test/harness/route.ts";

const message = fc.record({
  key: fc.constantFrom("A", "B", "C"),
  /** How many attempts fail before one succeeds; more than the policy allows is a dead letter. */
  failures: fc.integer({ min: 0, max: 4 }),
  takes: fc.integer({ min: 0, max: 300 }),
});
const ATTEMPTS = 3;

describe("an ordered branch with random failures", () => {
  it("reorders no key, and everything is delivered once or dead once, through restarts and pauses", async () => {
    const upset = fc.constantFrom("none" as const, "none" as const, "restart" as const, "pause" as const);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(message, upset), { minLength: 1, maxLength: 14 }), async (script) => {
        let world = await createWorld();
        const policy = policyOf({
          retry: { attempts: ATTEMPTS, backoff: { first: 500, factor: 2, max: 60_000, jitter: "full" } },
          limits: { concurrency: 3, queue: 100, ratePerSecond: undefined },
        });
        const made = new Map<string, number>();
        const running = new Set<string>();
        const finished: string[] = [];
        const answer: Answer = async ({ envelope }, signal) => {
          const key = envelope.key ?? "";
          expect(running.has(key)).toBe(false); // one at a time per key
          running.add(key);
          try {
            const [{ takes, failures }] = script[Number(envelope.id)] ?? [{ takes: 0, failures: 0 }];
            await world.clock.sleep(takes, signal);
            const attempts = (made.get(envelope.id) ?? 0) + 1;
            made.set(envelope.id, attempts);
            if (attempts <= failures) throw new BusError("endpoint-unreachable", "no");
            finished.push(envelope.id);
            return undefined;
          } finally {
            running.delete(key);
          }
        };
        const start = () => world.start(branchOf({ deliver: policy, order: ({ envelope }) => envelope.key }), answer);
        let branch = await start();
        for (const [index, [{ key }, upsetting]] of script.entries()) {
          await world.accept({ id: String(index), key });
          await world.clock.advance(100);
          if (upsetting === "pause") {
            branch.pause(true);
            await world.clock.advance(700);
            branch.pause(false);
          }
          if (upsetting === "restart") {
            await world.clock.until(branch.close());
            world = await world.restart();
            branch = await start();
          }
        }
        await world.clock.advance(3_600_000);
        const ends = world.journal.records.filter(({ step }) => step === "delivered" || step === "deadletter");
        expect(ends.map(({ id }) => Number(id)).sort((a, b) => a - b)).toEqual([...script.keys()]);
        for (const { id, step } of ends) expect(step).toBe((script[Number(id)]?.[0].failures ?? 0) < ATTEMPTS ? "delivered" : "deadletter");
        for (const key of ["A", "B", "C"]) {
          const order = ends.filter(({ id }) => script[Number(id)]?.[0].key === key).map(({ id }) => Number(id));
          expect(order).toEqual([...order].sort((a, b) => a - b));
        }
        expect(new Set(finished).size).toBe(finished.length);
        expect((await branch.state()).lag).toBe(0);
      }),
      { numRuns: 60 },
    );
  });
});

describe("several branches with random failures", () => {
  it("each delivers or buries every message by itself, exactly as if it were alone", async () => {
    const failures = fc.array(fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 3, maxLength: 3 }), { minLength: 1, maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(failures, async (plan) => {
        const world = await createWorld();
        const policy = policyOf({ retry: { attempts: ATTEMPTS, backoff: { first: 100, factor: 2, max: 1000, jitter: "none" } } });
        for (const name of [0, 1, 2]) {
          const made = new Map<string, number>();
          await world.start(
            branchOf({ name: `b${name}`, addresses: [`http://b${name}.example`], deliver: policy }),
            ({ envelope: { id } }) => {
              made.set(id, (made.get(id) ?? 0) + 1);
              if ((made.get(id) ?? 0) <= (plan[Number(id)]?.[name] ?? 0)) throw new BusError("attempt-timeout", "no");
              return undefined;
            },
          );
        }
        for (const index of plan.keys()) await world.accept({ id: String(index) });
        await world.clock.advance(60_000);
        for (const [index, counts] of plan.entries()) {
          for (const [name, fails] of counts.entries()) {
            const rows = world.rows().filter((row) => row.startsWith(`${index} b${name} `));
            const retries = Array.from({ length: Math.min(fails, ATTEMPTS - 1) }, () => `${index} b${name} attempt failed`);
            const last = fails < ATTEMPTS ? "delivered ok" : "deadletter dead";
            expect(rows).toEqual([...retries, `${index} b${name} ${last}`]);
          }
        }
      }),
      { numRuns: 60 },
    );
  });
});
