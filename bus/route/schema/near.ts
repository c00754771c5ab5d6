/** The name a person most likely meant. */
import { distance } from "fastest-levenshtein";

/** The nearest of the names within a third of the length (2 changes at least, 1 for three letters or fewer); undefined when none is near. */
export function near(word: string, names: Iterable<string>): string | undefined {
  const asked = word.slice(0, 200).toLowerCase();
  let best: string | undefined;
  let least = (asked.length <= 3 ? 1 : Math.max(2, Math.floor(asked.length / 3))) + 1;
  for (const name of names) {
    const changes = distance(asked, name.toLowerCase());
    if (changes < least && changes < Math.max(asked.length, name.length)) [best, least] = [name, changes];
  }
  return best;
}

/** `; did you mean …?`, or what is known, or nothing. */
export function hint(word: string, names: Iterable<string>, nothing = ""): string {
  const known = [...names];
  const found = near(word, known);
  if (found !== undefined) return `; did you mean \`${found}\`?`;
  return known.length > 0 && known.length <= 12 ? `; known are ${known.join(", ")}` : nothing;
}
