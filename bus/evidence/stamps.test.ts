import { beforeAll, describe, expect, it } from "vitest";
import { readToken } from "#adapters/keys/stamp-token.ts";
import { numbered, openEvidenceWorld } from "#test/harness/evidence.ts";
import { createMemoryDisk, createMemoryPorts, createMemoryStore } from "#test/harness/memory.ts";
import { stampAuthority, type TestAuthority } from "#test/harness/stamps.ts";
import { createVirtualClock } from "#test/harness/virtual-clock.ts";
import { createLeases, type Leases } from "../cluster/lease.ts";
import { openStamps, type Stamps } from "./stamps.ts";

/** Certificates are valid from the machine's own time on. */
const NOW = Date.now();
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
let real: TestAuthority;
let clock = createVirtualClock(NOW);

beforeAll(async () => {
  real = await stampAuthority(() => clock.now());
});

async function world(leases?: Leases, ports = createMemoryPorts((clock = createVirtualClock(NOW)))) {
  real.away(false);
  const { log } = await openEvidenceWorld(ports, { clock });
  const errors: unknown[] = [];
  const node = (held = leases): Promise<Stamps> =>
    openStamps({
      ...ports,
      log,
      clock,
      authority: real.stamps,
      leases: held,
      every: MINUTE,
      longest: 4 * HOUR,
      onError: (error) => void errors.push(error),
    });
  const append = async (n: number): Promise<void> => {
    await log.journal.append([numbered(n, { time: clock.now() })]);
    await clock.advance(1_000); // it is sealed within a second
  };
  return { ...ports, log, errors, node, append };
}

describe("time-stamps of the evidence log", () => {
  it("come each minute in which something was recorded, over the checkpoint that holds it", async () => {
    const { log, node, append } = await world();
    const stamps = await node();
    await append(1);
    await append(2);
    await clock.advance(MINUTE);
    const { size, checkpoint, token } = await stamps.covering(2);
    expect(size).toBe(2);
    expect(readToken(token, Buffer.from(checkpoint), [real.ca]).at).toBeLessThanOrEqual(clock.now());
    expect(stamps.state()).toMatchObject({ size: 2, waitingSince: undefined });
    const asked = real.asked();
    await clock.advance(10 * MINUTE);
    expect(real.asked()).toBe(asked); // nothing new, nothing to stamp
    await append(3);
    await clock.advance(MINUTE);
    expect(stamps.state().size).toBe(3);
    expect((await stamps.covering(1)).size).toBe(2); // the first that covers it
    await stamps.close();
    await log.close();
  });

  it("are made at once for what is to be proved and has none yet", async () => {
    const { log, node, append } = await world();
    const stamps = await node();
    await append(1);
    const before = real.asked();
    expect((await stamps.covering(1)).size).toBe(1);
    expect(real.asked()).toBe(before + 1);
    await stamps.close();
    await log.close();
  });

  it("stay away with the authority: after four hours nothing is taken, and all is well when it is back", async () => {
    const { log, node, append, errors } = await world();
    const stamps = await node();
    real.away(true);
    await append(1);
    await clock.advance(4 * HOUR - 2 * MINUTE);
    expect(() => stamps.check()).not.toThrow();
    expect(stamps.state().waitingSince).toBe(NOW);
    await clock.advance(3 * MINUTE);
    expect(() => stamps.check()).toThrow(/no time-stamp since .* longer than the 4 hours that are allowed/u);
    await expect(stamps.covering(1)).rejects.toMatchObject({ code: "endpoint-unreachable" });
    expect(errors.length).toBeGreaterThan(1);
    real.away(false);
    await clock.advance(MINUTE);
    expect(() => stamps.check()).not.toThrow();
    expect(stamps.state()).toMatchObject({ size: 1, waitingSince: undefined });
    await stamps.close();
    await log.close();
  });

  it("do not begin their four hours anew with a restart", async () => {
    const { log, node, append } = await world();
    const first = await node();
    await append(1);
    await clock.advance(MINUTE);
    real.away(true);
    await append(2);
    await clock.advance(5 * HOUR);
    await first.close();
    const second = await node();
    await clock.advance(1_000);
    expect(() => second.check()).toThrow("nothing is taken");
    await second.close();
    await log.close();
  });

  it("count no quiet night: the first record of the morning is not overdue", async () => {
    const { log, node, append } = await world();
    const stamps = await node();
    await append(1);
    await clock.advance(12 * HOUR);
    real.away(true);
    await append(2);
    await clock.advance(HOUR);
    expect(() => stamps.check()).not.toThrow();
    await stamps.close();
    await log.close();
  });

  it("of a cluster are made by one process, and all know of them", async () => {
    const store = createMemoryStore(createMemoryDisk());
    const { log, node, append } = await world();
    const leases = (name: string): Promise<Leases> => createLeases({ store, clock, node: name, sole: false });
    const [a, b] = [await node(await leases("a")), await node(await leases("b"))];
    const before = real.asked();
    await append(1);
    await clock.advance(2 * MINUTE);
    expect(real.asked()).toBe(before + 1);
    expect([a.state().size, b.state().size]).toEqual([1, 1]);
    await a.close();
    await append(2);
    await clock.advance(3 * MINUTE);
    expect(b.state().size).toBe(2);
    await b.close();
    await log.close();
  });

  it("are not made of an empty log", async () => {
    const { log, node } = await world();
    const stamps = await node();
    const before = real.asked();
    await clock.advance(5 * MINUTE);
    expect(real.asked()).toBe(before);
    await expect(stamps.covering(1)).rejects.toMatchObject({ code: "evidence-pending" });
    await stamps.close();
    await log.close();
  });
});
