/** Which messages a replay speaks of. Dry run and run read through here, so that exactly the counted ones are sent. */
import type { Contract } from "../contract/contract.ts";
import type { Envelope, Message } from "../envelope.ts";
import { asBusError, BusError } from "../errors.ts";
import type { JournalQuery, StoredRecord } from "../journal/record.ts";
import type { Journal } from "../ports.ts";
import type { Predicate } from "../route/runtime.ts";

export type ReplayFilter = Readonly<{
  route: string;
  /** Milliseconds since the epoch when the messages were accepted, from inclusive, to exclusive. */
  from: number;
  to: number;
  /** Not before this journal position. */
  fromPosition?: number;
  id?: string;
  correlationId?: string;
  /** Only to this branch; otherwise to all of the route's. */
  branch?: string;
  /** JSONata over the message's value; only messages for which it is true. */
  where?: string;
}>;

export type ReplayCount = Readonly<{
  /** Messages that would be sent. */
  total: number;
  /** Fit the filter, but the journal does not keep them whole. */
  withoutPayload: number;
  /** Journal positions of the first and the last that would be sent; 0 when there is none. */
  first: number;
  last: number;
}>;

/** An accepted message that the journal keeps whole. */
export type Replayable = StoredRecord & Readonly<{ envelope: Envelope }>;

export type Selection = Readonly<{
  journal: Journal;
  filter: ReplayFilter;
  topic: string;
  contract: Contract;
  where: Predicate | undefined;
  redeem: ((envelope: Envelope) => Promise<Envelope>) | undefined;
}>;

const PAGE = 200;

export async function count(selection: Selection): Promise<ReplayCount> {
  let total = 0;
  let withoutPayload = 0;
  let first = 0;
  let last = 0;
  for await (const record of scan(selection, (selection.filter.fromPosition ?? 1) - 1, Number.MAX_SAFE_INTEGER)) {
    if (!isWhole(record)) withoutPayload++;
    else {
      total++;
      first ||= record.position;
      last = record.position;
    }
  }
  return { total, withoutPayload, first, last };
}

/** The messages to send after position `after` up to `until`, oldest first. */
export async function* replayable(selection: Selection, after: number, until: number): AsyncGenerator<Replayable> {
  for await (const record of scan(selection, after, until)) if (isWhole(record)) yield record;
}

function isWhole(record: StoredRecord): record is Replayable {
  return record.envelope !== undefined;
}

async function* scan(selection: Selection, after: number, until: number): AsyncGenerator<StoredRecord> {
  const { journal, filter } = selection;
  const query: JournalQuery = {
    step: "accepted",
    outcome: "ok",
    topic: selection.topic,
    from: filter.from,
    to: filter.to,
    ascending: true,
    limit: PAGE,
    ...(filter.id === undefined ? undefined : { id: filter.id }),
    ...(filter.correlationId === undefined ? undefined : { correlationId: filter.correlationId }),
  };
  let cursor: number | undefined = after > 0 ? after : undefined;
  do {
    const page = await journal.find({ ...query, ...(cursor === undefined ? undefined : { cursor }) });
    for (const record of page.records) {
      if (record.position > until) return;
      if (await wanted(selection, record)) yield record;
    }
    cursor = page.cursor;
  } while (cursor !== undefined);
}

/** A failing condition ends the count, with the message's id: half a count would send half a replay. */
async function wanted({ where, redeem, contract }: Selection, { envelope }: StoredRecord): Promise<boolean> {
  if (!where || !envelope) return true;
  try {
    const whole = redeem ? await redeem(envelope) : envelope;
    const message: Message = { envelope: whole, value: contract.request.decode(whole.body) };
    return await where(message);
  } catch (thrown) {
    const error = asBusError(thrown);
    throw new BusError(error.code, `\`where\` failed for message \`${envelope.id}\`: ${error.message}`, { cause: error });
  }
}
