/** Memory does not follow the backlog: a bus that keeps 20,000 events for a subscriber that is down stays small, and loses none of their order. */
import { readFileSync } from "node:fs";
import { afterEach, describe, expect, it, vi } from "vitest";
import { createSite, type BusProcess, type Site } from "#test/harness/bus-process.ts";
import { eventually, openReceiver, type Received } from "#test/harness/receiver.ts";
import { idnp, openSubscribers, tell, type Subscribers } from "#test/harness/world.ts";

const EVENTS = 20_000;
const PERSONS = 100;
/**
 * The heap this bus gets: V8 keeps dead objects as long as it may, and only a bus that may keep few shows how many are alive. One that held
 * its backlog (20,000 messages in three branches) would end for want of memory.
 */
const HEAP = "--max-old-space-size=96 --max-semi-space-size=8";
/** Highest resident memory of the whole process: about 160 MB at rest, this heap, and the engine's caches and pages of bounded size. */
const MOST_MB = 400;

const opened: { site: Site; world: Subscribers }[] = [];
afterEach(async () => {
  vi.unstubAllEnvs();
  for (const { site, world } of opened.splice(0)) {
    await site.remove();
    await world.close();
  }
});

/** Highest resident memory of a process since it began, MB (Linux). */
function highest(bus: BusProcess): number {
  return Number(/VmHWM:\s+(\d+)/u.exec(readFileSync(`/proc/${bus.pid}/status`, "utf8"))?.[1]) / 1024;
}

/** The first `count` revisions of every person; one revision of all before the next, so that each person's order is known. */
async function tellRevisions(bus: BusProcess, count: number): Promise<void> {
  for (let revision = 1; revision <= count; revision += 1) {
    const batch = Array.from({ length: PERSONS }, (_, n) => tell(bus, { id: `r${revision}-p${n}`, person: idnp(n), revision }));
    for (const { status, body } of await Promise.all(batch)) expect(status, body).toBe(200);
  }
}

/** Persons whose revisions did not come one after the other, counting each event's first arrival. */
function outOfOrder(effects: ReadonlyMap<string, Received>): string[] {
  const last = new Map<string, number>();
  const bad: string[] = [];
  for (const { body } of effects.values()) {
    const { idnp: person, revision } = JSON.parse(body) as { idnp: string; revision: number };
    if (revision !== (last.get(person) ?? 0) + 1) bad.push(`${person}: ${revision} after ${last.get(person) ?? 0}`);
    last.set(person, revision);
  }
  return bad;
}

// other systems do not tell a process's highest memory in a file
describe.skipIf(process.platform !== "linux")(`a subscriber that is down while ${EVENTS} events come`, () => {
  it(`costs the bus no more than ${MOST_MB} MB, and gets every event in order per key when it is back`, async () => {
    vi.stubEnv("NODE_OPTIONS", HEAP);
    const site = createSite();
    site.edit("routes/rsp/person-changed.yaml", (text) => text.replace(", limits: { rate: 50/s }", ""));
    site.edit("routes/policies.yaml", (text) =>
      text.replace("first: 5s, factor: 3", "first: 200ms, factor: 2").replace("max: 30m", "max: 2s").replace("openFor: 1m", "openFor: 1s"),
    );
    const world = await openSubscribers();
    opened.push({ site, world });
    const bus = await site.start({ variables: world.variables });
    const { port } = world.townhall;
    await world.townhall.close();

    await tellRevisions(bus, EVENTS / PERSONS);
    await eventually(
      () => world.pensions.effects.size === EVENTS,
      () => `the branch beside it has ${world.pensions.effects.size} of ${EVENTS}`,
      240_000,
    );
    const whole = highest(bus);
    expect(whole).toBeLessThan(MOST_MB);

    const back = await openReceiver({ port });
    try {
      await eventually(
        () => back.effects.size === EVENTS,
        () => `${back.effects.size} of ${EVENTS} came after it was back`,
        240_000,
      );
      expect(outOfOrder(back.effects)).toEqual([]);
      expect(highest(bus)).toBeLessThan(MOST_MB);
    } finally {
      await back.close();
    }
  }, 600_000);
});
