/**
 * The engines that the settings name: journal and store here or in MongoDB, the transport on the log of the embedded journal or on a
 * broker, the schema registry of our own or an outside one. Libraries of engines that are not named are not loaded.
 */
import { openEmbedded, type Embedded } from "#adapters/embedded/engine.ts";
import type { SchemaRegistry } from "#adapters/schema-registry/model.ts";
import { createEmbeddedRegistry } from "#adapters/schema-registry/registry.ts";
import type { ClusterStatus } from "#bus/admin.ts";
import type { Broker, Hazard } from "#bus/broker.ts";
import { changeTransport, type EmbeddedGroups } from "#bus/cluster/change.ts";
import type { Leases } from "#bus/cluster/lease.ts";
import { openBrokerTransport } from "#bus/cluster/transport.ts";
import type { GroupKeeping } from "#bus/keep/keeping.ts";
import type { Retain } from "#bus/keep/keeper.ts";
import { openKnownGroups, type KnownGroups } from "#bus/keep/known-groups.ts";
import { checkCompatibility } from "#bus/contract/compatibility.ts";
import { BusError } from "#bus/errors.ts";
import type { Clock, Journal, Registry, Store, Transport } from "#bus/ports.ts";
import type { Settings } from "#config/settings.ts";
import type { GivenUp } from "./given-up.ts";
import { keptTexts, ownTexts, type SchemaTexts } from "./schemas.ts";

/** Journal and store; `transport` where they have one of their own. */
export type Base = Readonly<{
  journal: Journal;
  store: Store;
  transport?: Transport;
  /** The groups of that transport. */
  keeping?: GroupKeeping;
  /** The groups of the embedded engine, whatever moves messages now. */
  embedded?: EmbeddedGroups;
  retain: Retain;
  hazards(): Promise<readonly Hazard[]>;
  close(): Promise<void>;
}>;

export type EngineParts = Readonly<{
  settings: Settings;
  dataDir: string;
  clock: Clock;
  /** Throws where a danger of the engines is not taken. Called before anything is sent or taken. */
  accept: (hazards: readonly Hazard[]) => Promise<void>;
  onError: (error: unknown, where: string) => void;
  /** Told of each message that a broker gave up by itself. */
  onGivenUp: (one: GivenUp) => void;
}>;

/** How each engine is opened. */
export type Openers = Readonly<{
  base: (parts: EngineParts) => Promise<Base>;
  /** Undefined = the base brings its own transport. */
  broker: (parts: EngineParts) => Promise<Broker | undefined>;
}>;

export type Engines = Readonly<{
  journal: Journal;
  store: Store;
  transport: Transport;
  registry: Registry;
  texts: SchemaTexts;
  /** Our own registry, to be served on its port; undefined where an outside one is used, so that there is one truth. */
  served: SchemaRegistry | undefined;
  /** For what one process of a cluster may do at a time; undefined = this process is the only one. */
  leases: Leases | undefined;
  /** Undefined where `leases` is. */
  cluster: (() => ClusterStatus) | undefined;
  keeping: GroupKeeping;
  retain: Retain;
  known: KnownGroups;
  close(): Promise<void>;
}>;

/** Throws `configuration` for dangers that are not waived, transport-unavailable for a broker that does not answer; nothing stays open then. */
export async function openEngines(parts: EngineParts, openers: Openers = OPENERS): Promise<Engines> {
  const opened: (() => Promise<void>)[] = [];
  const close = async (): Promise<void> => {
    for (const each of opened.splice(0).toReversed()) await each();
  };
  try {
    const base = await openers.base(parts);
    opened.push(() => base.close());
    const broker = await openers.broker(parts);
    if (broker) opened.push(() => broker.close());
    await parts.accept([...(await base.hazards()), ...((await broker?.hazards()) ?? [])]);
    const moving = await transportOf(parts, base, broker);
    opened.push(() => moving.transport.close());
    const schemas = await registryOf(parts.settings, base.store);
    opened.push(() => schemas.registry.close());
    const { store, retain } = base;
    const { keeping } = moving;
    const known = await openKnownGroups({
      store,
      clock: parts.clock,
      transport: moving.transport,
      keeping,
      grace: parts.settings.forgetAfter,
    });
    return { store, retain, ...moving, transport: known.transport, known, ...schemas, close };
  } catch (error) {
    await close().catch((failed: unknown) => parts.onError(failed, "closing engines after a failed start"));
    throw error;
  }
}

async function transportOf(
  parts: EngineParts,
  base: Base,
  broker: Broker | undefined,
): Promise<Pick<Engines, "journal" | "transport" | "leases" | "cluster" | "keeping">> {
  const { clock, onError, settings } = parts;
  const { journal, store, embedded } = base;
  const { node, partitions } = settings;
  await changeTransport({ to: broker?.name ?? "embedded", journal, store, clock, node, partitions, embedded });
  if (broker) {
    const transport = await openBrokerTransport({ broker, journal, store, clock, node, partitions, onError });
    const { leases, keeping } = transport;
    const alone = { journal: transport.journal, transport, keeping, leases: undefined, cluster: undefined };
    const cluster = (): ClusterStatus => ({ node, partitions: transport.owned(), of: partitions });
    return journal.writers === "one" ? alone : { ...alone, leases, cluster };
  }
  if (!base.transport || !base.keeping)
    throw new BusError("configuration", "MBUS_STORE=mongodb needs MBUS_TRANSPORT=nats or MBUS_TRANSPORT=amqp");
  return { journal: base.journal, transport: base.transport, keeping: base.keeping, leases: undefined, cluster: undefined };
}

async function registryOf({ schemaRegistryUrl: url }: Settings, store: Store): Promise<Pick<Engines, "registry" | "texts" | "served">> {
  if (url === undefined) {
    const registry = await createEmbeddedRegistry(store, checkCompatibility);
    return { registry, texts: ownTexts(registry), served: registry };
  }
  const { openConfluentRegistry } = await import("#adapters/confluent/registry.ts");
  return { registry: await openConfluentRegistry({ url }), texts: await keptTexts(store), served: undefined };
}

export const OPENERS: Openers = { base: openBase, broker: openBroker };

async function openBase({ settings, dataDir, clock }: EngineParts): Promise<Base> {
  if (settings.store === "mongodb") {
    const { openMongo } = await import("#adapters/mongodb/engine.ts");
    return openMongo({ url: settings.mongodbUrl ?? "", database: settings.mongodbDatabase, node: settings.node, clock });
  }
  const engine = await openEmbedded({ dataDir, clock });
  // on a broker the engine's own groups are not at work: the broker's transport says what is needed
  const ignoreGroups = settings.transport !== "embedded";
  return {
    ...engine,
    keeping: keepingOf(engine),
    embedded: groupsOf(engine),
    retain: (rules) => engine.retain({ ...rules, ignoreGroups }),
    hazards: () => Promise.resolve([]),
  };
}

/** The engine itself keeps what its groups need. */
function keepingOf(engine: Embedded): GroupKeeping {
  return {
    groups: async () => (await engine.groups()).map(({ topic, name }) => ({ topic, group: name })),
    needs: () => Promise.resolve(Infinity),
    forget: ({ topic, group }) => engine.forget(topic, group),
  };
}

function groupsOf(engine: Embedded): EmbeddedGroups {
  return {
    all: async () =>
      (await engine.groups()).map(({ topic, name, scan, pending, retries }) => ({
        topic,
        group: name,
        scan,
        unfinished: [
          ...Array.from({ length: Math.floor(pending.length / 3) }, (_, n) => {
            const [position = 0, attempts = 0, firstAt = 0] = pending.subarray(n * 3, n * 3 + 3);
            return { position, attempts, firstAt, due: 0 };
          }),
          ...retries.map(({ position, attempt, nextAt, firstAt }) => ({ position, attempts: attempt, firstAt, due: nextAt })),
        ],
      })),
    place: ({ topic, group }, position) => engine.place(topic, group, position),
    forget: ({ topic, group }) => engine.forget(topic, group),
  };
}

async function openBroker({ settings, onError, onGivenUp }: EngineParts): Promise<Broker | undefined> {
  const { node, natsSync } = settings;
  if (settings.transport === "amqp") {
    const { openAmqpBroker } = await import("#adapters/amqp/transport.ts");
    return openAmqpBroker({
      url: settings.amqpUrl ?? "",
      node,
      onError: (error) => onError(error, "RabbitMQ"),
      onDead: ({ queue, reason }) => onGivenUp({ broker: "amqp", lane: queue, reason }),
    });
  }
  if (settings.transport === "nats") {
    const { openNatsBroker } = await import("#adapters/nats/transport.ts");
    const sync = natsSync === "always" ? ({ sync: natsSync } as const) : {};
    return openNatsBroker({
      url: settings.natsUrl ?? "",
      node,
      ...sync,
      onError: (error) => onError(error, "NATS"),
      onDead: (lane) => onGivenUp({ broker: "nats", lane, reason: "max_deliver" }),
    });
  }
  return undefined;
}
