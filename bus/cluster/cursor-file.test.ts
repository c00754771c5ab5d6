/** Where cursors lie: a group begins everywhere at once, a former owner's write is refused, and what was counted late is counted right. */
import { describe, expect, it } from "vitest";
import type { Store } from "#bus/ports.ts";
import { codeOf } from "#test/conformance/cases.ts";
import { createMemoryStore } from "#test/harness/memory.ts";
import type { CursorDocument } from "./cursor.ts";
import { beginCursors, openCursorFile } from "./cursor-file.ts";

const GROUP = { topic: "t", group: "g" };
const open = async (store: Store = createMemoryStore()) => store.collection<CursorDocument>("cursors");
const at = (floor: number) => (): Promise<number> => Promise.resolve(floor);

describe("a group's cursors", () => {
  it("begin in every partition at one place, and stay where they are when another node begins them", async () => {
    const cursors = await open();
    await beginCursors(cursors, GROUP, 12, at(7));
    await beginCursors(cursors, GROUP, 12, at(99));
    const all = await cursors.find();
    expect(all.map(({ value }) => value.partition).toSorted((a, b) => a - b)).toEqual(Array.from({ length: 12 }, (_, n) => n));
    expect(new Set(all.map(({ value }) => value.floor))).toEqual(new Set([7]));
  });

  it("begin where some are missing, and are not taken for those of a group whose name is longer", async () => {
    const cursors = await open();
    await beginCursors(cursors, { topic: "t", group: "g2" }, 3, at(1));
    await openCursorFile(cursors, { ...GROUP, partition: 1 }, at(5), at(0));
    await beginCursors(cursors, GROUP, 3, at(9));
    const floors = (await cursors.find()).filter(({ value }) => value.group === "g").map(({ value }) => [value.partition, value.floor]);
    expect(floors).toEqual([
      [0, 9],
      [1, 5],
      [2, 9],
    ]);
  });

  it("begin once though two nodes begin them at the same moment", async () => {
    const cursors = await open();
    await Promise.all([beginCursors(cursors, GROUP, 4, at(3)), beginCursors(cursors, GROUP, 4, at(4))]);
    expect(await cursors.find()).toHaveLength(4);
  });

  it("do not ask where the journal ends when there is nothing to begin", async () => {
    const cursors = await open();
    await beginCursors(cursors, GROUP, 4, at(3));
    await beginCursors(cursors, GROUP, 4, () => Promise.reject(new Error("asked")));
  });
});

describe("a cursor's file", () => {
  const lane = { ...GROUP, partition: 0 };

  it("of a group that another node began is counted when it is opened, and not again", async () => {
    const cursors = await open();
    await beginCursors(cursors, GROUP, 1, at(40));
    const asked: number[] = [];
    const count = (floor: number): Promise<number> => Promise.resolve(asked.push(floor) + 11);
    expect((await openCursorFile(cursors, lane, at(0), count)).first).toMatchObject({ floor: 40, count: 12 });
    expect((await openCursorFile(cursors, lane, at(0), count)).first).toMatchObject({ floor: 40, count: 12 });
    expect(asked).toEqual([40]);
  });

  it("keeps what was written, and refuses whoever had it before", async () => {
    const cursors = await open();
    const former = await openCursorFile(cursors, lane, at(2), at(1));
    await former.write({ floor: 3, count: 2, done: [5], reach: 9 });
    const owner = await openCursorFile(cursors, lane, at(0), at(0));
    expect(owner.first).toMatchObject({ floor: 3, count: 2, done: [5], reach: 9 });
    expect(await codeOf(former.write({ floor: 4, count: 3, done: [], reach: 9 }))).toBe("store-conflict");
    await owner.write({ floor: 5, count: 4, done: [], reach: 9 });
    await owner.write({ floor: 6, count: 5, done: [], reach: 9 });
    expect((await cursors.find())[0]?.value).toMatchObject({ floor: 6, count: 5 });
  });
});
