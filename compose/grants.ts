/** Says in the log when a grant is about to end: 30, 7 and 1 days before, and when it has ended; and tells all of them as a metric. */
import { grantStates, warningOf, type GrantState } from "#bus/access/expiry.ts";
import type { GrantIndex } from "#bus/access/grants.ts";
import type { Clock } from "#bus/ports.ts";
import type { Log } from "./log.ts";

const LOOK = 3_600_000;
/** The first look comes when the start is over, the next ones by the hour. */
const FIRST = 1_000;

export type GrantWatch = Readonly<{ states(): readonly GrantState[]; close(): Promise<void> }>;

export function watchGrants(parts: Readonly<{ grants: () => GrantIndex; clock: Clock; log: Pick<Log, "warn"> }>): GrantWatch {
  const { grants, clock, log } = parts;
  const stop = new AbortController();
  /** The warning that was given last, of each grant and end. */
  const said = new Map<string, number>();
  const states = (): readonly GrantState[] => grantStates(grants(), clock.now());

  const look = (): void => {
    const running = new Set<string>();
    for (const state of states()) {
      const key = `${state.id} ${state.until}`;
      running.add(key);
      const days = warningOf(state);
      if (days === undefined || said.get(key) === days) continue;
      said.set(key, days);
      const { id, owner, system, contract, place, until } = state;
      const facts = { grant: id, owner, system, contract, place, until: new Date(until).toISOString() };
      log.warn(
        facts,
        days === 0 ? "a grant has ended: what it let through is refused" : `a grant ends within ${days} days; its owner can renew it`,
      );
    }
    for (const key of said.keys()) if (!running.has(key)) said.delete(key);
  };
  const loop = async (): Promise<void> => {
    for (let wait = FIRST; !stop.signal.aborted; wait = LOOK) {
      await clock.sleep(wait, stop.signal).catch(() => undefined);
      if (!stop.signal.aborted) look();
    }
  };
  const looking = loop();
  return {
    states,
    async close() {
      stop.abort();
      await looking;
    },
  };
}
