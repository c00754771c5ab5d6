/**
 * Routes with steps that wait (delay, aggregate) take a message durably first and run their steps from a topic of their own; what
 * the steps make is then published to the contract's topic. A step that waits gives the message back to the transport's durable wait.
 */
import { redeem } from "./claim-check.ts";
import { topicOf, type Envelope, type Message } from "./envelope.ts";
import type { Settled } from "./commands.ts";
import { asBusError, type BusError } from "./errors.ts";
import type { Closing } from "./gather.ts";
import { digestOf } from "./ids.ts";
import { factsOf } from "./journal/facts.ts";
import type { JournalRecord } from "./journal/record.ts";
import type { NowOptions, NowResult } from "./delivery/now.ts";
import { Redeliver } from "./ports.ts";
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

/** The steps of one route that run before its branches. */
export type Stage = Readonly<{
  /** As a branch is called in dead letters. */
  name: typeof STEPS;
  /** One message through the steps once more, outside the subscription. What it throws is the sender's; a wait is taken durably. */
  deliver(envelope: Envelope, options: NowOptions): Promise<NowResult>;
  close(): Promise<void>;
}>;

const STEPS = "steps";

export async function startStage(parts: RunningParts, route: Route, topic: string): Promise<Stage> {
  const stop = new AbortController();
  const subscription = await parts.transport.subscribe(
    topic,
    `${route.id}/steps`,
    { concurrency: 16, ordered: false, from: "start" },
    async ({ envelope, attempt }) => {
      const closings: Closing[] = [];
      try {
        const outcome = await through(parts, route, envelope, { signal: stop.signal, closings });
        await pass(parts, route, envelope, outcome);
        if (outcome.kind === "answer") await tell(parts, route, envelope, { value: outcome.value, error: undefined });
      } catch (thrown) {
        const wait = waitAfter(thrown, stop.signal);
        if (wait) throw wait;
        const error = asBusError(thrown);
        await bury(parts, route, envelope, attempt, error);
        await tell(parts, route, envelope, { value: undefined, error });
        for (const closing of closings) await buryGroup(parts, route, closing, error);
        return;
      }
      for (const closing of closings) await parts.gatherer.finish(closing);
    },
  );
  return {
    name: STEPS,
    async deliver(given, { signal, marks }) {
      const envelope = { ...given, headers: { ...given.headers, ...marks } };
      const closings: Closing[] = [];
      let outcome: StepsOutcome;
      try {
        outcome = await through(parts, route, envelope, { signal, closings });
      } catch (thrown) {
        if (waitAfter(thrown, signal)) return stageAgain(parts, route, envelope, topic);
        const error = asBusError(thrown);
        for (const closing of closings) await buryGroup(parts, route, closing, error, envelope);
        throw error;
      }
      await pass(parts, route, envelope, outcome);
      for (const closing of closings) await parts.gatherer.finish(closing);
      return outcome.kind === "drop"
        ? { kind: "dropped", reason: outcome.reason }
        : { kind: "delivered", value: undefined, endpoint: topic };
    },
    close() {
      stop.abort();
      return subscription.close();
    },
  };
}

/** Whoever sent a command asks for its end by its ticket. */
async function tell(parts: RunningParts, route: Route, envelope: Envelope, settled: Settled): Promise<void> {
  if (route.contract.pattern === "command") await parts.commands.settle(route, envelope, settled);
}

type Way = Readonly<{ signal: AbortSignal; closings: Closing[] }>;

/** The steps over one message; groups that it closes are noted. */
async function through(parts: RunningParts, route: Route, envelope: Envelope, { signal, closings }: Way): Promise<StepsOutcome> {
  const whole = await redeem(parts.store, envelope);
  const message: Message = { envelope: { ...whole, body: new Uint8Array(0) }, value: route.contract.request.decode(whole.body) };
  return runSteps(route.steps, message, gathering(parts, route, signal, closings));
}

/** A message that has to wait is taken once more: the engine keeps its wait. */
async function stageAgain(parts: RunningParts, route: Route, envelope: Envelope, topic: string): Promise<NowResult> {
  const time = parts.clock.now();
  const record = {
    ...factsOf(route, envelope),
    step: "accepted",
    outcome: "ok",
    time,
    digest: digestOf(envelope.body),
    envelope,
    topic,
  } as const;
  await parts.journal.append([record]);
  return { kind: "delivered", value: undefined, endpoint: topic };
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
  await parts.deadletters.record({ route: route.id, branch: STEPS, envelope, error, attempts, keep: route.deadletter.keep });
}

/** A group whose steps failed for good: each of its messages becomes a dead letter, as it was accepted; `except` is one already. */
export async function buryGroup(parts: BuryParts, route: Route, closing: Closing, error: BusError, except?: Envelope): Promise<void> {
  const buried = new Set(except === undefined ? [] : [`${except.source} ${except.id}`]);
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
