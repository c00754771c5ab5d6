/** What time ends: groups that are not complete pass on what came, complete ones that a crash left are finished, dead letters that were kept long enough are forgotten. */
import type { DeadLetters } from "./delivery/deadletters.ts";
import { asBusError } from "./errors.ts";
import type { Closing, Gatherer } from "./gather.ts";
import type { Clock, Journal, Store } from "./ports.ts";
import type { View } from "./passage.ts";
import type { Route, StepContext } from "./route/runtime.ts";
import { runSteps, type StepsOutcome } from "./route/steps/run.ts";
import { buryGroup, pass, waitAfter } from "./stage.ts";

/** Milliseconds between looks. */
const EVERY = 1000;

/** Milliseconds between removals of old dead letters. */
const EXPIRE_EVERY = 3_600_000;

type Parts = Readonly<{
  /** Removes dead letters whose time is over. */
  expire: () => Promise<number>;
  clock: Clock;
  deadletters: DeadLetters;
  gatherer: Gatherer;
  journal: Journal;
  store: Store;
  context: (route: string, signal: AbortSignal) => StepContext;
  view: () => View;
  onError: (error: unknown, where: string) => void;
}>;

export function startSweeper(parts: Parts): { close(): Promise<void> } {
  const stop = new AbortController();
  let expireAt = parts.clock.now() + EXPIRE_EVERY;
  const loop = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      await parts.clock.sleep(EVERY, stop.signal).catch(() => undefined);
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
    async close() {
      stop.abort();
      await done;
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
  let outcome: StepsOutcome;
  try {
    outcome = await runSteps(route.steps.slice(at), last, context);
  } catch (thrown) {
    if (!waitAfter(thrown, signal)) await buryGroup(parts, route, closing, asBusError(thrown));
    return;
  }
  await pass(parts, route, last.envelope, outcome);
  await parts.gatherer.finish(closing);
}
