/** One consumer at work: takes from its groups what they have for it, gives offsets, and tells the groups what became of it. */
import type { EventOut, EventSession } from "../edge/events.ts";
import { asBusError, BusError } from "../errors.ts";
import type { DeadEvents } from "./dead.ts";
import type { Group, Member, Ready } from "./group.ts";
import { createWindow } from "./window.ts";

export type SessionParts = Readonly<{
  groups: readonly Group[];
  dead: DeadEvents;
  /** Gives the groups back. */
  release(): Promise<void>;
}>;

const WINDOW = 1_000;
const WINDOW_BYTES = 4 * 1024 * 1024;

export function createSession(parts: SessionParts): EventSession & Readonly<{ end(error: BusError): void }> {
  const { groups } = parts;
  const window = createWindow<Ready>(WINDOW, WINDOW_BYTES);
  const ended = new AbortController();
  let signal = Promise.withResolvers<void>();
  let leaving: Promise<void> | undefined;
  let turn = 0;

  const wake = (): void => {
    signal.resolve();
    signal = Promise.withResolvers<void>();
  };
  const end = (error: BusError): void => {
    if (!ended.signal.aborted) ended.abort(error);
    wake();
  };
  const member: Member = { wake, end };
  for (const group of groups) group.join(member);

  /** The groups take turns. */
  const nextOf = (): Ready | undefined => {
    for (let tried = 0; tried < groups.length; tried++) {
      const item = groups[turn++ % groups.length]?.next(member);
      if (item) return item;
    }
    return undefined;
  };
  const collect = (most: number, bytes: number): readonly EventOut[] => {
    const out: EventOut[] = [];
    let size = 0;
    while (out.length < most && (size < bytes || out.length === 0) && window.room()) {
      const item = nextOf();
      if (!item) break;
      size += item.bytes;
      out.push({ offset: window.add(item, item.bytes), attributes: item.attributes, data: item.data });
    }
    return out;
  };
  const giveBack = (items: readonly Ready[]): void => {
    for (const [group, held] of byGroup(items)) group.leave(member, held);
  };

  return {
    ended: ended.signal,
    end,
    async take(most, bytes, abort) {
      const stopped = Promise.withResolvers<void>();
      const stop = (): void => stopped.resolve();
      abort.addEventListener("abort", stop, { once: true });
      try {
        for (;;) {
          if (ended.signal.aborted) throw ended.signal.reason;
          if (abort.aborted) return [];
          const woken = signal.promise;
          const out = collect(most, bytes);
          if (out.length > 0) return out;
          await Promise.race([woken, stopped.promise]);
        }
      } finally {
        abort.removeEventListener("abort", stop);
      }
    },
    async confirm(offset) {
      if (ended.signal.aborted) throw ended.signal.reason;
      const items = window.confirm(offset);
      wake(); // there may be room now
      const durable = [...byGroup(items)].map(async ([group, done]) => {
        await group.record(done).catch((error: unknown) => {
          group.leave(member, done);
          end(asBusError(error));
          throw error;
        });
        await group.settle(done);
      });
      await Promise.all(durable);
    },
    async dead(event) {
      const held = window.open().find(({ attributes }) => attributes["id"] === event.id && attributes["source"] === event.source);
      await parts.dead.put(event, held?.position);
    },
    leave() {
      return (leaving ??= (async () => {
        end(new BusError("bus-stopping", "the session has ended"));
        for (const group of groups) group.leave(member, []);
        giveBack(window.open());
        await parts.release();
      })());
    },
  };
}

function byGroup(items: readonly Ready[]): ReadonlyMap<Group, readonly Ready[]> {
  const groups = new Map<Group, Ready[]>();
  for (const item of items) {
    const list = groups.get(item.group);
    if (list) list.push(item);
    else groups.set(item.group, [item]);
  }
  return groups;
}
