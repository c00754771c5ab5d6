/** What became of an earlier message, by the journal: the reply it got, that it still runs, why its reply cannot be had, or that it left nothing. */
import { asBusError } from "./errors.ts";
import type { JournalQuery, StoredRecord } from "./journal/record.ts";
import type { Clock, Journal } from "./ports.ts";
import type { FirstMessage, FirstReply, Route } from "./route/runtime.ts";

/** A message without a deadline that left no row for this long was lost with its process before it was accepted, ms. */
const GRACE = 60_000;

type Parts = Readonly<{ clock: Clock; journal: Journal; route: Route }>;

export async function firstReplyOf(parts: Parts, first: FirstMessage): Promise<FirstReply> {
  const { journal, route } = parts;
  const newest = async (query: Pick<JournalQuery, "step" | "outcome">): Promise<StoredRecord | undefined> => {
    const { id, source: system, time: from } = first;
    return (await journal.find({ id, system, route: route.id, from, limit: 1, ...query })).records[0];
  };
  const replied = await newest({ step: "replied" });
  if (replied) return replyIn(route, replied);
  if (route.contract.pattern !== "query") {
    const dropped = await newest({ step: "dropped", outcome: "dropped" });
    if (dropped) return { kind: "refused", reason: `it got none: ${dropped.detail ?? "a step dropped it"}` };
    // what was accepted is carried out, however long it takes
    if (await newest({ step: "accepted" })) return { kind: "running" };
  }
  return lost(parts, first) || (await refusedOf(newest)) ? { kind: "free" } : { kind: "running" };
}

type Newest = (query: Pick<JournalQuery, "step" | "outcome">) => Promise<StoredRecord | undefined>;

/** Refusals of its own repetitions (outcome `duplicate`) say nothing of the first. */
async function refusedOf(newest: Newest): Promise<StoredRecord | undefined> {
  return (await newest({ step: "refused", outcome: "failed" })) ?? newest({ step: "refused", outcome: "denied" });
}

/** Its process ended before it could be accepted or answered, and nobody waits for it any more. */
function lost({ clock, route }: Parts, first: FirstMessage): boolean {
  return clock.now() > first.time + (route.branches[0]?.deliver.deadline ?? GRACE);
}

function replyIn(route: Route, replied: StoredRecord): FirstReply {
  if (replied.outcome !== "ok")
    return { kind: "refused", reason: `it failed: ${replied.detail ?? replied.errorCode ?? "no reason is kept"}` };
  const { envelope } = replied;
  if (!envelope) return { kind: "refused", reason: "its reply was not kept (`journal: { payload: full }` keeps it)" };
  if (!route.reply) return { kind: "refused", reason: "the contract has no reply" };
  try {
    return { kind: "replied", value: route.reply.decode(envelope.body) };
  } catch (thrown) {
    return { kind: "refused", reason: `its reply cannot be read any more: ${asBusError(thrown).message}` };
  }
}
