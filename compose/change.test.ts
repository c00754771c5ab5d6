/** A deployment that changes its transport loses nothing and does nothing twice; where that cannot be, it does not start and says what to do. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Broker } from "#bus/broker.ts";
import { Redeliver, type Delivery, type Journal, type Store } from "#bus/ports.ts";
import { readSettings } from "#config/settings.ts";
import { eventually } from "#test/conformance/cases.ts";
import { createBrokerDisk, createMemoryBroker, type BrokerDisk } from "#test/harness/memory-broker.ts";
import { createMemoryDisk, createMemoryJournal, createMemoryStore } from "#test/harness/memory.ts";
import { systemClock } from "./clock.ts";
import { openEngines, OPENERS, type Engines } from "./engines.ts";

const TOPIC = "mbus.test.thing.v1";
const HOUR = 3_600_000;
const PATIENCE = 60_000;
type Name = "embedded" | "nats" | "amqp";

let dataDir = "";
let servers: Record<"nats" | "amqp", BrokerDisk>;
const open: Engines[] = [];
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), "mbus-change-"));
  servers = { nats: createBrokerDisk(), amqp: createBrokerDisk() };
});
afterEach(async () => {
  for (const engines of open.splice(0)) await engines.close();
  rmSync(dataDir, { recursive: true, force: true });
});

type Shared = Readonly<{ journal: Journal; store: Store }>;

async function start(transport: Name, node = "a", shared?: Shared): Promise<Engines> {
  const env = { MBUS_NODE: node, MBUS_TRANSPORT: transport, NATS_URL: "nats://127.0.0.1", AMQP_URL: "amqp://127.0.0.1" };
  const broker = async (): Promise<Broker | undefined> =>
    transport === "embedded" ? undefined : { ...createMemoryBroker(servers[transport]), name: transport };
  const retain = () => Promise.resolve({ records: 0, blobs: 0 });
  const close = () => Promise.resolve();
  const base = shared && (async () => ({ ...shared, retain, hazards: () => Promise.resolve([]), close }));
  const engines = await openEngines(
    {
      settings: readSettings(env),
      dataDir,
      clock: systemClock,
      accept: () => Promise.resolve(),
      onGivenUp: () => undefined,
      onError: (error, where) => console.error(where, error),
    },
    { ...OPENERS, broker, ...(base && { base }) },
  );
  open.push(engines);
  return engines;
}

const envelope = (n: number) => ({
  id: `m-${n}`,
  source: "a/b",
  type: TOPIC,
  time: n,
  key: `k-${n % 7}`,
  correlationId: `m-${n}`,
  contract: "test.thing.v1",
  call: {},
  headers: {},
  body: Uint8Array.of(n),
});
const numberOf = ({ envelope: { id } }: Delivery): number => Number(id.slice(2));
const numbers = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, n) => from + n);
const sorted = (given: readonly number[]): number[] => given.toSorted((a, b) => a - b);

async function publish({ transport }: Engines, from: number, to: number): Promise<void> {
  for (const n of numbers(from, to)) await transport.publish(TOPIC, envelope(n));
}

/** Takes messages and keeps their numbers and attempts. What `waits` names comes again in an hour. */
async function take({ transport }: Engines, waits: (n: number) => boolean = () => false) {
  const done: number[] = [];
  const attempts = new Map<number, number>();
  const options = { concurrency: 3, ordered: true, from: "new" } as const;
  const subscription = await transport.subscribe(TOPIC, "r/b", options, async (delivery) => {
    const n = numberOf(delivery);
    attempts.set(n, delivery.attempt);
    if (waits(n)) throw new Redeliver(HOUR);
    done.push(n);
  });
  const until = (count: number): Promise<void> =>
    eventually(() => done.length >= count, `${count} done; ${sorted(done).join(" ")}`, PATIENCE);
  const waiting = (count: number): Promise<void> =>
    eventually(async () => (await subscription.state()).waiting === count, `${count} waiting`, PATIENCE);
  const idle = (): Promise<void> => eventually(async () => (await subscription.state()).lag === 0, "no lag", PATIENCE);
  return { done, attempts, subscription, until, waiting, idle };
}

async function stop(engines: Engines): Promise<void> {
  open.splice(open.indexOf(engines), 1);
  await engines.close();
}

/** What a first engine leaves: 0 to 19 are taken, 4 waits for its time with 11 and 18 of its key behind it, 20 to 29 nobody took. */
async function leave(first: Name): Promise<void> {
  const before = await start(first);
  const taker = await take(before, (n) => n === 4);
  await publish(before, 0, 20);
  await taker.until(17);
  await taker.waiting(1);
  await taker.subscription.close();
  await publish(before, 20, 30);
  await stop(before);
}
const LEFT = [4, 11, 18, ...numbers(20, 30)];

describe("a change of transport", () => {
  it.each([
    ["embedded", "nats"],
    ["nats", "amqp"],
    ["amqp", "nats"],
  ] as const)(
    "from %s to %s goes on with what was not finished: nothing is lost, nothing is done twice, attempts and waits stay",
    async (first, second) => {
      await leave(first);
      const after = await start(second);
      const taker = await take(after);
      await taker.until(8); // 20 to 29 without 25, which stands behind 4
      await publish(after, 30, 40);
      await taker.until(17);
      const [due] = (await taker.subscription.state()).waiting === 1 ? ["waits"] : [];
      expect(due).toBe("waits");
      expect(sorted(taker.done)).toEqual([...numbers(20, 40)].filter((n) => n % 7 !== 4));
      expect((await taker.subscription.state()).lag).toBe(LEFT.length + 10 - taker.done.length);
      const { records } = await after.journal.find({ step: "act" });
      expect(records.map(({ detail }) => detail)).toEqual(
        first === "embedded" ? [] : [`messages are moved by ${second} from now on, by ${first} before`],
      );
    },
  );

  it("from embedded counts the attempts that were made, and comes to the waits in their time", async () => {
    const before = await start("embedded");
    const once = await take(before, (n) => n === 0);
    await publish(before, 0, 1);
    await once.waiting(1);
    await stop(before);
    const after = await start("nats");
    const documents = await after.store.collection<{ attempts: number; due: number }>("parked");
    const [parked] = await documents.find();
    expect(parked?.value).toMatchObject({ position: 1, key: "k-0", attempts: 1 });
    expect(parked?.value.due).toBeGreaterThan(Date.now() + HOUR / 2);
    if (parked) await documents.update(parked.id, parked.version, { ...parked.value, due: 1 });
    const taker = await take(after);
    await taker.until(1);
    expect(taker.attempts.get(0)).toBe(2);
    await taker.idle();
  });

  it("back to embedded is refused while messages are unfinished, says what to do, and changes nothing", async () => {
    await leave("nats");
    await expect(start("embedded")).rejects.toMatchObject({
      code: "configuration",
      message:
        "MBUS_TRANSPORT=embedded, but messages that nats moved are not finished: start with MBUS_TRANSPORT=nats until `mbus status` shows no lag and no waits, then change it",
    });
    const again = await start("nats");
    const taker = await take(again);
    await taker.until(8);
    expect(sorted(taker.done)).toEqual(numbers(20, 30).filter((n) => n % 7 !== 4));
  });

  it("back to embedded when all is finished begins there, and to a broker again: each message is done once", async () => {
    const seen: number[] = [];
    let from = 0;
    for (const name of ["embedded", "nats", "embedded", "amqp", "nats", "embedded"] as const) {
      const engines = await start(name);
      const taker = await take(engines);
      await publish(engines, from, from + 10);
      await taker.until(10);
      await taker.idle();
      seen.push(...taker.done);
      from += 10;
      await taker.subscription.close();
      await stop(engines);
    }
    expect(sorted(seen)).toEqual(numbers(0, 60));
  });

  it("to another broker is refused while a process of the cluster runs on the old one, and goes when that one stopped", async () => {
    const disk = createMemoryDisk();
    const shared = { journal: { ...createMemoryJournal({ disk }), writers: "many" as const }, store: createMemoryStore(disk) };
    const old = await start("nats", "a", shared);
    await expect(start("amqp", "b", shared)).rejects.toThrow(
      "MBUS_TRANSPORT=amqp, but a of this deployment still run on nats: stop all processes, then start them all with amqp",
    );
    await publish(old, 0, 3);
    await stop(old);
    await start("amqp", "b", shared);
    await expect(start("nats", "a", shared)).rejects.toThrow("still run on amqp");
  }, 90_000);
});
