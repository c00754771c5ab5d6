/**
 * Callers of commands that hold the line for a while: they hear of the reply when it is durable, from this process at once, from another
 * process of the cluster by a look into the journal.
 */
import type { Settled } from "./commands.ts";
import type { Envelope } from "./envelope.ts";
import { BusError, CODES, type ErrorCode } from "./errors.ts";
import type { StoredRecord } from "./journal/record.ts";
import type { Clock, Journal } from "./ports.ts";
import type { Route } from "./route/runtime.ts";

/** Nobody is held longer, ms. */
export const MOST_WAIT = 30_000;
/** Milliseconds between looks for what another process wrote. */
const LOOK = 250;

export type Wait = Readonly<{
  /** How it ended; undefined = not within `ms`, or the caller went. `look`: it may have ended before. */
  settled(ms: number, signal: AbortSignal, look: boolean): Promise<Settled | undefined>;
  /** To be called in the end. */
  drop(): void;
}>;

export interface Waits {
  /** Before the command is accepted, so that no end of it is missed. */
  expect(route: Route, envelope: Envelope): Wait;
  tell(envelope: Envelope, settled: Settled): void;
}

type Told = { settled: Settled | undefined; wake: () => void };

export function createWaits({ journal, clock }: Readonly<{ journal: Journal; clock: Clock }>): Waits {
  const waiting = new Map<string, Set<Told>>();
  const keyOf = ({ source, id }: Envelope): string => `${source} ${id}`;
  return {
    tell(envelope, settled) {
      for (const each of waiting.get(keyOf(envelope)) ?? []) {
        each.settled = settled;
        each.wake();
      }
    },
    expect(route, envelope) {
      const key = keyOf(envelope);
      const told: Told = { settled: undefined, wake: () => undefined };
      const all = waiting.get(key) ?? new Set<Told>();
      waiting.set(key, all.add(told));
      return {
        async settled(ms, signal, look) {
          const end = clock.now() + ms;
          const looks = look || journal.writers === "many";
          for (;;) {
            const found = told.settled ?? (looks ? await settledIn(journal, route, envelope) : undefined);
            const left = end - clock.now();
            if (found || left <= 0 || signal.aborted) return found;
            await slept(clock, told, looks ? Math.min(LOOK, left) : left, signal);
          }
        },
        drop() {
          all.delete(told);
          if (all.size === 0 && waiting.get(key) === all) waiting.delete(key);
        },
      };
    },
  };
}

/** Until it is told, the time is over, or the caller goes. */
async function slept(clock: Clock, told: Told, ms: number, signal: AbortSignal): Promise<void> {
  const stop = new AbortController();
  told.wake = () => stop.abort();
  if (told.settled) return;
  await clock.sleep(ms, AbortSignal.any([stop.signal, signal])).catch(() => undefined);
}

async function settledIn(journal: Journal, route: Route, { id, source }: Envelope): Promise<Settled | undefined> {
  const [record] = (await journal.find({ id, system: source, route: route.id, step: "replied", limit: 1 })).records;
  if (!record) return undefined;
  if (record.outcome !== "ok") return { value: undefined, error: errorOf(record) };
  const { envelope } = record;
  return { value: envelope && route.reply ? route.reply.decode(envelope.body) : undefined, error: undefined };
}

function errorOf({ errorCode = "", detail }: StoredRecord): BusError {
  const code: ErrorCode = Object.hasOwn(CODES, errorCode) ? (errorCode as ErrorCode) : "unexpected";
  return new BusError(code, detail ?? "the command failed");
}
