/** The name a person most likely meant: the one way in which any message of ours guesses. */
import { distance } from "fastest-levenshtein";

/** Longer words are compared by their beginning: a guess must never cost more than the fault it explains. */
const COMPARED = 200;

/** The nearest of the names within a third of the length (2 changes at least, 1 for three letters or fewer); undefined when none is near. */
export function near(word: string, names: Iterable<string>): string | undefined {
  const asked = word.slice(0, COMPARED).toLowerCase();
  let best: string | undefined;
  let least = (asked.length <= 3 ? 1 : Math.max(2, Math.floor(asked.length / 3))) + 1;
  for (const name of names) {
    if (Math.abs(name.length - asked.length) >= least) continue;
    const changes = distance(asked, name.toLowerCase());
    if (changes < least && changes < Math.max(asked.length, name.length)) [best, least] = [name, changes];
  }
  return best;
}

/** `; did you mean …?`, or nothing. */
export function meant(word: string, names: Iterable<string>): string {
  const found = near(word, names);
  return found === undefined ? "" : `; did you mean \`${found}\`?`;
}

/** `; did you mean …?`, or what is known where that is little, or what `nothing` says. */
export function hint(word: string, names: Iterable<string>, nothing = ""): string {
  const known = [...names];
  const guess = meant(word, known);
  if (guess !== "") return guess;
  return known.length > 0 && known.length <= 12 ? `; known are ${known.join(", ")}` : nothing;
}
