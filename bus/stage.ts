/**
 * Routes with steps that wait (delay, aggregate) take a message durably first and run their steps from a topic of their own; what
 * the steps make is then published to the contract's topic. A step that waits gives the message back to the transport's durable wait.
 */
import { redeem } from "./claim-check.ts";
import { topicOf, type Envelope, type Message } from "./envelope.ts";
import { asBusError, type BusError } from "./errors.ts";
import type { Closing } from "./gather.ts";
import { digestOf } from "./ids.ts";
import { factsOf } from "./journal/facts.ts";
import type { JournalRecord } from "./journal/record.ts";
import { Redeliver, type Subscription } from "./ports.ts";
import { seal } from "./passage.ts";
import type { Route, StepContext } from "./route/runtime.ts";
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
      const closings: Closing[] = [];
      const context = gathering(parts, route, stop.signal, closings);
      const whole = await redeem(parts.store, envelope);
      const message: Message = { envelope: { ...whole, body: new Uint8Array(0) }, value: route.contract.request.decode(whole.body) };
      let outcome: StepsOutcome;
      try {
        outcome = await runSteps(route.steps, message, context);
      } catch (thrown) {
        const wait = waitAfter(thrown, stop.signal);
        if (wait) throw wait;
        const error = asBusError(thrown);
        await bury(parts, route, envelope, attempt, error);
        for (const closing of closings) await buryGroup(parts, route, closing, error);
        return;
      }
      await pass(parts, route, envelope, outcome);
      for (const closing of closings) await parts.gatherer.finish(closing);
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

/** A context that gathers durably and notes the groups which a message closed: they are finished when their result is durable. */
function gathering(parts: RunningParts, route: Route, signal: AbortSignal, closings: Closing[]): StepContext {
  return {
    ...parts.context(route.id, signal),
    async gather(group, message, complete) {
      const closing = await parts.gatherer.add(route.id, group, message, complete);
      if (closing) closings.push(closing);
      return closing?.messages;
    },
  };
}

/** The wait that an error asks for instead of a dead letter: the step's own, for room in a group, or because the route stops. */
export function waitAfter(thrown: unknown, signal: AbortSignal): Redeliver | undefined {
  if (thrown instanceof Redeliver) return thrown;
  const error = asBusError(thrown);
  if (signal.aborted || error.code === "journal-failed") return new Redeliver(1000, true, error);
  return error.code === "inlet-busy" ? new Redeliver(error.retryAfter ?? 1000, true, error) : undefined;
}

type BuryParts = Pick<RunningParts, "journal" | "deadletters" | "gatherer">;

async function bury(parts: BuryParts, route: Route, envelope: Envelope, attempts: number, error: BusError): Promise<void> {
  await parts.deadletters.record({ route: route.id, branch: "steps", envelope, error, attempts, keep: route.deadletter.keep });
}

/** A group whose steps failed for good: each of its messages becomes a dead letter, as it was accepted. */
export async function buryGroup(parts: BuryParts, route: Route, closing: Closing, error: BusError): Promise<void> {
  const buried = new Set<string>();
  for (const { envelope } of closing.messages) {
    const whole = await acceptedEnvelope(parts, route, envelope);
    const name = `${whole.source} ${whole.id}`;
    if (!buried.has(name)) await bury(parts, route, whole, 1, error);
    buried.add(name);
  }
  await parts.gatherer.finish(closing);
}

/** The message as it was accepted; a part that a split made stands in the message it was cut from. */
async function acceptedEnvelope(parts: BuryParts, route: Route, part: Envelope): Promise<Envelope> {
  for (const id of [part.id, part.causationId]) {
    if (id === undefined) continue;
    const { records } = await parts.journal.find({ id, route: route.id, system: part.source, step: "accepted", limit: 1 });
    if (records[0]?.envelope) return records[0].envelope;
  }
  return part;
}
