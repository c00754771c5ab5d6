/** Files for tests: from a folder, or in memory, with changes on top. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Files } from "#bus/route/findings.ts";

export function filesFrom(texts: Readonly<Record<string, string>>): Files {
  return { paths: Object.keys(texts).toSorted(), text: (path) => texts[path] };
}

/** All files below a folder, by path from it. */
export function textsOf(root: string, below = ""): Record<string, string> {
  const texts: Record<string, string> = {};
  for (const name of readdirSync(join(root, below))) {
    const path = below === "" ? name : `${below}/${name}`;
    if (statSync(join(root, path)).isDirectory()) Object.assign(texts, textsOf(root, path));
    else texts[path] = readFileSync(join(root, path), "utf8");
  }
  return texts;
}
