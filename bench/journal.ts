/** Figures of the embedded journal against a bare file with group commit, and of replay against a bare scan of its bytes. */
import { closeSync, openSync, readdirSync, readSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openEmbedded, type Embedded } from "#adapters/embedded/engine.ts";
import type { JournalRecord } from "#bus/journal/record.ts";
import type { Figure } from "./figure.ts";
import { closedLoop, type Load } from "./load.ts";
import { openSegment } from "./segment.ts";

const RUN_MS = 2_000;
const RECORD_BYTES = 1_024;
const REPLAYED = 120_000;

/** A message of about 1 KiB with every search field of a real exchange. */
function message(publisher: number, turn: number): JournalRecord {
  const id = `0192f3c4-${publisher.toString(16).padStart(4, "0")}-7000-8000-${turn.toString(16).padStart(12, "0")}`;
  const time = 1_800_000_000_000 + turn;
  const contract = "population.person-changed.v1";
  const envelope = {
    id,
    source: "asp/person-registry",
    type: `mbus.${contract}`,
    time,
    key: `20000000${publisher % 512}`,
    correlationId: id,
    contract,
    call: {},
    headers: {},
    body: BODY,
  };
  return {
    step: "accepted",
    outcome: "ok",
    time,
    id,
    correlationId: id,
    route: "population/person-changed",
    contract,
    system: "asp/person-registry",
    index: { idnp: `20000000${publisher % 512}` },
    envelope,
  };
}
const BODY = new Uint8Array(RECORD_BYTES - 300).fill(0x61);

async function withFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "mbus-bench-"));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function bareFile(folder: string, publishers: number): Promise<Load> {
  const segment = await openSegment(join(folder, "segment.log"));
  const record = new Uint8Array(RECORD_BYTES).fill(0x61);
  const load = await closedLoop(publishers, RUN_MS, () => segment.append(record));
  await segment.close();
  return load;
}

async function embedded(folder: string, publishers: number): Promise<Load> {
  const engine = await openEmbedded({ dataDir: join(folder, "engine") });
  const load = await closedLoop(publishers, RUN_MS, (publisher, turn) => engine.journal.append([message(publisher, turn)]));
  await engine.close();
  return load;
}

async function publishFigure(publishers: number): Promise<Figure> {
  return withFolder(async (folder) => {
    const limit = await bareFile(folder, publishers);
    const load = await embedded(folder, publishers);
    return {
      name: `journal.publish.${publishers}`,
      value: load.perSecond,
      unit: "records/s",
      limit: limit.perSecond,
      ratio: load.perSecond / limit.perSecond,
      peers: {},
      detail: { ...milliseconds("", load), ...milliseconds("limit ", limit) },
    };
  });
}

function milliseconds(prefix: string, load: Load): Record<string, number> {
  const round = (ms: number): number => Math.round(ms * 100) / 100;
  return {
    [`${prefix}ack p50 ms`]: round(load.p50),
    [`${prefix}ack p99 ms`]: round(load.p99),
    [`${prefix}event loop p99 ms`]: round(load.delay99),
  };
}

async function fill(engine: Embedded, records: number): Promise<void> {
  for (let turn = 0; turn < records; turn += 1_000) {
    await engine.journal.append(Array.from({ length: 1_000 }, (_, i) => message(i, turn + i)));
  }
}

async function replayFigure(): Promise<Figure> {
  return withFolder(async (folder) => {
    const engine = await openEmbedded({ dataDir: folder });
    await fill(engine, REPLAYED);
    const began = performance.now();
    let records = 0;
    for (let from = 1; ;) {
      const page = await engine.journal.read(from, 1_000);
      const last = page.at(-1);
      if (last === undefined) break;
      records += page.length;
      from = last.position + 1;
    }
    const perSecond = Math.round(records / ((performance.now() - began) / 1_000));
    await engine.close();
    const limit = bareScan(folder, records);
    return { name: "replay", value: perSecond, unit: "records/s", limit, ratio: perSecond / limit, peers: {}, detail: { records } };
  });
}

/** The same blocks as bytes of the log, nothing checked and nothing decoded. */
function bareScan(folder: string, records: number): number {
  const files = readdirSync(join(folder, "log")).map((name) => openSync(join(folder, "log", name), "r"));
  const chunk = Buffer.allocUnsafe(1_048_576);
  const began = performance.now();
  let bytes = 0;
  for (const file of files) for (let read = 1; read > 0; bytes += read) read = readSync(file, chunk, 0, chunk.length, null);
  const seconds = (performance.now() - began) / 1_000;
  for (const file of files) closeSync(file);
  if (bytes < records * BODY.length) throw new Error("the bare scan did not read all");
  return Math.round(records / seconds);
}

const ALL: Readonly<Record<string, () => Promise<Figure>>> = {
  "journal.publish.1": () => publishFigure(1),
  "journal.publish.64": () => publishFigure(64),
  "journal.publish.1024": () => publishFigure(1_024),
  replay: replayFigure,
};

/** Measures the named figures, or all. */
export async function journalFigures(names: string[] = Object.keys(ALL)): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const name of names) {
    const measure = ALL[name];
    if (measure !== undefined) figures.push(await measure());
  }
  return figures;
}
