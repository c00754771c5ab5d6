/**
 * One topic and partition on its way to the broker: in order, many unconfirmed at once. What fails is sent again from the last that
 * was surely kept (go-back-N); receivers drop what they had. What must be sent again is read from the journal, never kept in memory.
 */
import type { Broker, Partition } from "../broker.ts";
import type { Envelope } from "../envelope.ts";
import type { Clock } from "../ports.ts";

export type Item = Readonly<{ position: number; envelope: Envelope }>;

/** A place in the chain: position of a message, and how many there were up to it. */
export type Link = Readonly<{ position: number; count: number }>;

export type SenderParts = Readonly<{
  broker: Broker;
  clock: Clock;
  topic: string;
  partition: Partition;
  /** Where the chain stood. */
  start: Link;
  /** Messages of the topic and partition after a position, oldest first; `next` = where to read on, undefined = there is no more now. */
  page(after: number): Promise<Readonly<{ items: readonly Item[]; next: number | undefined }>>;
  /** There is room again, or something was confirmed. */
  moved(): void;
  onError: (error: unknown, where: string) => void;
}>;

export interface Sender {
  /** Takes the next message. Positions that it had before are ignored. */
  push(item: Item): void;
  room(): boolean;
  /** Sends everything after this position again. */
  rewind(after: number): void;
  /** The last message pushed. */
  last(): Link;
  /** Where the chain stood at a position that is confirmed. */
  linkAt(position: number): Link;
  /** Lowest position that is pushed and not confirmed. */
  lowest(): number;
  /** Everything pushed is confirmed. */
  idle(): boolean;
  close(): void;
}

const ROOM = 2_000;
const FIRST_WAIT = 100;
const LONGEST_WAIT = 5_000;

export function createSender(parts: SenderParts): Sender {
  const { broker, topic, partition } = parts;
  /** Position of the message sent last; the next one names it. */
  let chain = parts.start.position;
  let last = parts.start;
  let base = parts.start;
  /** Positions pushed after `base`. */
  let history: number[] = [];
  let queue: Item[] = [];
  let head = 0;
  /** The queue is behind: go on from the journal after `readFrom`. */
  let behind = false;
  let readFrom = 0;
  let reading = false;
  let pushes = 0;
  const open = new Set<number>();
  let flying = 0;
  let failedAfter: number | undefined;
  let wait = FIRST_WAIT;
  let resting = false;
  let closed = false;

  const may = (): boolean => !closed && !resting && failedAfter === undefined && flying < broker.window;

  function pump(): void {
    while (may()) {
      const item = queue[head];
      if (item === undefined) {
        if (behind) void readOn();
        return;
      }
      head++;
      if (head === queue.length) {
        queue = [];
        head = 0;
      }
      transmit(item);
    }
  }

  function transmit({ position, envelope }: Item): void {
    const after = chain;
    chain = position;
    flying++;
    open.add(position);
    broker.send(topic, partition, { envelope, position, after }).then(
      () => {
        flying--;
        open.delete(position);
        wait = FIRST_WAIT;
        landed();
      },
      (error: unknown) => {
        flying--;
        if (!closed && failedAfter === undefined) parts.onError(error, `sending to topic ${topic}`);
        failedAfter = Math.min(failedAfter ?? after, after);
        landed();
      },
    );
  }

  function landed(): void {
    if (closed) return;
    if (failedAfter === undefined) pump();
    else if (flying === 0) void goBack(failedAfter);
    parts.moved();
  }

  async function goBack(after: number): Promise<void> {
    resting = true;
    failedAfter = undefined;
    await parts.clock.sleep(wait).catch(() => undefined);
    wait = Math.min(LONGEST_WAIT, wait * 2);
    resting = false;
    rewind(after);
  }

  function rewind(after: number): void {
    if (after < chain) {
      chain = after;
      queue = [];
      head = 0;
      behind = true;
      readFrom = after;
    }
    pump();
  }

  async function readOn(): Promise<void> {
    if (reading || closed) return;
    reading = true;
    const from = readFrom;
    const seen = pushes;
    try {
      const { items, next } = await parts.page(from);
      if (readFrom !== from) return; // a rewind came in between
      if (items.length > 0) {
        queue = [...items];
        head = 0;
      }
      const end = items.at(-1)?.position ?? from;
      readFrom = next ?? end;
      if (next === undefined && pushes === seen) behind = false;
    } catch (error) {
      parts.onError(error, `reading topic ${topic} from the journal`);
      await parts.clock.sleep(FIRST_WAIT).catch(() => undefined);
    } finally {
      reading = false;
      pump();
    }
  }

  return {
    push(item) {
      if (item.position <= last.position) return;
      last = { position: item.position, count: last.count + 1 };
      history.push(item.position);
      pushes++;
      if (behind) return; // it is read in its turn
      queue.push(item);
      pump();
    },
    room: () => queue.length - head < ROOM && history.length < 50_000,
    rewind,
    last: () => last,
    linkAt(position) {
      let at = 0;
      while (at < history.length && (history[at] ?? 0) <= position) at++;
      if (at > 0) {
        base = { position: history[at - 1] ?? base.position, count: base.count + at };
        history = history.slice(at);
      }
      return base;
    },
    lowest() {
      let low = Number.POSITIVE_INFINITY;
      for (const position of open) if (position < low) low = position;
      const next = queue[head];
      if (next !== undefined && next.position < low) low = next.position;
      if (behind || resting || failedAfter !== undefined) low = Math.min(low, chain + 1, (failedAfter ?? chain) + 1);
      return low;
    },
    idle: () => flying === 0 && !behind && !resting && failedAfter === undefined && head >= queue.length,
    close() {
      closed = true;
    },
  };
}
