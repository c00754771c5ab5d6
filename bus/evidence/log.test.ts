import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { createLeases } from "#bus/cluster/lease.ts";
import { noteSigner, numbered, openEvidenceWorld, stored, type EvidenceWorld } from "#test/harness/evidence.ts";
import { createMemoryDisk, createMemoryPorts, type MemoryPorts } from "#test/harness/memory.ts";
import { createVirtualClock } from "#test/harness/virtual-clock.ts";
import { checkCheckpoint, checkProof } from "#verifier/log.ts";
import type { StoredRecord } from "../journal/record.ts";
import type { Journal } from "../ports.ts";

const open: EvidenceWorld[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map(({ log }) => log.close()));
});

async function world(ports: MemoryPorts, over: Parameters<typeof openEvidenceWorld>[1] = {}): Promise<EvidenceWorld> {
  const opened = await openEvidenceWorld(ports, over);
  open.push(opened);
  return opened;
}

const ports = (): MemoryPorts => createMemoryPorts(createVirtualClock());
const batch = (from: number, count: number) => Array.from({ length: count }, (_, at) => numbered(from + at));
const proven = ({ key }: EvidenceWorld, proof: Readonly<{ entry: Uint8Array; proof: string }> | undefined) =>
  checkProof(proof?.proof ?? "", proof?.entry ?? new Uint8Array(0), key);

describe("the evidence log", () => {
  it("takes every record, in order of position, under a checkpoint that its key signed", async () => {
    const memory = ports();
    const opened = await world(memory);
    await opened.log.journal.append(batch(1, 300));
    const proofs = await opened.log.prove(memory.journal.records);
    expect(proofs.map(({ index }) => index)).toEqual(Array.from({ length: 300 }, (_, at) => at));
    for (const each of proofs) expect(proven(opened, each)).toMatchObject({ index: each.index, size: 300 });
    expect(checkCheckpoint((await opened.log.state()).checkpoint, opened.key).size).toBe(300);
    expect(await opened.log.state()).toMatchObject({ size: 300, position: 300 });
  });

  it("has no checkpoint before there is a record", async () => {
    const { log } = await world(ports());
    expect(await log.state()).toMatchObject({ size: 0, checkpoint: "" });
    expect(await log.state()).toMatchObject({ size: 0, position: 0 });
    expect(await log.check(1, 10)).toEqual([]);
  });

  it("reads what was appended beside it, and what it did not hear of because it stopped", async () => {
    const memory = ports();
    await memory.journal.append(batch(1, 5));
    const signer = noteSigner();
    const first = await openEvidenceWorld(memory, { signer });
    await first.log.journal.append(batch(6, 5));
    await memory.journal.append(batch(11, 5));
    await first.log.close();
    await memory.journal.append(batch(16, 5));
    const second = await world(memory, { signer });
    const proofs = await second.log.prove(memory.journal.records);
    expect(proofs).toHaveLength(20);
    for (const each of proofs) proven(second, each);
    expect(await second.log.check(1, 10)).toEqual([]);
  });

  it("comes to one root, whether it heard of the records or read them", async () => {
    const disk = createMemoryDisk();
    const signer = noteSigner();
    const hearing = await world(createMemoryPorts(createVirtualClock(), disk), { signer });
    for (let n = 1; n <= 700; n += 7) await hearing.log.journal.append(batch(n, 7));
    await hearing.log.prove(disk.records.slice(-1));
    const salt = disk.documents.get("evidence.secret");
    const copy = createMemoryDisk();
    copy.records.push(...disk.records);
    copy.documents.set("evidence.secret", new Map(salt));
    const reading = await world(createMemoryPorts(createVirtualClock(), copy), { signer });
    await reading.log.prove(copy.records.slice(-1));
    expect((await reading.log.state()).checkpoint).toBe((await hearing.log.state()).checkpoint);
  });

  it("leaves out what the journal refused as known", async () => {
    const memory = ports();
    const { log } = await world(memory);
    const dedupe = { key: "k", window: 1000 };
    await log.journal.append([numbered(1, { dedupe }), numbered(2)]);
    await log.journal.append([numbered(3, { dedupe }), numbered(4)]);
    expect(await log.prove(memory.journal.records)).toHaveLength(3);
    expect(await log.check(1, 10)).toEqual([]);
  });

  it("fails an append that the journal fails, and goes on afterwards", async () => {
    const memory = ports();
    const { log } = await world(memory);
    memory.journal.failWith(new Error("no disk"));
    await expect(log.journal.append(batch(1, 1))).rejects.toMatchObject({ code: "journal-failed" });
    memory.journal.failWith(undefined);
    await log.journal.append(batch(2, 1));
    expect(await log.prove(memory.journal.records)).toHaveLength(1);
  });

  it("seals each second without being asked", async () => {
    const memory = ports();
    const { log, clock } = await world(memory);
    await clock.advance(1);
    await log.journal.append(batch(1, 3));
    expect((await log.state()).size).toBe(0);
    await clock.advance(1000);
    expect((await log.state()).size).toBe(3);
  });

  it("goes on when the store fails for a while", async () => {
    const memory = ports();
    let failing = false;
    const store = {
      ...memory.store,
      blobs: {
        ...memory.store.blobs,
        put: (id: string, bytes: Uint8Array) => (failing ? Promise.reject(new Error("away")) : memory.store.blobs.put(id, bytes)),
      },
    };
    const opened = await world(memory, { store });
    failing = true;
    await opened.log.journal.append(batch(1, 600));
    await opened.clock.advance(2500);
    expect(opened.errors.length).toBeGreaterThan(0);
    expect((await opened.log.state()).size).toBe(0);
    failing = false;
    await opened.clock.advance(1000);
    expect((await opened.log.state()).size).toBe(600);
    expect(await opened.log.check(1, 10)).toEqual([]);
  });
});

describe("a record that was changed after it was sealed", () => {
  it("gets no proof", async () => {
    const memory = ports();
    const { log } = await world(memory);
    await log.journal.append(batch(1, 20));
    const forged = stored({ ...numbered(7), detail: "forged" }, 7);
    await expect(log.prove([forged])).rejects.toMatchObject({ code: "evidence-broken" });
  });

  it("that never was gets none either: a position between two others", async () => {
    const disk = createMemoryDisk();
    disk.records.push(stored(numbered(1), 1), stored(numbered(2), 5));
    const { log } = await world(createMemoryPorts(createVirtualClock(), disk));
    await expect(log.prove([stored(numbered(9), 3)])).rejects.toMatchObject({ code: "evidence-broken" });
  });

  it("that is not sealed yet is said to be pending, with the time to ask again", async () => {
    const memory = ports();
    const { log, clock } = await world(memory);
    const asked = log.prove([stored(numbered(9), 9)]);
    const settled = expect(asked).rejects.toMatchObject({ code: "evidence-pending", retryAfter: 60_000 });
    await clock.advance(11_000);
    await settled;
  });
});

/** What somebody with the database in his hands may do to it. */
type Tampering = Readonly<{ what: "remove" | "change" | "swap" | "insert"; at: number }>;
const tampering: fc.Arbitrary<Tampering> = fc.record({ what: fc.constantFrom("remove", "change", "swap", "insert"), at: fc.nat(598) });

function tamper(records: StoredRecord[], { what, at }: Tampering): void {
  const here = records[at];
  const next = records[at + 1];
  if (!here || !next) return;
  if (what === "remove") records.splice(at, 1);
  else if (what === "change") records[at] = { ...here, detail: "changed" };
  else if (what === "swap") records.splice(at, 2, { ...next, position: here.position }, { ...here, position: next.position });
  else records.splice(at + 1, 0, { ...here, position: here.position + 0.5 });
}

describe("the consistency check", () => {
  it("finds every row that was removed, changed, swapped or put in", async () => {
    const memory = ports();
    const { log } = await world(memory);
    await log.journal.append(batch(1, 600));
    expect(await log.check(1, 10)).toEqual([]);
    const records = memory.disk.records;
    const whole = [...records];
    await fc.assert(
      fc.asyncProperty(tampering, async (given) => {
        records.splice(0, records.length, ...whole);
        tamper(records, given);
        // the first row may be gone for its age; a later one may not
        fc.pre(given.what !== "remove" || given.at > 0);
        expect((await log.check(1, 10)).length).toBeGreaterThan(0);
        records.splice(0, records.length, ...whole);
      }),
      { numRuns: 60 },
    );
    expect(await log.check(1, 10)).toEqual([]);
  });

  it("names the row and what was done to it", async () => {
    const memory = ports();
    const { log } = await world(memory);
    await log.journal.append(batch(1, 30));
    await log.prove(memory.journal.records);
    memory.disk.records.splice(9, 1);
    memory.disk.records[20] = stored({ ...numbered(22), outcome: "denied" }, 22);
    expect(await log.check(1, 10)).toEqual([
      "the row at position 10 is missing in the journal",
      "the row at position 22 is not the one that was sealed",
    ]);
    expect(await log.check(11, 10)).toEqual(["the row at position 22 is not the one that was sealed"]);
    expect(await log.check(1, 1)).toHaveLength(1);
  });

  it("finds rows that were cut off the end, and takes rows that retention removed from the beginning", async () => {
    const memory = ports();
    const { log } = await world(memory);
    await log.journal.append(batch(1, 30));
    await log.prove(memory.journal.records);
    memory.disk.records.splice(0, 12);
    expect(await log.check(1, 10)).toEqual([]);
    memory.disk.records.splice(-2, 2);
    expect(await log.check(1, 10)).toEqual([
      "the row at position 29 is missing in the journal",
      "the row at position 30 is missing in the journal",
    ]);
  });

  it("finds any change of the kept tree: its tiles, its edge, its positions, its size, its checkpoint", async () => {
    const memory = ports();
    const signer = noteSigner();
    const first = await openEvidenceWorld(memory, { signer });
    await first.log.journal.append(batch(1, 700));
    await first.log.prove(memory.journal.records.slice(-1));
    await first.log.close();
    const { blobs, documents } = memory.disk;
    const kept = documents.get("evidence.log")?.get("log");
    const ids = [...blobs.keys()].filter((id) => id.startsWith("evidence/"));
    expect(ids.length).toBe(4);
    const checked = async (): Promise<readonly string[]> => {
      const again = await openEvidenceWorld(memory, { signer });
      const found = await again.log.check(1, 10).catch((error: unknown) => [String(error)]);
      await again.log.close();
      return found;
    };
    expect(await checked()).toEqual([]);
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...ids), fc.nat(), fc.integer({ min: 1, max: 255 }), async (id, at, flip) => {
        const before = blobs.get(id) ?? new Uint8Array(0);
        const after = Buffer.from(before);
        after[at % after.length] = (after[at % after.length] ?? 0) ^ flip;
        blobs.set(id, after);
        expect((await checked()).length).toBeGreaterThan(0);
        blobs.set(id, before);
      }),
      { numRuns: 40 },
    );
    const value = kept?.value as { size: number; position: number; edge: string[]; positions: number[]; checkpoint: string };
    const edge = Buffer.from(value.edge[0] ?? "", "base64");
    edge[40] = (edge[40] ?? 0) ^ 1;
    for (const changed of [
      { ...value, size: value.size - 1 },
      { ...value, position: value.position - 1 },
      { ...value, edge: [edge.toString("base64"), ...value.edge.slice(1)] },
      { ...value, positions: value.positions.map((each, at) => (at === 3 ? each + 0.5 : each)) },
      { ...value, checkpoint: value.checkpoint.replace(/\n(\d)/u, "\n1$1") },
      { ...value, checkpoint: value.checkpoint.replace(/[A-Za-z](?=[^\n]*\n$)/u, "0") },
    ]) {
      if (kept) documents.get("evidence.log")?.set("log", { ...kept, value: changed });
      expect((await checked()).length).toBeGreaterThan(0);
    }
  });
});

describe("in a cluster", () => {
  /** Two nodes on one journal and store; each appends, one seals. */
  async function two() {
    const memory = ports();
    const clock = createVirtualClock();
    const journal: Journal = { ...memory.journal, writers: "many" };
    const signer = noteSigner();
    const node = async (name: string): Promise<EvidenceWorld> => {
      const leases = await createLeases({ store: memory.store, clock, node: name, sole: false });
      return world(memory, { journal, clock, leases, signer });
    };
    return { memory, clock, a: await node("a"), b: await node("b") };
  }

  it("both give proofs of what either appended, from one log", async () => {
    const { memory, clock, a, b } = await two();
    await a.log.journal.append(batch(1, 300));
    await b.log.journal.append(batch(301, 300));
    const asked = Promise.all([a.log.prove(memory.journal.records), b.log.prove(memory.journal.records)]);
    await clock.advance(3000);
    const [ofA, ofB] = await asked;
    expect(ofA).toHaveLength(600);
    for (const each of ofB) expect(proven(a, each).size).toBe(600);
    expect(await b.log.check(1, 10)).toEqual([]);
  });

  it("one goes on where the other stopped", async () => {
    const { memory, clock, a, b } = await two();
    await a.log.journal.append(batch(1, 10));
    await clock.advance(2000);
    await a.log.close();
    await b.log.journal.append(batch(11, 10));
    const asked = b.log.prove(memory.journal.records);
    await clock.advance(12_000);
    expect(await asked).toHaveLength(20);
    expect(await b.log.check(1, 10)).toEqual([]);
    expect(b.errors).toEqual([]);
  });
});
