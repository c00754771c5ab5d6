/** Starts a bus on its data folder and its files, and stops it again. Every part meets here. */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { openKeys } from "#adapters/keys/ca.ts";
import { startRegistryServer } from "#adapters/schema-registry/face.ts";
import { createWebClient } from "#adapters/web/client.ts";
import { createWebHost } from "#adapters/web/host.ts";
import { createAdmin } from "#bus/admin-bus.ts";
import { createBus } from "#bus/bus.ts";
import { noticeAppends } from "#bus/events/notice.ts";
import { explainRefusal } from "#bus/identity/explain.ts";
import { startKeeper } from "#bus/keep/keeper.ts";
import type { Settings } from "#config/settings.ts";
import { adminApi } from "#console/api.ts";
import { auditActs } from "#bus/audit/acts.ts";
import { pathOf } from "./addresses.ts";
import { auditType } from "./audit.ts";
import { openCatalogue } from "./catalogue.ts";
import { openChanges } from "./changes.ts";
import { systemClock } from "./clock.ts";
import { mountCommands } from "./commands.ts";
import { openEngines } from "./engines.ts";
import { watchGrants } from "./grants.ts";
import { watchGivenUp } from "./given-up.ts";
import { openEvents } from "./events.ts";
import { openEvidence } from "./evidence.ts";
import { identifierRules } from "./identifiers.ts";
import { acceptHazards } from "./hazards.ts";
import { mountHealth } from "./health.ts";
import { openIdentity } from "./identity.ts";
import { createInlet } from "./inlets.ts";
import type { Log } from "./log.ts";
import { outboundGuard } from "./outbound.ts";
import { mountClients } from "./mpass-clients.ts";
import { createOutlets } from "./outlets.ts";
import { startWorld, type SampleProgram } from "./samples.ts";
import { openSchemas } from "./schemas.ts";
import { mountReceipts } from "./receipts.ts";
import { secrets } from "./secrets.ts";
import { stampAuthority } from "./stamps.ts";
import { adminToken } from "./token.ts";
import { createSignatures } from "./signatures.ts";
import { createTopicEdges } from "./topics.ts";
import { version } from "./version.ts";

export type StartOptions = Readonly<{
  settings: Settings;
  log: Log;
  /** Folder that holds routes, contracts and config. */
  root: string;
  /** Programs of the sample world to start beside; undefined = none, and no face to systems on plain HTTP. */
  samples: readonly SampleProgram[] | undefined;
  /** Route variables that override files and environment. */
  variables?: Readonly<Record<string, string>>;
}>;

export type Started = Readonly<{
  http: string;
  https: string | undefined;
  registry: string;
  dataDir: string;
  pid: number;
  /** Addresses of the sample systems that were started. */
  world: Readonly<Record<string, string>>;
  close(): Promise<void>;
}>;

export async function startBus(options: StartOptions): Promise<Started> {
  const { settings, log } = options;
  const dataDir = resolve(settings.dataDir);
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const closers: (() => Promise<unknown> | void)[] = [];
  const close = async (): Promise<void> => {
    for (const closer of closers.splice(0).toReversed()) await closer();
  };
  try {
    return await start(options, dataDir, closers, close);
  } catch (error) {
    await close().catch((failed: unknown) => log.error({ err: failed }, "closing after a failed start"));
    throw error;
  }
}

async function start(
  options: StartOptions,
  dataDir: string,
  closers: (() => Promise<unknown> | void)[],
  close: () => Promise<void>,
): Promise<Started> {
  const { settings, log, samples } = options;
  const startedAt = Date.now();
  const onError = (error: unknown, where: string): void => log.error({ err: error, where }, "beside the flow");
  const keys = await openKeys(dataDir);
  const identity = await openIdentity({
    tls: settings.tls,
    keys,
    keyFolder: join(dataDir, "keys"),
    client: createWebClient(),
    log,
    now: Date.now,
  });
  closers.push(() => identity.close());
  const host = await createWebHost({
    http: { host: settings.host, port: settings.httpPort },
    https: { host: settings.host, port: settings.tlsPort, cert: keys.server.cert, key: keys.server.key, ca: identity.ca },
    samples: samples !== undefined,
    identify: identity.identify,
    onHandshakeRefused: identity.onHandshakeRefused,
    explain: (certificate, above) => explainRefusal(certificate, above, Date.now()),
    maxBytes: 10 * 1024 * 1024,
    onError,
  });
  closers.push(() => host.close());
  const givenUp = watchGivenUp(log, systemClock);
  const accept = acceptHazards({ root: options.root, stage: settings.environment, env: process.env, log });
  // both at once; whichever fails, the other is closed when it has opened
  const both = [
    samples ? startWorld(samples, host.address.http, dataDir) : Promise.resolve(undefined),
    openEngines({ settings, dataDir, clock: systemClock, accept, onError, onGivenUp: (one) => givenUp.saw(one) }),
  ] as const;
  for (const each of both) closers.push(async () => (await each.catch(() => undefined))?.close());
  const [world, engines] = await Promise.all(both);
  const { store, transport, leases } = engines;
  const { registry, texts, served } = engines;
  const stampers = createWebClient(); // the operator names their authority, wherever it stands
  closers.push(() => stampers.close());
  const authority = await stampAuthority({ settings, keys, host, own: host.address.http, client: stampers, clock: systemClock });
  const evidence = await openEvidence({ ...engines, settings, authority, clock: systemClock, keys, onError });
  closers.push(() => evidence.close());
  const noticed = noticeAppends(evidence.journal);
  const registryServer = served && (await startRegistryServer(served, { host: settings.host, port: settings.registryPort }));
  closers.push(() => registryServer?.close());
  const schemas = await openSchemas({ registry, texts, clock: systemClock, shared: leases !== undefined, onError });
  closers.push(() => schemas.close());
  const audit = await auditType(schemas);
  const journal = auditActs(noticed.journal, audit);
  const guard = outboundGuard(settings);
  const client = createWebClient({ guard });
  closers.push(() => client.close());
  const secret = secrets(process.env);
  const development = settings.environment === "development";
  const topics = createTopicEdges({ settings, clock: systemClock, onError });
  closers.push(() => topics.close());
  const signatures = createSignatures({
    systems: () => bus.view().systems,
    certificatesOf: (system) => identity.systemKeys.certificatesOf(system),
    openKey: () => keys.messages(settings.signatures.key),
    clock: systemClock,
    window: settings.signatures,
  });
  const bus = await createBus({
    clock: systemClock,
    journal,
    transport,
    store,
    outlets: (route, branch) =>
      createOutlets({ client, dataDir, secret, topics, signatures, development, guard, clock: systemClock }, route, branch),
    inlet: (route, source) =>
      createInlet({ host, dataDir, leases, clock: systemClock, onError, topics, signatures, secret, development, store }, route, source),
    leases,
    audit,
    identifiers: identifierRules(settings.checkDigits, log, systemClock),
    mayTake: () => evidence.mayTake(),
    onError,
  });
  closers.push(() => bus.close());
  identity.follow(() => bus.view().systems);
  mountClients(host, identity);
  closers.push(await openEvents({ host, bus, noticed, leases, onError }));
  const { reloader, changes } = await openChanges({
    bus,
    schemas,
    registry,
    store,
    journal,
    clock: systemClock,
    log,
    mode: settings.changes,
    root: options.root,
    env: process.env,
    variables: { ...world?.variables, ...options.variables },
  });
  await reloader.load();
  reloader.watch();
  closers.push(() => reloader.close());
  await bus.resume();
  const keeper = startKeeper({
    journal,
    clock: systemClock,
    leases,
    rules: { maxAge: settings.journalAge, maxBytes: settings.journalBytes },
    retain: engines.retain,
    keeping: engines.keeping,
    known: engines.known,
    deadletters: () => bus.needs(),
    complete: () => reloader.complete(),
    onError,
  });
  closers.push(() => keeper.close());
  const admin = createAdmin({
    bus,
    journal,
    evidence,
    clock: systemClock,
    version,
    pid: process.pid,
    startedAt,
    memory: () => ({ rss: process.memoryUsage.rss(), heapUsed: process.memoryUsage().heapUsed }),
    drift: () => reloader.drift(),
    changes,
    catalogue: openCatalogue({ ...settings, host, bus, version, origin: host.address.https ?? host.address.http }),
    unclaimed: () => engines.known.unclaimed(),
    cluster: engines.cluster,
    faces: (route) => faces(route.sources.map((source) => ({ kind: source.binding.kind, path: pathOf(route, source) }))),
  });
  const grants = watchGrants({ grants: () => bus.view().grants, clock: systemClock, log });
  closers.push(() => grants.close());
  host.mount("admin", "/api/v1", adminApi(admin, adminToken(dataDir)));
  mountCommands(host, bus);
  mountReceipts(host, { journal, evidence });
  closers.push(
    mountHealth(host, {
      bus: () => bus,
      ready: () => true,
      version,
      topics: () => topics.states(),
      grants: () => grants.states(),
      configuration: () => reloader.drift(),
      stamp: () => evidence.stamp(),
      givenUp: () => givenUp.counts(),
      identity: () => identity.counts(),
      cluster: engines.cluster,
    }),
  );
  const started = {
    http: host.address.http,
    https: host.address.https,
    registry: registryServer ? `http://${settings.host}:${registryServer.port}` : (settings.schemaRegistryUrl ?? ""),
    dataDir,
    pid: process.pid,
    world: world?.addresses ?? {},
    close,
  };
  const run = join(dataDir, "run.json");
  writeFileSync(run, `${JSON.stringify({ http: started.http, https: started.https, registry: started.registry, pid: started.pid })}\n`, {
    mode: 0o600,
  });
  closers.push(() => rmSync(run, { force: true }));
  return started;
}

type FacePath = Readonly<{ kind: string; path: string | undefined }>;

function faces(paths: readonly FacePath[]): { wsdl: string | undefined; rest: string | undefined } {
  return { wsdl: paths.find((each) => each.kind === "soap")?.path, rest: paths.find((each) => each.kind === "http")?.path };
}
