/**
 * What time ends: groups that are not complete pass on what came, complete ones that a crash left are finished, dead letters that were
 * kept long enough are forgotten. In a cluster one process does it, and takes up the replays of processes that died.
 */
import { openSeat } from "./cluster/hold.ts";
import type { Leases } from "./cluster/lease.ts";
import type { DeadLetters } from "./delivery/deadletters.ts";
import { asBusError } from "./errors.ts";
import type { Closing, Gatherer } from "./gather.ts";
import type { Clock, Journal, Store } from "./ports.ts";
import type { View } from "./passage.ts";
import type { Route, StepContext } from "./route/runtime.ts";
import { runSteps } from "./route/steps/run.ts";
import { buryGroup, pass, waitAfter } from "./stage.ts";

/** Milliseconds between looks. */
const EVERY = 1000;

/** Milliseconds between removals of old dead letters. */
const EXPIRE_EVERY = 3_600_000;

/** Milliseconds between looks for replays whose process died. */
const RECOVER_EVERY = 10_000;

type Parts = Readonly<{
  /** Removes dead letters whose time is over. */
  expire: () => Promise<number>;
  /** Takes up replays that nobody runs. */
  recover: () => Promise<void>;
  leases: Leases | undefined;
  clock: Clock;
  deadletters: DeadLetters;
  gatherer: Gatherer;
  journal: Journal;
  store: Store;
  context: (route: string, signal: AbortSignal) => StepContext;
  view: () => View;
  onError: (error: unknown, where: string) => void;
}>;

export interface Sweeper {
  /** The routes run: from now on replays of processes that died are taken up. */
  resume(): void;
  close(): Promise<void>;
}

export function startSweeper(parts: Parts): Sweeper {
  const stop = new AbortController();
  const seat = parts.leases && openSeat({ leases: parts.leases, clock: parts.clock, name: "sweeper" });
  let recovers = false;
  let recoverAt = 0;
  let expireAt = parts.clock.now() + EXPIRE_EVERY;
  const loop = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      await parts.clock.sleep(EVERY, stop.signal).catch(() => undefined);
      if (stop.signal.aborted) return;
      if (seat && !(await seat.mine().catch((error: unknown) => (parts.onError(error, "lease of the sweeper"), false)))) continue;
      if (seat && recovers && parts.clock.now() >= recoverAt) {
        recoverAt = parts.clock.now() + RECOVER_EVERY;
        await parts.recover().catch((error: unknown) => parts.onError(error, "replays of other processes"));
      }
      if (parts.clock.now() >= expireAt && !stop.signal.aborted) {
        expireAt = parts.clock.now() + EXPIRE_EVERY;
        await parts.expire().catch((error: unknown) => parts.onError(error, "old dead letters"));
      }
      for (const { route, staged } of parts.view().routes.values()) {
        if (staged === undefined || stop.signal.aborted) continue;
        await sweep(parts, route, stop.signal).catch((error: unknown) => parts.onError(error, `groups of route ${route.id}`));
      }
    }
  };
  const done = loop();
  return {
    resume: () => void (recovers = true),
    async close() {
      stop.abort();
      await done;
      await seat?.close();
    },
  };
}

async function sweep(parts: Parts, route: Route, signal: AbortSignal): Promise<void> {
  const at = route.steps.findIndex((step) => step.name === "aggregate");
  if (at < 0) return;
  for (const closing of await parts.gatherer.due(route.id)) {
    if (signal.aborted) return; // it keeps its messages: the next start finishes it
    await finish(parts, route, at, closing, signal).catch((error: unknown) => parts.onError(error, `a group of route ${route.id}`));
  }
}

/** Runs the steps from the aggregation on, which finds its group whole. What has to wait is tried again when the group is stale. */
async function finish(parts: Parts, route: Route, at: number, closing: Closing, signal: AbortSignal): Promise<void> {
  const last = closing.messages.at(-1);
  if (!last) return;
  const context: StepContext = { ...parts.context(route.id, signal), gather: () => Promise.resolve(closing.messages) };
  try {
    await pass(parts, route, last.envelope, await runSteps(route.steps.slice(at), last, context));
  } catch (thrown) {
    if (!waitAfter(thrown, signal)) await buryGroup(parts, route, closing, asBusError(thrown));
    return;
  }
  await parts.gatherer.finish(closing);
}
