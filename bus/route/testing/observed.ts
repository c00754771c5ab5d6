/** What a case of a route test saw: everything an `expect` can speak of. */
import type { AvroRecord } from "../../envelope.ts";
import type { BusError } from "../../errors.ts";

/** One message that left for a branch or was tapped. */
export type Sent = Readonly<{
  /** The contract's id, and the value in the contract's shape: before the branch's map. */
  contract: string;
  value: AvroRecord;
  /** The value as the outlet sends it, and its bytes where the branch has a text format. */
  wire: AvroRecord;
  text: string | undefined;
}>;

/** The row that the journal would hold of the whole: outcome, route, grant, legalBasis, purpose, index fields, … */
export type Row = Readonly<Record<string, unknown>>;

export type Observed = {
  /** The reply in the contract's shape, after the grant's reduction, and as the caller's wire has it. */
  reply: AvroRecord | undefined;
  replyText: string | undefined;
  fault: BusError | undefined;
  /** By branch; one entry per attempt. */
  readonly sent: Map<string, Sent[]>;
  readonly tapped: Map<string, Sent[]>;
  /** Sends to branches in all. */
  attempts: number;
  /** Virtual milliseconds from the start to the answer, or to the end of the last delivery. */
  elapsed: number;
  dropped: boolean;
  deadletters: number;
  row: Row;
};

export function newObserved(): Observed {
  return {
    reply: undefined,
    replyText: undefined,
    fault: undefined,
    sent: new Map(),
    tapped: new Map(),
    attempts: 0,
    elapsed: 0,
    dropped: false,
    deadletters: 0,
    row: {},
  };
}

/** Adds to a list in a map. */
export function push<T>(map: Map<string, T[]>, key: string, item: T): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [item]);
  else list.push(item);
}
