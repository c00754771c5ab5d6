/**
 * Changes that wait for a second pair of eyes. A proposal names the revision it was planned on and the files it wants; it is approved by
 * somebody else, or rejected, once. They stay in the store as they ended.
 */
import { asBusError, BusError } from "../errors.ts";
import type { Collection, Store } from "../ports.ts";
import { digestOf } from "./tree.ts";

/** `time` and `decidedAt` in milliseconds since the epoch. */
export type Proposal = Readonly<{
  id: string;
  state: "open" | "approved" | "rejected";
  /** Number of the revision that it changes. */
  base: number;
  /** Digest of the wanted tree, in the archive. */
  tree: string;
  act: "apply" | "rollback";
  restores?: number;
  who: string;
  because: string;
  time: number;
  plan: string;
  /** It was said that messages may be left behind. */
  anyway: boolean;
  decidedBy?: string;
  decidedBecause?: string;
  decidedAt?: number;
}>;

type Asked = Omit<Proposal, "id" | "state">;
type Decision = Readonly<{ state: "approved" | "rejected"; who: string; because: string; time: number }>;

export interface Proposals {
  add(asked: Asked): Promise<Proposal>;
  /** Throws not-found. */
  get(id: string): Promise<Proposal>;
  /** Newest first. */
  list(limit: number): Promise<readonly Proposal[]>;
  /** Throws change-refused when it is decided already. */
  decide(id: string, decision: Decision): Promise<Proposal>;
}

type Row = { [name: string]: string | number | boolean };

/** Times fall in the ids, so that the newest comes first. */
const LAST = 99_999_999_999_999;

export async function openProposals(store: Store): Promise<Proposals> {
  const rows: Collection<Row> = await store.collection<Row>("revision-proposals");

  const stored = async (id: string): Promise<Readonly<{ version: number; proposal: Proposal }>> => {
    const row = await rows.get(id);
    if (!row) throw new BusError("not-found", `there is no proposal \`${id}\``);
    return { version: row.version, proposal: row.value as unknown as Proposal };
  };

  return {
    async add(asked) {
      const id = `${String(LAST - asked.time).padStart(14, "0")}-${digestOf(JSON.stringify(asked)).slice(0, 8)}`;
      const proposal: Proposal = { id, state: "open", ...asked };
      await rows.insert(id, { ...proposal });
      return proposal;
    },
    get: async (id) => (await stored(id)).proposal,
    list: async (limit) => (await rows.find({ limit })).map(({ value }) => value as unknown as Proposal),
    async decide(id, { state, who, because, time }) {
      const { version, proposal } = await stored(id);
      if (proposal.state !== "open") throw decided(proposal);
      const next: Proposal = { ...proposal, state, decidedBy: who, decidedBecause: because, decidedAt: time };
      try {
        await rows.update(id, version, { ...next });
      } catch (thrown) {
        if (asBusError(thrown).code !== "store-conflict") throw thrown;
        throw decided((await stored(id)).proposal);
      }
      return next;
    },
  };
}

const decided = ({ id, state, decidedBy }: Proposal): BusError =>
  new BusError("change-refused", `proposal \`${id}\` was ${state} by ${decidedBy ?? "somebody"} already`);
