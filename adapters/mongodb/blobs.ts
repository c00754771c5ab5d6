/**
 * Blobs: the bytes in pieces, then one head that names them, so that a reader sees the old bytes or the new ones and never a mixture.
 * (GridFS replaces a file in two steps.) Pieces that no head names are left by a crash only and are swept with retention.
 */
import { randomUUID } from "node:crypto";
import { Binary } from "mongodb";
import { BusError } from "#bus/errors.ts";
import type { Blobs, Clock } from "#bus/ports.ts";
import type { Connection } from "./connection.ts";

const PIECE = 2 * 1_048_576;
const SWEEP_AFTER = 24 * 3_600_000;
const SWEEP_AT_ONCE = 500;

type Head = { _id: string; pieces: string[]; t: number };
type Piece = { _id: string; blob: string; t: number; b: Binary };

export type BlobStore = Blobs &
  Readonly<{
    /** Removes blobs whose id starts with the prefix and that are older than the time. */ retain(
      prefix: string,
      before: number,
    ): Promise<number>;
    sweep(): Promise<void>;
  }>;

export function openBlobs(connection: Connection, clock: Clock, maxBytes: number, open: () => void): BlobStore {
  const heads = connection.db.collection<Head>("blobs");
  const pieces = connection.db.collection<Piece>("blob_pieces");
  const run = async <T>(what: string, work: (again: boolean) => Promise<T>): Promise<T> => {
    open();
    return connection.run("store-unavailable", what, work);
  };
  const drop = async (names: readonly string[]): Promise<void> => {
    for (const _id of names) await pieces.deleteOne({ _id });
  };

  const remove = async (id: string): Promise<boolean> => {
    const head = await heads.findOneAndDelete({ _id: id });
    if (head !== null) await drop(head.pieces);
    return head !== null;
  };

  return {
    async put(id, bytes) {
      if (id.length === 0 || id.length > 512 || !id.isWellFormed())
        throw new BusError("configuration", `a blob id has ${id.length} characters; it needs 1 to 512 of well-formed text`);
      if (bytes.length > maxBytes)
        throw new BusError("message-too-large", `blob ${id} has ${bytes.length} bytes; the limit is ${maxBytes}`);
      const own = Buffer.from(bytes);
      const t = clock.now();
      await run("write a blob", async () => {
        const names: string[] = [];
        for (let at = 0; at < own.length; at += PIECE) {
          const _id = randomUUID();
          await pieces.insertOne({ _id, blob: id, t, b: new Binary(own.subarray(at, at + PIECE)) });
          names.push(_id);
        }
        const old = await heads.findOneAndUpdate({ _id: id }, { $set: { pieces: names, t } }, { upsert: true, returnDocument: "before" });
        if (old !== null) await drop(old.pieces);
      });
    },
    read: (id) =>
      run("read a blob", async () => {
        // Another put may take the pieces away between the two reads: then the head names others.
        for (let tries = 0; tries < 10; tries++) {
          const head = await heads.findOne({ _id: id });
          if (head === null) return undefined;
          const found = await Promise.all(head.pieces.map((_id) => pieces.findOne({ _id })));
          const parts = found.flatMap((piece) => (piece === null ? [] : [piece.b.buffer]));
          if (parts.length === head.pieces.length) return new Uint8Array(Buffer.concat(parts));
        }
        throw new BusError("store-conflict", `blob ${id} changes faster than it can be read`);
      }),
    remove: (id) =>
      run("remove a blob", async (again) => {
        const removed = await remove(id);
        if (!removed && again) throw new BusError("store-unavailable", `whether blob ${id} was removed is not known; look again`);
        return removed;
      }),
    retain: (prefix, before) =>
      run("remove old blobs", async () => {
        const old = heads.find({ _id: { $gte: prefix }, t: { $lt: before } }).sort({ _id: 1 });
        let removed = 0;
        for await (const head of old) {
          if (!head._id.startsWith(prefix)) break;
          if (await remove(head._id)) removed++;
        }
        return removed;
      }),
    sweep: () =>
      run("sweep pieces of blobs", async () => {
        const old = await pieces
          .find({ t: { $lt: clock.now() - SWEEP_AFTER } }, { projection: { b: 0 } })
          .limit(SWEEP_AT_ONCE)
          .toArray();
        for (const piece of old) {
          const head = await heads.findOne({ _id: piece.blob });
          if (head === null || !head.pieces.includes(piece._id)) await pieces.deleteOne({ _id: piece._id });
        }
      }),
  };
}
