/** What an operator sees of a branch. */
import type { Subscription } from "../ports.ts";
import type { BranchParts } from "./branch.ts";

/** Counts since the start of the process. */
export type Tally = { delivered: number; failed: number; dead: number; lastDeliveredAt: number | undefined };

export type BranchState = Readonly<{
  name: string;
  system: string | undefined;
  topic: string;
  paused: boolean;
  /** Why a failure rule stopped the branch; resuming it clears this. */
  stopped: string | undefined;
  /** Messages not finished, in the handler, waiting for a retry, and keys that such a one blocks. */
  lag: number;
  inFlight: number;
  waiting: number;
  blockedKeys: number;
  /** When the oldest unfinished message was accepted, milliseconds since the epoch; undefined = nothing is unfinished, or not known. */
  oldest: number | undefined;
  delivered: number;
  failed: number;
  dead: number;
  lastDeliveredAt: number | undefined;
}>;

type Parts = Readonly<{
  parts: BranchParts;
  subscription: Subscription;
  tally: Tally;
  paused: boolean;
  stopped: string | undefined;
}>;

export async function branchStateOf({ parts, subscription, tally, paused, stopped }: Parts): Promise<BranchState> {
  const { branch, topic, journal } = parts;
  const { floor, lag, inFlight, waiting, blockedKeys } = await subscription.state();
  const [record] = lag > 0 ? await journal.read(floor, 1) : [];
  return {
    name: branch.name,
    system: branch.system,
    topic,
    paused,
    stopped,
    lag,
    inFlight,
    waiting,
    blockedKeys,
    oldest: record?.time,
    ...tally,
  };
}
