/**
 * The evidence log: every record of the journal, in order of position, becomes an entry of a Merkle tree whose growing root is signed
 * each second. It follows the journal, which is the truth: a crash costs nothing but the seconds until it has caught up. A row that is
 * removed, changed or moved afterwards no longer fits the tree.
 */
import type { Leases } from "../cluster/lease.ts";
import { openSeat } from "../cluster/hold.ts";
import { asBusError, BusError } from "../errors.ts";
import type { StoredRecord } from "../journal/record.ts";
import type { Clock, Journal, Store } from "../ports.ts";
import { createEntries } from "./entry.ts";
import { createHandover } from "./handover.ts";
import { consistency, inclusion, leafHash, rootOf } from "./merkle.ts";
import { proofText, signCheckpoint, verifierKey, type NoteSigner } from "./note.ts";
import { compare } from "./compare.ts";
import { indexOf } from "./leaves.ts";
import { openLogStore, type LogState } from "./state.ts";
import { checkTree } from "./tree-check.ts";
import { grow, nodesOf, WIDTH } from "./tiles.ts";

export type EvidenceLogParts = Readonly<{
  journal: Journal;
  store: Store;
  clock: Clock;
  signer: NoteSigner;
  /** In a cluster one process at a time seals; undefined = this is the only one. */
  leases: Leases | undefined;
  onError: (error: unknown, where: string) => void;
}>;

/** The signed note of the log when it had so many entries. */
export type Checkpoint = Readonly<{ size: number; checkpoint: string }>;

/** An entry with the proof that it stands in the log. */
export type Proof = Readonly<{ index: number; entry: Uint8Array; proof: string }>;

export interface EvidenceLog {
  /** The journal to append to from now on: what goes through it need not be read back. */
  readonly journal: Journal;
  /** Key with which readers check checkpoints (C2SP vkey). */
  readonly verifierKey: string;
  /**
   * Proofs for records, all under one checkpoint: the newest, or the one that `under` gives for the entries that must be in it. Waits until
   * the last of them is sealed; evidence-broken for one that was changed since.
   */
  prove(records: readonly StoredRecord[], under?: (least: number) => Promise<Checkpoint>): Promise<readonly Proof[]>;
  /** Proof that the log of now begins with the one of `size` entries. Throws not-found for a size it never had. */
  consistency(size: number): Promise<Readonly<{ checkpoint: string; proof: readonly Uint8Array[] }>>;
  /** Is the tree sound, and is the journal from a position on what was sealed? One sentence for each difference, at most `limit`. */
  check(from: number, limit: number): Promise<readonly string[]>;
  /** How many entries the log has, the journal position of the last one, and the newest checkpoint: empty while nothing was sealed. */
  state(): Promise<Checkpoint & Readonly<{ position: number }>>;
  close(): Promise<void>;
}

/** Milliseconds between checkpoints. */
const EVERY = 1000;
/** Entries of one step: bounds memory and the time the event loop is held. */
const STEP = 1024;
/** Milliseconds that a request for proof waits for the process that seals. */
const PATIENCE = 10_000;

/** What the store says to who writes after another. */
const LOST: ReadonlySet<string> = new Set(["store-conflict", "store-duplicate"]);

export async function openEvidenceLog(parts: EvidenceLogParts): Promise<EvidenceLog> {
  const { journal, clock, signer } = parts;
  const store = await openLogStore(parts.store);
  const entryOf = createEntries(store.saltKey);
  const leafOf = (record: StoredRecord): Uint8Array => leafHash(entryOf(record));
  const handover = createHandover(journal, leafOf);
  const seat = parts.leases && openSeat({ leases: parts.leases, clock, name: "evidence" });
  const stop = new AbortController();
  let state = await store.load();

  /** In a cluster another process may have sealed since this one looked. */
  const current = async (): Promise<LogState> => (seat ? store.load() : state);

  /** Adds what the journal has and the log has not, at most one step; true when there may be more. */
  const step = async (): Promise<boolean> => {
    const given = handover.take(state.position, STEP);
    if (given.length > 0)
      return advance(
        given,
        Array.from({ length: given.length }, (_, at) => state.position + 1 + at),
      );
    const records = await journal.read(state.position + 1, STEP);
    if (records.length === 0) return false;
    return advance(
      records.map(leafOf),
      records.map((record) => record.position),
    );
  };
  const advance = async (leaves: readonly Uint8Array[], positions: readonly number[]): Promise<boolean> => {
    const { edge, full } = grow(state.size, state.edge, leaves);
    const size = state.size + leaves.length;
    const all = [...state.positions, ...positions];
    const tiles = Math.floor(all.length / WIDTH);
    const filled = Array.from({ length: tiles }, (_, at) => all.slice(at * WIDTH, (at + 1) * WIDTH));
    const fresh = new Map(full.map((tile) => [`${tile.level}/${tile.number}`, tile.hashes]));
    const read = async (level: number, number: number): Promise<Uint8Array> =>
      fresh.get(`${level}/${number}`) ?? (await store.tile(level, number));
    const checkpoint = await signCheckpoint(signer, size, await rootOf(size, nodesOf(size, edge, read)));
    const next = { size, position: positions.at(-1) ?? state.position, edge, positions: all.slice(tiles * WIDTH), checkpoint };
    state = await store.save(state, next, full, filled);
    return true;
  };

  /** One at a time: a proof that is asked for and the clock may both want to seal. */
  let sealing: Promise<void> = Promise.resolve();
  const seal = (): Promise<void> => {
    sealing = sealing
      .catch(() => undefined)
      .then(async () => {
        if (seat) {
          if (!(await seat.mine())) return;
          state = await store.load(); // another process may have sealed since
        }
        while (!stop.signal.aborted && (await step()));
      });
    return sealing;
  };
  const loop = (async () => {
    while (!stop.signal.aborted) {
      await seal().catch(async (error: unknown) => {
        // another process sealed while this one still held its turn: it has what the next load gives
        if (!(seat && LOST.has(asBusError(error).code))) parts.onError(error, "evidence log");
        state = await store.load().catch(() => state);
      });
      await clock.sleep(EVERY, stop.signal).catch(() => undefined);
    }
  })();

  /** The state once it holds the position. */
  const upTo = async (position: number): Promise<LogState> => {
    await seal();
    const until = clock.now() + PATIENCE;
    for (;;) {
      const now = await current();
      if (now.position >= position) return now;
      if (clock.now() >= until || stop.signal.aborted)
        throw new BusError(
          "evidence-pending",
          `position ${position} is not sealed yet, the log has come to ${now.position}: ask again in a minute`,
          {
            retryAfter: 60_000,
          },
        );
      await clock.sleep(100, stop.signal).catch(() => undefined);
    }
  };

  return {
    journal: handover.journal,
    verifierKey: verifierKey(signer),
    async prove(records, under) {
      const now = await upTo(Math.max(0, ...records.map((record) => record.position)));
      const node = nodesOf(now.size, now.edge, store.tile);
      const found: Readonly<{ index: number; entry: Uint8Array }>[] = [];
      for (const record of records) {
        const index = await indexOf(store, now, record.position);
        const entry = entryOf(record);
        if (index === undefined) throw broken(`the evidence log has no entry for position ${record.position}`);
        if (!same(await node(0, index), leafHash(entry)))
          throw broken(`the record at position ${record.position} is not the one that was sealed`);
        found.push({ index, entry });
      }
      const sealed = under ? await under(1 + Math.max(0, ...found.map(({ index }) => index))) : now;
      const then = under ? await current() : now; // the log may have grown up to the one that was chosen
      const grown = nodesOf(then.size, then.edge, store.tile);
      const proofOf = async ({ index, entry }: (typeof found)[number]): Promise<Proof> => ({
        index,
        entry,
        proof: proofText(index, await inclusion(index, sealed.size, grown), sealed.checkpoint),
      });
      const proofs: Proof[] = [];
      for (const each of found) proofs.push(await proofOf(each));
      return proofs;
    },
    async consistency(size) {
      const now = await current();
      if (!Number.isInteger(size) || size < 1 || size > now.size)
        throw new BusError("not-found", `the log has ${now.size} entries; a size is a whole number from 1 to that`);
      return { checkpoint: now.checkpoint, proof: await consistency(size, now.size, nodesOf(now.size, now.edge, store.tile)) };
    },
    async check(from, limit) {
      await seal();
      const now = await current();
      const tree = await checkTree(store, now, (size, root) => signCheckpoint(signer, size, root), limit);
      return [...tree, ...(await compare({ store, journal, leafOf, state: now }, from, limit - tree.length))];
    },
    async state() {
      const { size, position, checkpoint } = await current();
      return { size, position, checkpoint };
    },
    async close() {
      stop.abort();
      await loop;
      await sealing.catch(() => undefined);
      await seat?.close();
    },
  };
}

const broken = (text: string): BusError =>
  new BusError(
    "evidence-broken",
    `${text}: somebody changed the journal or the store. Keep both as they are and compare them with a backup`,
  );

const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;
