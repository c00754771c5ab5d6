/**
 * The main thread's side of the worker: everything queued goes as one batch, at most two batches are under way, and
 * queued bytes are bounded. After a fatal answer nothing is accepted and nothing acknowledged any more.
 */
import { Worker } from "node:worker_threads";
import { BusError } from "#bus/errors.ts";
import { newSink, type Sink } from "#bus/journal/bytes.ts";
import type { Answer, Batch, Op, Opened, Opening } from "./protocol.ts";
import { faultError, newReplies, type Ticket, type Waiting } from "./replies.ts";

export type ChannelLimits = Readonly<{
  /** Bytes queued and not yet durable; above it writers wait. */
  queueBytes: number;
  /** Writers that may wait; above it journal-busy. */
  waiters: number;
}>;

/** The batch being filled. */
export type Draft = {
  sink: Sink;
  meta: Float64Array;
  metaAt: number;
  records: number;
  tickets: Ticket[];
  topics: (readonly [number, string])[];
  ops: Op[];
  waiting: Waiting[];
};

export type Channel = Readonly<{
  opened: Extract<Opened, { ready: true }>;
  /** The batch being filled; writing to it must be followed by `touch` in the same turn. */
  draft(): Draft;
  touch(): void;
  ask<T>(op: Op): Promise<T>;
  /** Resolves at once, or when queued bytes are below the limit again; throws when closed, failed or too many wait. */
  room(): Promise<void> | undefined;
  failure(): BusError | undefined;
  queuedBytes(): number;
  close(): Promise<void>;
}>;

const PIPELINE = 2;
/** A second batch leaves while the first is under way only when it is worth a flush of its own. */
const WORTH = { records: 32, bytes: 65_536 };
const LARGEST_BATCH = 4_194_304;

export async function openChannel(opening: Opening, limits: ChannelLimits): Promise<Channel> {
  const worker = new Worker(new URL("./worker.ts", import.meta.url), { workerData: opening, name: "mbus-engine", execArgv: [] });
  const opened = await firstMessage(worker);
  if (!opened.ready) {
    await worker.terminate();
    throw faultError(opened.fault);
  }
  return channelOver(worker, opened, limits);
}

function firstMessage(worker: Worker): Promise<Opened> {
  return new Promise((resolve, reject) => {
    const failed = (error: unknown): void =>
      reject(new BusError("journal-failed", `the embedded engine did not start: ${String(error)}`, { cause: error }));
    worker.once("error", failed);
    worker.once("message", (message: Opened) => {
      worker.off("error", failed);
      resolve(message);
    });
  });
}

function channelOver(worker: Worker, opened: Extract<Opened, { ready: true }>, limits: ChannelLimits): Channel {
  const sent = new Map<number, { draft: Draft; bytes: number }>();
  const line: Waiting[] = [];
  let sinkBytes = 65_536;
  let metaNumbers = 4_096;
  let nextId = 1;
  let underWay = 0;
  let planned = false;
  let failure: BusError | undefined;
  let closing: Promise<void> | undefined;
  let drained: (() => void) | undefined;
  let gone: (() => void) | undefined;

  const newDraft = (): Draft => ({
    sink: newSink(sinkBytes),
    meta: new Float64Array(metaNumbers),
    metaAt: 0,
    records: 0,
    tickets: [],
    topics: [],
    ops: [],
    waiting: [],
  });
  let draft = newDraft();
  const isEmpty = (): boolean => draft.records === 0 && draft.ops.length === 0;
  const queued = (): number => underWay + draft.sink.at;

  const fail = (error: BusError): void => {
    failure ??= error;
    const batches = [...[...sent.values()].map((one) => one.draft), draft];
    sent.clear();
    draft = newDraft();
    underWay = 0;
    for (const batch of batches) refuse(batch, failure);
    for (const waiting of line.splice(0)) waiting.reject(failure);
    drained?.();
  };

  const send = (): void => {
    planned = false;
    // While answers are handed out, their takers' next records gather: one batch of them, not one of each slice.
    if (failure !== undefined || isEmpty() || sent.size >= PIPELINE || replies.busy()) return;
    const { sink } = draft;
    if (sent.size > 0 && draft.records < WORTH.records && sink.at < WORTH.bytes && draft.ops.length === 0) return;
    const data = sink.buf.buffer as ArrayBuffer;
    const meta = draft.meta.buffer as ArrayBuffer;
    const batch: Batch = { id: nextId++, data, meta, records: draft.records, topics: draft.topics, ops: draft.ops };
    const bytes = sink.at;
    sent.set(batch.id, { draft, bytes });
    underWay += bytes;
    sinkBytes = Math.min(LARGEST_BATCH, Math.max(16_384, Math.ceil(bytes * 1.25)));
    metaNumbers = Math.min(1_048_576, Math.max(512, Math.ceil(draft.metaAt * 1.25)));
    const filled = draft;
    draft = newDraft();
    worker.postMessage(batch, [data, meta]);
    // The buffers are the worker's now; nothing here may look at them again.
    filled.sink = newSink(0);
    filled.meta = new Float64Array(0);
  };
  const plan = (): void => {
    if (planned) return;
    planned = true;
    setImmediate(send);
  };

  const replies = newReplies(() => {
    if (!isEmpty()) plan();
    else rested();
  });
  const settle = (answer: Answer): void => {
    const one = sent.get(answer.id);
    if (one === undefined) return;
    sent.delete(answer.id);
    underWay -= one.bytes;
    if (answer.fault !== undefined) {
      const error = faultError(answer.fault);
      refuse(one.draft, error);
      if (answer.fatal === true) fail(error);
    } else replies.push(one.draft, answer);
    while (line.length > 0 && queued() < limits.queueBytes) line.shift()?.resolve(undefined);
    if (!isEmpty()) plan();
    else rested();
  };
  const rested = (): void => {
    if (isEmpty() && sent.size === 0 && !replies.busy()) drained?.();
  };

  worker.on("message", (message: Answer | "closed") => {
    if (message === "closed") gone?.();
    else settle(message);
  });
  worker.on("error", (error) => fail(new BusError("journal-failed", `the embedded engine stopped: ${error.message}`, { cause: error })));
  worker.on("exit", () => {
    if (closing === undefined) fail(new BusError("journal-failed", "the embedded engine's thread ended unexpectedly"));
    gone?.();
  });

  const shut = async (): Promise<void> => {
    if (failure === undefined && (sent.size > 0 || !isEmpty() || replies.busy())) {
      plan();
      await new Promise<void>((resolve) => (drained = resolve));
    }
    const wasFailed = failure !== undefined;
    failure ??= new BusError("bus-stopping", "the embedded engine is closed");
    if (!wasFailed) {
      const closed = new Promise<void>((resolve) => (gone = resolve));
      worker.postMessage("close");
      await closed;
    }
    fail(failure);
    await worker.terminate();
  };

  return {
    opened,
    draft: () => {
      if (failure !== undefined) throw failure;
      return draft;
    },
    touch: plan,
    ask: <T>(op: Op) => {
      if (failure !== undefined) return Promise.reject(failure);
      return new Promise<T>((resolve, reject) => {
        draft.ops.push(op);
        draft.waiting.push({ resolve: (value) => resolve(value as T), reject });
        plan();
      });
    },
    room: () => {
      if (failure !== undefined) throw failure;
      if (queued() < limits.queueBytes && line.length === 0) return undefined;
      if (line.length >= limits.waiters) {
        throw new BusError("journal-busy", "the journal's queue to disk is full; send again later", { retryAfter: 1_000 });
      }
      return new Promise<void>((resolve, reject) => line.push({ resolve: () => resolve(), reject }));
    },
    failure: () => failure,
    queuedBytes: queued,
    close: () => (closing ??= shut()),
  };
}

function refuse(draft: Draft, error: BusError): void {
  for (const ticket of draft.tickets) ticket.failed(error);
  for (const waiting of draft.waiting) waiting.reject(error);
}

/** Room for `more` numbers in the draft's meta. */
export function reserveMeta(draft: Draft, more: number): void {
  if (draft.metaAt + more <= draft.meta.length) return;
  const bigger = new Float64Array(Math.max(draft.meta.length * 2, draft.metaAt + more));
  bigger.set(draft.meta.subarray(0, draft.metaAt));
  draft.meta = bigger;
}
