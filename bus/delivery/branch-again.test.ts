/** A delivery that the engine is not sure of: the branch asks the journal for its outcome before anything is done twice. */
import { describe, expect, it } from "vitest";
import type { JournalRecord } from "#bus/journal/record.ts";
import type { Delivery, Journal, Transport } from "#bus/ports.ts";
import { createWorld, type World } from "#test/harness/delivery.ts";
import { branchOf, routeOf } from "#test/harness/route.ts";

type Doubtful = Readonly<{
  world: World;
  got: string[];
  /** Hands a message to the branch as an engine does that may have done so before; fails as the handler does. */
  deliver: (id: string, more?: Partial<Delivery>) => Promise<void>;
  note: (id: string, step: JournalRecord["step"], more?: Partial<JournalRecord>) => Promise<void>;
  failFinds: (times: number) => void;
  finds: () => number;
}>;

async function doubtful(branch = branchOf()): Promise<Doubtful> {
  const world = await createWorld({ route: routeOf() });
  const got: string[] = [];
  let handler: ((delivery: Delivery) => Promise<void>) | undefined;
  const transport: Transport = {
    ...world.transport,
    subscribe(topic, group, options, given) {
      handler = given;
      return world.transport.subscribe(topic, group, options, () => Promise.resolve());
    },
  };
  let failures = 0;
  let finds = 0;
  const journal: Journal = {
    ...world.journal,
    async find(query) {
      finds++;
      if (failures-- > 0) throw new Error("the journal does not answer");
      return world.journal.find(query);
    },
  };
  const answer = (message: Readonly<{ envelope: Readonly<{ id: string }> }>): undefined => void got.push(message.envelope.id);
  await world.start(branch, answer, { transport, journal });
  return {
    world,
    got,
    finds: () => finds,
    failFinds: (times) => void (failures = times),
    async deliver(id, more = {}) {
      const record = world.journal.records.find((one) => one.id === id && one.step === "accepted");
      if (!record?.envelope || !handler) throw new Error(`no message ${id}`);
      const { envelope, position } = record;
      await world.clock.until(handler({ envelope, position, attempt: 1, firstAttemptAt: world.clock.now(), ...more }));
    },
    async note(id, step, more = {}) {
      const route = "person-changed";
      await world.journal.append([
        { step, outcome: "ok", time: world.clock.now(), id, correlationId: `c-${id}`, route, branch: branch.name, ...more },
      ]);
    },
  };
}

describe("a delivery that may have ended before", () => {
  it.each(["delivered", "dropped", "deadletter"] as const)("is not sent again when the journal holds that it was %s", async (step) => {
    const { world, got, deliver, note } = await doubtful();
    await world.accept({ id: "a" });
    await note("a", step);
    await deliver("a", { again: true });
    expect(got).toEqual([]);
    expect(world.rows()).toHaveLength(1);
  });

  it("is sent when the journal holds no outcome of it", async () => {
    const { world, got, deliver, note } = await doubtful();
    await world.accept({ id: "a" });
    await note("a", "attempt", { outcome: "failed" });
    await deliver("a", { again: true });
    expect(got).toEqual(["a"]);
    expect(world.rows().at(-1)).toBe("a to delivered ok");
  });

  it("is sent once, however often it comes", async () => {
    const { world, got, deliver } = await doubtful();
    await world.accept({ id: "a" });
    for (let n = 0; n < 5; n++) await deliver("a", { again: true });
    expect(got).toEqual(["a"]);
    expect(world.rows()).toEqual(["a to delivered ok"]);
  });

  it("is sent although another branch, another route or another message has ended", async () => {
    const { world, got, deliver, note } = await doubtful();
    await world.accept({ id: "a" });
    await note("a", "delivered", { branch: "other" });
    await note("a", "delivered", { route: "other" });
    await note("b", "delivered");
    await deliver("a", { again: true });
    expect(got).toEqual(["a"]);
  });

  it("is sent although its id ended before it was published again", async () => {
    const { world, got, deliver, note } = await doubtful();
    await world.accept({ id: "a" });
    await note("a", "deadletter", { outcome: "dead" });
    const position = (world.journal.records.at(-1)?.position ?? 0) + 1;
    await deliver("a", { again: true, position });
    expect(got).toEqual(["a"]);
  });

  it("is known as ended behind any number of failed attempts", async () => {
    const { world, got, deliver, note } = await doubtful();
    await world.accept({ id: "a" });
    for (let n = 0; n < 150; n++) await note("a", "attempt", { outcome: "failed" });
    await note("a", "deadletter", { outcome: "dead" });
    await deliver("a", { again: true });
    expect(got).toEqual([]);
  });

  it("is not lost when the journal cannot be asked: it fails, and the engine brings it again", async () => {
    const { world, got, deliver, failFinds } = await doubtful();
    await world.accept({ id: "a" });
    failFinds(1);
    await expect(deliver("a", { again: true })).rejects.toThrow("the journal does not answer");
    expect(got).toEqual([]);
    await deliver("a", { again: true });
    expect(got).toEqual(["a"]);
  });

  it("costs a question only when the engine is not sure", async () => {
    const { world, got, deliver, finds } = await doubtful();
    await world.accept({ id: "a" });
    await deliver("a");
    expect(finds()).toBe(0);
    expect(got).toEqual(["a"]);
    await deliver("a", { again: true });
    expect(finds()).toBe(1);
  });
});
