/** A replay at work: sends the selected messages one after the other at its rate, and remembers how far it came. */
import { asBusError, BusError } from "../errors.ts";
import type { JournalRecord } from "../journal/record.ts";
import type { Clock, Journal } from "../ports.ts";
import type { RunningBranch } from "./branch.ts";
import type { Recheck } from "./deadletters.ts";
import { createFlights } from "./flights.ts";
import { replayable, type Replayable, type ReplayFilter, type Selection } from "./replay-scan.ts";
import type { Route } from "../route/runtime.ts";

export type ReplayState = "running" | "paused" | "stopped" | "done";

/** A replay job as the store keeps it. */
export type ReplayJob = {
  filter: ReplayFilter;
  branches: readonly string[];
  /** Messages per second. */
  rate: number;
  stopOnFailure: boolean;
  operator: string;
  reason: string;
  state: ReplayState;
  startedAt: number;
  endedAt?: number;
  /** Journal position of the last message that is done with, and of the last of all. */
  cursor: number;
  until: number;
  total: number;
  withoutPayload: number;
  done: number;
  failed: number;
  lastError?: string;
};

export type JobParts = Readonly<{
  id: string;
  journal: Journal;
  clock: Clock;
  selection: Selection;
  route: Route;
  branches: readonly RunningBranch[];
  recheck: Recheck | undefined;
  /** The job may have died in the middle of messages after its cursor: look in the journal which of them were sent. */
  resumed: boolean;
  job: ReplayJob;
  save: (job: ReplayJob) => Promise<void>;
}>;

export interface RunningJob {
  readonly job: ReplayJob;
  /** Resolves when it is done, stopped or paused, and that is durable. */
  readonly ended: Promise<void>;
  /** Ends after the message that is with its provider now. `keep`: stays `running`, to go on after the next start. */
  halt(keep: boolean): void;
}

/** How much a crash may leave unsaved; that many messages are looked up in the journal after a resumption. */
const SAVE_EVERY = 20;

export function startJob(parts: JobParts): RunningJob {
  let job = parts.job;
  let halted: "pause" | "keep" | undefined;
  const sleeping = new AbortController();
  const flights = createFlights();

  async function run(): Promise<void> {
    const tempo = createTempo(parts.clock, job.rate, sleeping.signal);
    let unsaved = 0;
    let toCheck = parts.resumed ? SAVE_EVERY : 0;
    for await (const record of replayable(parts.selection, job.cursor, job.until)) {
      await tempo();
      const error = halted ? undefined : await sendToAll(record, toCheck-- > 0);
      if (halted && error !== "sent") return end({ state: halted === "keep" ? "running" : "paused" });
      if (error instanceof BusError && job.stopOnFailure)
        return end({ state: "stopped", lastError: `message ${record.id}: ${error.message}` });
      const failed = error instanceof BusError;
      job = { ...job, cursor: record.position, done: job.done + (failed ? 0 : 1), failed: job.failed + (failed ? 1 : 0) };
      if (failed) job = { ...job, lastError: `message ${record.id}: ${error.message}` };
      if (++unsaved >= SAVE_EVERY || job.rate <= SAVE_EVERY) {
        await parts.save(job);
        unsaved = 0;
      }
    }
    await end({ state: "done", endedAt: parts.clock.now() });
  }

  function end(change: Partial<ReplayJob>): Promise<void> {
    job = { ...job, ...change };
    return parts.save(job);
  }

  /** `sent` when every branch has it; a BusError when one refused; undefined when it was called back before anything left. */
  async function sendToAll(record: Replayable, check: boolean): Promise<"sent" | BusError | undefined> {
    let failure: BusError | undefined;
    for (const branch of parts.branches) {
      if (check && (await wasSent(parts, record, branch.name))) continue;
      const result = await sendWhenOpen(record, branch);
      if (result === undefined) return undefined;
      if (result instanceof BusError) failure ??= result;
    }
    return failure ?? "sent";
  }

  /** An open breaker or a full line makes the job wait, not fail. */
  async function sendWhenOpen(record: Replayable, branch: RunningBranch): Promise<"sent" | BusError | undefined> {
    for (;;) {
      const result = await sendOne(parts, record, branch, flights);
      const notAsked =
        result instanceof BusError && (result.code === "breaker-open" || result.code === "queue-full" || result.code === "rate-exceeded");
      if (!notAsked) return result;
      await parts.clock.sleep(Math.max(1, result.retryAfter ?? 1000), sleeping.signal).catch(() => undefined);
      if (halted) return undefined;
    }
  }

  const ended = run().catch(async (thrown: unknown) => end({ state: "stopped", lastError: asBusError(thrown).message }));
  return {
    get job() {
      return job;
    },
    ended,
    halt(keep) {
      halted = keep ? "keep" : "pause";
      flights.recallWaiting();
      sleeping.abort(new Error("the replay was halted"));
    },
  };
}

/** Waits so that calls of it come no faster than `rate` a second. */
function createTempo(clock: Clock, rate: number, signal: AbortSignal): () => Promise<void> {
  let nextAt = clock.now();
  return async () => {
    const wait = nextAt - clock.now();
    if (wait >= 1) await clock.sleep(Math.ceil(wait), signal).catch(() => undefined);
    nextAt = Math.max(nextAt, clock.now() - 1000 / rate) + 1000 / rate;
  };
}

async function sendOne(
  parts: JobParts,
  record: Replayable,
  branch: RunningBranch,
  flights: ReturnType<typeof createFlights>,
): Promise<"sent" | BusError | undefined> {
  const startedAt = parts.clock.now();
  const flight = flights.begin(false);
  const note = (rest: Partial<JournalRecord>): Promise<unknown> => parts.journal.append([rowOf(parts, record, branch, startedAt, rest)]);
  try {
    await parts.recheck?.(parts.route, branch.name, record.envelope);
    const marks = { "mbus-replay": `replay ${parts.id}` };
    const result = await branch.deliver(record.envelope, { signal: flight.signal, attempt: 1, marks, onSend: flight.sent });
    const detail = `replay ${parts.id}: ${result.kind}`;
    await note({ detail, ...branch.audited(record.envelope, result, detail) });
    return "sent";
  } catch (thrown) {
    if (flight.signal.aborted) return undefined;
    const error = asBusError(thrown);
    if (error.code === "breaker-open" || error.code === "queue-full" || error.code === "rate-exceeded") return error;
    const detail = `replay ${parts.id}: ${error.message}`.slice(0, 1000);
    await note({ outcome: "failed", errorClass: error.class, errorCode: error.code, detail });
    return error;
  } finally {
    flight.end();
  }
}

function rowOf(parts: JobParts, record: Replayable, branch: RunningBranch, startedAt: number, rest: Partial<JournalRecord>): JournalRecord {
  const { id, correlationId, contract, source: system } = record.envelope;
  const time = parts.clock.now();
  return {
    step: "replayed",
    outcome: "ok",
    time,
    id,
    correlationId,
    route: parts.route.id,
    branch: branch.name,
    contract,
    system,
    elapsed: time - startedAt,
    ...rest,
  };
}

async function wasSent(parts: JobParts, record: Replayable, branch: string): Promise<boolean> {
  const { records } = await parts.journal.find({ id: record.envelope.id, step: "replayed", outcome: "ok", branch, limit: 100 });
  return records.some(({ detail, route }) => route === parts.route.id && detail?.startsWith(`replay ${parts.id}:`) === true);
}
