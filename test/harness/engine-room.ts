/** The embedded engine's rooms without their thread: an open folder and a way to append to it as a batch does. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { draftRecords, indexRecords } from "#adapters/embedded/appender.ts";
import { remember } from "#adapters/embedded/blocks.ts";
import type { Draft } from "#adapters/embedded/channel.ts";
import { appendLog } from "#adapters/embedded/log.ts";
import { pack, topicId, type TopicIds } from "#adapters/embedded/packer.ts";
import type { Batch, Opening } from "#adapters/embedded/protocol.ts";
import { addRows, rowsWritten, writeRows } from "#adapters/embedded/rows.ts";
import { closeState, openState, type State } from "#adapters/embedded/state.ts";
import { newSink } from "#bus/journal/bytes.ts";
import type { JournalRecord } from "#bus/journal/record.ts";

export type Room = {
  readonly dataDir: string;
  state: State;
  /** Positions of a batch of records; negative = a duplicate of that position. */
  append(records: readonly JournalRecord[]): number[];
  /** Writes the rows that wait, and what is given, in one transaction. */
  commit(work?: () => void): void;
  topic(name: string): number;
  /** As after a crash: nothing that waits is written. */
  reopen(): void;
  remove(): void;
};

const OPENING = { cacheBytes: 1_048_576, runRecords: 1_000, checkpointPages: 1_000, fileBytes: 67_108_864 };

const newDraft = (): Draft => ({
  sink: newSink(4_096),
  meta: new Float64Array(512),
  metaAt: 0,
  records: 0,
  tickets: [],
  topics: [],
  ops: [],
  waiting: [],
});

export function openRoom(options: Partial<Opening> = {}): Room {
  const dataDir = mkdtempSync(join(tmpdir(), "mbus-room-"));
  const opening: Opening = { ...OPENING, ...options, dataDir };
  const topics: TopicIds = { ids: new Map(), next: 1 };
  const time = { last: 0 };
  const room: Room = {
    dataDir,
    state: openState(opening),
    append(records) {
      const draft = newDraft();
      pack(draft, records, topics, time, 16_777_216);
      const data = draft.sink.buf.buffer as ArrayBuffer;
      const batch: Batch = { id: 1, data, meta: draft.meta.buffer as ArrayBuffer, records: draft.records, topics: draft.topics, ops: [] };
      const { blocks, finder, log, rows } = room.state;
      room.state.topics.unsaved.push(...batch.topics);
      const written = draftRecords(blocks, finder, batch);
      if (written.entries.length > 0) {
        const placed = appendLog(log, written.blocks, written.entries);
        addRows(rows, placed, written.topics);
        remember(blocks, placed);
      }
      indexRecords(finder, batch, written.positions);
      return [...written.positions];
    },
    commit(work) {
      const { db, rows, blocks, topics: known } = room.state;
      db.exec("BEGIN IMMEDIATE");
      writeRows(rows, blocks, known);
      work?.();
      db.exec("COMMIT");
      rowsWritten(rows, blocks, known);
    },
    topic(name) {
      const draft = newDraft();
      const id = topicId(draft, topics, name);
      room.state.topics.unsaved.push(...draft.topics);
      return id;
    },
    reopen() {
      closeState(room.state);
      room.state = openState(opening);
    },
    remove() {
      closeState(room.state);
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
  return room;
}
