/**
 * What every outside broker promises, as a library. A world's `restart` closes the broker object and opens another on the same server,
 * as a bus process that starts again does. Faults of the server itself are each adapter's own test.
 */
import { expect } from "vitest";
import type { Broker, Carried, Lane } from "#bus/broker.ts";
import type { Envelope } from "#bus/envelope.ts";
import { brokerNames } from "./broker-names.ts";
import { carriedEnvelope, collect, PATIENCE, TOPIC } from "./broker-parts.ts";
import { brokerRequests } from "./broker-requests.ts";
import { codeOf, eventually, pause, suite, type Skips, type World } from "./cases.ts";

const LANE: Lane = { topic: TOPIC, group: "g", partition: 0 };
const carried = (n: number, more: Partial<Envelope> = {}): Carried => ({ envelope: carriedEnvelope(n, more), position: n, after: n - 1 });
const numbers = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);

/** As the relay does: many on their way, never more than the broker's window. */
async function sendAll(port: Broker, messages: readonly Carried[], topic = TOPIC, partition = 0): Promise<void> {
  const step = Math.min(500, port.window);
  for (let at = 0; at < messages.length; at += step)
    await Promise.all(messages.slice(at, at + step).map((message) => port.send(topic, partition, message)));
}

/** A settled message leaves the broker a moment after `settle` returned. */
const emptied = (port: Broker, lane: Lane): Promise<void> =>
  eventually(async () => ((await port.depth(lane)) ?? 0) === 0, "an empty lane", PATIENCE);

export function brokerSuite(name: string, features: readonly string[], create: () => Promise<World<Broker>>, skips: Skips = {}): void {
  suite<Broker>(`${name} as a broker`, features, create, skips, (test) => {
    // ── what is sent is taken ──
    test("a message that was sent is taken", async ({ port }) => {
      const got = await collect(port, LANE, true);
      await port.send(TOPIC, 0, carried(1));
      await got.count(1);
      expect(got.seen[0]).toMatchObject({ position: 1, after: 0, redelivered: false });
    });
    test("position, predecessor and envelope arrive as they were sent", async ({ port }) => {
      const got = await collect(port, LANE, true);
      const whole = carriedEnvelope(7, {
        subject: "2000000000001",
        key: "ț",
        causationId: "m-0",
        traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        deadline: 1_900_000_000_000,
        call: { user: "2000000000001", entity: "1000000000001", basis: "art. 5 — „x”", reason: "line\r\nline" },
        headers: { "x-one": "ă😀", "nats-msg-id": "mine", "x-empty": "", "x-break": "a\r\nb: c" },
        dataref: "blob:00",
      });
      await port.send(TOPIC, 0, { envelope: whole, position: 2 ** 52 + 1, after: 2 ** 52 });
      await port.send(TOPIC, 0, { envelope: carriedEnvelope(8), position: 2 ** 52 + 9, after: -1 });
      await got.count(2);
      const first = got.seen[0];
      expect({ ...first?.envelope, body: [...(first?.envelope.body ?? [])] }).toEqual({ ...whole, body: [...whole.body] });
      expect(got.seen.map(({ position, after }) => [position, after])).toEqual([
        [2 ** 52 + 1, 2 ** 52],
        [2 ** 52 + 9, -1],
      ]);
    });
    test("a body of 250 KiB arrives byte by byte, and so does an empty one", async ({ port }) => {
      const got = await collect(port, LANE, true);
      const body = Uint8Array.from({ length: 256_000 }, (_, i) => (i * 13) % 256);
      await port.send(TOPIC, 0, carried(1, { body }));
      await port.send(TOPIC, 0, carried(2, { body: new Uint8Array() }));
      await got.count(2);
      expect(Buffer.from(got.seen[0]?.envelope.body ?? []).equals(body)).toBe(true);
      expect(got.seen[1]?.envelope.body).toHaveLength(0);
    });
    test("five thousand messages arrive in the order they were sent, each once", async ({ port }) => {
      const got = await collect(port, LANE, true, 256);
      await sendAll(
        port,
        numbers(1, 5_001).map((n) => carried(n)),
      );
      await got.count(5_000);
      await emptied(port, LANE);
      expect(got.positions()).toEqual(numbers(1, 5_001));
    });
    test("a send with no lane to hold it is confirmed all the same", async ({ port }) => {
      expect(await codeOf(port.send(TOPIC, 0, carried(1)))).toBe("");
    });

    // ── lanes ──
    test("a new lane gets what is sent from now on", async ({ port }) => {
      const other = await collect(port, { ...LANE, group: "other" }, true);
      await port.send(TOPIC, 0, carried(1));
      await other.count(1);
      const got = await collect(port, LANE, true);
      await port.send(TOPIC, 0, carried(2));
      await got.count(1);
      await pause(200);
      expect(got.positions()).toEqual([2]);
    });
    test("the lanes of two groups each get every message", async ({ port }) => {
      const one = await collect(port, { ...LANE, group: "one" }, true);
      const two = await collect(port, { ...LANE, group: "two" }, true);
      await sendAll(
        port,
        numbers(1, 21).map((n) => carried(n)),
      );
      await Promise.all([one.count(20), two.count(20)]);
      expect([one.positions(), two.positions()]).toEqual([numbers(1, 21), numbers(1, 21)]);
    });
    test("a group that settles nothing holds up no other group", async ({ port }) => {
      await collect(port, { ...LANE, group: "stuck" }, false, 2);
      const got = await collect(port, { ...LANE, group: "free" }, true, 2);
      await sendAll(
        port,
        numbers(1, 21).map((n) => carried(n)),
      );
      await got.count(20);
      expect(got.positions()).toEqual(numbers(1, 21));
    });
    test("partitions of a topic are apart", async ({ port }) => {
      const lanes = await Promise.all([0, 1, 10, 11].map((partition) => collect(port, { ...LANE, partition }, true)));
      for (const [at, partition] of [0, 1, 10, 11].entries()) await port.send(TOPIC, partition, carried(100 + at));
      for (const lane of lanes) await lane.count(1);
      await pause(200);
      expect(lanes.map((lane) => lane.positions())).toEqual([[100], [101], [102], [103]]);
    });
    test("a lane holds what is sent while nobody takes from it", async ({ port, restart }) => {
      const first = await collect(port, LANE, true);
      await first.taking.close();
      await sendAll(
        port,
        numbers(1, 31).map((n) => carried(n)),
      );
      const got = await collect(await restart(), LANE, true);
      await got.count(30);
      expect(got.positions()).toEqual(numbers(1, 31));
    });

    // ── settled and unsettled ──
    test("what was settled never comes again, not even after a restart", async ({ port, restart }) => {
      const got = await collect(port, LANE, true);
      await sendAll(
        port,
        numbers(1, 51).map((n) => carried(n)),
      );
      await got.count(50);
      await emptied(port, LANE);
      const again = await restart();
      const after = await collect(again, LANE, true);
      await again.send(TOPIC, 0, carried(51));
      await after.count(1);
      await pause(300);
      expect(after.positions()).toEqual([51]);
    });
    test("what was settled just before a close stays settled", async ({ port, restart }) => {
      const got = await collect(port, LANE, true);
      await sendAll(
        port,
        numbers(1, 51).map((n) => carried(n)),
      );
      await got.count(50);
      const again = await restart();
      const after = await collect(again, LANE, true);
      await again.send(TOPIC, 0, carried(51));
      await after.count(1);
      await pause(300);
      expect(after.positions()).toEqual([51]);
    });
    test("what was not settled comes again after a restart, marked as redelivered", async ({ port, restart }) => {
      const got = await collect(port, LANE, false);
      await sendAll(
        port,
        numbers(1, 6).map((n) => carried(n)),
      );
      await got.count(5);
      got.seen[1]?.settle();
      await eventually(async () => ((await port.depth(LANE)) ?? 4) === 4, "four held", PATIENCE);
      const after = await collect(await restart(), LANE, true);
      await after.countDistinct(4);
      expect(after.distinct()).toEqual([1, 3, 4, 5]);
      expect(after.seen.every((message) => message.redelivered)).toBe(true);
    });
    test("closing one taking gives its unsettled messages to the next", async ({ port }) => {
      const got = await collect(port, LANE, false);
      await sendAll(
        port,
        numbers(1, 4).map((n) => carried(n)),
      );
      await got.count(3);
      await got.taking.close();
      const after = await collect(port, LANE, true);
      await after.countDistinct(3);
      expect(after.distinct()).toEqual([1, 2, 3]);
      expect(after.seen.every((message) => message.redelivered)).toBe(true);
    });
    test("settling twice settles once, and settling after a close does nothing", async ({ port }) => {
      const got = await collect(port, LANE, false, 2);
      await sendAll(
        port,
        numbers(1, 4).map((n) => carried(n)),
      );
      await got.count(2);
      got.seen[0]?.settle();
      got.seen[0]?.settle();
      await got.count(3);
      await got.taking.close();
      got.seen[2]?.settle();
      const after = await collect(port, LANE, true);
      await after.countDistinct(2);
      expect(after.distinct()).toEqual([2, 3]);
    });
    test("a lane that was forgotten holds nothing, is no trouble to others, and begins anew", async ({ port }) => {
      const stays = await collect(port, { ...LANE, group: "stays" }, true);
      const goes = await collect(port, LANE, false, 2);
      await sendAll(
        port,
        numbers(1, 11).map((n) => carried(n)),
      );
      await goes.count(2);
      await goes.taking.close();
      await port.forget(LANE);
      await port.forget(LANE);
      expect((await port.depth(LANE)) ?? 0).toBe(0);
      const anew = await collect(port, LANE, true);
      await sendAll(
        port,
        numbers(11, 16).map((n) => carried(n)),
      );
      await Promise.all([anew.count(5), stays.countDistinct(15)]);
      expect([anew.positions(), stays.distinct()]).toEqual([numbers(11, 16), numbers(1, 16)]);
    });
    test("the window bounds what is handed out and unsettled", async ({ port }) => {
      const got = await collect(port, LANE, false, 5);
      await sendAll(
        port,
        numbers(1, 21).map((n) => carried(n)),
      );
      await got.count(5);
      await pause(300);
      expect(got.seen).toHaveLength(5);
      got.seen[0]?.settle();
      got.seen[1]?.settle();
      await got.count(7);
      await pause(300);
      expect(got.positions()).toEqual(numbers(1, 8));
    });
    test("a lane taken again with another window keeps its place", async ({ port }) => {
      const first = await collect(port, LANE, false, 2);
      await sendAll(
        port,
        numbers(1, 21).map((n) => carried(n)),
      );
      await first.count(2);
      await first.taking.close();
      const wide = await collect(port, LANE, false, 50);
      await wide.countDistinct(20);
      expect(wide.distinct()).toEqual(numbers(1, 21));
    });
    test("a handler that throws stops neither its lane nor the process", async ({ port }) => {
      const seen: number[] = [];
      await port.take(LANE, 10, (message) => {
        seen.push(message.position);
        message.settle();
        if (message.position === 1) throw new Error("a defect");
      });
      await sendAll(port, [carried(1), carried(2)]);
      await eventually(() => seen.includes(2), "the second message", PATIENCE);
    });

    // ── pause, close, depth ──
    test("a paused taking hands out nothing after two seconds, and goes on where it was", async ({ port }) => {
      const got = await collect(port, LANE, false);
      await port.send(TOPIC, 0, carried(1));
      await got.count(1);
      got.taking.pause(true);
      await pause(2_000);
      await port.send(TOPIC, 0, carried(2));
      await pause(500);
      expect(got.positions()).toEqual([1]);
      got.seen[0]?.settle();
      got.taking.pause(false);
      await got.count(2);
      expect(got.seen[1]).toMatchObject({ position: 2 });
      await eventually(async () => ((await port.depth(LANE)) ?? 1) === 1, "the settled one gone", PATIENCE);
    });
    test("a closed taking hands out nothing more, and closing twice is closing once", async ({ port }) => {
      const got = await collect(port, LANE, true);
      await got.taking.close();
      await got.taking.close();
      await port.send(TOPIC, 0, carried(1));
      await pause(500);
      expect(got.seen).toHaveLength(0);
    });
    test(
      "depth counts what a lane still holds, handed out or not",
      async ({ port }) => {
        const got = await collect(port, LANE, false, 3);
        await eventually(async () => (await port.depth(LANE)) === 0, "an empty lane", PATIENCE);
        await sendAll(
          port,
          numbers(1, 11).map((n) => carried(n)),
        );
        await eventually(async () => (await port.depth(LANE)) === 10, "ten", PATIENCE);
        await got.count(3);
        got.seen[0]?.settle();
        await eventually(async () => (await port.depth(LANE)) === 9, "nine", PATIENCE);
      },
      "depth",
    );
    test("a closed broker refuses with bus-stopping, and closing twice is closing once", async ({ port }) => {
      await port.close();
      await port.close();
      const calls = [
        port.send(TOPIC, 0, carried(1)),
        port.take(LANE, 1, () => undefined),
        port.depth(LANE),
        port.request(TOPIC, carriedEnvelope(1), 1_000),
        port.respond(TOPIC, (asked) => Promise.resolve(asked)),
        port.hazards(),
      ];
      expect(await Promise.all(calls.map((call) => codeOf(call)))).toEqual(calls.map(() => "bus-stopping"));
    });
    test("hazards are told in whole sentences, each with the name a waiver uses", async ({ port }) => {
      for (const hazard of await port.hazards()) {
        expect(hazard.setting).toMatch(/^[a-z]+(\.[a-z-]+)+$/u);
        for (const sentence of [hazard.found, hazard.danger, hazard.change]) expect(sentence.length, sentence).toBeGreaterThan(10);
      }
    });
    brokerNames(test);
    brokerRequests(test);
  });
}
