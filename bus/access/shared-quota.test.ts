/** A quota of a cluster: all processes together never let through more than the grant says, and what one leaves another may use. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createMemoryDisk, createMemoryStore } from "#test/harness/memory.ts";
import { createVirtualClock } from "#test/harness/virtual-clock.ts";
import { BusError } from "../errors.ts";
import type { Grant } from "../route/runtime.ts";
import { createQuotaPool } from "./quota-pool.ts";
import type { Quotas } from "./quota.ts";
import { createSharedQuotas } from "./shared-quota.ts";

const HOUR = 3_600_000;
const grantOf = (count: number): Grant => ({ id: "g", place: "grants.yaml:9", quota: { count, per: HOUR } }) as unknown as Grant;

function cluster(count: number, journalled = 0) {
  const clock = createVirtualClock(10 * HOUR + 5);
  const store = createMemoryStore(createMemoryDisk());
  const asked: number[] = [];
  const errors: unknown[] = [];
  const grant = grantOf(count);
  const node = async (): Promise<Quotas> =>
    createSharedQuotas({
      clock,
      pool: await createQuotaPool({
        store,
        clock,
        async count(_grant, from) {
          asked.push(from);
          return journalled;
        },
      }),
      onError: (error) => void errors.push(error),
    });
  /** `ok`, or the code of the refusal and when to come again. */
  const take = async (quotas: Quotas): Promise<string> => {
    try {
      await clock.until(Promise.resolve(quotas.take(grant)));
      return "ok";
    } catch (thrown) {
      return thrown instanceof BusError ? `${thrown.code} ${thrown.retryAfter}` : String(thrown);
    }
  };
  /** Takes by turns until all refuse; gives how many went through. */
  const exhaust = async (nodes: readonly Quotas[]): Promise<number> => {
    for (let used = 0; ;) {
      const answers: string[] = [];
      for (const each of nodes) answers.push(await take(each));
      const went = answers.filter((answer) => answer === "ok").length;
      used += went;
      if (went === 0) return used;
    }
  };
  return { clock, store, asked, errors, grant, node, take, exhaust };
}

describe("a quota of a cluster", () => {
  it("is one count for all processes, to the last use, and says when the next window begins", async () => {
    const { node, take, exhaust } = cluster(500);
    const nodes = [await node(), await node(), await node()];
    expect(await exhaust(nodes)).toBe(500);
    for (const each of nodes) expect(await take(each)).toBe(`quota-exceeded ${HOUR - 5}`);
  });

  it("asks the journal once for what was used before anybody counted, and never again for a window that follows", async () => {
    const { clock, asked, node, exhaust } = cluster(100, 40);
    const nodes = [await node(), await node()];
    expect(await exhaust(nodes)).toBe(60);
    await clock.advance(HOUR);
    expect(await exhaust(nodes)).toBe(100);
    expect(asked).toEqual([10 * HOUR]);
  });

  it("lets a busy process have what a quiet one holds, after two seconds", async () => {
    const { clock, node, take, exhaust } = cluster(160);
    const [quiet, busy] = [await node(), await node()];
    expect(await take(quiet)).toBe("ok"); // it holds 9 more
    expect(await exhaust([busy])).toBe(150);
    await clock.advance(3_000);
    expect(await exhaust([busy])).toBe(9);
  });

  it("takes back what a process held that stops", async () => {
    const { clock, node, take, exhaust } = cluster(160);
    const [gone, stays] = [await node(), await node()];
    expect(await take(gone)).toBe("ok");
    await clock.until(gone.close());
    expect(await exhaust([stays])).toBe(159);
  });

  it("loses at most the share of a process that was killed: a sixteenth of what was left", async () => {
    const { node, take, exhaust } = cluster(1_600);
    const [killed, stays] = [await node(), await node()];
    expect(await take(killed)).toBe("ok");
    expect(await exhaust([stays])).toBe(1_500);
  });

  it("asks the store for few of many uses", async () => {
    const { store, node, take } = cluster(16_000);
    const one = await node();
    for (let n = 0; n < 1_000; n++) expect(await take(one)).toBe("ok");
    expect((await (await store.collection("quotas")).get("g"))?.version).toBe(1);
  });

  it("answers many at one moment with one question, and holds the bound", async () => {
    const { clock, grant, node } = cluster(20);
    const one = await node();
    const answers = clock.until(Promise.allSettled(Array.from({ length: 50 }, () => Promise.resolve(one.take(grant)))));
    expect((await answers).filter(({ status }) => status === "fulfilled")).toHaveLength(20);
  });

  it("does not ask the store again for a second when nothing is left", async () => {
    const { store, node, take } = cluster(1);
    const one = await node();
    expect(await take(one)).toBe("ok");
    expect(await take(one)).toContain("quota-exceeded");
    const documents = await store.collection<{ window: number; used: number }>("quotas");
    await documents.remove("g"); // whoever asks would count anew
    expect(await take(one)).toContain("quota-exceeded");
  });

  it("that a process with a slow clock sees goes by the newest window that anybody counted", async () => {
    const { store, node, take } = cluster(5);
    await (await store.collection("quotas")).insert("g", { window: 11 * HOUR, used: 5 });
    expect(await take(await node())).toContain("quota-exceeded");
  });

  it("tells of a store that is away when it gives back, and fails a use that needs it", async () => {
    const { clock, store, errors, node, take } = cluster(160);
    const one = await node();
    expect(await take(one)).toBe("ok");
    await store.close();
    await clock.advance(3_000);
    expect(errors).toHaveLength(1);
    expect(await take(one)).toBe("bus-stopping undefined");
  });

  it("is never passed, whoever takes, waits, stops or dies", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 60 }),
        fc.array(fc.record({ node: fc.nat(2), act: fc.constantFrom("take", "take", "take", "wait", "stop", "die") }), { maxLength: 120 }),
        async (count, acts) => {
          const { clock, node, take } = cluster(count);
          const nodes = [await node(), await node(), await node()];
          let used = 0;
          for (const { node: at, act } of acts) {
            const one = nodes[at];
            if (!one) continue;
            if (act === "take") used += (await take(one)) === "ok" ? 1 : 0;
            else if (act === "wait") await clock.advance(1_500);
            else {
              if (act === "stop") await clock.until(one.close());
              nodes[at] = await node();
            }
          }
          expect(used).toBeLessThanOrEqual(count);
        },
      ),
      { numRuns: 60 },
    );
  });
});
