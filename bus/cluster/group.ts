/** A consumer group of this process: its lanes, one for each partition that the node owns, and its members, who share what may go. */
import type { Partition } from "../broker.ts";
import { asBusError } from "../errors.ts";
import { Redeliver, type Clock, type Delivery, type SubscriptionState } from "../ports.ts";
import type { Work } from "./keys.ts";
import type { RunningLane } from "./lane.ts";

export type Member = {
  readonly concurrency: number;
  readonly handler: (delivery: Delivery) => Promise<void>;
  running: number;
  paused: boolean;
  closed: boolean;
  /** Told when nothing of it runs any more. */
  idle: (() => void) | undefined;
};

export type GroupParts = Readonly<{
  clock: Clock;
  open: (partition: Partition, ready: () => void) => Promise<RunningLane>;
  onError: (error: unknown, where: string) => void;
}>;

export interface Group {
  readonly members: Set<Member>;
  gained(partition: Partition): Promise<void>;
  lost(partition: Partition): Promise<void>;
  pump(): void;
  /** Takes no more while all its members are paused. */
  pauses(): void;
  state(): Promise<SubscriptionState>;
  close(): Promise<void>;
}

/** Milliseconds after which a message comes again whose handler failed without saying when. */
const AGAIN = 1_000;

export function openGroup(parts: GroupParts): Group {
  const members = new Set<Member>();
  const lanes = new Map<Partition, Promise<RunningLane>>();
  const open: RunningLane[] = [];
  let turn = 0;
  /** Messages in a handler; a member counts as running until what became of its message is written down. */
  let handling = 0;
  let closed = false;

  function able(): Member | undefined {
    if (closed) return undefined;
    const all = [...members];
    for (let step = 0; step < all.length; step++) {
      const member = all[(turn + step) % all.length];
      if (!member || member.paused || member.closed || member.running >= member.concurrency) continue;
      turn = (turn + step + 1) % all.length;
      return member;
    }
    return undefined;
  }

  function nextWork(): Readonly<{ lane: RunningLane; work: Work }> | undefined {
    for (const lane of open) {
      if (!lane.valid()) continue;
      const work = lane.next();
      if (work) return { lane, work };
    }
    return undefined;
  }

  function pump(): void {
    for (let member = able(); member !== undefined; member = able()) {
      const found = nextWork();
      if (!found) return;
      open.push(...open.splice(0, 1)); // lanes take turns
      void run(member, found.lane, found.work);
    }
  }

  async function run(member: Member, lane: RunningLane, work: Work): Promise<void> {
    member.running++;
    try {
      await handle(member, lane, work);
    } catch (error) {
      parts.onError(asBusError(error), "bookkeeping of a consumer group");
    } finally {
      member.running--;
      if (member.running === 0) member.idle?.();
      pump();
    }
  }

  async function handle(member: Member, lane: RunningLane, work: Work): Promise<void> {
    const envelope = await lane.envelope(work);
    if (!lane.valid()) return lane.back(work); // reading took longer than the lease lasted: it may be another node's by now
    if (!envelope) return lane.finished(work); // its record is beyond the journal's retention
    const attempt = work.attempts + 1;
    if (work.firstAt === 0) work.firstAt = parts.clock.now();
    const delivery: Delivery = {
      envelope,
      position: work.position,
      attempt,
      firstAttemptAt: work.firstAt,
      ...(work.again ? { again: true } : undefined),
    };
    try {
      await counted(() => member.handler(delivery));
    } catch (thrown) {
      if (!(thrown instanceof Redeliver)) work.again = true; // the handler does not say that it came to no end
      const after = thrown instanceof Redeliver ? thrown.after : AGAIN;
      const attempts = thrown instanceof Redeliver && thrown.sameAttempt ? attempt - 1 : attempt;
      await written(lane, () => lane.wait(work, attempts, parts.clock.now() + after));
      return;
    }
    await written(lane, () => lane.finished(work));
  }

  async function counted(handle: () => Promise<void>): Promise<void> {
    handling++;
    try {
      await handle();
    } finally {
      handling--;
    }
  }

  /** What happened to a message is written down; while the store is away it is tried again, for the message may not be forgotten. */
  async function written(lane: RunningLane, write: () => Promise<void>): Promise<void> {
    for (;;) {
      try {
        await write();
        return;
      } catch (error) {
        parts.onError(asBusError(error), "writing down what became of a message");
        await parts.clock.sleep(AGAIN);
        if (!lane.valid() && closed) return;
      }
    }
  }

  function pauses(): void {
    const paused = [...members].every((member) => member.paused || member.closed);
    for (const lane of open) lane.pause(paused);
  }

  async function lost(partition: Partition): Promise<void> {
    const opening = lanes.get(partition);
    lanes.delete(partition);
    const lane = await opening?.catch(() => undefined);
    if (!lane) return;
    const at = open.indexOf(lane);
    if (at >= 0) open.splice(at, 1);
    await lane.close();
  }

  return {
    members,
    pump,
    pauses,
    lost,
    async gained(partition) {
      if (closed || lanes.has(partition)) return;
      const opening = parts.open(partition, pump);
      lanes.set(partition, opening);
      try {
        const lane = await opening;
        open.push(lane);
        pauses();
        pump();
      } catch (error) {
        lanes.delete(partition);
        throw error;
      }
    },
    async state() {
      const states = await Promise.all(open.map((lane) => lane.state()));
      const sum = (pick: (state: (typeof states)[number]) => number): number => states.reduce((total, state) => total + pick(state), 0);
      // a lane with nothing to do says nothing of what is unfinished
      const busy = states.filter((state) => state.lag > 0).map((state) => state.floor);
      return {
        floor: busy.length > 0 ? Math.min(...busy) : Math.max(0, ...states.map((state) => state.floor)),
        lag: sum((state) => state.lag),
        inFlight: handling,
        waiting: sum((state) => state.waiting),
        blockedKeys: sum((state) => state.blockedKeys),
      };
    },
    async close() {
      closed = true;
      for (const partition of lanes.keys()) await lost(partition);
    },
  };
}
