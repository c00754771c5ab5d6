/**
 * The engine's worker thread: one writer, one connection. A batch's records are one write of the log with one flush, its
 * other writes one transaction; it is answered only after both. Rows and index follow after the answer. An error of the
 * file system stops the engine: what the files then hold is known only by reading them again after a restart.
 */
import { parentPort, workerData } from "node:worker_threads";
import { draftRecords, indexRecords } from "./appender.ts";
import { remember } from "./blocks.ts";
import { checkpoint, EngineFault, isDiskFull, relaxed } from "./database.ts";
import { closeTail, finishBuild, hasUpkeep, tailIsFull, upkeep } from "./finder.ts";
import { appendLog } from "./log.ts";
import { runRead, runWrite } from "./operations.ts";
import { ROWS, WRITES, type Answer, type Batch, type Fault, type Opened, type Opening, type OpAnswer } from "./protocol.ts";
import { addRows, rowsWritten, writeRows } from "./rows.ts";
import { closeState, dropUnused, openState, reopenState, type State } from "./state.ts";
import { allTopics } from "./topics.ts";

const port = parentPort;
const opening = workerData as Opening;
/** Rows are written when so many wait, or after a rest without batches (ms). */
const ROWS_AT_ONCE = 64;
const REST_MS = 25;
/** One piece of index upkeep (ms). */
const UPKEEP_MS = 2;
/** Without a rest a checkpoint waits for about so many times its pages; where one page is the limit, it follows every commit. */
const BUSY_PAGES = 4;

let state: State | undefined;
let dead: Fault | undefined;
let idle: NodeJS.Immediate | undefined;
let rest: NodeJS.Timeout | undefined;
/** Batches come one after the other: what can wait for a rest does. */
let busy = false;

function faultOf(error: unknown): Fault {
  if (error instanceof EngineFault) return error.fault;
  return { code: "journal-failed", message: `the embedded engine failed: ${error instanceof Error ? error.message : String(error)}` };
}

const diskFull = (): EngineFault => new EngineFault("journal-failed", "the disk of the data folder is full; nothing of this was kept");

/** Runs `work` and what waits for rows as one transaction; a full disk undoes it, any other failure of the engine is fatal. */
function transact<T>(current: State, work: () => T): T {
  const { db, rows, blocks, topics } = current;
  db.exec("BEGIN IMMEDIATE");
  let result: T;
  try {
    writeRows(rows, blocks, topics);
    result = work();
    db.exec("COMMIT");
  } catch (error) {
    if (!isDiskFull(error)) throw new Error(error instanceof Error ? error.message : String(error), { cause: error });
    if (db.isTransaction) db.exec("ROLLBACK");
    state = reopenState(current, opening);
    throw diskFull();
  }
  rowsWritten(rows, blocks, topics);
  return result;
}

/** Appends the batch's records to the log; gives their positions and what is left to do once they are durable. */
function append(current: State, batch: Batch): Readonly<{ positions: Float64Array; index: () => void }> {
  if (current.rows.waiting.length >= ROWS_AT_ONCE) writeAllRows(current);
  const { log, blocks, finder, rows } = current;
  const draft = draftRecords(blocks, finder, batch);
  if (draft.entries.length === 0) return { positions: draft.positions, index: () => undefined };
  try {
    const placed = appendLog(log, draft.blocks, draft.entries);
    addRows(rows, placed, draft.topics);
    remember(blocks, placed);
  } catch (error) {
    throw isDiskFull(error) ? diskFull() : error;
  }
  // The answer takes the positions with it.
  const positions = draft.positions.slice();
  return { positions: draft.positions, index: () => indexRecords(finder, batch, positions) };
}
const needs = (batch: Batch, names: ReadonlySet<string>): boolean => batch.ops.some((op) => names.has(op.op));

type Handled = Readonly<{ answer: Answer; index: () => void }>;

function handle(batch: Batch): Handled {
  const nothing = (): void => undefined;
  if (state === undefined || dead !== undefined) {
    const fault = dead ?? { code: "bus-stopping", message: "the engine is closed" };
    return { answer: { id: batch.id, positions: new Float64Array(0), ops: [], fault, fatal: true }, index: nothing };
  }
  state.topics.unsaved.push(...batch.topics);
  const { positions, index } = batch.records > 0 ? append(state, batch) : { positions: new Float64Array(0), index: nothing };
  // Nobody who waits for records alone waits for the index.
  if (batch.ops.length === 0) return { answer: { id: batch.id, positions, ops: [] }, index };
  index();
  return { answer: { id: batch.id, positions, ops: runOps(batch) }, index: nothing };
}

/** Writes first, as one transaction; a full disk refuses them all and leaves the batch's records as they are. */
function runOps(batch: Batch): OpAnswer[] {
  const answers: OpAnswer[] = [];
  const run = (work: (current: State) => void): void => {
    if (state !== undefined) work(state);
  };
  let refused: Fault | undefined;
  if (needs(batch, WRITES)) {
    try {
      run((current) =>
        transact(current, () => {
          batch.ops.forEach((op, i) => {
            if (WRITES.has(op.op)) answers[i] = attempt(() => runWrite(current, op));
          });
        }),
      );
    } catch (error) {
      if (!(error instanceof EngineFault)) throw error;
      refused = error.fault;
    }
    run((current) => {
      if (batch.ops.some((op) => op.op === "retain")) dropUnused(current.blocks);
    });
  } else if (needs(batch, ROWS)) run((current) => writeAllRows(current));
  batch.ops.forEach((op, i) => {
    if (!WRITES.has(op.op)) run((current) => (answers[i] = attempt(() => runRead(current, op))));
    else if (refused !== undefined) answers[i] = { fault: refused };
  });
  return answers;
}

/** Without a flush: a start would find them in the log. */
function writeAllRows(current: State, work: () => void = () => undefined): void {
  relaxed(current.db, () => transact(current, work));
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
  let handled: Handled | undefined;
  let reply: Answer;
  try {
    handled = handle(batch);
    reply = handled.answer;
  } catch (error) {
    const fault = faultOf(error);
    const fatal = !(error instanceof EngineFault);
    if (fatal) dead = fault;
    reply = { id: batch.id, positions: new Float64Array(0), ops: [], fault, fatal };
  }
  port?.postMessage(reply, transferables(reply));
  handled?.index();
  if (state !== undefined && state.rows.waiting.length >= Math.min(ROWS_AT_ONCE, opening.checkpointPages)) settle(() => undefined);
  busy = true;
  rest ??= setTimeout(atRest, REST_MS);
  rest.refresh();
  planIdle();
}

/** No batch came for a while: what waited for that is done now. */
function atRest(): void {
  busy = false;
  if (settle(() => undefined)) planIdle();
}

/** Rows, index and checkpoint come after the answer, so that no acknowledgement waits for what it made due. False where it failed. */
function settle(work: (current: State) => void): boolean {
  const current = state;
  if (current === undefined || dead !== undefined) return false;
  try {
    writeAllRows(current, () => work(current));
    checkpoint(current.db, (opening.checkpointPages - 1) * (busy ? BUSY_PAGES : 1) + 1);
    return true;
  } catch (error) {
    // On a full disk the rows wait and the pages stay in the write-ahead log; the next turn tries again.
    if (!(error instanceof EngineFault) && !isDiskFull(error)) dead = faultOf(error);
    return false;
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

/** Goes on with index upkeep, a piece between two batches. */
function planIdle(): void {
  if (state === undefined || dead !== undefined || idle !== undefined) return;
  const { finder } = state;
  if (tailIsFull(finder)) {
    if (finder.build !== undefined && !settle((current) => finishBuild(current.finder))) return;
    closeTail(finder);
  }
  if (!hasUpkeep(finder, busy)) return;
  idle = setImmediate(() => {
    idle = undefined;
    if (settle((current) => upkeep(current.finder, UPKEEP_MS, busy))) planIdle();
  });
}

function close(): void {
  busy = false;
  settle(() => undefined);
  if (rest !== undefined) clearTimeout(rest);
  const current = state;
  state = undefined;
  if (idle !== undefined) clearImmediate(idle);
  if (current !== undefined) closeState(current);
}

function start(): void {
  let opened: Opened;
  try {
    state = openState(opening);
    opened = { ready: true, last: state.blocks.last, lastTime: state.blocks.lastTime, topics: allTopics(state.db, state.topics) };
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
