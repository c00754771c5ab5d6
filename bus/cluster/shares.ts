/** Who owns which partition. Nodes that live share the partitions evenly; each takes and gives up its own, by lease. */
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

const EVERY = LEASE / 5;
const NODE = "node ";

/** Resolves after the first round: a node that is alone then owns all. */
export async function startShares(parts: ShareParts): Promise<Shares> {
  const { leases, clock, node, partitions } = parts;
  const held = new Map<Partition, Lease>();
  const stop = new AbortController();
  let presence: Lease | undefined;

  async function give(partition: Partition): Promise<void> {
    const lease = held.get(partition);
    held.delete(partition);
    await parts.lost(partition);
    await lease?.release();
  }

  async function round(): Promise<void> {
    if (!presence || !(await presence.renew())) presence = await leases.claim(`${NODE}${node}`);
    for (const [partition, lease] of held) if (!(await lease.renew())) await give(partition);
    const running = await leases.held();
    const nodes = [
      ...new Set([node, ...[...running.keys()].filter((name) => name.startsWith(NODE)).map((name) => name.slice(NODE.length))]),
    ];
    nodes.sort();
    const failures: unknown[] = [];
    for (let partition = 0; partition < partitions && !stop.signal.aborted; partition++) {
      const mine = nodes[partition % nodes.length] === node;
      if (!mine && held.has(partition)) await give(partition);
      if (!mine || held.has(partition)) continue;
      const lease = await leases.claim(`partition ${partition}`);
      if (!lease) continue;
      held.set(partition, lease);
      try {
        await parts.gained(partition, lease);
      } catch (error) {
        failures.push(error);
        await give(partition); // not held without work: the next round tries again, here or elsewhere
      }
    }
    if (failures.length > 0) throw failures[0];
  }

  async function loop(): Promise<void> {
    while (!stop.signal.aborted) {
      await clock.sleep(EVERY, stop.signal).catch(() => undefined);
      if (stop.signal.aborted) return;
      await round().catch((error: unknown) => parts.onError(asBusError(error), "partitions of the cluster"));
    }
  }

  await round();
  const done = loop();
  return {
    owned: () => [...held.keys()],
    async close() {
      stop.abort();
      await done;
      for (const partition of held.keys()) await give(partition);
      await presence?.release();
    },
  };
}
