/**
 * Who owns which partition. Nodes that live share the partitions evenly; each takes and gives up its own, by lease. Leases are extended
 * beside the work: however long one partition takes to begin or to end, the others stay where they are.
 */
import type { Partition } from "../broker.ts";
import { asBusError } from "../errors.ts";
import type { Clock } from "../ports.ts";
import { LEASE, type Lease, type Leases } from "./lease.ts";

export type ShareParts = Readonly<{
  leases: Leases;
  clock: Clock;
  node: string;
  partitions: number;
  /** Begins the work of a partition. */
  gained(partition: Partition, lease: Lease): Promise<void>;
  /** Ends it; whoever comes next begins when this resolves. */
  lost(partition: Partition): Promise<void>;
  onError: (error: unknown, where: string) => void;
}>;

export interface Shares {
  owned(): readonly Partition[];
  /** Gives everything up. */
  close(): Promise<void>;
}

/** `work`: its beginning or its end is under way until then. */
type Holding = { readonly lease: Lease; gone: boolean; work: Promise<void> | undefined };

const EVERY = LEASE / 5;
const NODE = "node ";

/** Resolves after the first round: a node that is alone then owns all, and works on it. */
export async function startShares(parts: ShareParts): Promise<Shares> {
  const { leases, clock, node, partitions } = parts;
  const held = new Map<Partition, Holding>();
  const stop = new AbortController();
  const over = new AbortController();
  let presence: Lease | undefined;
  const failed = (error: unknown): void => parts.onError(asBusError(error), "partitions of the cluster");

  function begin(partition: Partition, lease: Lease): void {
    const holding: Holding = { lease, gone: false, work: undefined };
    held.set(partition, holding);
    holding.work = parts
      .gained(partition, lease)
      .catch(async (error: unknown) => {
        failed(error);
        await finish(partition, holding); // not held without work: the next round tries again, here or elsewhere
      })
      .finally(() => (holding.work = undefined));
  }

  function give(partition: Partition, holding: Holding): void {
    holding.work ??= finish(partition, holding).finally(() => (holding.work = undefined));
  }

  async function finish(partition: Partition, { lease }: Holding): Promise<void> {
    await parts.lost(partition).catch(failed);
    held.delete(partition);
    await lease.release();
  }

  async function extend(): Promise<void> {
    const present = async (): Promise<void> => {
      if (!presence || !(await presence.renew())) presence = await leases.claim(`${NODE}${node}`);
    };
    const renew = async ([partition, holding]: [Partition, Holding]): Promise<void> => {
      if (!holding.gone && (await holding.lease.renew())) return;
      holding.gone = true;
      give(partition, holding);
    };
    const all = await Promise.allSettled([present(), ...[...held].map(renew)]);
    const broken = all.find((one) => one.status === "rejected");
    if (broken) throw broken.reason;
  }

  async function round(): Promise<void> {
    const running = await leases.held();
    const others = [...running.keys()].filter((name) => name.startsWith(NODE)).map((name) => name.slice(NODE.length));
    const nodes = [...new Set([node, ...others])].sort();
    for (let partition = 0; partition < partitions && !stop.signal.aborted; partition++) {
      const mine = nodes[partition % nodes.length] === node;
      const holding = held.get(partition);
      if (holding && !mine) give(partition, holding); // one whose work is beginning goes at a later round
      if (holding || !mine) continue;
      const lease = await leases.claim(`partition ${partition}`);
      if (lease) begin(partition, lease);
    }
  }

  async function every(work: () => Promise<void>, end: AbortSignal): Promise<void> {
    while (!end.aborted) {
      await clock.sleep(EVERY, end).catch(() => undefined);
      if (!end.aborted) await work().catch(failed);
    }
  }

  const settled = (): Promise<unknown> => Promise.all([...held.values()].map(async ({ work }) => work));
  await extend();
  await round();
  const extending = every(extend, over.signal);
  const sharing = every(round, stop.signal);
  await settled();
  return {
    owned: () => [...held.keys()],
    async close() {
      stop.abort();
      await sharing;
      await settled();
      for (const [partition, holding] of held) give(partition, holding);
      await settled();
      over.abort();
      await extending;
      await presence?.release();
    },
  };
}
