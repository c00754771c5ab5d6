/** Several nodes on one database, and what becomes of appends when a node or the server stops. */
import { afterAll, afterEach, describe, expect, it } from "vitest";
import type { JournalRecord } from "#bus/journal/record.ts";
import type { Journal } from "#bus/ports.ts";
import { codeOf, eventually } from "#test/conformance/cases.ts";
import { heldLink } from "#test/harness/held-link.ts";
import { clock, mongoWorld, type MongoWorld } from "#test/harness/mongo-world.ts";
import { mongoServer } from "#test/harness/mongodb.ts";
import { connect } from "./connection.ts";
import { openMongo, type Mongo, type MongoLimits } from "./engine.ts";
import { openJournal } from "./journal.ts";
import { openLog } from "./log.ts";
import { encode, rowOf } from "./rows.ts";

const server = await mongoServer();
afterAll(() => server?.close());
const T0 = 1_800_000_000_000;
const ferret = server?.version.startsWith("FerretDB") === true;
const ours = server?.kill !== undefined && server.revive !== undefined;

const record = (id: string, more: Partial<JournalRecord> = {}): JournalRecord => ({
  step: "accepted",
  outcome: "ok",
  time: T0,
  id,
  correlationId: id,
  ...more,
});
const once = (id: string, key: string, time = T0): JournalRecord => record(id, { time, dedupe: { key, window: 60_000 } });
const numbers = (count: number): number[] => Array.from({ length: count }, (_, n) => n);

/** Reads on from what it has until it has so many. */
async function tail(journal: Journal, count: number, page = 7): Promise<Readonly<{ position: number; id: string }>[]> {
  const seen: { position: number; id: string }[] = [];
  await eventually(
    async () => {
      const more = await journal.read((seen.at(-1)?.position ?? 0) + 1, page);
      seen.push(...more.map(({ position, id }) => ({ position, id })));
      return seen.length >= count;
    },
    `${count} records`,
    60_000,
  );
  return seen;
}

describe.skipIf(!server)("nodes on one MongoDB", () => {
  const closing: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close();
  });
  const world = async (limits: Partial<MongoLimits> = {}): Promise<MongoWorld<Mongo>> => {
    const made = await mongoWorld(server?.url ?? "", (engine) => engine, limits);
    closing.push(() => made.close());
    return made;
  };

  it("a reader that tails while two nodes append sees every record once, in order, and misses none", async () => {
    const { port: a, node } = await world();
    const b = await node();
    const reader = await node();
    const appends = (journal: Journal, name: string) =>
      numbers(60).map((n) => journal.append(numbers(1 + (n % 3)).map((part) => record(`${name}${n}.${part}`))));
    const seen = tail(reader.journal, 240);
    await Promise.all([...appends(a.journal, "a"), ...appends(b.journal, "b")]);
    await Promise.all([...appends(b.journal, "c"), ...appends(a.journal, "d")]);
    const written = ["a", "b", "c", "d"].flatMap((name) =>
      numbers(60).flatMap((n) => numbers(1 + (n % 3)).map((part) => `${name}${n}.${part}`)),
    );
    const all = await seen;
    const rest = await tail(reader.journal, 480, 100);
    expect(rest.slice(0, all.length)).toEqual(all);
    const positions = rest.map(({ position }) => position);
    expect(positions).toEqual([...new Set(positions)].sort((x, y) => x - y));
    expect(rest.map(({ id }) => id).sort()).toEqual(written.sort());
    // Records of one append lie together.
    rest.forEach(({ id }, at) => {
      const [name, part] = id.split(".");
      if (part !== "0") expect(rest[at - 1]?.id).toBe(`${name ?? ""}.${Number(part) - 1}`);
    });
  });

  it("of one key appended by three nodes at once, one record is written and all are told its position", async () => {
    const { port, node } = await world();
    const nodes = [port, await node(), await node()];
    const answers = await Promise.all(numbers(60).map(async (n) => nodes[n % 3]?.journal.append([once(`m${n}`, `k${n % 10}`)])));
    const first = answers.filter((answer) => answer?.[0]?.duplicateOf === undefined);
    expect(first).toHaveLength(10);
    const [reader] = nodes;
    const written = await reader?.journal.read(0, 100);
    expect(written).toHaveLength(10);
    answers.forEach((answer, n) => {
      const mine = written?.find(({ dedupe }) => dedupe?.key === `k${n % 10}`);
      expect(answer?.[0]?.position).toBe(mine?.position);
    });
  });

  describe("a node that stops between its reservation and its records", () => {
    /** Node A behind a link that holds its next insert of records, and B beside it. */
    const stopped = async (lease: number) => {
      const { database, node } = await world({ lease });
      const b = await node();
      const { hostname, port } = new URL(server?.url ?? "");
      const link = await heldLink(hostname, Number(port));
      closing.push(() => link.close());
      const url = `mongodb://127.0.0.1:${link.port}/?directConnection=true`;
      const a = await openMongo({ url, database, node: "a", clock, limits: { lease } });
      closing.push(async () => {
        link.release();
        await a.close();
      });
      const holding = link.hold((piece) => piece.includes("insert\0") && piece.includes("\0journal\0"));
      return { a, b, link, holding };
    };

    it.skipIf(!ours)("is fenced when its lease is over: its append fails, and nothing of it is ever read", async () => {
      const { a, b, link, holding } = await stopped(400);
      const slow = codeOf(a.journal.append([record("slow 1"), record("slow 2")]));
      await holding;
      await b.journal.append([record("quick")]);
      expect((await tail(b.journal, 1)).map(({ id }) => id)).toEqual(["quick"]);
      link.release();
      expect(await slow).toBe("journal-failed");
      await a.journal.append([record("again")]);
      expect((await tail(b.journal, 2)).map(({ id }) => id)).toEqual(["quick", "again"]);
      expect((await b.journal.find({ id: "slow 2" })).records).toEqual([]);
    });

    it.skipIf(!ours)("loses its key to the node that waits for it", async () => {
      const { a, b, link, holding } = await stopped(400);
      const slow = codeOf(a.journal.append([once("slow", "k")]));
      await holding;
      const [taken] = await b.journal.append([once("quick", "k")]);
      expect(taken?.duplicateOf).toBeUndefined();
      link.release();
      expect(await slow).toBe("journal-failed");
      expect((await a.journal.append([once("late", "k")]))[0]?.duplicateOf).toBe(taken?.position);
    });

    it.skipIf(!ours)("keeps its place and its key when it goes on in time", async () => {
      const { a, b, link, holding } = await stopped(60_000);
      const slow = a.journal.append([once("slow", "k")]);
      await holding;
      const quick = b.journal.append([record("quick")]);
      const rival = b.journal.append([once("rival", "k")]);
      await quick;
      expect(await b.journal.read(0, 10), "nobody reads past what is not decided").toEqual([]);
      link.release();
      const [first] = await slow;
      expect((await rival)[0]?.duplicateOf).toBe(first?.position);
      expect((await tail(b.journal, 2)).map(({ id }) => id)).toEqual(["slow", "quick"]);
    });
  });

  it("an append whose writer died half-way is read by nobody, in no page and no search", async () => {
    const { port, database } = await world({ lease: 300 });
    const connection = await connect({ url: server?.url ?? "", database, node: "dead", patience: 10_000 });
    closing.push(() => connection.close());
    const log = await openLog(connection, 10_000);
    await port.journal.append([record("before")]);
    const first = await log.reserve(3, 0);
    const items = encode([record("half 0", { topic: "t" }), record("half 1"), record("half 2")], 1_000_000);
    await log.rows.insertMany(items.slice(0, 2).map((item, n) => rowOf(item, first + n, first + 2)));
    await port.journal.append([record("after", { topic: "t" })]);
    expect((await tail(port.journal, 2, 1)).map(({ id }) => id)).toEqual(["before", "after"]);
    expect((await port.journal.read(0, 10, "published")).map(({ id }) => id)).toEqual(["after"]);
    expect((await port.journal.find({ limit: 1 })).records.map(({ id }) => id)).toEqual(["after"]);
    expect((await port.journal.find({ id: "half 0" })).records).toEqual([]);
  });

  describe("an answer that is lost on its way", () => {
    const lossy = async () => {
      const { database, port: other } = await world();
      const { hostname, port } = new URL(server?.url ?? "");
      const link = await heldLink(hostname, Number(port));
      closing.push(() => link.close());
      const a = await openMongo({ url: `mongodb://127.0.0.1:${link.port}/?directConnection=true`, database, node: "a", clock });
      closing.push(() => a.close());
      const lose = (command: string, collection: string): void =>
        link.lose((piece) => piece.includes(`${command}\0`) && piece.includes(`\0${collection}\0`));
      return { a, other, lose };
    };

    it.skipIf(!ours).each([
      ["reservation", "findAndModify", "counters"],
      ["claim", "insert", "journal_claims"],
      ["record", "insert", "journal"],
    ])("of a %s: the append is written once and acknowledged", async (_, command, collection) => {
      const { a, other, lose } = await lossy();
      lose(command, collection);
      const [one] = await a.journal.append([once("m", "k")]);
      expect(one?.duplicateOf).toBeUndefined();
      await a.journal.append([record("next")]);
      const seen = await tail(other.journal, 2);
      expect(seen.map(({ id }) => id)).toEqual(["m", "next"]);
      expect(seen[0]?.position).toBe(one?.position);
    });

    it.skipIf(!ours)("of a document's insert or update: it counts once", async () => {
      const { a, lose } = await lossy();
      const people = await a.store.collection<{ name: string }>("people", { unique: ["name"] });
      lose("insert", "doc_people");
      await people.insert("p1", { name: "x" });
      lose("update", "doc_people");
      await people.update("p1", 1, { name: "y" });
      expect(await people.get("p1")).toEqual({ id: "p1", version: 2, value: { name: "y" } });
      expect(await codeOf(people.insert("p1", { name: "z" }))).toBe("store-duplicate");
    });

    it.skipIf(!ours)("of a removal: nobody claims to know", async () => {
      const { a, lose } = await lossy();
      const people = await a.store.collection<{ name: string }>("people");
      await people.insert("p1", { name: "x" });
      lose("delete", "doc_people");
      expect(await codeOf(people.remove("p1"))).toBe("store-unavailable");
      expect(await people.remove("p1")).toBe(false);
    });
  });

  it.skipIf(!ours)("what was acknowledged is there after the server was killed, and a retried key is written once", async () => {
    const { port, node } = await world();
    const nodes = [port, await node()];
    let acknowledged = 0;
    const send = async (n: number): Promise<number> => {
      for (;;) {
        try {
          const [one] = (await nodes[n % 2]?.journal.append([once(`m${n}`, `k${n}`)])) ?? [];
          acknowledged++;
          return one?.position ?? 0;
        } catch (error) {
          // As a sender does: again, with the same id, until it is answered.
          expect(error).toMatchObject({ code: expect.stringMatching(/^journal-(?:failed|busy)$/u) });
        }
      }
    };
    const loop = async (from: number): Promise<number[]> => {
      const positions: number[] = [];
      for (let n = from; n < 400; n += 8) positions.push(await send(n));
      return positions;
    };
    const work = Promise.all(numbers(8).map(loop));
    for (const mark of [60, 200]) {
      await eventually(() => acknowledged >= mark, `${mark} acknowledged`, 60_000);
      await server?.kill?.();
      await server?.revive?.();
    }
    const positions = (await work).flat();
    const written = await tail(port.journal, 400, 100);
    expect(written.map(({ id }) => id).sort()).toEqual(
      numbers(400)
        .map((n) => `m${n}`)
        .sort(),
    );
    expect(written.map(({ position }) => position)).toEqual(positions.sort((x, y) => x - y));
  });

  it.skipIf(!ours)(
    "while the server is away appends, reads and documents fail in bounded time; afterwards everything goes on",
    async () => {
      const { port } = await world({ patience: 1_500, queueRecords: 50 });
      const people = await port.store.collection<{ name: string }>("people");
      await port.journal.append([record("before")]);
      await server?.kill?.();
      const codes = await Promise.all(numbers(80).map((n) => codeOf(port.journal.append([record(`lost ${n}`)]))));
      expect([...new Set(codes)].sort()).toEqual(["journal-busy", "journal-failed"]);
      expect(await codeOf(port.journal.read(0, 10))).toBe("journal-failed");
      expect(await codeOf(people.insert("p1", { name: "x" }))).toBe("store-unavailable");
      await server?.revive?.();
      // Within its short patience the driver need not have found the server again yet.
      await eventually(async () => (await codeOf(port.journal.append([once("after", "k")]))) === "", "an append", 60_000);
      await people.insert("p2", { name: "y" });
      expect((await tail(port.journal, 2)).map(({ id }) => id)).toEqual(["before", "after"]);
    },
  );

  it("a reader that waits for news costs the server one question for each look", async () => {
    const { database } = await world();
    const connection = await connect({ url: server?.url ?? "", database, node: "waits", patience: 30_000 });
    closing.push(() => connection.close());
    const limits = { patience: 30_000, lease: 5_000, queueBytes: 1e6, queueRecords: 1_000, recordBytes: 1e6 };
    const journal = await openJournal(connection, limits);
    const [appended] = await journal.append([record("one")]);
    const next = (appended?.position ?? 0) + 1;
    expect(await journal.read(next, 10)).toEqual([]);
    const { rows } = journal.parts.log;
    const find = rows.find.bind(rows);
    let asked = 0;
    rows.find = ((...given: Parameters<typeof find>) => (asked++, find(...given))) as typeof rows.find;
    for (let n = 0; n < 5; n++) expect(await journal.read(next, 10)).toEqual([]);
    expect(asked).toBe(0);
    await journal.append([record("two")]);
    expect((await journal.read(next, 10)).map(({ id }) => id)).toEqual(["two"]);
    await journal.close();
  });

  it("a reader that is behind gets full pages of what its node knows without a question, and the newest only with one", async () => {
    const { database, node } = await world();
    const connection = await connect({ url: server?.url ?? "", database, node: "behind", patience: 30_000 });
    closing.push(() => connection.close());
    const limits = { patience: 30_000, lease: 5_000, queueBytes: 1e6, queueRecords: 1_000, recordBytes: 1e6 };
    const journal = await openJournal(connection, limits);
    const other = await node();
    await other.journal.append(numbers(5).map((n) => record(`other ${n}`, { topic: "t" })));
    await journal.append(numbers(5).map((n) => record(`own ${n}`, { topic: "t" })));
    await journal.read(0, 20);
    const { rows, counter } = journal.parts.log;
    const find = rows.find.bind(rows);
    let asked = 0;
    rows.find = ((...given: Parameters<typeof find>) => (asked++, find(...given))) as typeof rows.find;
    const counting: typeof counter = (session) => (asked++, counter(session));
    Object.assign(journal.parts.log, { counter: counting });
    expect((await journal.read(1, 8, "published")).map(({ id }) => id).at(-1)).toBe("own 2");
    expect(asked).toBe(0);
    await other.journal.append([record("newest", { topic: "t" })]);
    expect((await journal.read(9, 8, "published")).map(({ id }) => id)).toEqual(["own 3", "own 4", "newest"]);
    expect(asked).toBeGreaterThan(0);
    await journal.close();
  });

  it("retention deletes the oldest by age, keeps what a consumer needs, and positions stay", async () => {
    const { port, restart } = await world();
    const now = Date.now();
    const old = await port.journal.append(numbers(10).map((n) => record(`old ${n}`, { time: now - 10_000_000 + n })));
    const young = await port.journal.append([record("young", { time: now }), record("younger", { time: now + 1 })]);
    await port.store.blobs.put("claim/a", Uint8Array.of(1));
    expect((await port.retain({ maxAge: 3_600_000, keepFrom: old[4]?.position ?? 0 })).records).toBe(4);
    expect((await port.journal.read(0, 100)).map(({ id }) => id).slice(0, 2)).toEqual(["old 4", "old 5"]);
    expect((await port.retain({ maxAge: 3_600_000, blobs: "claim/" })).blobs).toBe(0);
    const again = await restart();
    expect((await again.journal.read(0, 100)).map(({ position }) => position)).toEqual(young.map(({ position }) => position));
    const [next] = await again.journal.append([record("next", { time: now })]);
    expect(next?.position).toBe((young.at(-1)?.position ?? 0) + 1);
  });

  it.skipIf(!ferret)("a server that is not MongoDB and has no replica set is named as a danger", async () => {
    const { port } = await world();
    expect((await port.hazards()).map(({ setting }) => setting)).toEqual(["mongodb.product", "mongodb.replica-set"]);
  });

  it("an address that cannot be used, or where nobody answers, is told at once", async () => {
    expect(await codeOf(openMongo({ url: "http://x", node: "n", clock }))).toBe("configuration");
    const limits = { patience: 500 };
    expect(await codeOf(openMongo({ url: "mongodb://127.0.0.1:1/", node: "n", clock, limits }))).toBe("store-unavailable");
  });
});
