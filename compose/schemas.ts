/**
 * Schemas of contracts: ids for framing, and the texts that other versions were written under. The texts of all ids ever used are kept,
 * so that a message of years ago is read. In a cluster another process may use a new id at any time: each process looks for new
 * ones every second, and a new id is used only when all of them had time to see it.
 */
import type { SchemaRegistry } from "#adapters/schema-registry/model.ts";
import { asBusError } from "#bus/errors.ts";
import type { Clock, Registry, Store } from "#bus/ports.ts";

export type SchemaText = Readonly<{ id: number; schema: string }>;

/** The texts of the ids that this bus has used. */
export type SchemaTexts = Readonly<{ all(): Promise<readonly SchemaText[]>; keep(text: SchemaText): Promise<void> }>;

export type Schemas = Readonly<{
  /** Registers a schema under its type's id, or finds it there. */
  idOf: (subject: string, schema: string) => Promise<number>;
  /** Text of a schema that was registered or fetched before. */
  lookup: (id: number) => string | undefined;
  /** Resolves when every process of the cluster has had time to learn the ids that are new. */
  settled(): Promise<void>;
  close(): Promise<void>;
}>;

/** Milliseconds between looks for the ids of other processes, and how long a new id waits for them. */
const LOOK = 1000;
const LEARN = 2500;

export type SchemaParts = Readonly<{
  registry: Registry;
  texts: SchemaTexts;
  clock: Clock;
  /** Are there other processes? */
  shared: boolean;
  onError: (error: unknown, where: string) => void;
}>;

export async function openSchemas({ registry, texts, clock, shared, onError }: SchemaParts): Promise<Schemas> {
  const known = new Map<number, string>();
  const stop = new AbortController();
  let learnt = 0;
  const look = async (): Promise<void> => {
    for (const { id, schema } of await texts.all()) known.set(id, schema);
  };
  await look();
  const loop = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      await clock.sleep(LOOK, stop.signal).catch(() => undefined);
      if (!stop.signal.aborted) await look().catch((error: unknown) => onError(error, "schemas of other processes"));
    }
  };
  const looking = shared ? loop() : Promise.resolve();
  return {
    async idOf(subject, schema) {
      const id = await registered(registry, subject, schema);
      if (known.get(id) !== schema) await texts.keep({ id, schema });
      if (!known.has(id)) learnt = clock.now() + LEARN;
      known.set(id, schema);
      return id;
    },
    lookup: (id) => known.get(id),
    async settled() {
      const wait = learnt - clock.now();
      if (shared && wait > 0) await clock.sleep(wait, stop.signal).catch(() => undefined);
    },
    async close() {
      stop.abort();
      await looking;
    },
  };
}

/** Two processes that register at the same time meet at one version number; the slower one finds the schema there when it asks again. */
async function registered(registry: Registry, subject: string, schema: string): Promise<number> {
  for (let tries = 1; ; tries++) {
    try {
      return await registry.register(subject, schema);
    } catch (thrown) {
      const { code } = asBusError(thrown);
      if (tries === 5 || (code !== "store-duplicate" && code !== "store-conflict")) throw thrown;
    }
  }
}

/** Our own registry has them all, hidden ones too. */
export function ownTexts(registry: SchemaRegistry): SchemaTexts {
  return { all: () => registry.all({ deleted: true }), keep: () => Promise.resolve() };
}

/** An outside registry tells no ids that it once gave: what this bus used is kept in its store. */
export async function keptTexts(store: Store): Promise<SchemaTexts> {
  const kept = await store.collection<{ id: number; schema: string }>("schema-texts");
  const keyOf = (id: number): string => String(id).padStart(10, "0");
  return {
    async all() {
      const found: SchemaText[] = [];
      for (;;) {
        const last = found.at(-1);
        const page = await kept.find({ limit: PAGE, ...(last === undefined ? {} : { after: keyOf(last.id) }) });
        found.push(...page.map(({ value }) => value));
        if (page.length < PAGE) return found;
      }
    },
    async keep(text) {
      const before = await kept.get(keyOf(text.id));
      if (before?.value.schema === text.schema) return;
      if (before) await kept.update(keyOf(text.id), before.version, text);
      else await kept.insert(keyOf(text.id), text).catch(() => kept.get(keyOf(text.id)));
    },
  };
}

const PAGE = 500;
