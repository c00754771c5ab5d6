/** What time ends: groups that are not complete pass on what came, dead letters that were kept long enough are forgotten. */
import type { Gatherer } from "./gather.ts";
import type { Clock, Journal, Store } from "./ports.ts";
import type { View } from "./passage.ts";
import type { Route, StepContext } from "./route/runtime.ts";
import type { Message } from "./envelope.ts";
import { runSteps } from "./route/steps/run.ts";
import { pass } from "./stage.ts";

/** Milliseconds between looks. */
const EVERY = 1000;

/** Milliseconds between removals of old dead letters. */
const EXPIRE_EVERY = 3_600_000;

type Parts = Readonly<{
  /** Removes dead letters whose time is over. */
  expire: () => Promise<number>;
  clock: Clock;
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
  for (const group of await parts.gatherer.due(route.id)) {
    const last = group.at(-1);
    if (last) await finish(parts, route, at, group, last, signal);
  }
}

/** Runs the steps from the aggregation on, which finds its group whole. */
async function finish(
  parts: Parts,
  route: Route,
  at: number,
  group: readonly Message[],
  last: Message,
  signal: AbortSignal,
): Promise<void> {
  const context: StepContext = { ...parts.context(route.id, signal), gather: () => Promise.resolve(group) };
  await pass(parts, route, last.envelope, await runSteps(route.steps.slice(at), last, context));
}
