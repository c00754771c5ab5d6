/** Revisions as they are kept: numbers without a gap, texts by their digest, nothing that was edited in the store is taken. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Collection, Json } from "#bus/ports.ts";
import { createMemoryDisk, createMemoryStore } from "#test/harness/memory.ts";
import { filesOf } from "#test/harness/route-world.ts";
import { openArchive, type Facts } from "./archive.ts";
import { canonical, diffTrees, digestOf, editFiles, LIMITS, readTree, treeDigest, treeOf } from "./tree.ts";

const FACTS: Facts = { act: "apply", who: "ana", because: "a test", time: 5 };
const A = filesOf({ "routes/a.yaml": "a: 1\n", "routes/b.yaml": "b: ă\n" });
const B = filesOf({ "routes/a.yaml": "a: 2\n", "routes/b.yaml": "b: ă\n" });

async function setup(disk = createMemoryDisk()) {
  return { disk, archive: await openArchive(createMemoryStore(disk)) };
}

describe("the archive", () => {
  it("numbers revisions from 1, each with the digest of the one before, newest first", async () => {
    const { archive } = await setup();
    expect(await archive.head()).toBeUndefined();
    const first = await archive.append(0, A, FACTS);
    const second = await archive.append(1, B, { ...FACTS, who: "ion" });
    expect([first.number, first.parent, second.number, second.parent]).toEqual([1, "", 2, first.id]);
    expect((await archive.list(10)).map(({ number }) => number)).toEqual([2, 1]);
    expect((await archive.list(10, 2)).map(({ number }) => number)).toEqual([1]);
    expect(await archive.head()).toEqual(second);
  });

  it("gives the files back byte for byte, also to another process, and a file that is no text as such", async () => {
    const { archive, disk } = await setup();
    const files = { paths: ["contracts/x.bin", ...A.paths], text: (path: string) => A.text(path) };
    const revision = await archive.append(0, files, FACTS);
    const again = await (await setup(disk)).archive.files(revision);
    expect(again.paths).toEqual(files.paths);
    expect(again.paths.map((path) => again.text(path))).toEqual([undefined, "a: 1\n", "b: ă\n"]);
  });

  it("stores a text that several revisions share once", async () => {
    const { archive, disk } = await setup();
    await archive.append(0, A, FACTS);
    const before = disk.blobs.size;
    await archive.append(1, B, FACTS);
    expect(disk.blobs.size - before, "one changed text and one list of files").toBe(2);
  });

  it("of two that build on one revision keeps one, and tells the other who came first", async () => {
    const { archive, disk } = await setup();
    await archive.append(0, A, FACTS);
    const other = (await setup(disk)).archive;
    const both = await Promise.allSettled([
      archive.append(1, B, { ...FACTS, who: "ana" }),
      other.append(1, A, { ...FACTS, who: "ion", because: "at the same time" }),
    ]);
    expect(both.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
    const [lost] = both.flatMap((one) => (one.status === "rejected" ? [one.reason as unknown] : []));
    const head = await archive.head();
    expect(lost).toMatchObject({ code: "store-conflict", message: expect.stringContaining(`${head?.who} made revision 2`) as string });
  });

  it("takes its own revision for done when only the answer to the insert was lost", async () => {
    const disk = createMemoryDisk();
    const store = createMemoryStore(disk);
    const archive = await openArchive({
      ...store,
      async collection<T extends Json>(name: string): Promise<Collection<T>> {
        const rows = await store.collection<T>(name);
        const insert = async (id: string, value: T): Promise<void> => {
          await rows.insert(id, value);
          await rows.insert(id, value); // what a driver that tries again runs into
        };
        return { ...rows, insert };
      },
    });
    const revision = await archive.append(0, A, FACTS);
    expect(await archive.head()).toEqual(revision);
  });

  it("refuses a text and a revision that somebody edited in the store", async () => {
    const { archive, disk } = await setup();
    const revision = await archive.append(0, A, FACTS);
    const blob = `revision/${digestOf("a: 1\n")}`;
    disk.blobs.set(blob, new TextEncoder().encode("a: 7\n"));
    await expect((await setup(disk)).archive.files(revision)).rejects.toMatchObject({ code: "configuration" });
    const rows = disk.documents.get("revisions");
    for (const [id, row] of rows ?? []) rows?.set(id, { ...row, value: { revision: { ...revision, who: "nobody" } } });
    await expect(archive.head()).rejects.toThrow("revision 1 is not the one that was written");
  });

  it("says not-found for a revision and a text that were never there", async () => {
    const { archive } = await setup();
    await expect(archive.get(3)).rejects.toMatchObject({ code: "not-found" });
    await expect(archive.text("00")).rejects.toMatchObject({ code: "not-found" });
  });
});

const byPath = ([a]: readonly [string, string], [b]: readonly [string, string]): number => (a < b ? -1 : 1);

describe("trees", () => {
  const paths = fc.constantFrom("routes/a.yaml", "routes/b/c.yaml", "contracts/d.avsc", "config/e.yaml", "routes/__proto__x.yaml");
  const texts = fc.dictionary(paths, fc.string({ unit: "grapheme" }), { noNullPrototype: true });

  it("have one digest exactly when they say the same", () => {
    fc.assert(
      fc.property(texts, texts, (a, b) => {
        const [left, right] = [treeOf(filesOf(a)), treeOf(filesOf(b))];
        const same = JSON.stringify(Object.entries(a).toSorted(byPath)) === JSON.stringify(Object.entries(b).toSorted(byPath));
        expect(treeDigest(left) === treeDigest(right)).toBe(same);
        expect(readTree(canonical(left))).toEqual(left);
      }),
    );
  });

  it("differ in just the paths whose edit leads from one to the other", () => {
    fc.assert(
      fc.property(texts, texts, (a, b) => {
        const [left, right] = [filesOf(a), filesOf(b)];
        const { added, changed, removed } = diffTrees(treeOf(left), treeOf(right));
        const put = Object.fromEntries([...added, ...changed].map((path) => [path, right.text(path) ?? null]));
        const edited = editFiles(left, { put, remove: removed });
        expect(treeDigest(treeOf(edited))).toBe(treeDigest(treeOf(right)));
        expect(edited.paths).toEqual(right.paths);
      }),
    );
  });

  it.each([
    "etc/passwd",
    "routes/../x.yaml",
    "/routes/x.yaml",
    "routes//x.yaml",
    "routes/.git/config",
    "routes",
    "config/deep/x.yaml",
    "config/load.ts",
    "routes/node_modules/x.yaml",
    "routes\\x.yaml",
    "routes/a\u0000.yaml",
    `routes/${"x".repeat(LIMITS.pathLength)}`,
  ])("take no file at %s, where none is read from a disk", (path) => {
    expect(() => editFiles(A, { put: { [path]: "x" }, remove: [] })).toThrow("is no file of an administrator");
  });

  it("take no text that is no Unicode, and no set of files above the limits", () => {
    expect(() => editFiles(A, { put: { "routes/x.yaml": "\ud800" }, remove: [] })).toThrow("no well-formed Unicode");
    const many = Object.fromEntries(Array.from({ length: LIMITS.files + 1 }, (_, n) => [`routes/${n}.yaml`, ""]));
    expect(() => editFiles(A, { put: many, remove: [] })).toThrow("at most 50000 files");
  });
});
