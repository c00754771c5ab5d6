/** The store port over the engine: documents as JSON, blobs as bytes, both durable with the batch that carries them. */
import { BusError } from "#bus/errors.ts";
import type { Blobs, Clock, Collection, FindOptions, Json, Store, Stored } from "#bus/ports.ts";
import type { Channel } from "./channel.ts";
import type { DocumentRow } from "./documents.ts";

export type StoreLimits = Readonly<{ documentBytes: number; blobBytes: number }>;
const DEFAULT_LIMIT = 10_000;
const LONGEST_ID = 512;

function checkId(kind: string, id: string): void {
  if (id.length === 0 || id.length > LONGEST_ID)
    throw new BusError("configuration", `${kind} id has ${id.length} characters; it needs 1 to ${LONGEST_ID}`);
}

function stored<T>(row: DocumentRow): Stored<T> {
  return { id: row.id, version: row.version, value: JSON.parse(row.value) as T };
}

export function openStore(channel: Channel, clock: Clock, limits: StoreLimits, close: () => Promise<void>): Store {
  const text = (id: string, value: unknown): string => {
    checkId("a document", id);
    const json = JSON.stringify(value);
    if (json === undefined) throw new BusError("configuration", `document ${id} is not a JSON value`);
    if (json.length > limits.documentBytes)
      throw new BusError("message-too-large", `document ${id} has ${json.length} characters; the limit is ${limits.documentBytes}`);
    return json;
  };
  return {
    async collection<T extends Json>(name: string, options: Readonly<{ unique?: readonly string[]; index?: readonly string[] }> = {}) {
      checkId("a collection", name);
      const collection = await channel.ask<number>({ op: "collection", name, unique: options.unique ?? [], index: options.index ?? [] });
      return openCollection<T>(channel, collection, text);
    },
    blobs: openBlobs(channel, clock, limits),
    close,
  };
}

function openCollection<T extends Json>(channel: Channel, collection: number, text: (id: string, value: unknown) => string): Collection<T> {
  return {
    async insert(id, value) {
      await channel.room();
      await channel.ask({ op: "insert", collection, id, value: text(id, value) });
    },
    async get(id) {
      const row = await channel.ask<DocumentRow | undefined>({ op: "get", collection, id });
      return row === undefined ? undefined : stored<T>(row);
    },
    async update(id, version, value) {
      await channel.room();
      await channel.ask({ op: "update", collection, id, version, value: text(id, value) });
    },
    async find(options: FindOptions = {}) {
      const rows = await channel.ask<DocumentRow[]>({
        op: "documents",
        collection,
        where: Object.entries(options.where ?? {}),
        range: options.range,
        limit: options.limit ?? DEFAULT_LIMIT,
        after: options.after ?? "",
      });
      return rows.map((row) => stored<T>(row));
    },
    remove: (id) => channel.ask<boolean>({ op: "remove", collection, id }),
  };
}

function openBlobs(channel: Channel, clock: Clock, limits: StoreLimits): Blobs {
  return {
    async put(id, bytes) {
      checkId("a blob", id);
      if (bytes.length > limits.blobBytes)
        throw new BusError("message-too-large", `blob ${id} has ${bytes.length} bytes; the limit is ${limits.blobBytes}`);
      await channel.room();
      await channel.ask({ op: "blob", id, bytes, time: clock.now() });
    },
    read: (id) => channel.ask<Uint8Array | undefined>({ op: "blob-read", id }),
    remove: (id) => channel.ask<boolean>({ op: "blob-remove", id }),
  };
}
