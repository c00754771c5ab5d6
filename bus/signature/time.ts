/** When a signed message counts: not before it was made, not after it ended, and never older than the longest life we grant. */
import { BusError } from "../errors.ts";

/** Milliseconds. `skew`: how far clocks may differ; `maxAge`: how old a message may be at most, whatever it says itself. */
export type Window = Readonly<{ skew: number; maxAge: number }>;

export const DEFAULT_WINDOW: Window = { skew: 60_000, maxAge: 15 * 60_000 };

/** How long the bus remembers what it received: until nothing that it forgot could still count. */
export const rememberFor = ({ skew, maxAge }: Window): number => maxAge + 2 * skew + 60_000;

/** Throws signature-expired; `expires` undefined = the sender says none. */
export function checkTimes(created: number, expires: number | undefined, now: number, { skew, maxAge }: Window): void {
  if (created > now + skew) throw expired(`it was signed ${seconds(created - now)} s in the future`);
  if (expires !== undefined && expires <= created) throw expired("it ended before it was signed");
  if (expires !== undefined && expires + skew <= now) throw expired(`it ended ${seconds(now - expires)} s ago`);
  if (created + maxAge + skew <= now) throw expired(`it was signed ${seconds(now - created)} s ago, and ${seconds(maxAge)} s is the most`);
}

const seconds = (ms: number): number => Math.ceil(ms / 1000);

function expired(why: string): BusError {
  return new BusError("signature-expired", `the signed message is outside its time: ${why}`);
}

const DATE_TIME = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/;

/** An xsd:dateTime with its zone, as milliseconds. Throws signature-shape. */
export function readTime(text: string, what: string): number {
  const match = DATE_TIME.exec(text);
  const time = match === null ? Number.NaN : Date.parse(`${match[1]}.${(match[2] ?? "").padEnd(3, "0").slice(0, 3)}${match[3]}`);
  if (Number.isNaN(time)) throw new BusError("signature-shape", `${what} is not a date and time with a zone, like 2026-01-31T12:00:00Z`);
  return time;
}
