/** The durable place of a group's kind of events: one document, one writer at a time, newest state wins. */
import { asBusError, BusError } from "../errors.ts";
import type { Collection, Store } from "../ports.ts";
import type { ProgressDocument } from "./progress.ts";

/** `since`: when the group began, milliseconds. */
export type CursorDocument = { system: string; group: string; kind: string; since: number; next: number; done: readonly number[] };

export type CursorName = Readonly<{ system: string; group: string; kind: "events" | "test" | "dead" }>;

export interface Cursor {
  readonly since: number;
  readonly at: ProgressDocument;
  /** Resolves when a state at least as new as the present one is durable. Throws store-conflict when another process took the group. */
  save(): Promise<void>;
}

export type Cursors = Readonly<{
  open(name: CursorName, begin: () => Promise<Readonly<{ since: number; next: number }>>, state: () => ProgressDocument): Promise<Cursor>;
  /** Names of a system's groups, at most a hundred. */
  groups(system: string): Promise<readonly string[]>;
}>;

const idOf = ({ system, group, kind }: CursorName): string => `${system}\n${group}\n${kind}`;
/** Groups that one system may have. */
export const MOST_GROUPS = 32;

export async function openCursors(store: Store): Promise<Cursors> {
  const documents: Collection<CursorDocument> = await store.collection<CursorDocument>("event-groups", { index: ["system"] });
  const groups = async (system: string): Promise<readonly string[]> => {
    const found = await documents.find({ where: { system }, limit: MOST_GROUPS * 3 });
    return [...new Set(found.map(({ value }) => value.group))];
  };

  /** One after the other, so that many new groups at once do not pass the bound together. */
  let creating: Promise<unknown> = Promise.resolve();
  const create = (name: CursorName, begin: Parameters<Cursors["open"]>[1]): Promise<CursorDocument> => {
    const mine = creating.then(() => createNow(name, begin));
    creating = mine.catch(() => undefined);
    return mine;
  };
  const createNow = async (name: CursorName, begin: Parameters<Cursors["open"]>[1]): Promise<CursorDocument> => {
    const known = await groups(name.system);
    if (!known.includes(name.group) && known.length >= MOST_GROUPS)
      throw new BusError(
        "inlet-busy",
        `system \`${name.system}\` has ${MOST_GROUPS} groups of consumers, which is the limit; use one of: ${known.join(", ")}`,
      );
    const value = { ...name, ...(await begin()), done: [] };
    try {
      await documents.insert(idOf(name), value);
    } catch (thrown) {
      if (asBusError(thrown).code !== "store-duplicate") throw thrown;
    }
    return value;
  };

  return {
    groups,
    async open(name, begin, state) {
      const stored = (await documents.get(idOf(name)))?.value ?? (await create(name, begin));
      let version = (await documents.get(idOf(name)))?.version ?? 1;
      let running: Promise<void> | undefined;
      let next: Promise<void> | undefined;
      const write = async (): Promise<void> => {
        await documents.update(idOf(name), version, { ...name, since: stored.since, ...state() });
        version += 1;
      };
      const save = (): Promise<void> => {
        if (!running) return (running = write().finally(() => (running = undefined)));
        // one more, after the running one, is enough for all who ask meanwhile
        return (next ??= running
          .catch(() => undefined)
          .then(() => {
            next = undefined;
            return (running = write().finally(() => (running = undefined)));
          }));
      };
      return { since: stored.since, at: { next: stored.next, done: stored.done }, save };
    },
  };
}
