/** The partition of a message: all messages of one key lie in one, so that their order has one owner. */
import type { Envelope } from "../envelope.ts";
import type { Partition } from "../broker.ts";

/** Most partitions of a deployment. */
export const MOST_PARTITIONS = 64;

/** FNV-1a over the key, or the id of a message without one. Never changes: it decides where messages already lie. */
export function partitionOf(envelope: Pick<Envelope, "key" | "id">, partitions: number): Partition {
  const text = envelope.key ?? envelope.id;
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) {
    hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  }
  return ((hash ^ (hash >>> 15)) >>> 0) % partitions;
}
