/**
 * An event or command is accepted when its record is durable; in the same write it is published to the contract's topic, from
 * where every branch takes it with its own cursor. The same id again from the same sender gives the first answer, or id-reused.
 */
import { claimCheck } from "./claim-check.ts";
import { MOST_WAIT } from "./command-waits.ts";
import { topicOf, type AvroRecord, type Envelope, type Message } from "./envelope.ts";
import { BusError } from "./errors.ts";
import { digestOf } from "./ids.ts";
import { factsOf, indexOf } from "./journal/facts.ts";
import type { JournalRecord } from "./journal/record.ts";
import type { Mutable } from "./mutable.ts";
import type { Outcome } from "./ports.ts";
import { seal, type Passage, type PipelineParts } from "./passage.ts";
import type { StepsOutcome } from "./route/steps/run.ts";

/** How long a sender may come again with the same message id: 30 days, the longest retry horizon we know of. */
const DEDUPE_WINDOW = 30 * 24 * 3600 * 1000;

export async function publish(parts: PipelineParts, passage: Passage, message: Message, outcome: StepsOutcome): Promise<Outcome> {
  if (outcome.kind === "drop") return drop(parts, passage, message, outcome.reason);
  if (outcome.kind === "answer") return answer(parts, passage, message, outcome.value);
  const records: JournalRecord[] = [];
  for (const each of outcome.messages) {
    const sealed = sealedIn(passage, each);
    const envelope = claimCheck(parts.store, sealed.envelope);
    records.push(acceptedRecord(passage, sealed, envelope instanceof Promise ? await envelope : envelope));
  }
  const wait = heldFor(passage);
  if (wait === 0) return accept(parts, message, records);
  const expected = parts.commands.expect(passage.running.route, message.envelope);
  try {
    const accepted = await accept(parts, message, records);
    const settled = await expected.settled(wait, passage.signal, accepted.duplicate);
    if (settled?.error) throw new Told(settled.error);
    if (!settled?.value) return accepted;
    return { ...accepted, kind: "reply", value: await replyFor(passage, message, settled.value) };
  } finally {
    expected.drop();
  }
}

type Accepted = Extract<Outcome, { kind: "accepted" }>;

async function accept(parts: PipelineParts, message: Message, records: readonly JournalRecord[]): Promise<Accepted> {
  const [first] = await parts.journal.append(records);
  if (first?.duplicateOf !== undefined) return repeated(parts, message, records[0]?.digest, first.duplicateOf);
  const { id, correlationId } = message.envelope;
  return { kind: "accepted", id, correlationId, position: first?.position ?? 0, duplicate: false };
}

/** Milliseconds that the caller of a command is held for its reply: what it asks for, else what its source says. */
function heldFor({ running: { route }, source, inbound }: Passage): number {
  if (route.contract.pattern !== "command" || !route.reply) return 0;
  return Math.min(inbound.waits ?? source.wait ?? 0, MOST_WAIT);
}

/** As the sender's grant lets it see the reply, in the shape of its wire. */
async function replyFor({ running, source, inbound, grant }: Passage, message: Message, value: AvroRecord): Promise<AvroRecord> {
  const reduced = running.reduceReply(grant, value);
  return source.out && inbound.shape !== "contract" ? source.out(reduced, message) : reduced;
}

/** How an accepted command ended while its caller was held: told to the caller, and no refusal, for it was carried out. */
export class Told extends Error {
  override readonly name = "Told";
  readonly error: BusError;
  constructor(error: BusError) {
    super(error.message, { cause: error });
    this.error = error;
  }
}

/** Sealed, under the key of its order: the order that a route declares goes before the key that its contract marks. */
function sealedIn(passage: Passage, made: Message): Message {
  const { route } = passage.running;
  const sealed = seal(route.contract.request, made);
  const ordered = route.branches.find((branch) => branch.order)?.order?.(sealed);
  return ordered === undefined ? sealed : { envelope: { ...sealed.envelope, key: ordered }, value: sealed.value };
}

/** `envelope`: the message's, its body maybe checked in. */
function acceptedRecord(passage: Passage, message: Message, envelope: Envelope): JournalRecord {
  const { route } = passage.running;
  const record: Mutable<JournalRecord> = {
    id: envelope.id,
    correlationId: envelope.correlationId,
    route: route.id,
    contract: envelope.contract,
    system: envelope.source,
    step: "accepted",
    outcome: "ok",
    time: envelope.time,
    grant: passage.grant.id,
    index: indexOf(route, message, passage.grant),
    digest: digestOf(message.envelope.body),
    envelope,
    topic: passage.running.staged ?? topicOf(route.contract.id),
  };
  if (passage.inbound.id !== undefined) record.dedupe = { key: `${envelope.source} ${envelope.id}`, window: DEDUPE_WINDOW };
  return record;
}

/** A step answers a command with the reply that an earlier one got: cut to what the sender's grant allows today, and nothing is sent. */
async function answer(parts: PipelineParts, passage: Passage, message: Message, value: AvroRecord): Promise<Outcome> {
  const { running } = passage;
  if (running.route.contract.pattern !== "command")
    throw new BusError("duplicate-message", `message \`${message.envelope.id}\` was handled before`);
  const { envelope } = message;
  const out = await replyFor(passage, message, value);
  const [appended] = await parts.journal.append([
    {
      ...factsOf(running.route, envelope),
      step: "dropped",
      outcome: "duplicate",
      time: envelope.time,
      grant: passage.grant.id,
      detail: "it was handled before: its sender got the first reply",
      ...parts.audit.asked(running.route, message, passage.grant, envelope.time),
    },
  ]);
  return { kind: "reply", id: envelope.id, correlationId: envelope.correlationId, value: out, position: appended?.position ?? 0 };
}

async function drop(parts: PipelineParts, passage: Passage, message: Message, reason: string): Promise<Outcome> {
  const { envelope } = message;
  const [appended] = await parts.journal.append([
    {
      ...factsOf(passage.running.route, envelope),
      step: "dropped",
      outcome: "dropped",
      time: envelope.time,
      grant: passage.grant.id,
      detail: reason,
    },
  ]);
  return { kind: "accepted", id: envelope.id, correlationId: envelope.correlationId, position: appended?.position ?? 0, duplicate: false };
}

/** The sender came again: with the same content it gets the first answer, with another one it is refused. */
async function repeated(parts: PipelineParts, message: Message, digest: string | undefined, position: number): Promise<Accepted> {
  const [first] = await parts.journal.read(position, 1);
  if (first && first.position === position && first.digest !== digest) {
    throw new BusError(
      "id-reused",
      `message id \`${message.envelope.id}\` was used before with another content: send a changed message under a new id`,
    );
  }
  return {
    kind: "accepted",
    id: message.envelope.id,
    correlationId: first?.correlationId ?? message.envelope.correlationId,
    position,
    duplicate: true,
  };
}
