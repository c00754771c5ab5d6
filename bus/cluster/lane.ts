/**
 * One group at work on one partition: takes messages in their chain, hands out what may go, parks what must wait, and writes its
 * cursor behind the work. It asks for what is missing; it never trusts the broker to have kept it.
 */
import type { Broker, Lane, Taken, Taking } from "../broker.ts";
import type { Envelope } from "../envelope.ts";
import { asBusError } from "../errors.ts";
import type { Clock, Collection, Journal } from "../ports.ts";
import { createAsking } from "./asking.ts";
import { createCursor, type CursorDocument, type GroupCursor } from "./cursor.ts";
import { idOfLane, openCursorFile } from "./cursor-file.ts";
import { createKeys, type Work } from "./keys.ts";
import type { Lease } from "./lease.ts";
import { createPace } from "./pace.ts";
import type { ParkedMessages } from "./parked.ts";
import type { Relay } from "./relay.ts";
import { createShared } from "./shared.ts";

export type LaneParts = Readonly<{
  lane: Lane;
  ordered: boolean;
  broker: Broker;
  journal: Journal;
  clock: Clock;
  relay: Relay;
  cursors: Collection<CursorDocument>;
  parked: ParkedMessages;
  lease: Lease;
  /** Where a group begins that has no cursor yet. */
  begin: () => Promise<number>;
  /** There is work that may go. */
  ready: () => void;
  /** Somebody else wrote the cursor, or an answer of the store was lost: this lane does nothing more and must be opened anew. */
  fenced: () => void;
  onError: (error: unknown, where: string) => void;
}>;

export type LaneState = Readonly<{ floor: number; lag: number; waiting: number; blockedKeys: number }>;

export interface RunningLane {
  /** The next message that may go to a handler; its state becomes `running`. */
  next(): Work | undefined;
  /** It goes to no handler after all, until the lease is valid again. */
  back(work: Work): void;
  /** The whole message; undefined when the journal has it no more. */
  envelope(work: Work): Promise<Envelope | undefined>;
  finished(work: Work): Promise<void>;
  /** Again at `due`; resolves when that is durable. */
  wait(work: Work, attempts: number, due: number): Promise<void>;
  valid(): boolean;
  pause(paused: boolean): void;
  state(): Promise<LaneState>;
  close(): Promise<void>;
}

/** Unsettled messages of a lane at once. */
export const WINDOW = 1_000;
/** Parked messages of a lane; above it nothing more is taken until some are done. */
const MOST_PARKED = 10_000;
/** Positions that handlers may see before the cursor is written again. */
const STRIDE = 10_000;
const SAVE_EVERY = 500;
const PACE = { least: 0, most: 5_000, share: 4 };
/** Milliseconds that the end of a lane waits for its handlers, as long as the lease lasts. */
const DRAIN = 10_000;

export async function openLane(parts: LaneParts): Promise<RunningLane> {
  const { lane, broker, journal, clock, relay, lease } = parts;
  const id = idOfLane(lane);
  const file = await openCursorFile(parts.cursors, lane, parts.begin, (floor) => relay.countAt(lane.topic, lane.partition, floor));
  const cursor: GroupCursor = createCursor(file.first);
  const keys = createKeys(parts.ordered);
  const works = new Map<number, Work>();
  const settles = new Map<number, (() => void)[]>();
  const bodies = new Map<number, Envelope>();
  let ready: Work[] = [];
  /** Above the reach that is durable: they go when the cursor is written. */
  let beyond: Work[] = [];
  let held = false;
  let paused = false;
  let fenced = false;
  const pace = createPace(clock, PACE);
  let upkeep: Promise<void> = Promise.resolve();
  let dirty = false;
  const stop = new AbortController();
  let alarm: AbortController | undefined;
  const asking = createAsking({ lane, broker, clock, relay, seen: () => cursor.seen(), unsettled: () => settles.size });

  function take(message: Taken): void {
    if (stop.signal.aborted) return;
    asking.arrived();
    const { position } = message;
    const arrival = cursor.arrive(position, message.after);
    if (arrival === "gap") {
      message.settle();
      asking.gap();
      return;
    }
    const known = works.get(position);
    if (arrival === "had" || known?.parked === true || cursor.wasDone(position)) {
      if (arrival === "next") cursor.finish(position);
      if (known && !known.parked) settles.get(position)?.push(() => message.settle());
      else message.settle();
      dirty = true;
      if (known?.state === "waiting") ring(); // everything before it is here now
      return;
    }
    const again = message.redelivered || cursor.maybeBefore(position);
    const work: Work = { position, key: message.envelope.key, attempts: 0, firstAt: 0, again, parked: false, due: 0, state: "behind" };
    works.set(position, work);
    settles.set(position, [() => message.settle()]);
    bodies.set(position, message.envelope);
    const blocked = keys.blocked(work.key);
    if (keys.enter(work)) offer(work);
    else if (blocked) park(work, 0).catch(failed);
    if (position + STRIDE / 2 > cursor.reach()) saver.run().catch(failed);
  }

  function offer(work: Work): void {
    work.state = "ready";
    if (work.position > cursor.reach()) beyond.push(work);
    else {
      ready.push(work);
      parts.ready();
    }
  }

  function failed(error: unknown): void {
    const known = asBusError(error);
    if (known.code === "store-conflict") fence();
    else if (!stop.signal.aborted) parts.onError(known, `group ${lane.group} of topic ${lane.topic}`);
  }

  function fence(): void {
    if (fenced) return;
    fenced = true;
    if (!stop.signal.aborted) parts.fenced();
  }

  const saver = createShared(async () => {
    if (fenced) return;
    const reach = Math.max(cursor.reach(), cursor.seen() + STRIDE);
    const values = cursor.snapshot(cursor.reach());
    dirty = false;
    await file.write({ ...values, reach }).catch((error: unknown) => {
      dirty = true;
      throw error;
    });
    cursor.snapshot(reach);
    const now = beyond;
    beyond = [];
    for (const work of now) offer(work);
  });

  /** Writes it down and settles the broker's copy. */
  async function park(work: Work, due: number): Promise<void> {
    await parts.parked.put({
      lane: id,
      position: work.position,
      key: work.key ?? null,
      attempts: work.attempts,
      firstAt: work.firstAt,
      due,
    });
    if (works.get(work.position) !== work) return parts.parked.remove({ lane: id, position: work.position }); // it ended meanwhile
    if (!work.parked) {
      work.parked = true;
      bodies.delete(work.position);
      settle(work);
    }
    hold();
  }

  function settle(work: Work): void {
    const all = settles.get(work.position) ?? [];
    settles.delete(work.position);
    cursor.finish(work.position);
    dirty = true;
    for (const one of all) one();
  }

  const parkedCount = (): number => works.size - settles.size;

  /** Takes nothing while it is paused or has too much that waits. */
  function hold(): void {
    const next = paused || parkedCount() >= MOST_PARKED;
    if (next === held) return;
    held = next;
    taking.pause(held);
  }

  /** What waits goes when its time has come and everything before it is here: what came before it may be of its key. */
  function ring(): void {
    let first = Number.POSITIVE_INFINITY;
    const now = clock.now();
    for (const work of works.values()) {
      if (work.state !== "waiting" || work.position > cursor.seen()) continue;
      if (work.due <= now) offer(work);
      else first = Math.min(first, work.due);
    }
    alarm?.abort(new Error("set anew"));
    if (!Number.isFinite(first) || stop.signal.aborted) return;
    const mine = new AbortController();
    alarm = mine;
    clock.sleep(Math.max(1, first - now), mine.signal).then(ring, () => undefined);
  }

  /** What is slow, where the store or the broker is, holds up no work that is ready. */
  async function watch(): Promise<void> {
    let busy = false;
    while (!stop.signal.aborted) {
      await clock.sleep(SAVE_EVERY, stop.signal).catch(() => undefined);
      if (stop.signal.aborted) break;
      if (ready.length > 0 && lease.valid()) parts.ready(); // a lease that lapsed and was renewed tells nobody
      if (busy) continue;
      busy = true;
      upkeep = keepUp().finally(() => (busy = false));
    }
    await upkeep;
  }

  async function keepUp(): Promise<void> {
    if (dirty && pace.due()) await pace.timed(saver.run).catch(failed);
    if (!held && settles.size < WINDOW && !stop.signal.aborted) await asking.look().catch(failed);
  }

  for (const { position, key, attempts, firstAt, due } of await parts.parked.load(id)) {
    const work: Work = { position, key: key ?? undefined, attempts, firstAt, again: true, parked: true, due, state: "behind" };
    works.set(position, work);
    if (keys.enter(work)) work.state = "waiting";
  }
  const taking: Taking = await broker.take(lane, WINDOW, take);
  ring();
  const watching = watch();

  return {
    next() {
      const work = ready.shift();
      if (work) work.state = "running";
      return work;
    },
    back(work) {
      work.state = "ready";
      ready.unshift(work);
    },
    async envelope(work) {
      const kept = bodies.get(work.position);
      if (kept) return kept;
      const [record] = await journal.read(work.position, 1);
      return record?.position === work.position ? record.envelope : undefined;
    },
    async finished(work) {
      if (work.parked) await parts.parked.remove({ lane: id, position: work.position });
      works.delete(work.position);
      bodies.delete(work.position);
      if (!work.parked) settle(work);
      const next = keys.leave(work);
      if (next) next.state = "waiting";
      if (next) ring();
      hold();
    },
    async wait(work, attempts, due) {
      work.state = "waiting";
      work.attempts = attempts;
      work.due = Number.POSITIVE_INFINITY; // it does not go before its wait is durable
      await park(work, due);
      work.due = due;
      for (const behind of keys.behind(work)) if (!behind.parked) await park(behind, 0).catch(failed);
      ring();
    },
    valid: () => !fenced && lease.valid(),
    pause(next) {
      paused = next;
      hold();
      if (!next) asking.arrived();
    },
    async state() {
      const last = relay.last(lane.topic, lane.partition);
      const parked = [...works.values()].filter((work) => work.parked).reduce((low, work) => Math.min(low, work.position), Infinity);
      const floor = Math.min(cursor.lowest() ?? cursor.seen() + 1, parked);
      const waiting = [...works.values()].filter((work) => work.state === "waiting").length;
      return { floor, lag: Math.max(0, last.count - cursor.taken()) + works.size, waiting, blockedKeys: keys.blockedKeys() };
    },
    async close() {
      stop.abort();
      alarm?.abort(new Error("closed"));
      await taking.close();
      await watching;
      ready = [];
      const running = (): boolean => [...works.values()].some((work) => work.state === "running");
      for (let left = DRAIN; left > 0 && running() && lease.valid(); left -= 50) await clock.sleep(50);
      await saver.settled();
      if (!fenced) await file.write(cursor.snapshot(cursor.handedOut())).catch(failed);
    },
  };
}
