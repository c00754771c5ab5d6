/**
 * Revisions of the whole set of files, kept in the store for ever and for all processes of a cluster. Numbers count up without a gap and
 * no number is given twice: who writes revision n+1 has seen revision n, so of two that build on one only one is kept. Each
 * revision names the digest of the one before; texts lie under their own digest and are checked when they are read.
 */
import { asBusError, BusError } from "../errors.ts";
import type { Files } from "../route/findings.ts";
import type { Collection, Json, Store } from "../ports.ts";
import { canonical, digestOf, filesFrom, readTree, treeOf, type Tree } from "./tree.ts";

/** How a revision came to be. `start`: the files that a bus under change control found when it first ran. */
export type Act = "start" | "watch" | "apply" | "rollback";

/** `time` in milliseconds since the epoch. */
export type Revision = Readonly<{
  number: number;
  /** SHA-256 over all that follows, hex. */
  id: string;
  /** `id` of the revision before; empty for the first. */
  parent: string;
  /** Digest of the tree. */
  tree: string;
  act: Act;
  who: string;
  because: string;
  /** Who else looked at it before it ran. */
  approvedBy?: string;
  /** The revision whose content this one brings back. */
  restores?: number;
  time: number;
  /** Digest of the plan that was shown, in the same archive. */
  plan?: string;
}>;

export type Facts = Pick<Revision, "act" | "who" | "because" | "approvedBy" | "restores" | "time" | "plan">;

export interface Archive {
  /** The newest revision; undefined = there is none yet. */
  head(): Promise<Revision | undefined>;
  /** Throws not-found. */
  get(number: number): Promise<Revision>;
  /** Newest first, below `before`. */
  list(limit: number, before?: number): Promise<readonly Revision[]>;
  tree(revision: Revision): Promise<Tree>;
  files(revision: Revision): Promise<Files>;
  /** The files of a tree by its digest. */
  filesOf(tree: string): Promise<Files>;
  /** A text by its digest. Throws not-found. */
  text(digest: string): Promise<string>;
  /** Keeps a text; gives its digest. */
  keep(text: string): Promise<string>;
  /** Keeps a whole set of files; gives the digest of its tree. */
  keepTree(files: Files): Promise<string>;
  /** Writes the revision after `base` (0 = the first). Throws store-conflict when another came first. */
  append(base: number, files: Files, facts: Facts): Promise<Revision>;
}

type Row = { revision: Json };

/** Ids fall with the number, so that the newest comes first in the order of ids. */
const LAST = 9_999_999_999;
const idOf = (number: number): string => String(LAST - number).padStart(10, "0");
const blobOf = (digest: string): string => `revision/${digest}`;
/** Texts that are read or written at the same time. */
const AT_ONCE = 32;

export async function openArchive(store: Store): Promise<Archive> {
  const rows: Collection<Row> = await store.collection<Row>("revisions");
  /** Digests that are durable for sure: each text is written once. */
  const kept = new Set<string>();

  const keep = async (text: string, digest = digestOf(text)): Promise<string> => {
    if (!kept.has(digest)) await store.blobs.put(blobOf(digest), new TextEncoder().encode(text));
    kept.add(digest);
    return digest;
  };

  const text = async (digest: string): Promise<string> => {
    const bytes = await store.blobs.read(blobOf(digest));
    if (!bytes) throw new BusError("not-found", `the archive of revisions has no text \`${digest}\``);
    const found = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
    if (digestOf(found) !== digest)
      throw new BusError(
        "configuration",
        `the archive's text \`${digest}\` is not the one that was applied; restore the store from a backup`,
      );
    return found;
  };

  const get = async (number: number): Promise<Revision> => {
    const row = await rows.get(idOf(number));
    if (!row) throw new BusError("not-found", `there is no revision ${number}`);
    return checked(row.value.revision as Revision);
  };

  const list = async (limit: number, before?: number): Promise<readonly Revision[]> => {
    const page = await rows.find({ limit, ...(before === undefined ? undefined : { after: idOf(before) }) });
    return page.map(({ value }) => checked(value.revision as Revision));
  };

  const keepTree = async (files: Files): Promise<string> => {
    const own = treeOf(files);
    await inLots(Object.entries(own), async ([path, digest]) => {
      if (digest !== null) await keep(files.text(path) ?? "", digest);
    });
    return keep(canonical(own));
  };

  const filesOf = async (tree: string): Promise<Files> => {
    const digests = Object.entries(readTree(await text(tree)));
    const texts = new Map<string, string | undefined>(digests.map(([path]) => [path, undefined]));
    await inLots(digests, async ([path, digest]) => {
      if (digest === null) return;
      texts.set(path, await text(digest));
      kept.add(digest);
    });
    return filesFrom(texts);
  };

  return {
    head: async () => (await list(1))[0],
    get,
    list,
    tree: async (revision) => readTree(await text(revision.tree)),
    files: (revision) => filesOf(revision.tree),
    filesOf,
    text,
    keep: (one) => keep(one),
    keepTree,
    async append(base, files, facts) {
      const parent = base === 0 ? undefined : await get(base);
      const plain = { number: base + 1, parent: parent?.id ?? "", tree: await keepTree(files), ...facts };
      const revision: Revision = { ...plain, id: revisionId(plain) };
      try {
        await rows.insert(idOf(revision.number), { revision });
      } catch (thrown) {
        if (asBusError(thrown).code !== "store-duplicate") throw thrown;
        const first = await get(revision.number);
        // an answer that was lost on the way: what stands there is this very revision
        if (first.id === revision.id) return first;
        throw moved(base, first);
      }
      return revision;
    },
  };
}

/** What is said to who built on a revision that is not the newest any more. */
export function moved(base: number, head: Revision): BusError {
  return new BusError(
    "store-conflict",
    `revision ${base} is not what runs any more: ${head.who} made revision ${head.number} (${head.because}); look at it, then plan and apply again`,
  );
}

/** Members in the order of their names, so that a database that reorders them changes nothing. */
function revisionId(plain: Omit<Revision, "id">): string {
  return digestOf(
    JSON.stringify(
      Object.entries(plain)
        .filter(([, value]) => value !== undefined)
        .toSorted(([a], [b]) => (a < b ? -1 : 1)),
    ),
  );
}

function checked(revision: Revision): Revision {
  const { id, ...plain } = revision;
  if (revisionId(plain) === id) return revision;
  throw new BusError("configuration", `revision ${revision.number} is not the one that was written; restore the store from a backup`);
}

async function inLots<T>(all: readonly T[], each: (one: T) => Promise<void>): Promise<void> {
  for (let at = 0; at < all.length; at += AT_ONCE) await Promise.all(all.slice(at, at + AT_ONCE).map(each));
}
