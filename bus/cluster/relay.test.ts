/** From journal to broker: nothing is left out, whoever appends, restarts, gains a partition or refuses, and the chain names what was before. */
import { describe, expect, it } from "vitest";
import type { Carried } from "#bus/broker.ts";
import type { Envelope } from "#bus/envelope.ts";
import { BusError } from "#bus/errors.ts";
import type { JournalRecord } from "#bus/journal/record.ts";
import type { Journal } from "#bus/ports.ts";
import { createMemoryBroker, type MemoryBroker } from "#test/harness/memory-broker.ts";
import { createMemoryDisk, createMemoryJournal, createMemoryStore } from "#test/harness/memory.ts";
import { createVirtualClock } from "#test/harness/virtual-clock.ts";
import { partitionOf } from "./partition.ts";
import { startRelay, type Relay } from "./relay.ts";

const TOPIC = "mbus.test.thing.v1";

const envelope = (id: string): Envelope => ({
  id,
  source: "a/b",
  type: TOPIC,
  time: 1,
  correlationId: id,
  contract: "test.thing.v1",
  call: {},
  headers: {},
  body: Uint8Array.of(1),
});

const published = (id: string, topic = TOPIC): JournalRecord => ({
  step: "accepted",
  outcome: "ok",
  time: 1,
  id,
  correlationId: id,
  topic,
  envelope: envelope(id),
});

/** A row that is no publication lies between messages, as in life. */
const row = (id: string): JournalRecord => ({ step: "delivered", outcome: "ok", time: 1, id, correlationId: id });

/** Journal and store that last, a broker that writes down what it got, and relays over them. */
function world(partitions = 1) {
  const disk = createMemoryDisk();
  const clock = createVirtualClock(1_000);
  const sent: (Carried & { partition: number; topic: string })[] = [];
  const errors: string[] = [];
  const honest: MemoryBroker = createMemoryBroker();
  let refuses = false;
  let reading: Promise<void> | undefined;
  const inner = createMemoryJournal({ disk });
  const journal: Journal = {
    ...inner,
    async read(from, limit, only) {
      const page = await inner.read(from, limit, only);
      await reading; // the answer is on its way
      return page;
    },
  };
  const open = async (writers: "one" | "many" = "one"): Promise<Relay> =>
    startRelay({
      broker: {
        ...honest,
        async send(topic, partition, message) {
          await honest.send(topic, partition, message);
          if (refuses) throw new BusError("transport-unavailable", "the broker is away");
          sent.push({ ...message, topic, partition });
        },
      },
      journal: { ...journal, writers },
      store: createMemoryStore(disk),
      clock,
      partitions,
      onError: (error) => errors.push(String(error)),
    });
  return {
    disk,
    clock,
    sent,
    errors,
    open,
    append: async (records: readonly JournalRecord[], relay?: Relay): Promise<void> => {
      const appended = await inner.append(records);
      relay?.appended(
        records,
        appended.map(({ position }) => position),
      );
    },
    refuse: (next: boolean): void => {
      refuses = next;
    },
    /** Answers of the journal's reads are held until the given promise resolves. */
    hold: (until: Promise<void> | undefined): void => {
      reading = until;
    },
    ids: (): readonly string[] => sent.map((message) => message.envelope.id),
    cursor: (partition = 0): unknown => disk.documents.get("relay")?.get(`partition ${partition}`)?.value,
  };
}

const names = (count: number, start = 0): readonly string[] => Array.from({ length: count }, (_, n) => `m-${start + n}`);

/** Every message names the one before it of its topic and partition. */
function chained(sent: readonly (Carried & { partition: number; topic: string })[]): void {
  const last = new Map<string, number>();
  for (const { topic, partition, position, after } of sent) {
    const line = `${topic} ${partition}`;
    expect(after, `of position ${position}`).toBe(last.get(line) ?? 0);
    last.set(line, position);
  }
}

describe("the relay", () => {
  it("sends what the journal holds with a topic, in order, each naming the one before", async () => {
    const { append, open, clock, ids, sent } = world();
    await append([published("a"), row("a"), published("b"), row("b"), published("c")]);
    const relay = await open();
    await relay.gained(0);
    await clock.advance(1_000);
    expect(ids()).toEqual(["a", "b", "c"]);
    expect(sent.map(({ position, after }) => [position, after])).toEqual([
      [1, 0],
      [3, 1],
      [5, 3],
    ]);
    expect(relay.last(TOPIC, 0)).toEqual({ position: 5, count: 3 });
    expect(relay.idle(TOPIC, 0)).toBe(true);
    await clock.until(relay.close());
  });

  it("sends nothing of a partition that it does not own", async () => {
    const { append, open, clock, sent } = world(4);
    await append(names(40).map((id) => published(id)));
    const relay = await open();
    await relay.gained(2);
    await clock.advance(1_000);
    const own = names(40).filter((id) => partitionOf(envelope(id), 4) === 2);
    expect(sent.map((message) => message.envelope.id)).toEqual(own);
    expect(own.length).toBeGreaterThan(2);
    chained(sent);
    await clock.until(relay.close());
  });

  it("keeps a chain for each topic", async () => {
    const { append, open, clock, sent } = world();
    await append(names(12).map((id, n) => published(id, n % 3 === 0 ? "one" : "two")));
    const relay = await open();
    await relay.gained(0);
    await clock.advance(1_000);
    chained(sent);
    expect(relay.last("one", 0).count).toBe(4);
    expect(relay.last("two", 0).count).toBe(8);
    await clock.until(relay.close());
  });

  it("goes on at its cursor after a restart, with the chain and the count it had", async () => {
    const { append, open, clock, sent, ids } = world();
    await append(names(10).map((id) => published(id)));
    const first = await open();
    await first.gained(0);
    await clock.advance(2_000);
    await clock.until(first.close());
    await append(names(5, 10).map((id) => published(id)));
    const second = await open();
    await second.gained(0);
    expect(second.last(TOPIC, 0)).toEqual({ position: 10, count: 10 });
    await clock.advance(1_000);
    expect(ids()).toEqual(names(15));
    chained(sent);
    expect(second.last(TOPIC, 0)).toEqual({ position: 15, count: 15 });
    await clock.until(second.close());
  });

  it("after a crash sends again what its cursor did not cover, and nothing is left out", async () => {
    const { append, open, clock, ids } = world();
    await append(names(5).map((id) => published(id)));
    const first = await open();
    await first.gained(0);
    await clock.settle(); // sent, and the cursor not written yet
    expect(ids()).toEqual(names(5));
    const second = await open(); // the first is never closed
    await second.gained(0);
    await clock.advance(50);
    expect(ids()).toEqual([...names(5), ...names(5)]);
    await clock.until(Promise.all([first.close(), second.close()]));
  });

  it("does not move its cursor past what the broker has not confirmed", async () => {
    const { append, open, clock, refuse, cursor, ids, errors, sent } = world();
    const relay = await open();
    await relay.gained(0);
    await append(
      names(3).map((id) => published(id)),
      relay,
    );
    await clock.advance(2_000);
    expect(cursor()).toMatchObject({ cursor: 3 });
    refuse(true);
    await append(
      names(4, 3).map((id) => published(id)),
      relay,
    );
    await clock.advance(60_000);
    expect(cursor()).toMatchObject({ cursor: 3, last: { [TOPIC]: [3, 3] } });
    expect(errors.length).toBeGreaterThan(0);
    refuse(false);
    await clock.advance(10_000);
    expect(ids()).toEqual(names(7));
    chained(sent);
    expect(cursor()).toMatchObject({ cursor: 7, last: { [TOPIC]: [7, 7] } });
    await clock.until(relay.close());
  });

  it.each(["one", "many"] as const)("skips nothing when appends race with its reading, with %s writing", async (writers) => {
    const { append, open, clock, ids, sent } = world();
    await append(names(30).map((id) => published(id)));
    const relay = await open(writers);
    const gaining = relay.gained(0);
    for (let n = 30; n < 130; n++) {
      await append([published(`m-${n}`), row(`m-${n}`)], relay);
      if (n % 7 === 0) await clock.advance(n % 3);
    }
    await gaining;
    await clock.advance(2_000);
    expect(ids()).toEqual(names(130));
    chained(sent);
    await clock.until(relay.close());
  });

  it("finds what another process appended without being told", async () => {
    const { append, open, clock, ids } = world();
    const relay = await open("many");
    await relay.gained(0);
    await clock.advance(1_000);
    await append([published("a"), published("b")]);
    await clock.advance(1_000);
    expect(ids()).toEqual(["a", "b"]);
    await clock.until(relay.close());
  });

  it("misses nothing of a partition gained while it reads further on", async () => {
    const { append, open, clock, disk, sent, hold } = world(2);
    const all = names(60);
    const late = partitionOf(envelope("m-0"), 2);
    await append(all.map((id) => published(id)));
    const ready = await open();
    await ready.gained(1 - late); // partition `late` was not worked on
    await clock.advance(2_000);
    await clock.until(ready.close());
    sent.length = 0;
    await append(names(10, 60).map((id) => published(id)));
    const relay = await open();
    let answer: (() => void) | undefined;
    hold(new Promise<void>((resolve) => (answer = resolve)));
    await relay.gained(1 - late);
    await clock.settle(); // it asks for what comes after that partition's cursor
    await relay.gained(late);
    hold(undefined);
    answer?.();
    await clock.advance(2_000);
    const mine = sent.filter((message) => message.partition === late).map((message) => message.envelope.id);
    expect(mine).toEqual(names(70).filter((id) => partitionOf(envelope(id), 2) === late));
    expect(disk.records).toHaveLength(70);
    chained(sent.filter((message) => message.partition === late));
    await clock.until(relay.close());
  });

  it("is not live by an answer that was asked before a partition came", async () => {
    const { append, open, clock, sent, hold } = world(2);
    const late = partitionOf(envelope("m-0"), 2);
    await append(names(20).map((id) => published(id)));
    const relay = await open();
    await relay.gained(1 - late);
    await clock.advance(2_000);
    await append([row("x")], relay);
    let answer: (() => void) | undefined;
    hold(new Promise<void>((resolve) => (answer = resolve)));
    await clock.until(relay.close());
    const next = await open();
    await next.gained(1 - late);
    await clock.settle();
    await next.gained(late);
    hold(undefined);
    answer?.();
    await clock.advance(1_000);
    await append([published("m-20"), published("m-21"), published("m-22")], next);
    await clock.advance(1_000);
    const mine = sent.filter((message) => message.partition === late).map((message) => message.envelope.id);
    expect(mine).toEqual(names(23).filter((id) => partitionOf(envelope(id), 2) === late));
    await clock.until(next.close());
  });

  it("sends again from where it is asked to, and then what is new", async () => {
    const { append, open, clock, ids } = world();
    const relay = await open();
    await relay.gained(0);
    await append(
      names(6).map((id) => published(id)),
      relay,
    );
    await clock.advance(1_000);
    relay.rewind(TOPIC, 0, 4);
    await append([published("m-6")], relay);
    await clock.advance(1_000);
    expect(ids()).toEqual([...names(6), "m-4", "m-5", "m-6"]);
    await clock.until(relay.close());
  });

  it("holds back what it reads while the broker takes nothing, and sends all of it after", async () => {
    const { append, open, clock, refuse, ids, sent } = world();
    refuse(true);
    const relay = await open();
    await relay.gained(0);
    const count = 3_000;
    await append(
      names(count).map((id) => published(id)),
      relay,
    );
    await clock.advance(30_000);
    expect(ids()).toEqual([]);
    expect(relay.last(TOPIC, 0).count).toBeLessThanOrEqual(count);
    expect(relay.idle(TOPIC, 0)).toBe(false);
    refuse(false);
    await clock.advance(30_000);
    expect(new Set(ids())).toEqual(new Set(names(count)));
    expect(relay.last(TOPIC, 0).count).toBe(count);
    chained(sent);
    await clock.until(relay.close());
  }, 60_000);

  it("counts the messages of a partition up to any position, whatever it has sent so far", async () => {
    const { append, open, clock } = world(2);
    await append(names(60).flatMap((id) => [published(id), row(id)]));
    const relay = await open();
    await relay.gained(1);
    const own = names(60).flatMap((id, at) => (partitionOf(envelope(id), 2) === 1 ? [at * 2 + 1] : []));
    const upTo = (position: number): number => own.filter((one) => one <= position).length;
    expect(await relay.countAt(TOPIC, 1, 70)).toBe(upTo(70)); // before anything was sent
    await clock.advance(1_000);
    for (const position of [0, 1, 17, 60, 119, 120, 500]) expect(await relay.countAt(TOPIC, 1, position)).toBe(upTo(position));
    await clock.until(relay.close());
  });

  it("goes on writing its cursor after somebody else wrote it, and never back", async () => {
    const { append, open, clock, cursor, disk } = world();
    const relay = await open();
    await relay.gained(0);
    await append([published("a")], relay);
    await clock.advance(1_000);
    const documents = disk.documents.get("relay");
    const known = documents?.get("partition 0");
    if (known) documents?.set("partition 0", { ...known, version: known.version + 1 }); // a write whose answer was lost
    await append([published("b"), published("c")], relay);
    await clock.advance(2_000);
    expect(cursor()).toMatchObject({ cursor: 3, last: { [TOPIC]: [3, 3] } });
    await clock.until(relay.close());
  });

  it("that lost its partition to another writes its cursor no more", async () => {
    const { append, open, clock, cursor } = world();
    const [old, young] = [await open("many"), await open("many")];
    await old.gained(0);
    await append([published("a")]);
    await clock.advance(1_000);
    await young.gained(0);
    await append([published("b")]);
    await clock.advance(2_000);
    expect(cursor()).toMatchObject({ cursor: 2 });
    await old.lost(0);
    expect(cursor()).toMatchObject({ cursor: 2, last: { [TOPIC]: [2, 2] } });
    await append([published("c")]);
    await clock.advance(2_000);
    expect(cursor()).toMatchObject({ cursor: 3, last: { [TOPIC]: [3, 3] } });
    await clock.until(Promise.all([old.close(), young.close()]));
  });
});
