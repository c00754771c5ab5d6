/** All that the worker holds over one open database. */
import type { DatabaseSync } from "node:sqlite";
import { openBlocks, type Blocks } from "./blocks.ts";
import { openConsumers, type Consumers } from "./consumers.ts";
import { openDatabase } from "./database.ts";
import { openDocuments, type Documents } from "./documents.ts";
import { openFinder, type Finder } from "./finder.ts";
import type { Opening } from "./protocol.ts";
import { openTopics, type Topics } from "./topics.ts";

export type State = Readonly<{
  db: DatabaseSync;
  blocks: Blocks;
  topics: Topics;
  finder: Finder;
  consumers: Consumers;
  documents: Documents;
}>;

export function openState(open: DatabaseSync | undefined, opening: Opening): State {
  const db = open ?? openDatabase(opening.dataDir);
  const blocks = openBlocks(db, opening.cacheBytes);
  return {
    db,
    blocks,
    topics: openTopics(db),
    finder: openFinder(db, blocks, opening.runRecords),
    consumers: openConsumers(db),
    documents: openDocuments(db),
  };
}
