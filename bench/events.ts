/**
 * MConnect Events, whole: a producer posts batches of 500 events over HTTP while a consumer takes them by WebSocket and confirms every
 * 500; the bus is a process of its own with evidence log and journal rows of every delivery. Counted is what was confirmed, and each event
 * must have come exactly once and in order of its key. The limit is the bare journal writing the same two rows of each event, 500 at a time.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Pool } from "undici";
import { openEmbedded } from "#adapters/embedded/engine.ts";
import { topicOf, type Envelope } from "#bus/envelope.ts";
import type { JournalRecord } from "#bus/journal/record.ts";
import { systemClock } from "#compose/clock.ts";
import { openSocket } from "#test/harness/web-socket.ts";
import type { Figure } from "./figure.ts";
import { startProgram } from "./parts/process.ts";

const BATCH = 500;
const PRODUCERS = 2;
const KEYS = 1_000;

export async function eventsFigures(count: number): Promise<readonly Figure[]> {
  const bus = await startProgram("bus.ts", ["{}", "routes/rsp/person-changed.yaml,routes/rsp/tests/person-changed.test.yaml"]);
  try {
    await through(bus.url, 5_000, "warm"); // compiled code, open files
    const before = cpuSeconds(bus.pid);
    const { seconds, producing, lost, twice, disorder } = await through(bus.url, count, "run");
    const cpu = ((cpuSeconds(bus.pid) - before) * 1e6) / count;
    const value = count / seconds;
    const limit = await bareJournal(count);
    const name = count === 100_000 ? "events.produce-consume" : "events.produce-consume.1e6";
    const detail = { events: count, "produced/s": count / producing, "bus µs CPU/event": cpu, lost, twice, "out of order": disorder };
    return [{ name, value, unit: "events/s", limit, ratio: value / limit, peers: {}, detail }];
  } finally {
    await bus.close();
  }
}

type Run = Readonly<{ seconds: number; producing: number; lost: number; twice: number; disorder: number }>;

async function through(url: string, count: number, run: string): Promise<Run> {
  const socket = await openSocket(`${url.replace("http", "ws")}/mconnect-events/ce/consume/ws?group=bench`, {
    protocols: ["cloudevents.json"],
    headers: { "x-system": "cnas/pensions" },
  });
  const started = performance.now();
  const produced = produce(url, count, run).then(() => (performance.now() - started) / 1000);
  const seen = new Uint8Array(count);
  const lastOf = new Map<string, number>();
  let distinct = 0;
  let twice = 0;
  let disorder = 0;
  for (let got = 1; distinct < count; got++) {
    const event = JSON.parse(await socket.next(60_000)) as { id: string; offset: string; partitionkey: string };
    const number = Number(event.id.slice(run.length + 1));
    if (seen[number] === 1) twice += 1;
    else distinct += 1;
    seen[number] = 1;
    if (number < (lastOf.get(event.partitionkey) ?? -1)) disorder += 1;
    lastOf.set(event.partitionkey, number);
    if (got % BATCH === 0 || distinct === count) socket.send(`confirm:${event.offset}`);
  }
  const producing = await produced;
  await socket.close();
  const seconds = (performance.now() - started) / 1000;
  return { seconds, producing, lost: count - distinct, twice, disorder };
}

/** Each producer has keys of its own, so that order within a key is its own order. */
async function produce(url: string, count: number, run: string): Promise<void> {
  const pool = new Pool(url, { connections: PRODUCERS });
  const batches = Math.ceil(count / BATCH);
  const one = async (producer: number): Promise<void> => {
    for (let batch = producer; batch < batches; batch += PRODUCERS) {
      const from = batch * BATCH;
      const body = `[${Array.from({ length: Math.min(BATCH, count - from) }, (_, at) => eventText(from + at, producer, run)).join(",")}]`;
      const headers = { "content-type": "application/cloudevents-batch+json", "x-system": "rsp/population" };
      const answer = await pool.request({ method: "POST", path: "/mconnect-events/ce/produce/events", headers, body });
      const text = await answer.body.text();
      if (answer.statusCode !== 202) throw new Error(`${answer.statusCode} ${text}`);
    }
  };
  await Promise.all(Array.from({ length: PRODUCERS }, (_, producer) => one(producer)));
  await pool.close();
}

function eventText(number: number, producer: number, run: string): string {
  const key = String(2_000_000_000_000 + ((number % KEYS) * PRODUCERS + producer));
  return JSON.stringify({
    specversion: "1.0",
    id: `${run}-${number}`,
    source: "/rsp/population",
    type: "RSP.Population.Person.Changed",
    partitionkey: `idnp:${key}`,
    data: {
      idnp: key,
      changedAt: "2026-11-23T08:59:00.000Z",
      kind: "addressChanged",
      revision: 1,
      changes: [{ field: "address", before: "Elizaveta", after: "Orhei" }],
    },
  });
}

/** What a process has used of all cores, from Linux; 0 elsewhere. Unlike time, it says the same on a machine that does other work too. */
function cpuSeconds(pid: number): number {
  if (process.platform !== "linux") return 0;
  const fields = readFileSync(`/proc/${pid}/stat`, "latin1").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

async function bareJournal(count: number): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), "mbus-bench-events-"));
  const { journal, close } = await openEmbedded({ dataDir: folder, clock: systemClock });
  const events = Math.min(count, 100_000);
  const rows = (from: number, step: "accepted" | "delivered"): JournalRecord[] =>
    Array.from({ length: BATCH }, (_, at) => row(from + at, step));
  const started = performance.now();
  for (let from = 0; from < events; from += BATCH)
    await Promise.all([journal.append(rows(from, "accepted")), journal.append(rows(from, "delivered"))]);
  const seconds = (performance.now() - started) / 1000;
  await close();
  rmSync(folder, { recursive: true, force: true });
  return events / seconds;
}

function row(number: number, step: "accepted" | "delivered"): JournalRecord {
  const id = `bare-${number}`;
  const contract = "person.changed.v1";
  const topic = topicOf(contract);
  const facts = { step, outcome: "ok", time: number, id, correlationId: id, contract, system: "rsp/population" } as const;
  if (step === "delivered")
    return { ...facts, target: "cnas/pensions", branch: "events bench", index: { subject: id, basis: "law", reason: "pensions" } };
  const envelope: Envelope = {
    id,
    source: "rsp/population",
    type: topic,
    time: number,
    correlationId: id,
    contract,
    call: {},
    headers: {},
    body: new Uint8Array(100),
  };
  return { ...facts, envelope, topic, dedupe: { key: id, window: 86_400_000 } };
}
