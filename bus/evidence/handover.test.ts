import { describe, expect, it } from "vitest";
import type { JournalRecord } from "../journal/record.ts";
import type { Appended, Journal } from "../ports.ts";
import { createHandover } from "./handover.ts";

const record = (id: string): JournalRecord => ({ step: "accepted", outcome: "ok", time: 1, id, correlationId: id });
const leafOf = ({ id, position }: { id: string; position: number }): Uint8Array => Buffer.from(`${position}:${id}`);
const texts = (leaves: readonly Uint8Array[]): readonly string[] => leaves.map((leaf) => Buffer.from(leaf).toString());

/** A journal that only counts; `duplicates` are ids that it has already. */
function counting(duplicates: readonly string[] = [], writers: Journal["writers"] = "one"): Journal {
  let last = 0;
  const place = ({ id }: JournalRecord): Appended => (duplicates.includes(id) ? { position: 1, duplicateOf: 1 } : { position: ++last });
  return {
    writers,
    append: async (records) => records.map(place),
    read: async () => [],
    find: async () => ({ records: [], cursor: undefined }),
    close: async () => undefined,
  };
}

describe("leaves handed over", () => {
  it.each([1, 63, 64, 65, 300])(
    "are those of all records that were appended, in order of position: %i appended one by one",
    async (count) => {
      const { journal, take } = createHandover(counting(), leafOf);
      for (let i = 1; i <= count; i++) await journal.append([record(`m-${i}`)]);
      expect(texts(take(0, 1000))).toEqual(Array.from({ length: count }, (_, i) => `${i + 1}:m-${i + 1}`));
      expect(take(count, 1000)).toEqual([]);
    },
  );

  it("are those of all records that were appended at once, as many as are asked for", async () => {
    const { journal, take } = createHandover(counting(), leafOf);
    await journal.append(Array.from({ length: 200 }, (_, i) => record(`m-${i + 1}`)));
    expect(texts(take(0, 3))).toEqual(["1:m-1", "2:m-2", "3:m-3"]);
    expect(texts(take(3, 1))).toEqual(["4:m-4"]);
    expect(take(4, 1000)).toHaveLength(196);
  });

  it("leave out what is sealed already and what was not written again", async () => {
    const { journal, take } = createHandover(counting(["again"]), leafOf);
    await journal.append([record("a"), record("again"), record("b"), record("c")]);
    expect(texts(take(2, 1000))).toEqual(["3:c"]);
  });

  it("end at a gap: what follows it is read from the journal", async () => {
    const { journal, take } = createHandover(counting(), leafOf);
    await journal.append([record("a"), record("b"), record("c")]);
    expect(texts(take(1, 1))).toEqual(["2:b"]);
    expect(take(0, 1000)).toEqual([]);
  });

  it("do not keep an append from being answered, whatever becomes of them", async () => {
    const broken = createHandover(counting(), () => {
      throw new Error("no leaf of this");
    });
    const many = Array.from({ length: 100 }, (_, i) => record(`m-${i}`));
    expect(await broken.journal.append(many)).toHaveLength(100);
    await new Promise((resolve) => setImmediate(resolve));
    expect(broken.take(0, 1000)).toEqual([]);
  });

  it("are none where others write into the journal too", async () => {
    const { journal, take } = createHandover(counting([], "many"), leafOf);
    await journal.append(Array.from({ length: 100 }, (_, i) => record(`m-${i}`)));
    expect(take(0, 1000)).toEqual([]);
  });
});
