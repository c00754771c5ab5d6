/** What every transport promises, as a library. Waits are short and real, for an engine may be another process. */
import { expect } from "vitest";
import type { Envelope } from "#bus/envelope.ts";
import { BusError } from "#bus/errors.ts";
import { Redeliver, type Delivery, type SubscribeOptions, type Subscription, type Transport } from "#bus/ports.ts";
import { codeOf, eventually, pause, suite, type Skips, type World } from "./cases.ts";

const TOPIC = "mbus.test.thing.v1";
/** Milliseconds for what is much work: an engine may be on a machine that does other work too. */
const MUCH = 100_000;
const ALL: SubscribeOptions = { concurrency: 8, ordered: false, from: "start" };
const ORDERED: SubscribeOptions = { ...ALL, ordered: true };

export function envelope(n: number, more: Partial<Envelope> = {}): Envelope {
  const base = { source: "a/b", type: TOPIC, time: 1_800_000_000_000 + n, contract: "test.thing.v1", call: {}, headers: {} };
  return { ...base, id: `m-${n}`, correlationId: `c-${n}`, body: Uint8Array.of(0, 0, 0, 0, 1, n % 256), ...more };
}

async function publishAll(
  transport: Transport,
  from: number,
  to: number,
  more: (n: number) => Partial<Envelope> = () => ({}),
): Promise<void> {
  for (let n = from; n < to; n += 500) {
    const stop = Math.min(to, n + 500);
    await Promise.all(Array.from({ length: stop - n }, (_, i) => transport.publish(TOPIC, envelope(n + i, more(n + i)))));
  }
}

/** One after the other, so that their order is known. */
async function publishInOrder(transport: Transport, messages: readonly Envelope[]): Promise<void> {
  for (const message of messages) await transport.publish(TOPIC, message);
}

/** A handler that keeps what it saw. */
function collector(handle: (delivery: Delivery, seen: readonly Delivery[]) => Promise<void> | void = () => undefined) {
  const seen: Delivery[] = [];
  const handler = async (delivery: Delivery): Promise<void> => {
    seen.push(delivery);
    await handle(delivery, seen);
  };
  const ids = (): string[] => seen.map((delivery) => delivery.envelope.id);
  const count = (n: number, ms?: number): Promise<void> =>
    eventually(() => seen.length >= n, `${n} deliveries; there were ${seen.length}`, ms);
  return { seen, handler, ids, count };
}

function gate(): { open: () => void; passed: Promise<void> } {
  let open = (): void => undefined;
  const passed = new Promise<void>((resolve) => (open = resolve));
  return { open, passed };
}
const names = (from: number, to: number): string[] => Array.from({ length: to - from }, (_, i) => `m-${from + i}`);
const sorted = (ids: readonly string[]): string[] => [...new Set(ids)].sort((a, b) => Number(a.slice(2)) - Number(b.slice(2)));
const drained = (subscription: Subscription, ms?: number): Promise<void> =>
  eventually(async () => (await subscription.state()).lag === 0, "no lag", ms);

export function transportSuite(
  name: string,
  features: readonly string[],
  create: () => Promise<World<Transport>>,
  skips: Skips = {},
): void {
  suite<Transport>(`${name} as a transport`, features, create, skips, (test) => {
    // ── publish and subscribe ──
    test("a published message is delivered", async ({ port }) => {
      const got = collector();
      await port.subscribe(TOPIC, "g", ALL, got.handler);
      await port.publish(TOPIC, envelope(1));
      await got.count(1);
      expect(got.ids()).toEqual(["m-1"]);
    });
    test("an envelope arrives as it was sent", async ({ port }) => {
      const whole = envelope(7, {
        subject: "2000000000001",
        key: "ț",
        causationId: "m-0",
        traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        deadline: 1_900_000_000_000,
        call: { user: "2000000000001", entity: "1000000000001", basis: "art. 5 — „x”", reason: "r" },
        headers: { "x-one": "ă😀" },
        dataref: "blob:00",
      });
      await port.publish(TOPIC, whole);
      const got = collector();
      await port.subscribe(TOPIC, "g", ALL, got.handler);
      await got.count(1);
      const seen = got.seen[0]?.envelope;
      expect({ ...seen, body: [...(seen?.body ?? [])] }).toEqual({ ...whole, body: [...whole.body] });
    });
    test("a body of a quarter megabyte arrives whole", async ({ port }) => {
      const body = Uint8Array.from({ length: 262_144 }, (_, i) => (i * 13) % 256);
      const got = collector();
      await port.subscribe(TOPIC, "g", ALL, got.handler);
      await port.publish(TOPIC, envelope(1, { body }));
      await got.count(1);
      expect(Buffer.from(got.seen[0]?.envelope.body ?? []).equals(body)).toBe(true);
    });
    test("from start sees what was published before", async ({ port }) => {
      await publishAll(port, 0, 30);
      const got = collector();
      await port.subscribe(TOPIC, "g", ALL, got.handler);
      await got.count(30);
      expect(sorted(got.ids())).toEqual(names(0, 30));
    });
    test("from new sees only what comes after", async ({ port }) => {
      await publishAll(port, 0, 10);
      const got = collector();
      await port.subscribe(TOPIC, "g", { ...ALL, from: "new" }, got.handler);
      await publishAll(port, 10, 20);
      await got.count(10);
      await pause(50);
      expect(sorted(got.ids())).toEqual(names(10, 20));
    });
    test("a subscriber sees only its topic", async ({ port }) => {
      const got = collector();
      await port.subscribe(TOPIC, "g", ALL, got.handler);
      await port.publish("mbus.test.other.v1", envelope(1));
      await port.publish(TOPIC, envelope(2));
      await got.count(1);
      await pause(50);
      expect(got.ids()).toEqual(["m-2"]);
    });
    test("nothing is delivered twice when all is well", async ({ port }) => {
      const got = collector();
      const subscription = await port.subscribe(TOPIC, "g", ALL, got.handler);
      await publishAll(port, 0, 1_000);
      await got.count(1_000);
      await drained(subscription);
      await pause(50);
      expect(got.seen).toHaveLength(1_000);
    });
    test("publishing while a backlog is read loses and repeats nothing", async ({ port }) => {
      await publishAll(port, 0, 700);
      const got = collector();
      await port.subscribe(TOPIC, "g", ALL, got.handler);
      await publishAll(port, 700, 1_400);
      await got.count(1_400);
      await pause(50);
      expect(got.ids()).toHaveLength(1_400);
      expect(sorted(got.ids())).toEqual(names(0, 1_400));
    });
    test("positions grow in order of publishing", async ({ port }) => {
      await publishInOrder(
        port,
        [1, 2, 3].map((n) => envelope(n)),
      );
      const got = collector();
      await port.subscribe(TOPIC, "g", { ...ALL, concurrency: 1 }, got.handler);
      await got.count(3);
      const positions = got.seen.map((delivery) => delivery.position);
      expect(positions).toEqual([...positions].sort((a, b) => a - b));
      expect(got.ids()).toEqual(["m-1", "m-2", "m-3"]);
    });
    test("the first delivery is attempt 1 and says when it began", async ({ port }) => {
      const got = collector();
      const before = Date.now();
      await port.subscribe(TOPIC, "g", ALL, got.handler);
      await port.publish(TOPIC, envelope(1));
      await got.count(1);
      expect(got.seen[0]?.attempt).toBe(1);
      expect(got.seen[0]?.firstAttemptAt).toBeGreaterThanOrEqual(before - 1_000);
    });
    test("concurrency bounds how many are in the handler", async ({ port }) => {
      let running = 0;
      let most = 0;
      const got = collector(async () => {
        most = Math.max(most, ++running);
        await pause(3);
        running--;
      });
      await publishAll(port, 0, 60);
      await port.subscribe(TOPIC, "g", { ...ALL, concurrency: 4 }, got.handler);
      await got.count(60);
      expect(most).toBe(4);
    });
    test("a handler that publishes to its own topic is not stuck", async ({ port }) => {
      const got = collector(({ envelope: { id } }) =>
        Number(id.slice(2)) < 20 ? port.publish(TOPIC, envelope(Number(id.slice(2)) + 1)) : undefined,
      );
      await port.subscribe(TOPIC, "g", { ...ALL, concurrency: 1 }, got.handler);
      await port.publish(TOPIC, envelope(1));
      await got.count(20);
      expect(got.ids()).toEqual(names(1, 21));
    });

    // ── groups ──
    test(
      "each group sees every message",
      async ({ port }) => {
        const groups = [collector(), collector(), collector()];
        for (const [i, got] of groups.entries()) await port.subscribe(TOPIC, `g${i}`, ALL, got.handler);
        await publishAll(port, 0, 50);
        for (const got of groups) {
          await got.count(50);
          expect(sorted(got.ids())).toEqual(names(0, 50));
        }
      },
      "groups",
    );
    test(
      "subscribers of one group share its messages",
      async ({ port }) => {
        const [one, two] = [collector(() => pause(1)), collector(() => pause(1))];
        await port.subscribe(TOPIC, "g", { ...ALL, concurrency: 2 }, one.handler);
        await port.subscribe(TOPIC, "g", { ...ALL, concurrency: 2 }, two.handler);
        await publishAll(port, 0, 100);
        await eventually(() => one.seen.length + two.seen.length >= 100, "a hundred deliveries");
        expect(sorted([...one.ids(), ...two.ids()])).toEqual(names(0, 100));
        expect(one.seen.length + two.seen.length).toBe(100);
        expect(Math.min(one.seen.length, two.seen.length)).toBeGreaterThan(0);
      },
      "groups",
    );
    test(
      "when one subscriber of a group ends, the other goes on",
      async ({ port }) => {
        const [one, two] = [collector(), collector()];
        const first = await port.subscribe(TOPIC, "g", ALL, one.handler);
        await port.subscribe(TOPIC, "g", ALL, two.handler);
        await first.close();
        await publishAll(port, 0, 20);
        await two.count(20);
        expect(one.seen).toHaveLength(0);
      },
      "groups",
    );
    test(
      "a slow group does not hold up another",
      async ({ port }) => {
        const stuck = gate();
        await port.subscribe(TOPIC, "slow", ALL, () => stuck.passed);
        const got = collector();
        await port.subscribe(TOPIC, "fast", ALL, got.handler);
        await publishAll(port, 0, 300);
        await got.count(300);
        stuck.open();
      },
      "groups",
    );
    test(
      "a known group goes on where it was, whatever `from` says",
      async ({ port }) => {
        const first = collector();
        const subscription = await port.subscribe(TOPIC, "g", ALL, first.handler);
        await publishAll(port, 0, 5);
        await first.count(5);
        await subscription.close();
        await publishAll(port, 5, 10);
        const second = collector();
        await port.subscribe(TOPIC, "g", { ...ALL, from: "new" }, second.handler);
        await second.count(5);
        await pause(50);
        expect(sorted(second.ids())).toEqual(names(5, 10));
      },
      "groups",
    );

    // ── failures and waits ──
    test("a handler that throws gets the message again after about a second, as attempt 2", async ({ port }) => {
      const times: number[] = [];
      const got = collector((delivery) => {
        times.push(performance.now());
        if (delivery.attempt === 1) throw new Error("not now");
      });
      await port.subscribe(TOPIC, "g", ALL, got.handler);
      await port.publish(TOPIC, envelope(1));
      await got.count(2);
      expect(got.seen[1]?.attempt).toBe(2);
      expect(got.seen[1]?.firstAttemptAt).toBe(got.seen[0]?.firstAttemptAt);
      expect((times[1] ?? 0) - (times[0] ?? 0)).toBeGreaterThan(900);
    });
    test("Redeliver says when, and not before", async ({ port }) => {
      const times: number[] = [];
      const got = collector((delivery) => {
        times.push(performance.now());
        if (delivery.attempt < 3) throw new Redeliver(120);
      });
      await port.subscribe(TOPIC, "g", ALL, got.handler);
      await port.publish(TOPIC, envelope(1));
      await got.count(3);
      expect(got.seen.map((delivery) => delivery.attempt)).toEqual([1, 2, 3]);
      for (const i of [1, 2]) expect((times[i] ?? 0) - (times[i - 1] ?? 0)).toBeGreaterThan(110);
    });
    test("Redeliver with sameAttempt is not counted", async ({ port }) => {
      let left = 3;
      const got = collector(() => {
        if (left-- > 0) throw new Redeliver(5, true);
      });
      await port.subscribe(TOPIC, "g", ALL, got.handler);
      await port.publish(TOPIC, envelope(1));
      await got.count(4);
      expect(got.seen.map((delivery) => delivery.attempt)).toEqual([1, 1, 1, 1]);
    });
    test("a handler that throws before it returns a promise is a failure like any other", async ({ port }) => {
      const got = collector();
      let first = true;
      await port.subscribe(TOPIC, "g", ALL, (delivery) => {
        if (!first) return got.handler(delivery);
        first = false;
        throw new Redeliver(5);
      });
      await port.publish(TOPIC, envelope(1));
      await got.count(1);
    });
    test("while one message waits, others of the group flow", async ({ port }) => {
      const got = collector(({ envelope: { id } }) => {
        if (id === "m-0") throw new Redeliver(60_000);
      });
      const subscription = await port.subscribe(TOPIC, "g", ALL, got.handler);
      await publishAll(port, 0, 200);
      await got.count(200);
      await eventually(async () => (await subscription.state()).lag === 1, "one message left");
      expect(await subscription.state()).toMatchObject({ waiting: 1, lag: 1, inFlight: 0 });
    });
    test(
      "a wait survives a restart and is not cut short by it",
      async ({ port, restart }) => {
        const got = collector(() => {
          throw new Redeliver(4_000);
        });
        await port.subscribe(TOPIC, "g", ALL, got.handler);
        const began = performance.now();
        await port.publish(TOPIC, envelope(1));
        await got.count(1);
        await pause(50);
        const again = await restart();
        const after = collector();
        await again.subscribe(TOPIC, "g", ALL, after.handler);
        await pause(100);
        expect(after.seen).toHaveLength(0);
        await after.count(1);
        expect(performance.now() - began).toBeGreaterThan(3_950);
        expect(after.seen[0]).toMatchObject({ attempt: 2, firstAttemptAt: got.seen[0]?.firstAttemptAt });
      },
      "durable-wait",
    );
    test(
      "a wait that ended while the bus was down is delivered at once",
      async ({ port, restart }) => {
        const got = collector(() => {
          throw new Redeliver(50);
        });
        const subscription = await port.subscribe(TOPIC, "g", { ...ALL, concurrency: 1 }, got.handler);
        await port.publish(TOPIC, envelope(1));
        await got.count(1);
        await subscription.close();
        await pause(60);
        const after = collector();
        await (await restart()).subscribe(TOPIC, "g", ALL, after.handler);
        await after.count(1);
        expect(after.seen[0]?.attempt).toBeGreaterThanOrEqual(2);
      },
      "durable-wait",
    );
    test("a hundred waits come back, each once", async ({ port }) => {
      const got = collector((delivery) => {
        if (delivery.attempt === 1) throw new Redeliver(20 + (delivery.position % 50));
      });
      const subscription = await port.subscribe(TOPIC, "g", ALL, got.handler);
      await publishAll(port, 0, 100);
      await got.count(200);
      await drained(subscription);
      expect(got.seen).toHaveLength(200);
      expect(sorted(got.seen.filter((delivery) => delivery.attempt === 2).map((delivery) => delivery.envelope.id))).toEqual(names(0, 100));
    });

    // ── order per key ──
    const keyed = (n: number): Partial<Envelope> => ({ key: `k${n % 5}` });
    test(
      "messages of one key go one at a time, in order",
      async ({ port }) => {
        const running = new Set<string | undefined>();
        let overlap = 0;
        const got = collector(async ({ envelope: { key } }) => {
          if (running.has(key)) overlap++;
          running.add(key);
          await pause(Math.random() * 3);
          running.delete(key);
        });
        await port.subscribe(TOPIC, "g", ORDERED, got.handler);
        await publishInOrder(
          port,
          Array.from({ length: 100 }, (_, n) => envelope(n, keyed(n))),
        );
        await got.count(100);
        expect(overlap).toBe(0);
        for (let key = 0; key < 5; key++) {
          const order = got.seen.filter((delivery) => delivery.envelope.key === `k${key}`).map((delivery) => delivery.position);
          expect(order).toEqual([...order].sort((a, b) => a - b));
        }
      },
      "ordered",
    );
    test(
      "different keys go side by side",
      async ({ port }) => {
        const stuck = gate();
        const got = collector(({ envelope: { key } }) => (key === "k0" ? stuck.passed : undefined));
        await publishInOrder(
          port,
          Array.from({ length: 50 }, (_, n) => envelope(n, keyed(n))),
        );
        await port.subscribe(TOPIC, "g", ORDERED, got.handler);
        await got.count(41);
        expect(got.seen.filter((delivery) => delivery.envelope.key === "k0")).toHaveLength(1);
        stuck.open();
        await got.count(50);
      },
      "ordered",
    );
    test(
      "messages without a key are not held by each other",
      async ({ port }) => {
        const stuck = gate();
        const got = collector(({ envelope: { id } }) => (id === "m-0" ? stuck.passed : undefined));
        await publishInOrder(
          port,
          Array.from({ length: 20 }, (_, n) => envelope(n)),
        );
        await port.subscribe(TOPIC, "g", ORDERED, got.handler);
        await got.count(20);
        stuck.open();
      },
      "ordered",
    );
    test(
      "a head that waits blocks its key only, and visibly",
      async ({ port }) => {
        const got = collector(({ envelope: { id }, attempt }) => {
          if (id === "m-0" && attempt === 1) throw new Redeliver(2_000);
        });
        await publishInOrder(
          port,
          Array.from({ length: 50 }, (_, n) => envelope(n, keyed(n))),
        );
        const subscription = await port.subscribe(TOPIC, "g", ORDERED, got.handler);
        await got.count(41);
        await eventually(async () => (await subscription.state()).lag === 10, "only the blocked key is left");
        expect(await subscription.state()).toMatchObject({ blockedKeys: 1, waiting: 1, lag: 10 });
        await got.count(51);
        await drained(subscription);
        expect((await subscription.state()).blockedKeys).toBe(0);
        const order = got.seen.filter((delivery) => delivery.envelope.key === "k0").map((delivery) => delivery.envelope.id);
        expect(order).toEqual(["m-0", ...Array.from({ length: 10 }, (_, n) => `m-${n * 5}`)]);
      },
      "ordered",
    );
    test(
      "a blocked key stays blocked over a restart, and keeps its order",
      async ({ port, restart }) => {
        const before = collector(({ envelope: { key } }) => {
          if (key === "k0") throw new Redeliver(2_500);
        });
        await publishInOrder(
          port,
          Array.from({ length: 30 }, (_, n) => envelope(n, keyed(n))),
        );
        await port.subscribe(TOPIC, "g", ORDERED, before.handler);
        await before.count(25);
        const again = await restart();
        const after = collector();
        const subscription = await again.subscribe(TOPIC, "g", ORDERED, after.handler);
        await pause(30);
        expect(await subscription.state()).toMatchObject({ blockedKeys: 1, lag: 6 });
        await after.count(6);
        expect(after.ids()).toEqual(["m-0", "m-5", "m-10", "m-15", "m-20", "m-25"]);
        expect(after.seen[0]?.attempt).toBe(2);
      },
      "ordered",
    );
    test(
      "two thousand messages of one key keep their order",
      async ({ port }) => {
        const got = collector();
        await publishAll(port, 0, 2_000, () => ({ key: "one" }));
        await port.subscribe(TOPIC, "g", ORDERED, got.handler);
        await got.count(2_000);
        const order = got.seen.map((delivery) => delivery.position);
        expect(order).toEqual([...new Set(order)].sort((a, b) => a - b));
      },
      "ordered",
    );

    // ── state and pause ──
    test("state tells floor, lag and what is in flight", async ({ port }) => {
      const stuck = gate();
      const got = collector(() => stuck.passed);
      await publishAll(port, 0, 10);
      const subscription = await port.subscribe(TOPIC, "g", { ...ALL, concurrency: 3 }, got.handler);
      await got.count(3);
      const lowest = Math.min(...got.seen.map((delivery) => delivery.position));
      expect(await subscription.state()).toEqual({ floor: lowest, lag: 10, inFlight: 3, waiting: 0, blockedKeys: 0 });
      stuck.open();
      await drained(subscription);
      const highest = Math.max(...got.seen.map((delivery) => delivery.position));
      expect((await subscription.state()).floor).toBeGreaterThan(highest);
    });
    test("the floor stands at the oldest unfinished message while newer ones are done", async ({ port }) => {
      const stuck = gate();
      const got = collector(({ envelope: { id } }) => (id === "m-3" ? stuck.passed : undefined));
      await publishInOrder(
        port,
        Array.from({ length: 40 }, (_, n) => envelope(n)),
      );
      const subscription = await port.subscribe(TOPIC, "g", ALL, got.handler);
      await got.count(40);
      await eventually(async () => (await subscription.state()).lag === 1, "one message left");
      expect((await subscription.state()).floor).toBe(got.seen.find((delivery) => delivery.envelope.id === "m-3")?.position);
      stuck.open();
    });
    test("a paused subscription gets nothing, and goes on where it was", async ({ port }) => {
      const got = collector();
      const subscription = await port.subscribe(TOPIC, "g", ALL, got.handler);
      subscription.pause(true);
      await publishAll(port, 0, 20);
      await pause(100);
      expect(got.seen).toHaveLength(0);
      expect((await subscription.state()).lag).toBe(20);
      subscription.pause(false);
      await got.count(20);
    });
    test("a backlog of twenty thousand is counted and drained", async ({ port }) => {
      await publishAll(port, 0, 20_000);
      const got = collector();
      const subscription = await port.subscribe(TOPIC, "g", { ...ALL, concurrency: 1 }, got.handler);
      subscription.pause(true);
      const { lag } = await subscription.state();
      expect(lag + got.seen.length).toBe(20_000);
      subscription.pause(false);
      await got.count(20_000, MUCH);
      await drained(subscription, MUCH);
      expect(new Set(got.ids()).size).toBe(20_000);
    });

    // ── end and restart ──
    test("close waits for running handlers", async ({ port }) => {
      let done = false;
      const got = collector(async () => {
        await pause(100);
        done = true;
      });
      const subscription = await port.subscribe(TOPIC, "g", ALL, got.handler);
      await port.publish(TOPIC, envelope(1));
      await got.count(1);
      await subscription.close();
      expect(done).toBe(true);
    });
    test("close while the window is full of messages hands out no more", async ({ port }) => {
      const got = collector(() => pause(20));
      await publishAll(port, 0, 200);
      const subscription = await port.subscribe(TOPIC, "g", { ...ALL, concurrency: 2 }, got.handler);
      await got.count(2);
      await subscription.close();
      const count = got.seen.length;
      await pause(60);
      expect(got.seen).toHaveLength(count);
    });
    test("what was not finished comes again to the next subscriber, the rest does not", async ({ port }) => {
      const first = collector(() => pause(5));
      await publishAll(port, 0, 100);
      const subscription = await port.subscribe(TOPIC, "g", { ...ALL, concurrency: 2 }, first.handler);
      await first.count(10);
      await subscription.close();
      const second = collector();
      await port.subscribe(TOPIC, "g", ALL, second.handler);
      await second.count(100 - first.seen.length);
      await pause(50);
      expect(sorted([...first.ids(), ...second.ids()])).toEqual(names(0, 100));
      expect(first.seen.length + second.seen.length).toBe(100);
    });
    test(
      "acknowledgements are durable on close: after a restart nothing finished comes again",
      async ({ port, restart }) => {
        const first = collector();
        const subscription = await port.subscribe(TOPIC, "g", ALL, first.handler);
        await publishAll(port, 0, 50);
        await first.count(50);
        await drained(subscription);
        const again = await restart();
        const second = collector();
        await again.subscribe(TOPIC, "g", ALL, second.handler);
        await again.publish(TOPIC, envelope(50));
        await second.count(1);
        await pause(50);
        expect(second.ids()).toEqual(["m-50"]);
      },
      "restart",
    );
    test(
      "published messages survive a restart before anybody subscribed",
      async ({ port, restart }) => {
        await publishAll(port, 0, 100);
        const got = collector();
        await (await restart()).subscribe(TOPIC, "g", ALL, got.handler);
        await got.count(100);
        expect(sorted(got.ids())).toEqual(names(0, 100));
      },
      "restart",
    );
    test("a subscription's close is idempotent", async ({ port }) => {
      const subscription = await port.subscribe(TOPIC, "g", ALL, () => Promise.resolve());
      await Promise.all([subscription.close(), subscription.close()]);
      await subscription.close();
    });
    test("the transport's close ends its subscriptions and refuses what comes after", async ({ port }) => {
      const got = collector();
      await port.subscribe(TOPIC, "g", ALL, got.handler);
      await Promise.all([port.close(), port.close()]);
      expect(await codeOf(port.publish(TOPIC, envelope(1)))).toBe("bus-stopping");
      expect(await codeOf(port.subscribe(TOPIC, "g", ALL, got.handler))).toBe("bus-stopping");
    });

    // ── request and reply ──
    test(
      "a request gets its responder's answer",
      async ({ port }) => {
        await port.respond("ask", (question) => Promise.resolve(envelope(2, { causationId: question.id })));
        expect(await port.request("ask", envelope(1), 1_000)).toMatchObject({ id: "m-2", causationId: "m-1" });
      },
      "request",
    );
    test(
      "a request that nobody answers fails as unreachable",
      async ({ port }) => {
        expect(await codeOf(port.request("nobody", envelope(1), 200))).toBe("endpoint-unreachable");
      },
      "request",
    );
    test(
      "a request whose answer is late fails in time",
      async ({ port }) => {
        const stuck = gate();
        await port.respond("ask", () => stuck.passed.then(() => envelope(2)));
        const began = performance.now();
        expect(await codeOf(port.request("ask", envelope(1), 100))).toBe("attempt-timeout");
        expect(performance.now() - began).toBeLessThan(3_000);
        stuck.open();
      },
      "request",
    );
    test(
      "a responder's failure reaches the requester with its code",
      async ({ port }) => {
        await port.respond("ask", () => Promise.reject(new BusError("provider-fault", "no such person")));
        expect(await codeOf(port.request("ask", envelope(1), 1_000))).toBe("provider-fault");
      },
      "request",
    );
    test(
      "a hundred requests at once get each its own answer",
      async ({ port }) => {
        await port.respond("ask", async (question) => {
          await pause(Math.random() * 10);
          return envelope(0, { id: `re ${question.id}` });
        });
        const answers = await Promise.all(Array.from({ length: 100 }, (_, n) => port.request("ask", envelope(n), 5_000)));
        expect(answers.map((answer) => answer.id)).toEqual(Array.from({ length: 100 }, (_, n) => `re m-${n}`));
      },
      "request",
    );
    test(
      "a responder that closed is asked no more",
      async ({ port }) => {
        const responder = await port.respond("ask", () => Promise.resolve(envelope(2)));
        await responder.close();
        expect(await codeOf(port.request("ask", envelope(1), 200))).toBe("endpoint-unreachable");
      },
      "request",
    );
  });
}
