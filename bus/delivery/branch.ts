/**
 * A branch at work: its own consumer group on the topic, its own retries, failures and dead letters. A message is acknowledged only
 * when its outcome is known and in the journal; until then the transport keeps it. One bad message, key or branch stops no other.
 */
import type { Audit } from "../audit/audit.ts";
import type { Audited } from "../audit/event.ts";
import type { AvroRecord, Envelope } from "../envelope.ts";
import { asBusError, BusError } from "../errors.ts";
import type { JournalRecord } from "../journal/record.ts";
import type { Mutable } from "../mutable.ts";
import { Redeliver, type Delivery, type Journal, type Subscription, type Transport } from "../ports.ts";
import type { DeadLetters } from "./deadletters.ts";
import { branchStateOf, type BranchState, type Tally } from "./branch-state.ts";
import { createFlights } from "./flights.ts";
import { deliverNow, type NowOptions, type NowParts, type NowResult } from "./now.ts";
import { judge, type Verdict } from "./outcome.ts";

/** How a command ended; what its caller is told. */
export type SettledResult = Readonly<{ value: AvroRecord | undefined; error: BusError | undefined }>;

export type BranchParts = NowParts &
  Readonly<{
    topic: string;
    transport: Transport;
    journal: Journal;
    deadletters: DeadLetters;
    /** Undefined = nothing is audited. */
    audit?: Audit | undefined;
    /** Makes a command's outcome durable before the message is acknowledged. */
    settled?: ((envelope: Envelope, result: SettledResult) => Promise<void>) | undefined;
  }>;

export interface RunningBranch {
  readonly name: string;
  readonly topic: string;
  state(): Promise<BranchState>;
  /** Takes no new message within two seconds, and gives back those whose provider was not asked yet. */
  pause(paused: boolean): void;
  /** One message to this branch outside its subscription, by the same way. Who calls it journals what came of it. */
  deliver(envelope: Envelope, options: NowOptions): Promise<NowResult>;
  /** What makes the row of such a delivery an audit event as well; `note` says how it came about. */
  audited(envelope: Envelope, result: NowResult, note: string): Audited;
  /** Lets running deliveries end for ten seconds, then gives them up; what is unfinished comes again after the next start. */
  close(): Promise<void>;
}

/** Milliseconds that `close` waits for answers of providers. */
const DRAIN = 10_000;
/** A stopped branch looks at its message again when it is resumed, not before. */
const STOPPED = 1000;

export async function startBranch(parts: BranchParts): Promise<RunningBranch> {
  const { branch, route, clock } = parts;
  const flights = createFlights();
  const tally: Tally = { delivered: 0, failed: 0, dead: 0, lastDeliveredAt: undefined };
  let paused = false;
  let stopped: string | undefined;
  const held: { subscription?: Subscription } = {}; // the first message may come before `subscribe` resolves

  const handler = async (delivery: Delivery): Promise<void> => {
    const flight = flights.begin(paused);
    const startedAt = clock.now();
    try {
      if (delivery.again && (await ended(parts, delivery))) return;
      const result = await attempt(parts, delivery, { signal: flight.signal, attempt: delivery.attempt, onSend: flight.sent });
      if (result instanceof BusError) await onFailure(parts, delivery, result, { startedAt, tally, stop });
      else await onResult(parts, delivery, result, { startedAt, tally });
    } finally {
      flight.end();
    }
  };
  const stop = (why: string): void => {
    stopped = why;
    pause(true);
  };
  const pause = (next: boolean): void => {
    paused = next;
    if (!next) stopped = undefined;
    held.subscription?.pause(next);
    if (next) flights.recallWaiting();
  };

  const options = { concurrency: branch.deliver.limits.concurrency, ordered: branch.order !== undefined, from: "new" } as const;
  const running = await parts.transport.subscribe(parts.topic, `${route.id}/${branch.name}`, options, handler);
  held.subscription = running;
  if (paused) running.pause(true);
  return {
    name: branch.name,
    topic: parts.topic,
    state: () => branchStateOf({ parts, subscription: running, tally, paused, stopped }),
    pause,
    async deliver(envelope, given) {
      const result = await deliverNow(parts, envelope, given);
      if (result.kind === "delivered") await parts.settled?.(envelope, { value: result.value, error: undefined });
      return result;
    },
    audited: (envelope, result, said) => receiptOf(parts, envelope, result, said),
    async close() {
      flights.recallWaiting();
      const drained = running.close();
      const enough = new AbortController();
      clock.sleep(DRAIN, enough.signal).then(
        () => flights.recallAll(),
        () => undefined,
      );
      await drained;
      enough.abort(new Error("drained"));
    },
  };
}

const ENDS: readonly string[] = ["delivered", "dropped", "deadletter"];

/** Does the journal hold the end of this message at this branch? Then it is not done twice, whatever the engine forgot. */
async function ended({ journal, route, branch }: BranchParts, { envelope, position }: Delivery): Promise<boolean> {
  const { records } = await journal.find({ id: envelope.id, route: route.id, branch: branch.name, limit: 100 });
  return records.some((record) => ENDS.includes(record.step) && record.position > position);
}

/** One attempt. A BusError is given back, so that no failure of bookkeeping is taken for one of the provider. */
async function attempt(parts: BranchParts, delivery: Delivery, options: NowOptions): Promise<NowResult | BusError> {
  try {
    return await deliverNow(parts, delivery.envelope, options);
  } catch (thrown) {
    if (thrown instanceof Redeliver) throw thrown;
    if (options.signal.aborted) throw new Redeliver(0, true, thrown);
    return asBusError(thrown);
  }
}

type Round = Readonly<{ startedAt: number; tally: Tally }>;

async function onResult(parts: BranchParts, delivery: Delivery, result: NowResult, round: Round): Promise<void> {
  if (result.kind === "skipped") return;
  const { envelope } = delivery;
  if (result.kind === "dropped") {
    await note(parts, delivery, round, { step: "dropped", outcome: "dropped", detail: result.reason });
    await parts.settled?.(envelope, { value: undefined, error: new BusError("rejected-by-step", result.reason) });
    return;
  }
  await parts.settled?.(envelope, { value: result.value, error: undefined });
  const detail = result.kind === "answered" ? { detail: "a step answered it" } : undefined;
  await note(parts, delivery, round, { step: "delivered", outcome: "ok", ...detail, ...receiptOf(parts, envelope, result) });
  round.tally.delivered++;
  round.tally.lastDeliveredAt = parts.clock.now();
}

type FailureRound = Round & Readonly<{ stop: (why: string) => void }>;

async function onFailure(parts: BranchParts, delivery: Delivery, error: BusError, round: FailureRound): Promise<void> {
  const { branch, route, clock, endpoints } = parts;
  const rules = branch.failures.length > 0 ? branch.failures : route.failures;
  const failed = { error, attempt: delivery.attempt, firstAttemptAt: delivery.firstAttemptAt, now: clock.now() };
  const verdict = judge(branch.deliver, rules, failed, endpoints.random);
  if (verdict.kind === "hold") throw new Redeliver(verdict.after, true, error);
  round.tally.failed++;
  if (verdict.kind === "retry") {
    const detail = `${error.message}; again in ${verdict.after} ms`;
    await note(parts, delivery, round, { step: "attempt", outcome: "failed", ...wordsOf(error), detail });
    throw new Redeliver(verdict.after, false, error);
  }
  await onEnd(parts, delivery, error, verdict, round);
}

/** The ways out. Each leaves its row in the journal before the message is acknowledged. */
async function onEnd(
  parts: BranchParts,
  delivery: Delivery,
  error: BusError,
  verdict: Extract<Verdict, { kind: "end" }>,
  round: FailureRound,
): Promise<void> {
  const { envelope } = delivery;
  const { rule, why } = verdict;
  const detail = `${error.message} (${why})`;
  switch (rule.do) {
    case "stop":
      round.stop(detail);
      await note(parts, delivery, round, {
        step: "attempt",
        outcome: "failed",
        ...wordsOf(error),
        detail: `the branch stopped: ${detail}`,
      });
      throw new Redeliver(STOPPED, true, error);
    case "deadletter":
      await bury(parts, delivery, error, why);
      round.tally.dead++;
      break;
    case "reply":
      await parts.settled?.(envelope, { value: rule.with, error: undefined });
      await note(parts, delivery, round, {
        step: "dropped",
        outcome: "ok",
        ...wordsOf(error),
        detail: `answered by a failure rule: ${detail}`,
      });
      return;
    case "reject":
      await note(parts, delivery, round, { step: "dropped", outcome: "failed", ...wordsOf(error), detail: `rejected: ${detail}` });
      break;
    case "drop":
      await note(parts, delivery, round, { step: "dropped", outcome: "dropped", ...wordsOf(error), detail });
      break;
  }
  await parts.settled?.(envelope, { value: undefined, error });
}

function bury(parts: BranchParts, delivery: Delivery, error: BusError, why: string): Promise<void> {
  const { route, branch } = parts;
  return parts.deadletters.record({
    route: route.id,
    branch: branch.name,
    envelope: delivery.envelope,
    error,
    why,
    attempts: delivery.attempt,
    firstAttemptAt: delivery.firstAttemptAt,
    keep: route.deadletter.keep,
    replay: route.deadletter.replay,
    ...(branch.system === undefined ? undefined : { target: branch.system }),
  });
}

function wordsOf(error: BusError): Pick<JournalRecord, "errorClass" | "errorCode"> {
  return { errorClass: error.class, errorCode: error.code };
}

function receiptOf(parts: BranchParts, envelope: Envelope, result: NowResult, said?: string): Audited {
  if (result.kind !== "delivered" || !parts.audit) return {};
  const { route, branch, audit, clock } = parts;
  const { subject } = result;
  return audit.received({ route, branch, envelope, subject, ...(said === undefined ? undefined : { note: said }) }, clock.now());
}

type Noted = Pick<JournalRecord, "step" | "outcome" | "errorClass" | "errorCode" | "detail" | "envelope" | "topic">;

/** Resolves when the row is durable: only then may the message be acknowledged. */
async function note(parts: BranchParts, delivery: Delivery, round: Round, noted: Noted): Promise<void> {
  const { route, branch, clock } = parts;
  const { envelope } = delivery;
  const time = clock.now();
  const record: Mutable<JournalRecord> = {
    id: envelope.id,
    correlationId: envelope.correlationId,
    route: route.id,
    contract: envelope.contract,
    system: envelope.source,
    step: noted.step,
    outcome: noted.outcome,
    time,
    branch: branch.name,
    attempt: delivery.attempt,
    elapsed: time - round.startedAt,
  };
  if (branch.system !== undefined) record.target = branch.system;
  if (noted.errorClass !== undefined) record.errorClass = noted.errorClass;
  if (noted.errorCode !== undefined) record.errorCode = noted.errorCode;
  if (noted.detail !== undefined) record.detail = noted.detail.slice(0, 1000);
  if (noted.envelope !== undefined) record.envelope = noted.envelope;
  if (noted.topic !== undefined) record.topic = noted.topic;
  await parts.journal.append([record]);
}
