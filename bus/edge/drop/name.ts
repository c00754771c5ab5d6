/** The name of a file that holds one message. */
import { createHash } from "node:crypto";

/** Ids are the sender's text: what is no plain name is encoded, and what would be too long is hashed. */
export function fileName(id: string): string {
  const name = encodeURIComponent(id).replace(/[.*'()!~]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
  return name.length <= 180 ? name : createHash("sha256").update(id).digest("hex");
}
