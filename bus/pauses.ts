/**
 * Pauses of routes, as operators said them. They lie in the store, so that they outlive a restart and hold on every process of a
 * cluster: each looks once a second what others were told.
 */
import { asBusError } from "./errors.ts";
import type { Clock, Collection, Store } from "./ports.ts";
import type { Route } from "./route/runtime.ts";

/** `revision`: of the route when it was said. `acts` grows with each act, also with one that says the same again. */
type Said = { paused: boolean; revision: string; acts: number };

export interface Pauses {
  /** A pause stands until an operator resumes the route; a resume stands for the file that it was said of, which may say `state: paused`. */
  of(route: Route): boolean;
  /** Resolves when it is durable. */
  say(route: Route, paused: boolean): Promise<void>;
  close(): Promise<void>;
}

export type PausesParts = Readonly<{
  store: Store;
  clock: Clock;
  /** Other processes may pause, too. */
  shared: boolean;
  /** Somebody paused or resumed this route; called for each act of any process. */
  changed: (route: string) => void;
  onError: (error: unknown, where: string) => void;
}>;

/** Milliseconds between looks. */
const LOOK = 1_000;
const PAGE = 1_000;
/** An act of another process may come in between. */
const TRIES = 5;

export async function createPauses(parts: PausesParts): Promise<Pauses> {
  const { store, clock } = parts;
  const documents: Collection<Said> = await store.collection<Said>("pauses");
  const known = new Map<string, Said>();
  const stop = new AbortController();

  const learn = (route: string, said: Said): boolean => {
    if ((known.get(route)?.acts ?? 0) >= said.acts) return false;
    known.set(route, said);
    return true;
  };

  const look = async (): Promise<void> => {
    let after: string | undefined;
    do {
      const page = await documents.find({ limit: PAGE, ...(after === undefined ? undefined : { after }) });
      for (const { id, value } of page) if (learn(id, value)) parts.changed(id);
      after = page.length < PAGE ? undefined : page.at(-1)?.id;
    } while (after !== undefined);
  };

  const loop = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      await clock.sleep(LOOK, stop.signal).catch(() => undefined);
      if (!stop.signal.aborted) await look().catch((error: unknown) => parts.onError(error, "pauses of the cluster"));
    }
  };

  await look();
  const done = parts.shared ? loop() : Promise.resolve();
  return {
    of(route) {
      const said = known.get(route.id);
      if (said?.paused === true || said?.revision === route.revision) return said.paused;
      return route.state === "paused";
    },
    async say(route, paused) {
      for (let left = TRIES; ; left--) {
        const before = await documents.get(route.id);
        const said = { paused, revision: route.revision, acts: (before?.value.acts ?? 0) + 1 };
        try {
          if (before) await documents.update(route.id, before.version, said);
          else await documents.insert(route.id, said);
          if (learn(route.id, said)) parts.changed(route.id);
          return;
        } catch (thrown) {
          if (left <= 1 || !["store-conflict", "store-duplicate"].includes(asBusError(thrown).code)) throw thrown;
        }
      }
    },
    async close() {
      stop.abort();
      await done;
    },
  };
}
