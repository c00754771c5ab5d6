/** All that the worker holds over one open data folder. */
import type { DatabaseSync } from "node:sqlite";
import { openBlocks, remember, type Blocks } from "./blocks.ts";
import { openConsumers, type Consumers } from "./consumers.ts";
import { openDatabase, relaxed } from "./database.ts";
import { openDocuments, type Documents } from "./documents.ts";
import { openFinder, type Finder } from "./finder.ts";
import { closeLog, dropFiles, openLog, type Log } from "./log.ts";
import type { Opening } from "./protocol.ts";
import { recover } from "./recover.ts";
import { addRows, newRows, rowsWritten, topicsOf, writeRows, type Rows } from "./rows.ts";
import { openTopics, type Topics } from "./topics.ts";

export type State = Readonly<{
  db: DatabaseSync;
  log: Log;
  blocks: Blocks;
  rows: Rows;
  topics: Topics;
  finder: Finder;
  consumers: Consumers;
  documents: Documents;
}>;

/** Rows of recovered blocks that are written at once, so that memory stays bounded. */
const RECOVERED = 64;

export function openState(opening: Opening): State {
  const db = openDatabase(opening.dataDir);
  try {
    return stateOver(db, opening, []);
  } catch (error) {
    db.close();
    throw error;
  }
}

/** `unsaved`: topics that have a number and no row yet. */
function stateOver(db: DatabaseSync, opening: Opening, unsaved: Topics["unsaved"]): State {
  const log = openLog(opening.dataDir, opening.fileBytes);
  const { blocks, known } = openBlocks(db, log, opening.cacheBytes);
  const topics = openTopics(db, unsaved);
  const rows = newRows();
  const inOrder = (): void => {
    relaxed(db, () => {
      db.exec("BEGIN IMMEDIATE");
      writeRows(rows, blocks, topics);
      db.exec("COMMIT");
    });
    rowsWritten(rows, blocks, topics);
  };
  try {
    recover(log, known, (placed) => {
      addRows(
        rows,
        placed,
        placed.map((block) => topicsOf(db, topics, block)),
      );
      remember(blocks, placed);
      if (rows.waiting.length >= RECOVERED) inOrder();
    });
    dropUnused(blocks);
    return {
      db,
      log,
      blocks,
      rows,
      topics,
      finder: openFinder(db, blocks, opening.runRecords),
      consumers: openConsumers(db),
      documents: openDocuments(db),
    };
  } catch (error) {
    closeLog(log);
    throw error;
  }
}

/** After a rollback, what memory says about log and index is read anew. */
export function reopenState(old: State, opening: Opening): State {
  closeLog(old.log);
  return stateOver(old.db, opening, old.topics.unsaved);
}

/** Files whose blocks were all deleted go; only after the deletion is durable. */
export function dropUnused(blocks: Blocks): void {
  const oldest = blocks.oldest.get();
  if (oldest !== undefined) dropFiles(blocks.log, Number(oldest["file"]));
}

export function closeState(state: State): void {
  closeLog(state.log);
  state.db.close();
}
