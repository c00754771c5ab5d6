/** What each operation of the protocol does, apart from appending records. Runs in the worker. */
import { addRecord, newPile, pileUp, readForward, readStored } from "./blocks.ts";
import { EngineFault } from "./database.ts";
import { find } from "./find.ts";
import type { Op } from "./protocol.ts";
import { retain, usedBytes } from "./retention.ts";
import type { State } from "./state.ts";
import { countAfter, readPage } from "./topics.ts";

export function runWrite(state: State, op: Op): unknown {
  const { consumers, documents } = state;
  switch (op.op) {
    case "group":
      return consumers.group(op, state.blocks.last);
    case "cursor":
      return consumers.cursor(op);
    case "collection":
      return documents.collection(op);
    case "insert":
      return documents.insert(op);
    case "update":
      return documents.update(op);
    case "remove":
      return documents.remove(op);
    case "blob":
      return documents.putBlob(op);
    case "blob-remove":
      return documents.removeBlob(op.id);
    case "forget":
      return consumers.forget(op);
    case "place":
      return consumers.place(op);
    case "retain":
      return retain(state, op);
    default:
      throw new EngineFault("unexpected", `${op.op} is not a write`);
  }
}

export function runRead(state: State, op: Op): unknown {
  const { blocks, topics, finder, documents } = state;
  switch (op.op) {
    case "read":
      return readForward(blocks, op.from, op.limit, op.bytes);
    case "at": {
      const pile = newPile();
      for (const position of op.positions) addRecord(blocks, pile, position);
      return pileUp(pile);
    }
    case "page":
      return readPage(topics, blocks, op.topic, op.after, op.limit, op.bytes);
    case "lag":
      return countAfter(topics, op.topic, op.after);
    case "find":
      return find(blocks, finder, op);
    case "get":
      return documents.get(op);
    case "documents":
      return documents.find(op);
    case "blob-read":
      return documents.readBlob(op.id);
    case "groups":
      return state.consumers.all();
    case "stats":
      return stats(state);
    case "check":
      return check(state);
    default:
      throw new EngineFault("unexpected", `${op.op} is not a read`);
  }
}

export type EngineStats = Readonly<{
  /** Newest position, and the oldest still kept. */
  last: number;
  first: number;
  /** Bytes of database and log in use, the write-ahead log not included. */
  bytes: number;
  runs: number;
  /** Records that the in-memory part of the search index covers. */
  tail: number;
}>;

function stats(state: State): EngineStats {
  const { blocks, finder } = state;
  const first = Number(state.db.prepare("SELECT min(first) AS first FROM block").get()?.["first"] ?? 0);
  return { last: blocks.last, first, bytes: usedBytes(state), runs: finder.runs.length, tail: finder.tail.last - finder.tail.first + 1 };
}

/** SQLite's own check, then every block against its checksum and its neighbour; `["ok"]` when all is well. */
function check(state: State): string[] {
  const { db, blocks } = state;
  const faults = db
    .prepare("PRAGMA integrity_check")
    .all()
    .map((row) => String(row["integrity_check"]))
    .filter((line) => line !== "ok");
  let next: number | undefined;
  for (const row of db.prepare("SELECT first FROM block ORDER BY first").iterate()) {
    const first = Number(row["first"]);
    if (next !== undefined && first !== next) faults.push(`positions ${next} to ${first - 1} are missing`);
    try {
      next = first + readStored(blocks, first);
    } catch (error) {
      faults.push(error instanceof Error ? error.message : String(error));
      next = undefined;
    }
  }
  return faults.length === 0 ? ["ok"] : faults;
}
