/** One batch on its way: which of its records get a place, which are duplicates, and what its appends are answered. Pure. */
import type { Appended } from "#bus/ports.ts";
import type { Verdict, Wish } from "./claims.ts";
import { rowOf, voidRow, type Item, type Row } from "./rows.ts";

/** A record in a batch. `twin`: an earlier record of the batch has its key. */
type Place = { readonly item: Item; readonly twin: Place | undefined; position: number; verdict: Verdict };
export type Part<E> = Readonly<{ entry: E; places: readonly Place[] }>;
export type Batch<E> = Readonly<{ parts: readonly Part<E>[]; /** Those that need a position. */ placed: readonly Place[] }>;

/** What one append of the batch is told: its answer, that its place was taken away, or the position it has to wait for (0 = none, again). */
export type Fortune = Readonly<{ appended: readonly Appended[] } | { lost: true } | { open: number }>;

const MINE: Verdict = { kind: "mine" };

export function planBatch<E extends Readonly<{ items: readonly Item[] }>>(entries: readonly E[]): Batch<E> {
  const seen = new Map<string, Place>();
  const placed: Place[] = [];
  const parts = entries.map((entry) => ({
    entry,
    places: entry.items.map((item) => {
      const twin = item.dedupe === undefined ? undefined : seen.get(item.dedupe.key);
      const place: Place = { item, twin, position: 0, verdict: MINE };
      if (item.dedupe !== undefined && twin === undefined) seen.set(item.dedupe.key, place);
      if (twin === undefined) placed.push(place);
      return place;
    }),
  }));
  return { parts, placed };
}

/** Gives the places their positions, and says which keys they claim; `judge` takes the verdicts in the same order. */
export function settle(
  placed: readonly Place[],
  first: number,
): Readonly<{ wishes: readonly Wish[]; judge(verdicts: readonly Verdict[]): void }> {
  const claiming: Place[] = [];
  const wishes: Wish[] = [];
  placed.forEach((place, n) => {
    place.position = first + n;
    const { dedupe, time } = place.item;
    if (dedupe === undefined) return;
    claiming.push(place);
    wishes.push({ ...dedupe, time, position: place.position });
  });
  return {
    wishes,
    judge: (verdicts) => claiming.forEach((place, n) => (place.verdict = verdicts[n] ?? MINE)),
  };
}

/** Appends with a record that cannot be decided yet, directly or by a twin, and the position each waits for. */
export function undecided<E>(parts: readonly Part<E>[]): ReadonlyMap<Part<E>, number> {
  const waiting = new Map<Part<E>, number>();
  const open = new Set<Place>();
  for (const part of parts) {
    for (const { verdict, twin } of part.places) {
      if (verdict.kind === "open") waiting.set(part, verdict.position);
      else if (twin !== undefined && open.has(twin) && !waiting.has(part)) waiting.set(part, 0);
    }
    if (waiting.has(part)) for (const place of part.places) open.add(place);
  }
  return waiting;
}

/** One row for each reserved position: what is written, and voids for the rest. */
export function rowsOfBatch<E>(parts: readonly Part<E>[], waiting: ReadonlyMap<Part<E>, number>): Row[] {
  const rows: Row[] = [];
  for (const part of parts) {
    const real = waiting.has(part) ? [] : part.places.filter(isReal);
    const end = real.at(-1)?.position ?? 0;
    for (const place of part.places) {
      if (place.twin !== undefined) continue;
      rows.push(end > 0 && isReal(place) ? rowOf(place.item, place.position, end) : voidRow(place.position));
    }
  }
  return rows;
}

const isReal = (place: Place): boolean => place.twin === undefined && place.verdict.kind === "mine";

/** After the write. `counted`: positions whose records are there for good. */
export function fortunes<E>(
  parts: readonly Part<E>[],
  waiting: ReadonlyMap<Part<E>, number>,
  counted: ReadonlySet<number>,
): ReadonlyMap<Part<E>, Fortune> {
  const failed = new Set<Place>();
  const answers = new Map<Part<E>, Fortune>();
  for (const part of parts) {
    const open = waiting.get(part);
    const lost = open === undefined && part.places.some((place) => isReal(place) && !counted.has(place.position));
    if (open !== undefined) answers.set(part, { open });
    else if (lost) answers.set(part, { lost });
    else if (part.places.some(({ twin }) => twin !== undefined && failed.has(twin))) answers.set(part, { open: 0 });
    else answers.set(part, { appended: part.places.map(answer) });
    if (!("appended" in (answers.get(part) ?? {}))) for (const place of part.places) failed.add(place);
  }
  return answers;
}

function answer({ twin, verdict, position }: Place): Appended {
  if (verdict.kind === "duplicate") return { position: verdict.of, duplicateOf: verdict.of };
  if (twin === undefined) return { position };
  const first = twin.verdict.kind === "duplicate" ? twin.verdict.of : twin.position;
  return { position: first, duplicateOf: first };
}
