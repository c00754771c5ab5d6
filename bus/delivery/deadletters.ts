/**
 * Messages that failed for good. The journal keeps the message itself (whole envelope, bytes as received); a document of the store
 * keeps where it stands: open, replayed or discarded. One message is one dead letter of a branch, however often it fails there.
 */
import { keepClaim } from "../claim-check.ts";
import type { Envelope } from "../envelope.ts";
import { BusError, type ErrorClass } from "../errors.ts";
import type { StoredRecord } from "../journal/record.ts";
import type { Clock, Collection, Journal, Store, Stored } from "../ports.ts";
import type { RunningBranch } from "./branch.ts";
import { createActs } from "./deadletter-acts.ts";
import {
  idOf,
  keyOf,
  letterOf,
  recordOf,
  rowOf,
  type Death,
  type DeadLetter,
  type DeadLetterRow,
  type DeadLetterState,
} from "./deadletter.ts";
import { normalised } from "./fingerprint.ts";
import type { Route } from "../route/runtime.ts";

export type DeadLetterFilter = Readonly<{
  route?: string;
  branch?: string;
  /** Default: open ones. */
  state?: DeadLetterState;
  fingerprint?: string;
  messageId?: string;
  /** At most this many, 1 to 1000; default 100. */
  limit?: number;
  /** Continue after this id. */
  after?: string;
}>;

export type DeadLetterGroup = Readonly<{
  fingerprint: string;
  route: string;
  branch: string;
  step: string | undefined;
  errorClass: ErrorClass;
  text: string;
  count: number;
  firstAt: number;
  lastAt: number;
  /** Id of the newest. */
  sample: string;
}>;

/** What an act is done to: named dead letters, or all open ones of one fingerprint. */
export type Chosen = Readonly<{ ids: readonly string[] }> | Readonly<{ group: string }>;
export type ActResult = Readonly<{
  done: number;
  failed: readonly Readonly<{ id: string; code: string; text: string }>[];
  remaining: number;
}>;

/** Finds what runs, as it runs now. */
export type FindRoute = (route: string) =>
  | Readonly<{
      route: Route;
      branches: readonly RunningBranch[];
      steps?: (Pick<RunningBranch, "name" | "deliver"> & Partial<Pick<RunningBranch, "audited">>) | undefined;
    }>
  | undefined;
/** Throws access-denied when the message may not go to this branch today. */
export type Recheck = (route: Route, branch: string, envelope: Envelope) => Promise<void> | void;

export interface DeadLetterAdmin {
  /** Newest first. */
  list(filter?: DeadLetterFilter): Promise<readonly DeadLetterRow[]>;
  /** How many are open; counts to 100 000 and no further. */
  open(): Promise<number>;
  /** Open ones by fingerprint, biggest first. */
  groups(filter?: Pick<DeadLetterFilter, "route" | "branch">): Promise<readonly DeadLetterGroup[]>;
  /** Throws not-found. */
  show(id: string): Promise<Readonly<{ deadLetter: DeadLetterRow; record: StoredRecord | undefined }>>;
  /** Sends to the branch it died in and to no other, with its own id. Needs a reason; refusals are in the result. */
  replay(chosen: Chosen, operator: string, reason: string): Promise<ActResult>;
  discard(chosen: Chosen, operator: string, reason: string): Promise<ActResult>;
}

export interface DeadLetters {
  /** Resolves when message and document are durable; the same message again updates its document. */
  record(death: Death): Promise<void>;
  /** Removes what was kept long enough; gives how many. */
  expire(): Promise<number>;
  /** Position of the first record of the journal that an open dead letter needs; Infinity = none. */
  needs(): Promise<number>;
  admin(parts: Readonly<{ find: FindRoute; recheck?: Recheck }>): DeadLetterAdmin;
}

export type DeadLetterParts = Readonly<{ store: Store; journal: Journal; clock: Clock }>;

const INDEX = ["state", "route", "fingerprint", "messageId", "expiresAt"];
const PAGE = 500;
const MOST_GROUPS = 1000;
const MOST_COUNTED = 100_000;

export async function createDeadLetters(parts: DeadLetterParts): Promise<DeadLetters> {
  const { store, journal, clock } = parts;
  const letters: Collection<DeadLetter> = await store.collection<DeadLetter>("deadletters", { unique: ["key"], index: INDEX });

  async function record(death: Death): Promise<void> {
    const now = clock.now();
    const key = keyOf(death);
    const [known] = await letters.find({ where: { key }, limit: 1 });
    await keepClaim(store, death.envelope);
    const [appended] = await journal.append([recordOf(death, now)]);
    const letter = letterOf(death, { key, now, position: appended?.position ?? 0, known: known?.value });
    if (known) await letters.update(known.id, known.version, letter);
    else await letters.insert(idOf(now, key), letter);
  }

  async function list(filter: DeadLetterFilter = {}): Promise<readonly DeadLetterRow[]> {
    const { limit = 100, after, ...where } = filter;
    const found = await letters.find({
      where: defined({ ...where, state: where.state ?? (where.messageId === undefined ? "open" : undefined) }),
      limit: Math.min(1000, Math.max(1, limit)),
      ...(after === undefined ? undefined : { after }),
    });
    return found.map(rowOf);
  }

  async function groups(filter: Pick<DeadLetterFilter, "route" | "branch"> = {}): Promise<readonly DeadLetterGroup[]> {
    const byPrint = new Map<string, DeadLetterGroup>();
    let after: string | undefined;
    do {
      const page = await list({ ...filter, limit: PAGE, ...(after === undefined ? undefined : { after }) });
      for (const row of page) {
        const group = byPrint.get(row.fingerprint);
        if (group || byPrint.size < MOST_GROUPS) byPrint.set(row.fingerprint, join(group, row));
      }
      after = page.length < PAGE ? undefined : page.at(-1)?.id;
    } while (after !== undefined);
    return [...byPrint.values()].sort((a, b) => b.count - a.count);
  }

  async function open(): Promise<number> {
    let count = 0;
    let after: string | undefined;
    do {
      const page = await letters.find({ where: { state: "open" }, limit: PAGE, ...(after === undefined ? undefined : { after }) });
      count += page.length;
      after = page.length < PAGE ? undefined : page.at(-1)?.id;
    } while (after !== undefined && count < MOST_COUNTED);
    return count;
  }

  /** By its own id or by the id of the message. */
  async function get(id: string): Promise<Stored<DeadLetter>> {
    const found = (await letters.get(id)) ?? (await letters.find({ where: { messageId: id }, limit: 1 }))[0];
    if (!found) throw new BusError("not-found", `no dead letter has the id \`${id}\`; \`mbus deadletters list\` shows them`);
    return found;
  }

  async function recordAt(letter: DeadLetter): Promise<StoredRecord | undefined> {
    const [found] = await journal.read(letter.position, 1);
    return found?.position === letter.position ? found : undefined;
  }

  return {
    record,
    async expire() {
      let removed = 0;
      for (;;) {
        const old = await letters.find({ range: { member: "expiresAt", to: clock.now() }, limit: PAGE });
        for (const { id } of old) if (await letters.remove(id)) removed++;
        if (old.length < PAGE) return removed;
      }
    },
    async needs() {
      let first = Infinity;
      let after: string | undefined;
      do {
        const page = await list({ limit: PAGE, ...(after === undefined ? undefined : { after }) });
        for (const { position } of page) first = Math.min(first, position);
        after = page.length < PAGE ? undefined : page.at(-1)?.id;
      } while (after !== undefined);
      return first;
    },
    admin: (given) => ({
      list,
      open,
      groups,
      async show(id) {
        const found = await get(id);
        return { deadLetter: rowOf(found), record: await recordAt(found.value) };
      },
      ...createActs({ journal, clock, letters, get, list, recordAt, ...given }),
    }),
  };
}

function defined<T extends string>(where: Readonly<Record<string, T | undefined>>): Record<string, T> {
  return Object.fromEntries(Object.entries(where).filter((entry): entry is [string, T] => entry[1] !== undefined));
}

function join(group: DeadLetterGroup | undefined, row: DeadLetterRow): DeadLetterGroup {
  if (group)
    return { ...group, count: group.count + 1, firstAt: Math.min(group.firstAt, row.diedAt), lastAt: Math.max(group.lastAt, row.diedAt) };
  const { fingerprint, route, branch, step, errorClass, diedAt } = row;
  return {
    fingerprint,
    route,
    branch,
    step,
    errorClass,
    text: normalised(row.text),
    count: 1,
    firstAt: diedAt,
    lastAt: diedAt,
    sample: row.id,
  };
}
