/** Which of the twelve partitions an event lies in: by its key where it has one, else spread by position. */
import { PARTITIONS } from "./share.ts";

/** FNV-1a over UTF-16 units: the same in every version, since a group's consumers rely on it only while they run. */
export function partitionOfKey(key: string | undefined, position: number): number {
  if (key === undefined) return position % PARTITIONS;
  let hash = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  return (hash >>> 0) % PARTITIONS;
}
