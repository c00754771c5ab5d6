/** The good files of an administrator as they stand in test/good, with edits of single texts, and what lint says of them. */
import { adapters } from "#adapters/registry.ts";
import { formatFinding } from "#bus/route/findings.ts";
import { lintFiles, type Linted } from "#bus/route/lint/lint.ts";
import { filesFrom, textsOf } from "../files-of.ts";

export type Texts = Readonly<Record<string, string>>;

export const GOOD: Texts = textsOf("test/good");
/** All grants of the good files hold at this time. */
export const NOW = Date.parse("2026-06-01T00:00:00Z");

/** One text of one file replaced. Throws when it is not there: an edit that changes nothing proves nothing. */
export function edited(path: string, from: string, to: string, texts: Texts = GOOD): Texts {
  const text = texts[path] ?? "";
  if (!text.includes(from)) throw new Error(`${path} has no text ${JSON.stringify(from)}`);
  return { ...texts, [path]: text.replace(from, () => to) };
}

export const lintTexts = (texts: Texts, environment?: Readonly<Record<string, string>>): Linted =>
  lintFiles(filesFrom(texts), adapters, environment, NOW);

/** Findings as every command prints them. */
export const saidOf = (texts: Texts, environment?: Readonly<Record<string, string>>): readonly string[] =>
  lintTexts(texts, environment).findings.map(formatFinding);
