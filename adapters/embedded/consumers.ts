/** Durable cursors of consumer groups. Finished = at or below `scan`, not pending and not waiting for a retry. Runs in the worker. */
import type { DatabaseSync } from "node:sqlite";
import type { GroupRow, NamedGroup, RetryRow, WriteOp } from "./protocol.ts";
import { nextMessage, type Topics } from "./topics.ts";

export type Consumers = Readonly<{
  group(op: Extract<WriteOp, { op: "group" }>, last: number): GroupRow;
  cursor(op: Extract<WriteOp, { op: "cursor" }>): void;
  all(): readonly NamedGroup[];
  /** The group would begin as a new one. */
  forget(op: Extract<WriteOp, { op: "forget" }>): void;
  /** All up to a position is done, whatever was unfinished. */
  place(op: Extract<WriteOp, { op: "place" }>): void;
  /** Nothing at or above this position may be deleted; Infinity where no group needs anything. */
  floor(topics: Topics): number;
}>;

const bytesOf = (numbers: Float64Array): Uint8Array => new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength);
const numbersOf = (bytes: unknown): Float64Array => new Float64Array((bytes as Uint8Array).slice().buffer);

export function openConsumers(db: DatabaseSync): Consumers {
  const known = db.prepare("SELECT id, scan, pending FROM consumer WHERE topic = ? AND name = ?");
  const create = db.prepare("INSERT INTO consumer(topic, name, scan, pending) VALUES(?, ?, ?, x'') RETURNING id");
  const retries = db.prepare("SELECT position, attempt, next, first FROM retry WHERE consumer = ? ORDER BY position");
  const move = db.prepare("UPDATE consumer SET scan = ?, pending = ? WHERE id = ?");
  const wait = db.prepare("INSERT OR REPLACE INTO retry(consumer, position, attempt, next, first) VALUES(?, ?, ?, ?, ?)");
  const done = db.prepare("DELETE FROM retry WHERE consumer = ? AND position = ?");
  const named = db.prepare(
    "SELECT c.id AS id, t.name AS topic, c.name AS name, scan, pending FROM consumer c JOIN topic t ON t.id = c.topic",
  );
  const byName = db.prepare("SELECT c.id AS id FROM consumer c JOIN topic t ON t.id = c.topic WHERE t.name = ? AND c.name = ?");
  const waits = db.prepare("DELETE FROM retry WHERE consumer = ?");
  const remove = db.prepare("DELETE FROM consumer WHERE id = ?");
  const all = db.prepare("SELECT topic, scan, pending, (SELECT min(position) FROM retry WHERE consumer = id) AS retry FROM consumer");
  const waiting = (group: number): readonly RetryRow[] =>
    retries.all(group).map((retry) => ({
      position: Number(retry["position"]),
      attempt: Number(retry["attempt"]),
      nextAt: Number(retry["next"]),
      firstAt: Number(retry["first"]),
    }));
  return {
    group(op, last) {
      const row = known.get(op.topic, op.name);
      if (row === undefined) {
        const scan = op.from === "new" ? last : 0;
        const group = Number(create.get(op.topic, op.name, scan)?.["id"]);
        return { group, scan, pending: new Float64Array(0), retries: [] };
      }
      const id = Number(row["id"]);
      return { group: id, scan: Number(row["scan"]), pending: numbersOf(row["pending"]), retries: waiting(id) };
    },
    all: () =>
      named.all().map((row) => ({
        topic: String(row["topic"]),
        name: String(row["name"]),
        scan: Number(row["scan"]),
        pending: numbersOf(row["pending"]),
        retries: waiting(Number(row["id"])),
      })),
    forget(op) {
      const id = byName.get(op.topic, op.name)?.["id"];
      if (id === undefined) return;
      waits.run(id);
      remove.run(id);
    },
    place(op) {
      const id = known.get(op.topic, op.name)?.["id"] ?? create.get(op.topic, op.name, 0)?.["id"];
      waits.run(Number(id));
      move.run(op.scan, new Uint8Array(0), Number(id));
    },
    cursor(op) {
      move.run(op.scan, bytesOf(op.pending), op.group);
      const { drop, upsert } = op;
      for (const position of drop) done.run(op.group, position);
      for (let i = 0; i < upsert.length; i += 4)
        wait.run(op.group, upsert[i] ?? 0, upsert[i + 1] ?? 0, upsert[i + 2] ?? 0, upsert[i + 3] ?? 0);
    },
    floor(topics) {
      let floor = Infinity;
      for (const row of all.iterate()) {
        const pending = numbersOf(row["pending"]);
        for (let i = 0; i < pending.length; i += 3) floor = Math.min(floor, pending[i] ?? Infinity);
        if (row["retry"] !== null) floor = Math.min(floor, Number(row["retry"]));
        floor = Math.min(floor, nextMessage(topics, Number(row["topic"]), Number(row["scan"])) ?? Infinity);
      }
      return floor;
    },
  };
}
