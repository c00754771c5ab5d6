/** One chain on its way to a broker that a test answers for by hand: order, window, going back, and what may be forgotten when. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Carried } from "#bus/broker.ts";
import type { Envelope } from "#bus/envelope.ts";
import { BusError } from "#bus/errors.ts";
import { createMemoryBroker } from "#test/harness/memory-broker.ts";
import { createVirtualClock } from "#test/harness/virtual-clock.ts";
import { createSender, type Item, type Link } from "./sender.ts";

type Flight = Readonly<{ position: number; after: number; confirm(): void; fail(): void }>;

const item = (position: number): Item => ({ position, envelope: { id: `m-${position}` } as Envelope });

/** A sender over a log that a test writes and flights that a test lands. */
function world(window = 4, start: Link = { position: 0, count: 0 }, pageSize = 3) {
  const clock = createVirtualClock(1_000);
  const log: Item[] = [];
  const sent: [position: number, after: number][] = [];
  const flights: Flight[] = [];
  const errors: string[] = [];
  let pages = 0;
  let brokenPages = 0;
  let most = 0;
  let answer: Promise<void> | undefined;
  const send = (_topic: string, _partition: number, { position, after }: Carried): Promise<void> =>
    new Promise((resolve, reject) => {
      sent.push([position, after]);
      const land = (): void => void flights.splice(flights.indexOf(flight), 1);
      const flight: Flight = {
        position,
        after,
        confirm() {
          land();
          resolve();
        },
        fail() {
          land();
          reject(new BusError("transport-unavailable", "away"));
        },
      };
      flights.push(flight);
      most = Math.max(most, flights.length);
    });
  const sender = createSender({
    broker: { ...createMemoryBroker(), window, send },
    clock,
    topic: "t",
    partition: 0,
    start,
    async page(after) {
      pages++;
      await Promise.resolve();
      if (brokenPages-- > 0) throw new BusError("journal-failed", "no page");
      const rest = log.filter(({ position }) => position > after);
      const items = rest.slice(0, pageSize);
      await answer;
      return { items, next: rest.length > pageSize ? items.at(-1)?.position : undefined };
    },
    moved: () => undefined,
    onError: (error) => errors.push(String(error)),
  });
  return {
    sender,
    clock,
    sent,
    flights,
    errors,
    most: () => most,
    pages: () => pages,
    holdPages: (until: Promise<void> | undefined) => void (answer = until),
    breakPages: (times: number) => void (brokenPages = times),
    push: (...positions: number[]): void => {
      for (const position of positions) {
        log.push(item(position));
        sender.push(item(position));
      }
    },
    /** Confirms all, and what that lets go, until nothing flies. */
    land: async (): Promise<void> => {
      await clock.settle();
      while (flights.length > 0 || !sender.idle()) {
        for (const flight of flights.slice()) flight.confirm();
        await clock.advance(100);
      }
    },
  };
}

describe("a sender", () => {
  it("sends in order, each naming the one before, from where the chain stood", async () => {
    const { push, land, sent, sender } = world(4, { position: 7, count: 3 });
    push(9, 12, 20);
    await land();
    expect(sent).toEqual([
      [9, 7],
      [12, 9],
      [20, 12],
    ]);
    expect(sender.last()).toEqual({ position: 20, count: 6 });
  });

  it("has no more unconfirmed than the broker's window", async () => {
    const { push, land, flights, most, sent } = world(3);
    push(...Array.from({ length: 20 }, (_, n) => n + 1));
    expect(flights.map(({ position }) => position)).toEqual([1, 2, 3]);
    flights[1]?.confirm();
    await land();
    expect(most()).toBe(3);
    expect(sent).toHaveLength(20);
  });

  it("ignores positions that it had", async () => {
    const { push, sender, land, sent } = world();
    push(1, 2);
    sender.push(item(1));
    sender.push(item(2));
    await land();
    expect(sent).toHaveLength(2);
    expect(sender.last()).toEqual({ position: 2, count: 2 });
  });

  it("after a failure goes back to the last that was surely kept, when all others have landed", async () => {
    const { push, land, clock, flights, sent, errors, pages } = world(3);
    push(1, 2, 3, 4);
    const [first, second, third] = flights;
    second?.fail();
    first?.confirm();
    await clock.advance(5_000);
    expect(sent).toHaveLength(3); // the third still flies
    third?.confirm();
    await clock.settle();
    expect(sent).toHaveLength(3); // it waits before it tries again
    await clock.advance(100);
    await land();
    expect(sent.slice(3)).toEqual([
      [2, 1],
      [3, 2],
      [4, 3],
    ]);
    expect(errors).toHaveLength(1);
    expect(pages()).toBeGreaterThan(0);
  });

  it("goes back to the first of several that failed, in whatever order they did", async () => {
    for (const order of [
      [0, 1],
      [1, 0],
    ]) {
      const { push, land, flights, sent } = world(3);
      push(1, 2, 3);
      const [first, ...others] = flights.slice();
      first?.confirm();
      for (const at of order) others[at]?.fail();
      await land();
      expect(sent.slice(3)).toEqual([
        [2, 1],
        [3, 2],
      ]);
    }
  });

  it("leaves out nothing that is pushed while a page is on its way that does not hold it yet", async () => {
    const { push, land, clock, sender, sent, holdPages } = world();
    push(1, 2);
    await land();
    let answer: (() => void) | undefined;
    holdPages(new Promise<void>((resolve) => (answer = resolve)));
    sender.rewind(0);
    await clock.settle();
    push(3);
    holdPages(undefined);
    answer?.();
    await land();
    expect(sent.slice(2)).toEqual([
      [1, 0],
      [2, 1],
      [3, 2],
    ]);
  });

  it("waits longer after each failure, never longer than five seconds, and little again after a success", async () => {
    const { push, clock, flights } = world(1);
    push(1);
    const waits: number[] = [];
    for (let round = 0; round < 8; round++) {
      flights[0]?.fail();
      const from = clock.now();
      await clock.settle();
      while (flights.length === 0) await clock.advance(50);
      waits.push(clock.now() - from);
    }
    expect(waits).toEqual([100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
    flights[0]?.confirm();
    await clock.settle();
    push(2);
    flights[0]?.fail();
    await clock.advance(100);
    expect(flights).toHaveLength(1);
  });

  it("told to, sends again from a position, also in the middle of sending", async () => {
    const { push, land, sender, sent, flights } = world(2);
    push(1, 2, 3, 4, 5);
    flights[0]?.confirm();
    sender.rewind(1);
    await land();
    const positions = sent.map(([position]) => position);
    expect(positions.slice(-4)).toEqual([2, 3, 4, 5]);
    const again = positions.lastIndexOf(2);
    expect(sent.slice(again).map(([, after]) => after)).toEqual([1, 2, 3, 4]);
  });

  it("asked to send again what is not sent yet, sends nothing twice", async () => {
    const { push, land, sender, sent } = world();
    push(1, 2);
    sender.rewind(2);
    sender.rewind(9);
    await land();
    expect(sent).toHaveLength(2);
  });

  it("reads from the journal what is pushed while it is behind, in its turn", async () => {
    const { push, land, clock, sender, sent, pages } = world(2);
    push(1, 2, 3);
    await land();
    sender.rewind(0);
    push(4, 5); // behind: only the journal has them
    await clock.settle();
    push(6);
    await land();
    push(7);
    const read = pages();
    await land();
    expect(pages()).toBe(read); // no more behind: from the push
    expect(sent.map(([position]) => position)).toEqual([1, 2, 3, 1, 2, 3, 4, 5, 6, 7]);
    expect(sent.slice(3).map(([, after]) => after)).toEqual([0, 1, 2, 3, 4, 5, 6]);
  });

  it("reads on after the journal failed to give a page", async () => {
    const { push, land, sender, sent, errors, breakPages } = world();
    push(1, 2);
    await land();
    breakPages(2);
    sender.rewind(0);
    await land();
    expect(sent.map(([position]) => position)).toEqual([1, 2, 1, 2]);
    expect(errors).toHaveLength(2);
  });

  it("has no room when too many wait, and has it again when they went", async () => {
    const { push, land, sender } = world(100);
    push(...Array.from({ length: 2_099 }, (_, n) => n + 1));
    expect(sender.room()).toBe(true);
    push(2_100);
    expect(sender.room()).toBe(false);
    await land();
    expect(sender.room()).toBe(true);
  });

  it("tells where the chain stood at a position that is confirmed", async () => {
    const { push, land, sender } = world(4, { position: 10, count: 5 });
    push(12, 15, 19);
    await land();
    expect(sender.linkAt(11)).toEqual({ position: 10, count: 5 });
    expect(sender.linkAt(16)).toEqual({ position: 15, count: 7 });
    expect(sender.linkAt(16)).toEqual({ position: 15, count: 7 });
    expect(sender.linkAt(100)).toEqual({ position: 19, count: 8 });
    expect(sender.last()).toEqual({ position: 19, count: 8 });
  });

  it("closed, sends nothing more and says nothing of what fails then", async () => {
    const { push, clock, sender, flights, sent, errors } = world(1);
    push(1, 2);
    sender.close();
    flights[0]?.fail();
    await clock.advance(10_000);
    expect(sent).toHaveLength(1);
    expect(errors).toEqual([]);
  });

  it("never calls confirmed what is not, and brings everything in a chain without gaps, whatever fails and is asked for when", async () => {
    const act = fc.oneof(
      { weight: 4, arbitrary: fc.constant({ do: "push" as const, n: 0 }) },
      { weight: 4, arbitrary: fc.nat({ max: 5 }).map((n) => ({ do: "confirm" as const, n })) },
      { weight: 1, arbitrary: fc.nat({ max: 5 }).map((n) => ({ do: "fail" as const, n })) },
      { weight: 1, arbitrary: fc.nat({ max: 20 }).map((n) => ({ do: "rewind" as const, n })) },
      { weight: 2, arbitrary: fc.constantFrom(0, 50, 200).map((n) => ({ do: "wait" as const, n })) },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(act, { maxLength: 40 }), async (acts) => {
        const { sender, push, land, clock, flights, sent } = world(3);
        const confirmed = new Set<number>();
        let position = 0;
        for (const one of acts) {
          const flight = flights[one.n % Math.max(1, flights.length)];
          if (one.do === "push") push(++position);
          else if (one.do === "wait") await clock.advance(one.n);
          else if (one.do === "rewind") sender.rewind(one.n % (position + 1));
          else if (flight && one.do === "confirm") {
            confirmed.add(flight.position);
            flight.confirm();
          } else flight?.fail();
          const low = sender.lowest();
          for (let below = 1; below < Math.min(low, position + 1); below++)
            expect(confirmed.has(below), `${below} is below ${low} and was never confirmed`).toBe(true);
        }
        await land();
        expect(sender.lowest()).toBe(Number.POSITIVE_INFINITY);
        let seen = 0; // a receiver that takes messages only behind the one they name
        for (const [at, after] of sent) if (after <= seen && at > seen) seen = at;
        expect(seen).toBe(position);
        for (const [at, after] of sent) expect(after).toBe(at - 1);
      }),
      { numRuns: 60 },
    );
  }, 60_000);
});
