/** The nearest known name to one that is not known, for messages that help. */
import { distance } from "fastest-levenshtein";

/** `; did you mean \`surname\`?`, or nothing when no known name is near. Long names are not compared. */
export function nearest(name: string, known: Iterable<string>): string {
  if (name.length > 64) return "";
  let best = "";
  let least = Math.max(2, Math.floor(name.length / 3)) + 1;
  for (const candidate of known) {
    const away = candidate.length > 64 ? least : distance(name.toLowerCase(), candidate.toLowerCase());
    if (away < least) {
      best = candidate;
      least = away;
    }
  }
  return best === "" ? "" : `; did you mean \`${best}\`?`;
}
