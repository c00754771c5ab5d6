/** What a new schema does to those who know the ones before it, in both directions, whatever level the contract asks for. */
import type { CompatibilityLevel } from "../ports.ts";
import { checkCompatibility } from "./compatibility.ts";

/** `request`, `command` and `event` are sent to the owner's readers or by them; `reply` goes back. */
export type Role = "request" | "command" | "event" | "reply";

export type Verdict = Readonly<{
  /** By the level of the contract. */
  compatible: boolean;
  rules: readonly string[];
  /** What of the older messages can no longer be read: senders that have not changed yet, journal, dead letters. */
  backward: readonly string[];
  /** What of the new messages readers of an older schema cannot read. */
  forward: readonly string[];
  /** Who must change first or at the same time, in words; empty = nobody. */
  affected: readonly string[];
}>;

/** `history`: the versions before, oldest first. Throws `configuration` where a schema is unsound. */
export function verdictOf(schema: string, history: readonly string[], level: CompatibilityLevel, role: Role): Verdict {
  const rules = checkCompatibility(schema, history, level);
  const transitive = level.endsWith("_TRANSITIVE");
  const backward = checkCompatibility(schema, history, transitive ? "BACKWARD_TRANSITIVE" : "BACKWARD");
  const forward = checkCompatibility(schema, history, transitive ? "FORWARD_TRANSITIVE" : "FORWARD");
  const affected = [...(backward.length > 0 ? [WRITERS[role]] : []), ...(forward.length > 0 ? [READERS[role]] : [])];
  return { compatible: rules.length === 0, rules, backward, forward, affected };
}

const WRITERS: Readonly<Record<Role, string>> = {
  request: "callers that still send the older request",
  command: "senders that still send the older command, and commands that wait",
  event: "publishers that still send the older event, and events that are replayed",
  reply: "the provider, while it still answers the older reply",
};
const READERS: Readonly<Record<Role, string>> = {
  request: "a provider that still reads the older request",
  command: "receivers that still read the older command",
  event: "subscribers that still read the older event",
  reply: "callers that still read the older reply",
};
