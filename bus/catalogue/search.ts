/** Looking into the catalogue: by text, by kind, page after page. */
import { keyOfEntry } from "./entries.ts";
import type { CatalogueEntry } from "./entries.ts";

export type CatalogueQuery = Readonly<{
  /** Words that must all stand in the entry, in any case and with or without diacritics. */
  text?: string | undefined;
  kind?: string | undefined;
  /** Behind this entry; as the page before gave it. */
  cursor?: string | undefined;
  limit: number;
}>;
export type CataloguePage = Readonly<{ items: readonly CatalogueEntry[]; nextCursor: string | null }>;

const MAX_WORDS = 10;

/** Entries come in order of kind and id, so a cursor stays good when others come or go. */
export function searchCatalogue(entries: readonly CatalogueEntry[], { text, kind, cursor, limit }: CatalogueQuery): CataloguePage {
  const words = plain(text ?? "")
    .split(/\s+/)
    .filter((word) => word !== "")
    .slice(0, MAX_WORDS);
  const behind = cursor ?? "";
  const found = entries.filter((entry) => {
    if ((kind !== undefined && entry.kind !== kind) || keyOfEntry(entry) <= behind) return false;
    if (words.length === 0) return true;
    const said = plain(textOf(entry));
    return words.every((word) => said.includes(word));
  });
  const items = found.slice(0, limit);
  const last = items.at(-1);
  return { items, nextCursor: found.length > items.length && last !== undefined ? keyOfEntry(last) : null };
}

const plain = (text: string): string => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();

function textOf(entry: CatalogueEntry): string {
  switch (entry.kind) {
    case "contract":
      return [
        entry.id,
        entry.title,
        entry.owner,
        ...entry.providers.flatMap(({ system, title, institution }) => [system, title, institution.name, institution.idno]),
        ...entry.legalBases.flatMap(({ act, section, purpose }) => [act, section, purpose]),
        ...entry.types.flatMap(({ id, fields }) => [id, ...fields.flatMap(({ path, doc }) => [path, doc ?? ""])]),
      ].join("\n");
    case "classifier":
      return [entry.id, entry.title, ...entry.codes.flatMap(({ code, meaning }) => [code, meaning ?? ""])].join("\n");
    default:
      return [entry.id, entry.title, entry.institution.name, entry.institution.idno].join("\n");
  }
}
