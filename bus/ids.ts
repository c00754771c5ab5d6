/** Ids the bus makes itself: UUIDv7 (RFC 9562), so that ids grow with time and index pages stay together. */
import { hash, randomUUID } from "node:crypto";

/** The time of the last id and its text: many messages come in one millisecond. */
let lately = { now: -1, text: "" };

export function newId(now: number): string {
  if (lately.now !== now) {
    const time = now.toString(16).padStart(12, "0");
    lately = { now, text: `${time.slice(0, 8)}-${time.slice(8, 12)}-7` };
  }
  return lately.text + randomUUID().slice(15);
}

/** SHA-256 of bytes, lower-case hex. */
export function digestOf(bytes: Uint8Array): string {
  return hash("sha256", bytes, "hex");
}

const TRACEPARENT = /^00-([0-9a-f]{32})-[0-9a-f]{16}-(0[01])$/u;

/** W3C traceparent of a new trace, or a child of the one the sender gave. */
export function traceparentOf(given: string | undefined): string {
  const random = randomUUID();
  const span = `${random.slice(0, 8)}${random.slice(28)}`.slice(0, 16);
  const match = given === undefined ? undefined : TRACEPARENT.exec(given);
  if (match) return `00-${match[1]}-${span}-${match[2]}`;
  return `00-${random.slice(0, 8)}${random.slice(9, 13)}${random.slice(14, 18)}${random.slice(19, 23)}${random.slice(24)}-${span}-01`;
}
