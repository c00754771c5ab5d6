import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { JournalRecord } from "#bus/journal/record.ts";
import { Redeliver, type Clock } from "#bus/ports.ts";
import { codeOf, eventually } from "#test/conformance/cases.ts";
import { envelope } from "#test/conformance/transport.ts";
import { openEmbedded, realClock, type Embedded, type EmbeddedLimits } from "./engine.ts";

const T0 = 1_800_000_000_000;
const HOUR = 3_600_000;
const record = (n: number, more: Partial<JournalRecord> = {}): JournalRecord => ({
  step: "accepted",
  outcome: "ok",
  time: T0 + n,
  id: `m-${n}`,
  correlationId: "c",
  ...more,
});

let dataDir = "";
const engines: Embedded[] = [];
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "mbus-engine-"));
});
afterEach(async () => {
  for (const engine of engines.splice(0)) await engine.close();
  await rm(dataDir, { recursive: true, force: true });
});
async function open(limits: Partial<EmbeddedLimits> = {}, clock: Clock = realClock): Promise<Embedded> {
  const engine = await openEmbedded({ dataDir, limits, clock });
  engines.push(engine);
  return engine;
}
const message = async (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => "",
    (error: unknown) => String(error),
  );
const noon = (at: number): Clock => ({ ...realClock, now: () => at });

describe("a message of an earlier life", () => {
  const taken: { id: string; again: boolean | undefined }[] = [];
  const take = async (engine: Embedded): Promise<void> => {
    taken.length = 0;
    await engine.transport.subscribe("t", "g", { concurrency: 4, ordered: true, from: "start" }, (delivery) => {
      taken.push({ id: delivery.envelope.id, again: delivery.again });
      return Promise.resolve();
    });
  };

  it("comes with the doubt that it may have ended before, a new one without", async () => {
    const first = await open();
    await first.transport.publish("t", envelope(1));
    await first.transport.publish("t", envelope(2));
    await first.close();
    const second = await open();
    await second.transport.publish("t", envelope(3));
    await take(second);
    await eventually(() => taken.length === 3, "three messages came");
    expect(taken.map(({ again }) => again)).toEqual([true, true, undefined]);
  });

  it("keeps its doubt through a wait for a retry", async () => {
    const first = await open();
    await first.transport.publish("t", envelope(1));
    await first.close();
    const second = await open();
    const doubts: (boolean | undefined)[] = [];
    await second.transport.subscribe("t", "g", { concurrency: 1, ordered: true, from: "start" }, ({ again }) => {
      doubts.push(again);
      return doubts.length === 1 ? Promise.reject(new Redeliver(1)) : Promise.resolve();
    });
    await eventually(() => doubts.length === 2, "the message came twice");
    expect(doubts).toEqual([true, true]);
  });

  it("is not doubted in the life that took it", async () => {
    const engine = await open();
    await take(engine);
    await engine.transport.publish("t", envelope(1));
    await eventually(() => taken.length === 1, "the message came");
    expect(taken).toEqual([{ id: envelope(1).id, again: undefined }]);
  });
});

describe("the data folder", () => {
  it("is held by one engine; a second is told by which process", async () => {
    await open();
    const refused = openEmbedded({ dataDir });
    expect(await message(refused)).toContain(`in use by process ${process.pid}`);
    expect(await codeOf(refused)).toBe("configuration");
  });
  it("is free again after close", async () => {
    await (await open()).close();
    expect(await (await open()).check()).toEqual(["ok"]);
  });
  it("of a newer version is refused, not read", async () => {
    await (await open()).close();
    const db = new DatabaseSync(join(dataDir, "engine.db"));
    db.exec("PRAGMA user_version = 99");
    db.close();
    expect(await message(openEmbedded({ dataDir }))).toMatch(/newer version \(format 99/);
  });
  it("is written with full synchronisation and pages of 8 KiB", async () => {
    await (await open()).close();
    const db = new DatabaseSync(join(dataDir, "engine.db"));
    expect(db.prepare("PRAGMA page_size").get()).toEqual({ page_size: 8_192 });
    expect(db.prepare("PRAGMA journal_mode").get()).toEqual({ journal_mode: "wal" });
    db.close();
  });
});

describe("damage", () => {
  it("of a stored record is an error that names the position, never a wrong record", async () => {
    const engine = await open();
    await engine.journal.append([record(1, { detail: "needle-needle-needle" })]);
    await engine.close();
    const path = join(dataDir, "log", "0000000000000001.log");
    const bytes = await readFile(path);
    const at = bytes.indexOf("needle-needle");
    expect(at).toBeGreaterThan(0);
    bytes[at] = 0x4e;
    await writeFile(path, bytes);
    const again = openEmbedded({ dataDir }).then(async (opened) => {
      engines.push(opened);
      return opened.journal.read(1, 10);
    });
    expect(await message(again)).toMatch(/block at position 1 does not match its checksum/);
  });
  it("is named by the check, all of it", async () => {
    const engine = await open();
    for (let n = 0; n < 5; n++) await engine.journal.append([record(n, { detail: `needle-${n}` })]);
    expect(await engine.check()).toEqual(["ok"]);
    const path = join(dataDir, "log", "0000000000000001.log");
    const bytes = await readFile(path);
    for (const n of [1, 3]) bytes[bytes.indexOf(`needle-${n}`)] = 0x4e;
    await writeFile(path, bytes);
    const faults = await engine.check();
    expect(faults).toHaveLength(2);
    expect(faults[0]).toMatch(/block at position 2 does not match/);
    expect(faults[1]).toMatch(/block at position 4 does not match/);
  });
  it("that took a file of the log away is an error that names the file, not an empty journal", async () => {
    const engine = await open();
    await engine.journal.append([record(1)]);
    await engine.close();
    await rm(join(dataDir, "log", "0000000000000001.log"));
    expect(await message(openEmbedded({ dataDir }))).toMatch(/journal is damaged: log file 1 is missing/);
  });
  it("of the tail of the log loses only what was never whole, though the index is as old as the folder", async () => {
    const engine = await open();
    const index = await readFile(join(dataDir, "engine.db"));
    const wal = await readFile(join(dataDir, "engine.db-wal"));
    for (let n = 0; n < 20; n++) await engine.journal.append([record(n)]);
    const log = await readFile(join(dataDir, "log", "0000000000000001.log"));
    await engine.close();
    let end = log.length;
    while (log[end - 1] === 0) end--;
    for (const cut of [1, 50, 100, 200, 400]) {
      const folder = await mkdtemp(join(tmpdir(), "mbus-torn-"));
      await mkdir(join(folder, "log"));
      await writeFile(join(folder, "engine.db"), index);
      await writeFile(join(folder, "engine.db-wal"), wal);
      await writeFile(join(folder, "log", "0000000000000001.log"), log.subarray(0, end - cut));
      const torn = await openEmbedded({ dataDir: folder });
      const ids = (await torn.journal.read(1, 100)).map((one) => one.id);
      expect(ids).toEqual(Array.from({ length: ids.length }, (_, n) => `m-${n}`));
      expect(ids.length).toBeGreaterThan(10);
      expect(ids.length).toBeLessThan(20);
      expect(await torn.journal.append([record(99)])).toEqual([{ position: ids.length + 1 }]);
      await torn.close();
      await rm(folder, { recursive: true, force: true });
    }
  });
});

describe("a data folder of format 1, which kept its blocks in SQLite", () => {
  /** As that format wrote it: the block's bytes in its row, no files of the log. */
  async function intoFormat1(): Promise<void> {
    const db = new DatabaseSync(join(dataDir, "engine.db"));
    const rows = db.prepare("SELECT first, count, time, last, crc, file, at, size FROM block ORDER BY first").all();
    db.exec("DROP TABLE block");
    db.exec(
      "CREATE TABLE block(first INTEGER PRIMARY KEY, count INTEGER NOT NULL, time REAL NOT NULL, last REAL NOT NULL, crc INTEGER NOT NULL, bytes BLOB NOT NULL)",
    );
    const insert = db.prepare("INSERT INTO block VALUES(?, ?, ?, ?, ?, ?)");
    const log = await readFile(join(dataDir, "log", "0000000000000001.log"));
    for (const { first, count, time, last, crc, at, size } of rows) {
      const bytes = log.subarray(Number(at), Number(at) + Number(size));
      insert.run(Number(first), Number(count), Number(time), Number(last), Number(crc), bytes);
    }
    db.exec("PRAGMA user_version = 1");
    db.close();
    await rm(join(dataDir, "log"), { recursive: true });
  }
  const fill = async (engine: Embedded, from: number, to: number): Promise<void> => {
    for (let n = from; n < to; n += 50) await engine.journal.append(Array.from({ length: 50 }, (_, i) => record(n + i)));
  };

  it("is read as before, goes on in the log, and is found from both", async () => {
    const old = await open({ runRecords: 60 });
    await fill(old, 0, 200);
    await old.close();
    await intoFormat1();
    const engine = await open({ runRecords: 60, cacheBytes: 1_000 }, noon(T0 + 10 * HOUR));
    expect((await engine.journal.read(1, 1_000)).map((one) => one.id)).toEqual(Array.from({ length: 200 }, (_, n) => `m-${n}`));
    await fill(engine, 200, 400);
    expect((await engine.journal.read(150, 100)).map((one) => one.position)).toEqual(Array.from({ length: 100 }, (_, i) => 150 + i));
    for (const n of [0, 199, 200, 399])
      expect((await engine.journal.find({ id: `m-${n}` })).records.map((one) => one.position)).toEqual([n + 1]);
    expect(await engine.check()).toEqual(["ok"]);
    expect((await engine.retain({ maxAge: 10 * HOUR - 300 })).records).toBe(300);
    await engine.close();
    const again = await open();
    expect((await again.journal.read(1, 1_000)).map((one) => one.position)).toEqual(Array.from({ length: 100 }, (_, i) => 301 + i));
  });
});

describe("limits", () => {
  it("make writers wait while much is queued, and refuse them when too many wait", async () => {
    const engine = await open({ queueBytes: 10_000, waiters: 5 });
    const original = new Uint8Array(9_000);
    const codes = await Promise.all(Array.from({ length: 20 }, (_, n) => codeOf(engine.journal.append([record(n, { original })]))));
    expect(codes.filter((code) => code === "journal-busy").length).toBeGreaterThan(5);
    const kept = codes.filter((code) => code === "").length;
    expect(kept).toBeGreaterThanOrEqual(6);
    expect(await engine.journal.read(1, 100)).toHaveLength(kept);
    expect((await engine.stats()).queuedBytes).toBe(0);
  });
  it("refuse a record, document and blob above their size", async () => {
    const engine = await open({ recordBytes: 1_000, documentBytes: 1_000, blobBytes: 1_000 });
    expect(await codeOf(engine.journal.append([record(1, { original: new Uint8Array(1_001) })]))).toBe("message-too-large");
    expect(await codeOf((await engine.store.collection<string>("c")).insert("1", "x".repeat(1_001)))).toBe("message-too-large");
    expect(await codeOf(engine.store.blobs.put("b", new Uint8Array(1_001)))).toBe("message-too-large");
    await engine.journal.append([record(2)]);
    expect((await engine.journal.read(1, 10)).map((one) => one.id)).toEqual(["m-2"]);
  });
  it("stop a group from reading on when its keys are blocked, and let it go on after", async () => {
    const engine = await open({ lookAhead: 50 });
    for (let n = 0; n < 400; n++) await engine.transport.publish("t", envelope(n, { key: n % 2 === 0 ? "stuck" : `k${n}` }));
    const seen: string[] = [];
    let free = (): void => undefined;
    const stuck = new Promise<void>((resolve) => (free = resolve));
    const subscription = await engine.transport.subscribe(
      "t",
      "g",
      { concurrency: 4, ordered: true, from: "start" },
      async ({ envelope: { id } }) => {
        if (id === "m-0") await stuck;
        seen.push(id);
      },
    );
    await eventually(() => seen.length >= 49, "what the look-ahead allows");
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(seen.length).toBeLessThan(200);
    free();
    await eventually(() => seen.length === 400, "all");
    expect((await subscription.state()).lag).toBe(0);
    expect(seen.filter((id) => Number(id.slice(2)) % 2 === 0)).toEqual(Array.from({ length: 200 }, (_, n) => `m-${n * 2}`));
  });
  it("let close end while a handler never does", async () => {
    const engine = await open({ drainMs: 50 });
    let started = false;
    await engine.transport.subscribe("t", "g", { concurrency: 1, ordered: false, from: "start" }, () => {
      started = true;
      return new Promise(() => undefined);
    });
    await engine.transport.publish("t", envelope(1));
    await eventually(() => started, "a handler");
    await engine.close();
    const again = await open();
    const seen: number[] = [];
    await again.transport.subscribe("t", "g", { concurrency: 1, ordered: false, from: "start" }, ({ attempt }) => {
      seen.push(attempt);
      return Promise.resolve();
    });
    await eventually(() => seen.length === 1, "the unfinished message");
    expect(seen).toEqual([2]);
  });
});

describe("the search index while a run of it is being written", () => {
  it("still knows every key and every de-duplication key", async () => {
    const engine = await open({ runRecords: 20_000 });
    const once = (n: number): JournalRecord =>
      record(n, { dedupe: { key: `k-${n}`, window: HOUR }, index: { even: `${n % 2}`, own: `${n}` } });
    for (let n = 0; n < 20_000; n += 1_000) await engine.journal.append(Array.from({ length: 1_000 }, (_, i) => once(n + i)));
    for (let round = 0; round < 5; round++) {
      // Each answer leaves only slices of a few milliseconds between: the first rounds meet the run half written.
      const [again] = await engine.journal.append([once(round), record(30_000 + round)]);
      expect(again).toEqual({ position: round + 1, duplicateOf: round + 1 });
      expect((await engine.journal.find({ id: `m-${round}` })).records.map((one) => one.position)).toEqual([round + 1]);
    }
    await eventually(async () => (await engine.stats()).runs === 1, "the run");
    expect((await engine.journal.find({ index: { even: "1" }, limit: 20_000 })).records).toHaveLength(10_000);
    expect((await engine.journal.append([once(19_999)]))[0]?.duplicateOf).toBe(20_000);
  });
});

describe("retention", () => {
  const fill = async (engine: Embedded, topic?: string): Promise<void> => {
    for (let hour = 0; hour < 10; hour++) {
      const more = topic === undefined ? {} : { topic, envelope: envelope(hour) };
      await engine.journal.append(Array.from({ length: 50 }, (_, n) => record(hour * HOUR + n, more)));
    }
  };
  it("deletes by age, and what is left is read and found", async () => {
    const engine = await open({ runRecords: 60 }, noon(T0 + 10 * HOUR));
    await fill(engine);
    expect((await engine.retain({ maxAge: 5.5 * HOUR })).records).toBe(250);
    const left = await engine.journal.read(1, 1_000);
    expect(left).toHaveLength(250);
    expect(left[0]?.position).toBe(251);
    expect((await engine.journal.find({ correlationId: "c", limit: 1_000 })).records).toHaveLength(250);
    expect((await engine.journal.find({ id: `m-${HOUR}` })).records).toEqual([]);
    expect((await engine.journal.find({ to: T0 + 6 * HOUR, limit: 1_000 })).records).toHaveLength(50);
  });
  it("deletes by size, the newest stays", async () => {
    const engine = await open();
    for (let n = 0; n < 40; n++) await engine.journal.append([record(n, { original: new Uint8Array(100_000) })]);
    const before = (await engine.stats()).bytes;
    await engine.retain({ maxBytes: before / 2 });
    const { bytes, first, last } = await engine.stats();
    expect(bytes).toBeLessThan(before * 0.6);
    expect(last).toBe(40);
    expect(first).toBeGreaterThan(10);
    await engine.retain({ maxBytes: 1 });
    expect((await engine.journal.read(1, 100)).map((one) => one.position)).toEqual([40]);
  });
  it("keeps what a group has not finished, unless told", async () => {
    const engine = await open({}, noon(T0 + 100 * HOUR));
    await engine.transport
      .subscribe("t", "g", { concurrency: 1, ordered: false, from: "start" }, () => Promise.reject(new Error("never")))
      .then((one) => one.close());
    await fill(engine, "t");
    expect((await engine.retain({ maxAge: HOUR })).records).toBe(0);
    expect((await engine.retain({ maxAge: HOUR, ignoreGroups: true })).records).toBe(450);
  });
  it("keeps what a handler works on while all around it is finished", async () => {
    const engine = await open({ drainMs: 10 }, noon(T0 + 100 * HOUR));
    await fill(engine, "t");
    const slow = 120;
    let seen = 0;
    const subscription = await engine.transport.subscribe("t", "g", { concurrency: 50, ordered: false, from: "start" }, ({ position }) => {
      seen++;
      return position === slow ? new Promise(() => undefined) : Promise.resolve();
    });
    await eventually(async () => seen === 500 && (await subscription.state()).lag === 1, "all but one");
    await subscription.close();
    expect((await engine.retain({ maxAge: HOUR })).records).toBe(100);
    expect((await engine.journal.read(1, 1_000))[0]?.position).toBe(101);
  });
  it("is not held back by a group that has finished", async () => {
    const engine = await open({}, noon(T0 + 100 * HOUR));
    await fill(engine, "t");
    let seen = 0;
    const subscription = await engine.transport.subscribe("t", "g", { concurrency: 50, ordered: false, from: "start" }, () => {
      seen++;
      return Promise.resolve();
    });
    await eventually(() => seen === 500, "all messages");
    await subscription.close();
    expect((await engine.retain({ maxAge: HOUR })).records).toBe(450);
  });
  it("takes old blobs of a prefix along, and no others", async () => {
    const clock = { ...realClock, now: () => T0 };
    const engine = await open({}, clock);
    await engine.store.blobs.put("blob:1", Uint8Array.of(1));
    await engine.store.blobs.put("document:1", Uint8Array.of(1));
    clock.now = () => T0 + 10 * HOUR;
    await engine.store.blobs.put("blob:2", Uint8Array.of(1));
    expect((await engine.retain({ maxAge: HOUR, blobs: "blob:" })).blobs).toBe(1);
    expect(await engine.store.blobs.read("blob:1")).toBeUndefined();
    expect(await engine.store.blobs.read("blob:2")).toBeDefined();
    expect(await engine.store.blobs.read("document:1")).toBeDefined();
  });
  it("takes whole files of the log off the disk, never the one being written", async () => {
    const engine = await open({ fileBytes: 200_000 });
    const files = async (): Promise<string[]> => (await readdir(join(dataDir, "log"))).sort();
    for (let n = 0; n < 12; n++) await engine.journal.append([record(n, { original: new Uint8Array(100_000) })]);
    expect(await files()).toHaveLength(6);
    await engine.retain({ maxBytes: 350_000 });
    const kept = await files();
    expect(kept.length).toBeLessThan(4);
    expect(kept.at(-1)).toBe("0000000000000011.log");
    const positions = (await engine.journal.read(1, 100)).map((one) => one.position);
    expect(positions.at(-1)).toBe(12);
    await engine.close();
    const again = await open({ fileBytes: 200_000 });
    expect((await again.journal.read(1, 100)).map((one) => one.position)).toEqual(positions);
    await again.retain({ maxBytes: 1 });
    expect(await files()).toEqual(["0000000000000011.log"]);
    expect(await again.journal.append([record(12)])).toEqual([{ position: 13 }]);
  });
  it("keeps what somebody else still needs, and the bodies that its records name", async () => {
    const clock = { ...realClock, now: () => T0 };
    const engine = await open({}, clock);
    for (const hour of [0, 5]) {
      clock.now = () => T0 + hour * HOUR;
      await engine.store.blobs.put(`claim/${hour}`, Uint8Array.of(1));
      for (let n = 0; n < 3; n++) await engine.journal.append([record(hour * HOUR, { original: new Uint8Array(70_000) })]);
    }
    clock.now = () => T0 + 100 * HOUR;
    expect(await engine.retain({ maxAge: HOUR, keepFrom: 2, blobs: "claim/" })).toEqual({ records: 1, blobs: 0 });
    expect(await engine.retain({ maxAge: HOUR, keepFrom: 5, blobs: "claim/" })).toEqual({ records: 3, blobs: 1 });
    expect(await engine.store.blobs.read("claim/5")).toBeDefined();
    expect((await engine.journal.read(1, 100)).map(({ position }) => position)).toEqual([5, 6]);
  });
  it("is held back by a group that nobody subscribes, until it is forgotten", async () => {
    const engine = await open({}, noon(T0 + 100 * HOUR));
    for (const name of ["goes", "stays"])
      await engine.transport
        .subscribe("t", name, { concurrency: 1, ordered: false, from: name === "goes" ? "start" : "new" }, () =>
          Promise.reject(new Error("never")),
        )
        .then((one) => one.close());
    await fill(engine, "t");
    await engine.place("t", "stays", 500);
    expect((await engine.groups()).map(({ topic, name, scan }) => `${topic} ${name} ${scan}`)).toEqual(["t goes 0", "t stays 500"]);
    expect((await engine.retain({ maxAge: HOUR })).records).toBe(0);
    await engine.forget("t", "goes");
    await engine.forget("t", "goes");
    expect((await engine.groups()).map(({ name }) => name)).toEqual(["stays"]);
    expect((await engine.retain({ maxAge: HOUR })).records).toBe(450);
  });
  it("tells what a group has not finished, until it is placed behind it", async () => {
    const engine = await open({}, noon(T0));
    await fill(engine, "t");
    const subscription = await engine.transport.subscribe("t", "g", { concurrency: 500, ordered: false, from: "start" }, ({ position }) =>
      position % 100 === 7 ? Promise.reject(new Redeliver(HOUR)) : Promise.resolve(),
    );
    await eventually(async () => (await subscription.state()).waiting === 5 && (await subscription.state()).lag === 5, "all but five");
    await subscription.close();
    const [group] = await engine.groups();
    expect(group?.retries.map(({ position, attempt }) => `${position} ${attempt}`)).toEqual(["7 1", "107 1", "207 1", "307 1", "407 1"]);
    await engine.place("t", "g", 500);
    expect((await engine.groups())[0]).toMatchObject({ scan: 500, retries: [] });
  });
  it("refuses a size that is no size", async () => {
    expect(await codeOf((await open()).retain({ maxBytes: 0 }))).toBe("configuration");
  });
});
