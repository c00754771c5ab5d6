/** The GUID of a system: as its file says, or a name-based UUID (version 5, RFC 9562 §5.5) of its id, the same on every machine. */
import { createHash } from "node:crypto";

/** Namespace of system ids; fixed for ever, since institutions store the GUIDs made from it. */
const NAMESPACE = Buffer.from("6f1c8a2e94b0573d8e5d2b7f40a1c963", "hex");

export const GUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

export function guidOf(system: string): string {
  const digest = createHash("sha1").update(NAMESPACE).update(system).digest();
  const bytes = Buffer.from(digest.subarray(0, 16));
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x50;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  return bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
