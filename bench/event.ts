/**
 * Event routing: an event comes in as SOAP XML, is decoded, authorised, accepted durably, and goes to three branches (one behind a
 * JSONata condition), each with its own cursor, grant and durable outcome row. The receivers cost nothing and the sample's maps are left
 * out; everything else is the bus as it runs, its evidence log included. The limit is the bare journal writing the same four records of each event.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openEmbedded } from "#adapters/embedded/engine.ts";
import { openKeys } from "#adapters/keys/ca.ts";
import { createBus, type Bus } from "#bus/bus.ts";
import { openEvidenceLog } from "#bus/evidence/log.ts";
import type { Leases } from "#bus/cluster/lease.ts";
import type { Inbound, Journal, Store, Transport } from "#bus/ports.ts";
import { compileRoutes } from "#bus/route/compile.ts";
import type { Branch, Route, RouteSet, Source } from "#bus/route/runtime.ts";
import { systemClock } from "#compose/clock.ts";
import { readFiles } from "#compose/files.ts";
import { pino } from "pino";
import type { Figure } from "./figure.ts";
import { personChanged } from "./parts/backlog.ts";

const PUBLISHERS = 256;
const MEASURE_MS = 5000;
const LOOK_MS = 20;
const STILL = 1000;

/** What carries the events of a run; `leases`: where several processes may write. */
export type EventEngine = Readonly<{ journal: Journal; store: Store; transport: Transport; leases?: Leases; close(): Promise<void> }>;
export type OpenEventEngine = (folder: string) => Promise<EventEngine>;
type Measured = Readonly<{ perSecond: number; acceptedPerSecond: number; deliveriesPerSecond: number }>;

export const embeddedEngine: OpenEventEngine = (dataDir) => openEmbedded({ dataDir, clock: systemClock });

export async function eventFigures(): Promise<readonly Figure[]> {
  const folder = mkdtempSync(join(tmpdir(), "mbus-bench-event-"));
  try {
    const { perSecond: value, acceptedPerSecond, deliveriesPerSecond } = await measureEvents(embeddedEngine);
    const limit = await bareJournal(folder);
    const detail = { "accepted/s": acceptedPerSecond, "deliveries/s": deliveriesPerSecond, branches: 3 };
    return [{ name: "event.route3", value, unit: "events/s", limit, ratio: value / limit, peers: {}, detail }];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Events accepted and delivered to the last of three branches, by the bus on this engine. */
export async function measureEvents(open: OpenEventEngine): Promise<Measured> {
  const folder = mkdtempSync(join(tmpdir(), "mbus-bench-event-"));
  const log = pino({ level: "silent" });
  const engine = await open(folder);
  const onError = (error: unknown, where: string): void => log.error({ err: error, where });
  const { log: signer } = await openKeys(folder);
  const evidence = await openEvidenceLog({ ...engine, clock: systemClock, signer, leases: engine.leases, onError });
  const { set, source } = await personChangedRoute();
  let delivered = 0;
  const bus = await createBus({
    clock: systemClock,
    ...engine,
    journal: evidence.journal,
    inlet: () => undefined,
    outlets: (_route: Route, branch: Branch) => [
      { endpoint: `sink:${branch.name}`, send: () => ((delivered += 1), Promise.resolve(undefined)), close: () => Promise.resolve() },
    ],
    onError,
  });
  try {
    await bus.apply(set);
    await settled(() => delivered, (await run(bus, source, 1000, 0)) * 3);
    delivered = 0;
    const started = performance.now();
    const accepted = await run(bus, source, MEASURE_MS, 1_000_000);
    const acceptedAfter = (performance.now() - started) / 1000;
    await settled(() => delivered, accepted * 3);
    const seconds = (performance.now() - started) / 1000;
    return { perSecond: accepted / seconds, acceptedPerSecond: accepted / acceptedAfter, deliveriesPerSecond: delivered / seconds };
  } finally {
    await bus.close();
    await evidence.close();
    await engine.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The sample route with its three subscribers, without their limits of rate. */
async function personChangedRoute(): Promise<{ set: RouteSet; source: Source }> {
  const root = fileURLToPath(new URL("..", import.meta.url));
  const read = await readFiles([root], {}, { "vehicles.drop": "drop" });
  let id = 0;
  const { set } = await compileRoutes(read.documents, { files: read.files, schemaIds: () => Promise.resolve(++id) });
  const route = set.routes.get("person-changed");
  const source = route?.sources[0];
  if (!route || !source) throw new Error("the route person-changed did not compile");
  const branches = route.branches.map((branch) => ({
    ...branch,
    in: undefined,
    deliver: { ...branch.deliver, limits: { concurrency: 256, queue: 10_000, ratePerSecond: undefined } },
  }));
  return { set: { ...set, routes: new Map([[route.id, { ...route, branches }]]) }, source };
}

/** Publishes from many callers at once for so long; gives how many were accepted. */
async function run(bus: Bus, source: Source, ms: number, first: number): Promise<number> {
  const { service } = source.binding;
  if (!service) throw new Error("the source has no SOAP service");
  const end = performance.now() + ms;
  const encoder = new TextEncoder();
  let next = first;
  let accepted = 0;
  const publisher = async (): Promise<void> => {
    while (performance.now() < end) {
      const n = next++;
      const bytes = encoder.encode(personChanged(n));
      const inbound: Inbound = {
        route: "person-changed",
        from: source.name,
        system: "rsp/population",
        id: `event-${n}`,
        call: {},
        headers: {},
        bytes,
        mediaType: "text/xml",
        read: () => service.readRequest(bytes).value,
      };
      await bus.accept(inbound);
      accepted += 1;
    }
  };
  await Promise.all(Array.from({ length: PUBLISHERS }, publisher));
  return accepted;
}

/** Waits until `count` stands at `goal`; throws when it stands still for so many looks. */
async function settled(count: () => number, goal: number): Promise<void> {
  let before = -1;
  let still = 0;
  while (count() < goal) {
    still = count() === before ? still + 1 : 0;
    if (still > STILL) throw new Error(`only ${count()} of ${goal} deliveries were made`);
    before = count();
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

/** Events per second that the journal alone could hold: one record of an envelope and three of outcomes each. */
async function bareJournal(folder: string): Promise<number> {
  const engine = await openEmbedded({ dataDir: join(folder, "bare"), clock: systemClock });
  const body = new Uint8Array(180);
  let written = 0;
  let n = 0;
  const end = performance.now() + 2000;
  const started = performance.now();
  const writer = async (): Promise<void> => {
    while (performance.now() < end) {
      const id = `bare-${n++}`;
      const facts = {
        id,
        correlationId: id,
        route: "person-changed",
        contract: "person.changed.v1",
        system: "rsp/population",
        time: Date.now(),
      } as const;
      const envelope = {
        id,
        source: "rsp/population",
        type: "mbus.bare",
        time: facts.time,
        correlationId: id,
        contract: "person.changed.v1",
        call: {},
        headers: {},
        body,
      };
      await engine.journal.append([{ ...facts, step: "accepted", outcome: "ok", envelope }]);
      await Promise.all(["a", "b", "c"].map((branch) => engine.journal.append([{ ...facts, step: "delivered", outcome: "ok", branch }])));
      written += 1;
    }
  };
  await Promise.all(Array.from({ length: PUBLISHERS }, writer));
  const seconds = (performance.now() - started) / 1000;
  await engine.close();
  return written / seconds;
}
