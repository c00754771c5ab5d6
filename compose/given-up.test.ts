import { describe, expect, it } from "vitest";
import { watchGivenUp } from "./given-up.ts";

function watched() {
  const lines: unknown[] = [];
  let now = 5_000;
  const watch = watchGivenUp({ warn: (facts: unknown) => void lines.push(facts) }, { now: () => now });
  return { watch, lines, wait: (ms: number) => void (now += ms) };
}
const one = { broker: "amqp", lane: "mbus.lane.x", reason: "delivery_limit" } as const;

describe("messages that a broker gave up", () => {
  it("are logged with broker, lane and reason, and counted by reason", () => {
    const { watch, lines, wait } = watched();
    watch.saw(one);
    wait(1_000);
    watch.saw({ ...one, reason: "rejected" });
    wait(1_000);
    watch.saw(one);
    expect(lines[0]).toEqual({ ...one, count: 1 });
    expect(lines).toHaveLength(3);
    expect(watch.counts()).toEqual([
      { broker: "amqp", reason: "delivery_limit", count: 2 },
      { broker: "amqp", reason: "rejected", count: 1 },
    ]);
  });

  it("are not a line each: a queue that empties itself makes one line a second, with how many it stands for", () => {
    const { watch, lines, wait } = watched();
    for (let n = 0; n < 1_000; n++) watch.saw(one);
    expect(lines).toHaveLength(1);
    wait(1_000);
    watch.saw(one);
    expect(lines.at(-1)).toMatchObject({ count: 1_000 });
    expect(watch.counts()[0]?.count).toBe(1_001);
  });

  it("are of a bounded number of kinds, whatever a broker calls its reasons", () => {
    const { watch } = watched();
    for (let n = 0; n < 1_000; n++) watch.saw({ ...one, reason: `reason-${n}` });
    const counts = watch.counts();
    expect(counts.length).toBeLessThanOrEqual(33);
    expect(counts.find(({ reason }) => reason === "other")?.count).toBe(1_000 - 32);
  });
});
