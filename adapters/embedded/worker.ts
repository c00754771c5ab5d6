/**
 * The engine's worker thread: one writer, one connection. Each batch is one transaction with one flush; it is answered
 * only after the commit. An error of the file system stops the engine: what the file then holds is known only by reading
 * it again after a restart.
 */
import { parentPort, workerData } from "node:worker_threads";
import { applyRecords, writeRecords, type Written } from "./appender.ts";
import { checkpoint, EngineFault, isDiskFull } from "./database.ts";
import type { Answer, Batch, Fault, Opened, Opening, OpAnswer } from "./protocol.ts";
import { WRITES } from "./protocol.ts";
import { runRead, runWrite } from "./operations.ts";
import { closeTail, finishBuild, hasUpkeep, tailIsFull, upkeep } from "./finder.ts";
import { forgetTotals } from "./topics.ts";
import { openState, type State } from "./state.ts";

const port = parentPort;
const opening = workerData as Opening;
/** Share of a batch's time that index upkeep may take, within these bounds (ms). */
const UPKEEP = { share: 0.2, least: 0.5, most: 3 };
const IDLE_MS = 2;

let state: State | undefined;
let dead: Fault | undefined;
let idle: NodeJS.Immediate | undefined;
/** Topics of batches that were rolled back: a later batch may use their ids already. */
let unsavedTopics: (readonly [number, string])[] = [];

function faultOf(error: unknown): Fault {
  if (error instanceof EngineFault) return error.fault;
  return { code: "journal-failed", message: `the embedded engine failed: ${error instanceof Error ? error.message : String(error)}` };
}

/** Runs `work` as one transaction; a full disk undoes it, any other failure of the engine is fatal. */
function transact<T>(state: State, work: () => T): T {
  state.db.exec("BEGIN IMMEDIATE");
  let result: T;
  try {
    result = work();
    state.db.exec("COMMIT");
  } catch (error) {
    if (!isDiskFull(error)) throw new Error(error instanceof Error ? error.message : String(error), { cause: error });
    if (state.db.isTransaction) state.db.exec("ROLLBACK");
    forgetTotals(state.topics);
    restart(state);
    throw new EngineFault("journal-failed", "the disk of the data folder is full; nothing of this was kept");
  }
  return result;
}

/** After a rollback, what memory says about index and log is read anew. */
function restart(old: State): void {
  state = openState(old.db, opening);
}

function handle(batch: Batch): Answer {
  if (state === undefined || dead !== undefined) {
    return {
      id: batch.id,
      positions: new Float64Array(0),
      ops: [],
      fault: dead ?? { code: "bus-stopping", message: "the engine is closed" },
      fatal: true,
    };
  }
  const current = state;
  const answers: OpAnswer[] = [];
  let written: Written | undefined;
  const began = performance.now();
  unsavedTopics.push(...batch.topics);
  if (batch.records > 0 || unsavedTopics.length > 0 || batch.ops.some((op) => WRITES.has(op.op))) {
    written = transact(current, () => {
      for (const [id, name] of unsavedTopics) current.topics.name.run(id, name);
      const result = writeRecords(current.blocks, current.topics, current.finder, batch);
      batch.ops.forEach((op, i) => {
        if (WRITES.has(op.op)) answers[i] = attempt(() => runWrite(current, op));
      });
      if (tailIsFull(current.finder)) finishBuild(current.finder);
      if (hasUpkeep(current.finder)) {
        const share = (performance.now() - began) * UPKEEP.share;
        upkeep(current.finder, Math.min(UPKEEP.most, Math.max(UPKEEP.least, share)));
      }
      return result;
    });
    unsavedTopics = [];
    applyRecords(current.blocks, current.finder, batch, written);
  }
  batch.ops.forEach((op, i) => {
    if (!WRITES.has(op.op)) answers[i] = attempt(() => runRead(current, op));
  });
  return { id: batch.id, positions: written?.positions ?? new Float64Array(0), ops: answers };
}

/** A refusal is an answer to its own operation; anything else is the engine's failure. */
function attempt(work: () => unknown): OpAnswer {
  try {
    return { value: work() };
  } catch (error) {
    if (error instanceof EngineFault) return { fault: error.fault };
    throw error;
  }
}

function answer(batch: Batch): void {
  let reply: Answer;
  try {
    reply = handle(batch);
  } catch (error) {
    const fault = faultOf(error);
    const fatal = !(error instanceof EngineFault);
    if (fatal) dead = fault;
    reply = { id: batch.id, positions: new Float64Array(0), ops: [], fault, fatal };
  }
  port?.postMessage(reply, transferables(reply));
  tidy();
  planIdle();
}

/** Index and checkpoint come after the answer, so that no acknowledgement waits for what its own commit made due. */
function tidy(): void {
  if (state === undefined || dead !== undefined) return;
  if (tailIsFull(state.finder) && state.finder.build === undefined) closeTail(state.finder);
  try {
    checkpoint(state.db, opening.checkpointPages);
  } catch (error) {
    // On a full disk the pages stay in the write-ahead log, where they are durable; the next turn tries again.
    if (!isDiskFull(error)) dead = faultOf(error);
  }
}

/** Record pages are moved, not copied. */
function transferables(reply: Answer): ArrayBuffer[] {
  const buffers: ArrayBuffer[] = [reply.positions.buffer as ArrayBuffer];
  for (const op of reply.ops) {
    if (!("value" in op) || typeof op.value !== "object" || op.value === null) continue;
    const records: unknown = "records" in op.value ? op.value.records : op.value;
    if (typeof records !== "object" || records === null || !("positions" in records) || !("data" in records)) continue;
    buffers.push((records.positions as Float64Array).buffer as ArrayBuffer, (records.data as Uint8Array).buffer as ArrayBuffer);
  }
  return buffers;
}

/** Goes on with index upkeep while no batch waits. */
function planIdle(): void {
  if (idle !== undefined || dead !== undefined || state === undefined || !hasUpkeep(state.finder)) return;
  idle = setImmediate(() => {
    idle = undefined;
    const current = state;
    if (current === undefined || dead !== undefined) return;
    try {
      transact(current, () => upkeep(current.finder, IDLE_MS));
    } catch (error) {
      if (!(error instanceof EngineFault)) dead = faultOf(error);
      return;
    }
    tidy();
    planIdle();
  });
}

function close(): void {
  const current = state;
  state = undefined;
  if (idle !== undefined) clearImmediate(idle);
  current?.db.close();
}

function start(): void {
  let opened: Opened;
  try {
    state = openState(undefined, opening);
    const topics = state.db
      .prepare("SELECT id, name FROM topic")
      .all()
      .map((row): readonly [number, string] => [Number(row["id"]), String(row["name"])]);
    opened = { ready: true, last: state.blocks.last, lastTime: state.blocks.lastTime, topics };
  } catch (error) {
    opened = { ready: false, fault: faultOf(error) };
  }
  port?.postMessage(opened);
  if (!opened.ready) {
    port?.close();
    return;
  }
  port?.on("message", (message: Batch | "close") => {
    if (message !== "close") return answer(message);
    close();
    port?.postMessage("closed");
    port?.close();
  });
}

start();
