/** What a consumer asks for in the query of its address: `events` (default true), `test` (true), `dead` (false), `group` (`~default`). */
import { BusError } from "#bus/errors.ts";
import type { Wish } from "#bus/edge/events.ts";

export const DEFAULT_GROUP = "~default";
const GROUP = /^[A-Za-z0-9~][A-Za-z0-9._~-]{0,59}$/u;
const KNOWN: ReadonlySet<string> = new Set(["events", "test", "dead", "group"]);

/** Throws http-request for a flag that is neither true nor false, an unknown one, and a group's name that is none. */
export function readWish(query: URLSearchParams): Wish {
  for (const name of query.keys())
    if (!KNOWN.has(name)) throw bad(`${name.slice(0, 40)} is no parameter here; known are ${[...KNOWN].join(", ")}`);
  const group = query.get("group") || DEFAULT_GROUP;
  if (!GROUP.test(group)) throw bad("group must be 1 to 60 letters, digits, dots, hyphens, underscores or tildes");
  return { group, events: flag(query, "events", true), test: flag(query, "test", true), dead: flag(query, "dead", false) };
}

/** A flag may stand alone: `?dead` is `?dead=true`. Case does not matter: the official client writes `True`. */
export function flag(query: URLSearchParams, name: string, otherwise: boolean): boolean {
  const values = query.getAll(name);
  if (values.length > 1) throw bad(`${name} is given ${values.length} times`);
  const value = values[0]?.toLowerCase();
  if (value === undefined) return otherwise;
  if (value === "true" || value === "") return true;
  if (value === "false") return false;
  throw bad(`${name} must be true or false`);
}

/** An offset as a consumer writes it: a whole number without sign. Throws http-request. */
export function readOffset(text: string | null): number {
  if (text === null || !/^\d{1,15}$/u.test(text)) throw bad("an offset is a whole number, as it came with the event");
  return Number(text);
}

/** Milliseconds that a consumer wants to wait at most; undefined = as long as the platform does. Throws http-request. */
export function readTimeout(text: string | null): number | undefined {
  if (text === null) return undefined;
  if (!/^\d{1,6}$/u.test(text)) throw bad("timeout is a whole number of milliseconds");
  return Number(text);
}

const bad = (text: string): BusError => new BusError("http-request", text);
