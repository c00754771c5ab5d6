/**
 * Routes with steps that wait (delay, aggregate) take a message durably first and run their steps from a topic of their own; what
 * the steps make is then published to the contract's topic. A step that waits gives the message back to the transport's durable wait.
 */
import { redeem } from "./claim-check.ts";
import { topicOf, type Envelope, type Message } from "./envelope.ts";
import { asBusError } from "./errors.ts";
import { digestOf } from "./ids.ts";
import { factsOf } from "./journal/facts.ts";
import type { JournalRecord } from "./journal/record.ts";
import { Redeliver, type Subscription } from "./ports.ts";
import { seal } from "./passage.ts";
import type { Route } from "./route/runtime.ts";
import { runSteps, type StepsOutcome } from "./route/steps/run.ts";
import type { RunningParts } from "./running.ts";

const WEEK = 7 * 24 * 3600 * 1000;

export function stagedTopic(route: Route): string | undefined {
  const fromTopic = route.sources.some((source) => source.binding.kind === "topic");
  if (fromTopic || route.contract.pattern === "query") return undefined;
  return route.steps.some((step) => step.waits) ? `mbus.stage.${route.id}` : undefined;
}

export async function startStage(parts: RunningParts, route: Route, topic: string): Promise<Subscription> {
  const stop = new AbortController();
  const subscription = await parts.transport.subscribe(
    topic,
    `${route.id}/steps`,
    { concurrency: 16, ordered: false, from: "start" },
    async ({ envelope, attempt }) => {
      const context = parts.context(route.id, stop.signal);
      const whole = await redeem(parts.store, envelope);
      const message: Message = { envelope: { ...whole, body: new Uint8Array(0) }, value: route.contract.request.decode(whole.body) };
      let outcome: StepsOutcome;
      try {
        outcome = await runSteps(route.steps, message, context);
      } catch (thrown) {
        if (thrown instanceof Redeliver) throw thrown;
        await bury(parts, route, envelope, attempt, thrown);
        return;
      }
      await pass(parts, route, envelope, outcome);
    },
  );
  return {
    ...subscription,
    close() {
      stop.abort();
      return subscription.close();
    },
  };
}

/** Publishes what the steps made. The same message again after a crash is one message: its id is the dedupe key. */
export async function pass(
  parts: Pick<RunningParts, "journal" | "clock">,
  route: Route,
  from: Envelope,
  outcome: StepsOutcome,
): Promise<void> {
  const time = parts.clock.now();
  if (outcome.kind !== "next") {
    const detail = outcome.kind === "drop" ? outcome.reason : "a step answered it";
    await parts.journal.append([{ ...factsOf(route, from), step: "dropped", outcome: "dropped", time, detail }]);
    return;
  }
  const topic = topicOf(route.contract.id);
  const records = outcome.messages.map((made): JournalRecord => {
    const { envelope } = seal(route.contract.request, made);
    const key = `${topic} ${envelope.source} ${envelope.id}`;
    return {
      ...factsOf(route, envelope),
      step: "accepted",
      outcome: "ok",
      time,
      digest: digestOf(envelope.body),
      envelope,
      topic,
      dedupe: { key, window: WEEK },
    };
  });
  await parts.journal.append(records);
}

async function bury(parts: RunningParts, route: Route, envelope: Envelope, attempt: number, thrown: unknown): Promise<void> {
  const error = asBusError(thrown);
  await parts.deadletters.record({ route: route.id, branch: "steps", envelope, error, attempts: attempt, keep: route.deadletter.keep });
}
