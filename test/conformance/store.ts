/** What every store promises, as a library. */
import { expect } from "vitest";
import type { Collection, Store } from "#bus/ports.ts";
import { codeOf, suite, type Skips, type World } from "./cases.ts";

type Person = { name: string; age?: number; member?: boolean; email?: string; tags?: string[] };

async function people(store: Store, count = 0): Promise<Collection<Person>> {
  const collection = await store.collection<Person>("people", { unique: ["email"], index: ["age", "member"] });
  for (let n = 0; n < count; n++) {
    await collection.insert(`p${String(n).padStart(3, "0")}`, { name: `n${n % 3}`, age: n, member: n % 2 === 0, email: `${n}@x` });
  }
  return collection;
}
const idsOf = (rows: readonly { id: string }[]): number[] => rows.map((row) => Number(row.id.slice(1)));

export function storeSuite(name: string, features: readonly string[], create: () => Promise<World<Store>>, skips: Skips = {}): void {
  suite<Store>(`${name} as a store`, features, create, skips, (test) => {
    test("an inserted document is read back with version 1", async ({ port }) => {
      const collection = await people(port);
      const value = { name: "Ștefan €😀", age: 1.5, member: false, tags: ["a", ""] };
      await collection.insert("p1", value);
      expect(await collection.get("p1")).toEqual({ id: "p1", version: 1, value });
    });
    test("what nobody inserted is undefined", async ({ port }) => expect(await (await people(port)).get("p1")).toBeUndefined());
    test("a second insert of one id is refused", async ({ port }) => {
      const collection = await people(port, 1);
      expect(await codeOf(collection.insert("p000", { name: "other" }))).toBe("store-duplicate");
      expect((await collection.get("p000"))?.value.name).toBe("n0");
    });
    test("of ten inserts of one id made at once, one wins", async ({ port }) => {
      const collection = await people(port);
      const codes = await Promise.all(Array.from({ length: 10 }, (_, n) => codeOf(collection.insert("p1", { name: `${n}` }))));
      expect(codes.filter((code) => code === "")).toHaveLength(1);
    });
    test("collections do not see each other's documents", async ({ port }) => {
      const other = await port.collection<Person>("others");
      await (await people(port, 1)).get("p000");
      expect(await other.get("p000")).toBeUndefined();
      await other.insert("p000", { name: "o" });
      expect(await other.find()).toHaveLength(1);
    });
    test("a collection opened twice is one", async ({ port }) => {
      await people(port, 1);
      expect((await (await people(port)).get("p000"))?.id).toBe("p000");
    });

    // ── unique ──
    test(
      "a unique member refuses a second value",
      async ({ port }) => {
        const collection = await people(port, 2);
        expect(await codeOf(collection.insert("p9", { name: "x", email: "1@x" }))).toBe("store-duplicate");
        expect(await collection.get("p9")).toBeUndefined();
      },
      "unique",
    );
    test(
      "a unique member refuses an update to a taken value, and changes nothing",
      async ({ port }) => {
        const collection = await people(port, 2);
        expect(await codeOf(collection.update("p000", 1, { name: "x", email: "1@x" }))).toBe("store-duplicate");
        expect(await collection.get("p000")).toMatchObject({ version: 1, value: { email: "0@x" } });
      },
      "unique",
    );
    test(
      "a document may keep its own unique value in an update",
      async ({ port }) => {
        const collection = await people(port, 1);
        await collection.update("p000", 1, { name: "y", email: "0@x" });
        expect((await collection.get("p000"))?.value.name).toBe("y");
      },
      "unique",
    );
    test(
      "a unique value is free again after an update or a removal",
      async ({ port }) => {
        const collection = await people(port, 2);
        await collection.update("p000", 1, { name: "x", email: "new@x" });
        await collection.remove("p001");
        await collection.insert("p8", { name: "x", email: "0@x" });
        await collection.insert("p9", { name: "x", email: "1@x" });
        expect(await collection.find()).toHaveLength(3);
      },
      "unique",
    );
    test(
      "documents without the unique member do not disturb each other",
      async ({ port }) => {
        const collection = await people(port);
        await collection.insert("p1", { name: "a" });
        await collection.insert("p2", { name: "b" });
        expect(await collection.find()).toHaveLength(2);
      },
      "unique",
    );
    test(
      "of ten inserts of one unique value made at once, one wins",
      async ({ port }) => {
        const collection = await people(port);
        const codes = await Promise.all(
          Array.from({ length: 10 }, (_, n) => codeOf(collection.insert(`p${n}`, { name: "x", email: "same@x" }))),
        );
        expect(codes.filter((code) => code === "store-duplicate")).toHaveLength(9);
      },
      "unique",
    );

    // ── versions ──
    test(
      "an update of the present version is kept and counts up",
      async ({ port }) => {
        const collection = await people(port, 1);
        await collection.update("p000", 1, { name: "second" });
        await collection.update("p000", 2, { name: "third" });
        expect(await collection.get("p000")).toEqual({ id: "p000", version: 3, value: { name: "third" } });
      },
      "version",
    );
    test(
      "a lost update is refused",
      async ({ port }) => {
        const collection = await people(port, 1);
        await collection.update("p000", 1, { name: "mine" });
        expect(await codeOf(collection.update("p000", 1, { name: "lost" }))).toBe("store-conflict");
        expect((await collection.get("p000"))?.value.name).toBe("mine");
      },
      "version",
    );
    test(
      "of ten updates of one version made at once, one wins",
      async ({ port }) => {
        const collection = await people(port, 1);
        const codes = await Promise.all(Array.from({ length: 10 }, (_, n) => codeOf(collection.update("p000", 1, { name: `${n}` }))));
        expect(codes.filter((code) => code === "")).toHaveLength(1);
        expect(codes.filter((code) => code === "store-conflict")).toHaveLength(9);
      },
      "version",
    );
    test(
      "an update of what is not there is refused",
      async ({ port }) => {
        expect(await codeOf((await people(port)).update("p1", 1, { name: "x" }))).toBe("not-found");
      },
      "version",
    );
    test("remove says whether there was one", async ({ port }) => {
      const collection = await people(port, 1);
      expect([await collection.remove("p000"), await collection.remove("p000")]).toEqual([true, false]);
      expect(await collection.get("p000")).toBeUndefined();
    });
    test(
      "a document inserted after its removal starts at version 1",
      async ({ port }) => {
        const collection = await people(port, 1);
        await collection.update("p000", 1, { name: "x" });
        await collection.remove("p000");
        await collection.insert("p000", { name: "again" });
        expect((await collection.get("p000"))?.version).toBe(1);
      },
      "version",
    );

    // ── find ──
    test("find gives all in order of id", async ({ port }) => {
      const collection = await people(port);
      for (const id of ["p3", "p1", "p2"]) await collection.insert(id, { name: id });
      expect(idsOf(await collection.find())).toEqual([1, 2, 3]);
    });
    const wheres: readonly (readonly [string, Parameters<Collection<Person>["find"]>[0], (n: number) => boolean])[] = [
      ["an indexed member", { where: { age: 7 } }, (n) => n === 7],
      ["a unique member", { where: { email: "3@x" } }, (n) => n === 3],
      ["an indexed boolean", { where: { member: true } }, (n) => n % 2 === 0],
      ["a member without index", { where: { name: "n1" } }, (n) => n % 3 === 1],
      ["several members", { where: { name: "n1", member: false } }, (n) => n % 3 === 1 && n % 2 === 1],
      ["a range of an indexed member, from inclusive, to exclusive", { range: { member: "age", from: 5, to: 9 } }, (n) => n >= 5 && n < 9],
      ["a range without an upper end", { range: { member: "age", from: 15 } }, (n) => n >= 15],
      ["a range without a lower end", { range: { member: "age", to: 3 } }, (n) => n < 3],
      ["a range of a member without index", { range: { member: "name", from: "n1", to: "n2" } }, (n) => n % 3 === 1],
      ["a range and a member", { where: { member: true }, range: { member: "age", from: 10 } }, (n) => n >= 10 && n % 2 === 0],
      ["a value nobody has", { where: { age: -1 } }, () => false],
      ["a text where the member is a number", { where: { age: "7" } }, () => false],
    ];
    for (const [what, options, wanted] of wheres) {
      test(
        `finds by ${what}`,
        async ({ port }) => {
          const collection = await people(port, 20);
          expect(idsOf(await collection.find(options))).toEqual(Array.from({ length: 20 }, (_, n) => n).filter(wanted));
        },
        "range",
      );
    }
    test(
      "limit and after page through everything once",
      async ({ port }) => {
        const collection = await people(port, 20);
        const seen: number[] = [];
        for (let after = ""; ;) {
          const page = await collection.find({ limit: 6, after });
          if (page.length === 0) break;
          seen.push(...idsOf(page));
          after = page.at(-1)?.id ?? "";
        }
        expect(seen).toEqual(Array.from({ length: 20 }, (_, n) => n));
      },
      "range",
    );
    test(
      "find sees updates and removals of indexed members",
      async ({ port }) => {
        const collection = await people(port, 3);
        await collection.update("p001", 1, { name: "x", age: 50 });
        await collection.remove("p002");
        expect(idsOf(await collection.find({ where: { age: 50 } }))).toEqual([1]);
        expect(await collection.find({ where: { age: 1 } })).toEqual([]);
        expect(await collection.find({ where: { age: 2 } })).toEqual([]);
      },
      "range",
    );
    test(
      "an index declared later covers the documents that are there",
      async ({ port, restart }) => {
        const first = await port.collection<Person>("late");
        await first.insert("p1", { name: "a", age: 3 });
        const again = await (await restart()).collection<Person>("late", { unique: ["name"], index: ["age"] });
        expect(idsOf(await again.find({ where: { age: 3 } }))).toEqual([1]);
        expect(await codeOf(again.insert("p2", { name: "a" }))).toBe("store-duplicate");
      },
      "range",
    );
    test("a text with quotes, percent and brackets is only a text", async ({ port }) => {
      const collection = await people(port);
      const name = `'); DROP TABLE x; -- "%_$[0]`;
      await collection.insert("p1", { name });
      expect(idsOf(await collection.find({ where: { name } }))).toEqual([1]);
      expect(await collection.find({ where: { [name]: 1 } })).toEqual([]);
    });

    // ── blobs ──
    test(
      "a blob is read back byte for byte",
      async ({ port }) => {
        const bytes = Uint8Array.from({ length: 3_000_000 }, (_, i) => (i * 7) % 256);
        await port.blobs.put("b", bytes);
        expect(Buffer.from((await port.blobs.read("b")) ?? []).equals(bytes)).toBe(true);
      },
      "blobs",
    );
    test(
      "an empty blob is not an absent one",
      async ({ port }) => {
        await port.blobs.put("b", new Uint8Array(0));
        expect((await port.blobs.read("b"))?.length).toBe(0);
        expect(await port.blobs.read("c")).toBeUndefined();
      },
      "blobs",
    );
    test(
      "a blob put again holds the new bytes",
      async ({ port }) => {
        await port.blobs.put("b", Uint8Array.of(1));
        await port.blobs.put("b", Uint8Array.of(2, 3));
        expect([...((await port.blobs.read("b")) ?? [])]).toEqual([2, 3]);
      },
      "blobs",
    );
    test(
      "a blob is removed once",
      async ({ port }) => {
        await port.blobs.put("b", Uint8Array.of(1));
        expect([await port.blobs.remove("b"), await port.blobs.remove("b")]).toEqual([true, false]);
        expect(await port.blobs.read("b")).toBeUndefined();
      },
      "blobs",
    );
    test(
      "bytes handed in are the caller's again when put resolved",
      async ({ port }) => {
        const bytes = Uint8Array.of(1, 2, 3);
        await port.blobs.put("b", bytes);
        bytes.fill(9);
        expect([...((await port.blobs.read("b")) ?? [])]).toEqual([1, 2, 3]);
      },
      "blobs",
    );

    // ── restart and end ──
    test(
      "documents, versions and blobs are there after a restart",
      async ({ port, restart }) => {
        const collection = await people(port, 3);
        await collection.update("p001", 1, { name: "x", email: "k@x" });
        await port.blobs.put("b", Uint8Array.of(5));
        const again = await restart();
        const reopened = await people(again);
        expect((await reopened.get("p001"))?.version).toBe(2);
        expect(await codeOf(reopened.insert("p7", { name: "x", email: "k@x" }))).toBe("store-duplicate");
        expect([...((await again.blobs.read("b")) ?? [])]).toEqual([5]);
      },
      "restart",
    );
    test("close is idempotent, and later calls are refused", async ({ port }) => {
      const collection = await people(port);
      await Promise.all([port.close(), port.close()]);
      expect(await codeOf(collection.insert("p1", { name: "x" }))).toBe("bus-stopping");
      expect(await codeOf(port.blobs.read("b"))).toBe("bus-stopping");
    });
  });
}
