/** What every journal promises, as a library: an engine's own test calls it with a name, its features and a constructor. */
import { expect } from "vitest";
import type { Envelope } from "#bus/envelope.ts";
import type { JournalQuery, JournalRecord } from "#bus/journal/record.ts";
import type { Journal } from "#bus/ports.ts";
import { codeOf, suite, type Skips, type World } from "./cases.ts";

const T0 = 1_800_000_000_000;

function record(n: number, more: Partial<JournalRecord> = {}): JournalRecord {
  return { step: "accepted", outcome: "ok", time: T0 + n, id: `m-${n}`, correlationId: `c-${n}`, ...more };
}
const series = (count: number, more: (n: number) => Partial<JournalRecord> = () => ({})): JournalRecord[] =>
  Array.from({ length: count }, (_, n) => record(n, more(n)));

const ENVELOPE: Envelope = {
  id: "m-1",
  source: "asp/registrul-populației",
  type: "mbus.population.person.v1",
  time: T0,
  subject: "2000000000001",
  key: "k",
  correlationId: "c-1",
  causationId: "m-0",
  traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
  deadline: T0 + 5,
  contract: "population.person.v1",
  call: { user: "2000000000001", entity: "1000000000001", basis: "art. 5", reason: "verificarea dreptului" },
  headers: { "x-trace": "ț😀", "content-type": "text/xml", __proto__x: "1" },
  body: Uint8Array.of(0, 0, 0, 0, 7, 255, 128),
  dataref: "blob:00ff",
};

const WHOLE: JournalRecord = {
  step: "deadletter",
  outcome: "dead",
  time: T0,
  id: "m-1",
  correlationId: "c-1",
  route: "population/person",
  branch: "to",
  contract: "population.person.v1",
  system: "asp/registru",
  target: "cnas/pensii",
  grant: "g-1",
  errorClass: "timeout",
  errorCode: "attempt-timeout",
  detail: "nu a răspuns în 5 s — „€”",
  attempt: 3,
  elapsed: 12.5,
  index: { idnp: "2000000000001", plate: "ABC 123" },
  digest: "00".repeat(32),
  envelope: ENVELOPE,
  original: Uint8Array.of(60, 97, 47, 62),
  topic: "to.cnas.pensii",
  dedupe: { key: "asp/registru m-1", window: 60_000 },
};

/** Views and copies of bytes are equal when their bytes are. */
const plain = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value, (_, member: unknown) => (member instanceof Uint8Array ? Buffer.from(member).toString("hex") : member)));

/** All answers, page by page. */
async function findAll(journal: Journal, query: JournalQuery): Promise<number[]> {
  const positions: number[] = [];
  for (let cursor: number | undefined; ;) {
    const page = await journal.find(cursor === undefined ? query : { ...query, cursor });
    positions.push(...page.records.map((found) => found.position));
    if (page.cursor === undefined) return positions;
    cursor = page.cursor;
  }
}
const ids = async (journal: Journal, query: JournalQuery): Promise<string[]> =>
  (await journal.find(query)).records.map((found) => found.id);

export function journalSuite(name: string, features: readonly string[], create: () => Promise<World<Journal>>, skips: Skips = {}): void {
  suite<Journal>(`${name} as a journal`, features, create, skips, (test) => {
    // ── append and read ──
    test("gives one answer per record, in their order", async ({ port }) => {
      const appended = await port.append(series(5));
      expect(appended).toHaveLength(5);
      expect(appended.every((one) => one.duplicateOf === undefined)).toBe(true);
    });
    test("appending nothing gives nothing", async ({ port }) => expect(await port.append([])).toEqual([]));
    test("positions strictly grow within one append and from one to the next", async ({ port }) => {
      const positions = [...(await port.append(series(3))), ...(await port.append(series(3)))].map((one) => one.position);
      for (let i = 1; i < positions.length; i++) expect(positions[i]).toBeGreaterThan(positions[i - 1] ?? 0);
    });
    test("positions of appends made at once are all different", async ({ port }) => {
      const all = await Promise.all(Array.from({ length: 200 }, (_, n) => port.append([record(n)])));
      expect(new Set(all.map(([one]) => one?.position)).size).toBe(200);
    });
    test("what was appended is read", async ({ port }) => {
      const [one] = await port.append([WHOLE]);
      const [read] = await port.read(one?.position ?? 0, 1);
      expect(plain(read)).toEqual({ ...(plain(WHOLE) as object), position: one?.position });
    });
    test("members that were absent are absent when read", async ({ port }) => {
      const [one] = await port.append([record(1)]);
      expect(Object.keys((await port.read(one?.position ?? 0, 1))[0] ?? {}).sort()).toEqual([
        "correlationId",
        "id",
        "outcome",
        "position",
        "step",
        "time",
      ]);
    });
    test("empty strings, maps and bytes stay what they are", async ({ port }) => {
      const empty = record(1, { route: "", detail: "", index: {}, original: new Uint8Array(0), attempt: 0 });
      const [one] = await port.append([empty]);
      expect(plain((await port.read(one?.position ?? 0, 1))[0])).toEqual({ ...(plain(empty) as object), position: one?.position });
    });
    test("a record of a megabyte is read whole", async ({ port }) => {
      const original = new Uint8Array(1_048_576).map((_, i) => i % 251);
      const [one] = await port.append([record(1, { original })]);
      const [read] = await port.read(one?.position ?? 0, 1);
      expect(Buffer.from(read?.original ?? []).equals(original)).toBe(true);
    });
    test("long texts outside ASCII are read whole", async ({ port }) => {
      const detail = "ăîșț€😀".repeat(500);
      const [one] = await port.append([record(1, { detail, id: "ș".repeat(47) })]);
      expect((await port.read(one?.position ?? 0, 1))[0]).toMatchObject({ detail, id: "ș".repeat(47) });
    });
    test("an append is visible to a read that starts after it resolved", async ({ port }) => {
      for (let n = 0; n < 20; n++) {
        const [one] = await port.append([record(n)]);
        expect((await port.read(one?.position ?? 0, 10)).map((read) => read.id)).toEqual([`m-${n}`]);
      }
    });
    test("read goes upward from the position, at most limit", async ({ port }) => {
      const appended = await port.append(series(50));
      const from = appended[20]?.position ?? 0;
      expect((await port.read(from, 7)).map((read) => read.id)).toEqual([20, 21, 22, 23, 24, 25, 26].map((n) => `m-${n}`));
    });
    test("read of what is published sees only records with a topic, with their own positions", async ({ port }) => {
      const appended = await port.append(series(30, (n) => (n % 3 === 0 ? { topic: "mbus.a.v1", envelope: ENVELOPE } : {})));
      const published = appended.filter((_, n) => n % 3 === 0).map(({ position }) => position);
      expect((await port.read(0, 100, "published")).map(({ position }) => position)).toEqual(published);
      const [, , third = 0] = published;
      expect((await port.read(third, 2, "published")).map(({ position }) => position)).toEqual(published.slice(2, 4));
      expect(await port.read((published.at(-1) ?? 0) + 1, 10, "published")).toEqual([]);
    });
    test("read above the last gives nothing", async ({ port }) => {
      const appended = await port.append(series(3));
      expect(await port.read((appended[2]?.position ?? 0) + 1, 10)).toEqual([]);
    });
    test("read of an empty journal gives nothing", async ({ port }) => expect(await port.read(1, 10)).toEqual([]));
    test("reading page by page sees every record once, in order", async ({ port }) => {
      await Promise.all(Array.from({ length: 30 }, (_, batch) => port.append(series(40, (n) => ({ id: `b${batch}-${n}` })))));
      const seen: number[] = [];
      for (let from = 0; ;) {
        const page = await port.read(from, 97);
        if (page.length === 0) break;
        seen.push(...page.map((one) => one.position));
        from = (seen.at(-1) ?? 0) + 1;
      }
      expect(seen).toHaveLength(1_200);
      expect(seen).toEqual([...new Set(seen)].sort((a, b) => a - b));
    });
    test("records of one append lie together even among others", async ({ port }) => {
      await Promise.all(Array.from({ length: 20 }, (_, n) => port.append(series(3, () => ({ correlationId: `together-${n}` })))));
      const order = (await port.read(0, 1_000)).map((one) => one.correlationId);
      for (let i = 0; i < order.length; i += 3) expect(new Set(order.slice(i, i + 3)).size).toBe(1);
    });
    test("an append that is refused writes nothing of it", async ({ port }) => {
      const wrong = { ...record(2), step: "unheard-of" } as unknown as JournalRecord;
      expect(await codeOf(port.append([record(1), wrong]))).toBe("journal-failed");
      await port.append([record(3)]);
      expect((await port.read(0, 10)).map((one) => one.id)).toEqual(["m-3"]);
    });

    // ── de-duplication ──
    const once = (n: number, time: number, window = 1_000, digest = "d"): JournalRecord =>
      record(n, { time: T0 + time, digest, dedupe: { key: "sender id-1", window } });
    test(
      "a second record with the same key is not written and names the first",
      async ({ port }) => {
        const [first] = await port.append([once(1, 0)]);
        const [second] = await port.append([once(2, 10)]);
        expect(second?.duplicateOf).toBe(first?.position);
        expect((await port.read(0, 10)).map((one) => one.id)).toEqual(["m-1"]);
      },
      "dedupe",
    );
    test(
      "the digest of the first is kept, so that a retry can be told from another content",
      async ({ port }) => {
        await port.append([once(1, 0, 1_000, "first")]);
        const [second] = await port.append([once(2, 10, 1_000, "other")]);
        expect((await port.read(second?.duplicateOf ?? 0, 1))[0]?.digest).toBe("first");
      },
      "dedupe",
    );
    test(
      "a duplicate within one append is found",
      async ({ port }) => {
        const appended = await port.append([once(1, 0), once(2, 0), record(3)]);
        expect(appended[1]?.duplicateOf).toBe(appended[0]?.position);
        expect((await port.read(0, 10)).map((one) => one.id)).toEqual(["m-1", "m-3"]);
      },
      "dedupe",
    );
    test(
      "of a hundred appends of one key made at once, one is written",
      async ({ port }) => {
        const all = await Promise.all(Array.from({ length: 100 }, (_, n) => port.append([once(n, 0)])));
        expect(all.filter(([one]) => one?.duplicateOf === undefined)).toHaveLength(1);
        expect(new Set(all.map(([one]) => one?.position)).size).toBe(1);
      },
      "dedupe",
    );
    test(
      "other records beside a duplicate are written",
      async ({ port }) => {
        await port.append([once(1, 0)]);
        await port.append([once(2, 1), record(3, { time: T0 + 1 })]);
        expect((await port.read(0, 10)).map((one) => one.id)).toEqual(["m-1", "m-3"]);
      },
      "dedupe",
    );
    test(
      "after the window the key is free again, and the newest counts",
      async ({ port }) => {
        await port.append([once(1, 0)]);
        const [second] = await port.append([once(2, 1_000)]);
        const [third] = await port.append([once(3, 1_500)]);
        expect(second?.duplicateOf).toBeUndefined();
        expect(third?.duplicateOf).toBe(second?.position);
      },
      "dedupe",
    );
    test(
      "one millisecond before the window ends the key still counts",
      async ({ port }) => {
        await port.append([once(1, 0)]);
        expect((await port.append([once(2, 999)]))[0]?.duplicateOf).toBeDefined();
      },
      "dedupe",
    );
    test(
      "a key is remembered over a restart",
      async ({ port, restart }) => {
        const [first] = await port.append([once(1, 0)]);
        const again = await restart();
        expect((await again.append([once(2, 1)]))[0]?.duplicateOf).toBe(first?.position);
      },
      "dedupe",
    );
    test(
      "a key is remembered for a month and twenty thousand records",
      async ({ port }) => {
        const month = 30 * 24 * 3_600_000;
        const [first] = await port.append([once(1, 0, month)]);
        for (let n = 0; n < 20; n++)
          await port.append(series(1_000, (i) => ({ time: T0 + n * 1_000 + i, dedupe: { key: `other ${n} ${i}`, window: month } })));
        expect((await port.append([once(2, month - 1, month)]))[0]?.duplicateOf).toBe(first?.position);
        expect((await port.append([once(3, month + 20_000, month)]))[0]?.duplicateOf).toBeUndefined();
      },
      "dedupe",
    );

    // ── search ──
    const world = (n: number): Partial<JournalRecord> => ({
      correlationId: `c-${n % 10}`,
      route: n % 2 === 0 ? "even" : "odd",
      system: `asp/s${n % 3}`,
      contract: `k.v${n % 4}`,
      step: n % 5 === 0 ? "delivered" : "accepted",
      outcome: n % 7 === 0 ? "failed" : "ok",
      branch: `b${n % 2}`,
      index: { idnp: `p${n % 6}` },
    });
    const expectFound = async (journal: Journal, query: JournalQuery, wanted: (n: number) => boolean): Promise<void> => {
      const expected = Array.from({ length: 100 }, (_, n) => n)
        .filter(wanted)
        .map((n) => `m-${n}`)
        .reverse();
      expect(await ids(journal, { limit: 200, ...query })).toEqual(expected);
    };
    const fields: readonly (readonly [string, JournalQuery, (n: number) => boolean])[] = [
      ["id", { id: "m-42" }, (n) => n === 42],
      ["correlation", { correlationId: "c-3" }, (n) => n % 10 === 3],
      ["route", { route: "even" }, (n) => n % 2 === 0],
      ["system", { system: "asp/s1" }, (n) => n % 3 === 1],
      ["contract", { contract: "k.v2" }, (n) => n % 4 === 2],
      ["step", { step: "delivered" }, (n) => n % 5 === 0],
      ["outcome", { outcome: "failed" }, (n) => n % 7 === 0],
      ["branch", { branch: "b1" }, (n) => n % 2 === 1],
      ["an index field of the route", { index: { idnp: "p4" } }, (n) => n % 6 === 4],
      ["several members at once", { route: "even", system: "asp/s0", outcome: "ok" }, (n) => n % 6 === 0 && n % 7 !== 0],
      ["time, from inclusive, to exclusive", { from: T0 + 10, to: T0 + 20 }, (n) => n >= 10 && n < 20],
      ["time and a member", { from: T0 + 50, route: "odd" }, (n) => n >= 50 && n % 2 === 1],
      ["nothing in particular: all, newest first", {}, () => true],
      ["what is not there", { id: "m-4x" }, () => false],
    ];
    for (const [what, query, wanted] of fields) {
      test(
        `finds by ${what}`,
        async ({ port }) => {
          await port.append(series(100, world));
          await expectFound(port, query, wanted);
        },
        "search",
      );
    }
    test(
      "finds by topic",
      async ({ port }) => {
        await port.append([record(1, { topic: "t.a", envelope: ENVELOPE }), record(2, { topic: "t.b", envelope: ENVELOPE })]);
        expect(await ids(port, { topic: "t.b" })).toEqual(["m-2"]);
      },
      "search",
    );
    test(
      "ascending gives oldest first",
      async ({ port }) => {
        await port.append(series(100, world));
        expect(await ids(port, { route: "odd", ascending: true, limit: 3 })).toEqual(["m-1", "m-3", "m-5"]);
      },
      "search",
    );
    for (const ascending of [true, false]) {
      test(
        `pages ${ascending ? "upward" : "downward"} give every answer once and end`,
        async ({ port }) => {
          await port.append(series(100, world));
          const positions = await findAll(port, { route: "even", limit: 7, ascending });
          expect(positions).toHaveLength(50);
          expect(positions).toEqual([...new Set(positions)].sort((a, b) => (ascending ? a - b : b - a)));
        },
        "search",
      );
    }
    test(
      "a page that holds exactly all answers is the last",
      async ({ port }) => {
        await port.append(series(10));
        expect((await port.find({ limit: 10 })).cursor).toBeUndefined();
        expect((await port.find({ limit: 9 })).cursor).toBeDefined();
      },
      "search",
    );
    test(
      "finds old and new ones among thirty thousand, also after a restart",
      async ({ port, restart }) => {
        for (let n = 0; n < 30; n++)
          await port.append(
            series(1_000, (i) => ({
              time: T0 + n * 1_000 + i,
              id: `m-${n * 1_000 + i}`,
              correlationId: `c-${(n * 1_000 + i) % 10_000}`,
              route: "r",
            })),
          );
        const check = async (journal: Journal): Promise<void> => {
          expect(await ids(journal, { id: "m-5" })).toEqual(["m-5"]);
          expect(await ids(journal, { id: "m-29999" })).toEqual(["m-29999"]);
          expect(await ids(journal, { correlationId: "c-777" })).toEqual(["m-20777", "m-10777", "m-777"]);
          expect(await ids(journal, { route: "r", from: T0 + 12_345, to: T0 + 12_347 })).toEqual(["m-12346", "m-12345"]);
          expect(await findAll(journal, { route: "r", limit: 4_000 })).toHaveLength(30_000);
        };
        await check(port);
        await check(await restart());
      },
      "search",
    );

    // ── restart and end ──
    test(
      "everything acknowledged is there after a restart, and positions go on growing",
      async ({ port, restart }) => {
        const before = await port.append(series(300));
        const again = await restart();
        expect((await again.read(0, 1_000)).map((one) => one.id)).toEqual(series(300).map((one) => one.id));
        const [after] = await again.append([record(301)]);
        expect(after?.position).toBeGreaterThan(before.at(-1)?.position ?? Infinity);
      },
      "restart",
    );
    test(
      "close waits for appends under way",
      async ({ port, restart }) => {
        const appends = Promise.all(Array.from({ length: 50 }, (_, n) => port.append([record(n)])));
        const again = await restart();
        await appends;
        expect(await again.read(0, 100)).toHaveLength(50);
      },
      "restart",
    );
    test("close is idempotent", async ({ port }) => {
      await Promise.all([port.close(), port.close()]);
      await port.close();
    });
    test("after close every call is refused, none hangs", async ({ port }) => {
      await port.close();
      expect(await codeOf(port.append([record(1)]))).toBe("bus-stopping");
      expect(await codeOf(port.read(0, 1))).toBe("bus-stopping");
      expect(await codeOf(port.find({}))).toBe("bus-stopping");
    });
  });
}
