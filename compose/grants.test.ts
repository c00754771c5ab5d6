import { describe, expect, it } from "vitest";
import { indexGrants } from "#bus/access/grants.ts";
import { grantOf } from "#test/harness/bus-world.ts";
import { createVirtualClock } from "#test/harness/virtual-clock.ts";
import { watchGrants } from "./grants.ts";

const DAY = 86_400_000;
const HOUR = 3_600_000;

describe("grants that end", () => {
  it("are told 30, 7 and 1 days before and when they have ended, once each, and anew when the end was moved", async () => {
    const clock = createVirtualClock(0);
    const said: string[] = [];
    let until = 40 * DAY;
    const log = { warn: (facts: { grant: string; until: string }, text: string) => void said.push(`${facts.grant} ${text.slice(0, 29)}`) };
    const watch = watchGrants({
      grants: () =>
        indexGrants([grantOf("a/b", "consumer", "x.y.v1", { id: "g", until }), grantOf("c/d", "consumer", "x.y.v1", { id: "far" })]),
      clock,
      log: log as never,
    });
    for (let hour = 0; hour < 42 * 24; hour++) await clock.advance(HOUR);
    const all = [
      "g a grant ends within 30 days; ",
      "g a grant ends within 7 days; i",
      "g a grant ends within 1 days; i",
      "g a grant has ended: what it le",
    ];
    expect(said).toEqual(all.map((line) => line.slice(0, 31)));
    until = 43 * DAY;
    for (let hour = 0; hour < 3; hour++) await clock.advance(HOUR);
    expect(said.at(-1)).toContain("within 1 days");
    expect(watch.states().map(({ id }) => id)).toEqual(["g", "far"]);
    await watch.close();
  });
});
