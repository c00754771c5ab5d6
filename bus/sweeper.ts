/** Ends groups whose time is over: what came is passed on, though the group is not complete. */
import type { Gatherer } from "./gather.ts";
import type { Clock, Journal, Store } from "./ports.ts";
import type { View } from "./passage.ts";
import type { Route, StepContext } from "./route/runtime.ts";
import type { Message } from "./envelope.ts";
import { runSteps } from "./route/steps/run.ts";
import { pass } from "./stage.ts";

/** Milliseconds between looks. */
const EVERY = 1000;

type Parts = Readonly<{
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
  const loop = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      await parts.clock.sleep(EVERY, stop.signal).catch(() => undefined);
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
