/** What an operator does with dead letters. Every act names operator and reason and leaves its row before anything moves. */
import type { Envelope } from "../envelope.ts";
import { asBusError, BusError } from "../errors.ts";
import type { JournalRecord, StoredRecord } from "../journal/record.ts";
import type { Clock, Collection, Journal, Stored } from "../ports.ts";
import type { DeadLetter, DeadLetterRow } from "./deadletter.ts";
import type { ActResult, Chosen, DeadLetterAdmin, DeadLetterFilter, FindRoute, Recheck } from "./deadletters.ts";

/** Dead letters that one act moves at most; `remaining` says how many are left for the next. */
const MOST = 1000;

export type ActParts = Readonly<{
  journal: Journal;
  clock: Clock;
  letters: Collection<DeadLetter>;
  get: (id: string) => Promise<Stored<DeadLetter>>;
  list: (filter: DeadLetterFilter) => Promise<readonly DeadLetterRow[]>;
  recordAt: (letter: DeadLetter) => Promise<StoredRecord | undefined>;
  find: FindRoute;
  recheck?: Recheck;
}>;

type Act = Readonly<{ verb: "replayed" | "discarded"; operator: string; reason: string }>;
/** What is done to one: gives nothing, or throws why it was refused or failed. */
type Doing = (letter: DeadLetter, id: string) => Promise<void>;

export function createActs(parts: ActParts): Pick<DeadLetterAdmin, "replay" | "discard"> {
  return {
    replay: (chosen, operator, reason) =>
      each(parts, chosen, { verb: "replayed", operator, reason }, (letter, id) => send(parts, letter, id)),
    discard: (chosen, operator, reason) => each(parts, chosen, { verb: "discarded", operator, reason }, async () => undefined),
  };
}

async function each(parts: ActParts, chosen: Chosen, act: Act, doing: Doing): Promise<ActResult> {
  requireReason(act);
  const ids = "ids" in chosen ? chosen.ids : (await parts.list({ fingerprint: chosen.group, limit: MOST })).map(({ id }) => id);
  const failed: { id: string; code: string; text: string }[] = [];
  let done = 0;
  for (const id of ids.slice(0, MOST)) {
    try {
      await one(parts, await parts.get(id), act, doing);
      done++;
    } catch (thrown) {
      const error = asBusError(thrown);
      failed.push({ id, code: error.code, text: error.message });
    }
  }
  return { done, failed, remaining: Math.max(0, ids.length - MOST) };
}

/** Throws configuration when operator or reason is missing: an act that nobody answers for is not done. */
export function requireReason({ operator, reason }: Readonly<{ operator: string; reason: string }>): void {
  if (operator.trim() === "") throw new BusError("configuration", "this act needs an operator: say who does it");
  if (reason.trim() === "") throw new BusError("configuration", "this act needs a reason: say why, it is kept in the journal");
}

async function one(parts: ActParts, stored: Stored<DeadLetter>, act: Act, doing: Doing): Promise<void> {
  const letter = stored.value;
  if (letter.state !== "open") throw new BusError("store-conflict", `dead letter \`${stored.id}\` was ${letter.state} already`);
  if (act.verb === "replayed") refuse(parts, letter);
  const detail = `dead letter ${act.verb} by ${act.operator}: ${act.reason}`;
  await parts.journal.append([{ ...factsOf(parts, letter), step: "act", outcome: "ok", detail }]);
  try {
    await doing(letter, stored.id);
  } catch (thrown) {
    await note(parts, stored, { ...letter, operator: act.operator, reason: act.reason, ...again(asBusError(thrown), letter) });
    throw thrown;
  }
  await note(parts, stored, { ...letter, state: act.verb, operator: act.operator, reason: act.reason });
}

/** A letter that failed again stays open, with the newer error. */
function again(error: BusError, letter: DeadLetter): Partial<DeadLetter> {
  return { errorClass: error.class, errorCode: error.code, text: error.message.slice(0, 1000), attempts: letter.attempts + 1 };
}

async function note(parts: ActParts, stored: Stored<DeadLetter>, letter: DeadLetter): Promise<void> {
  await parts.letters.update(stored.id, stored.version, letter);
}

function refuse(parts: ActParts, letter: DeadLetter): void {
  const found = parts.find(letter.route);
  const named = `message \`${letter.messageId}\` of route \`${letter.route}\``;
  if (found?.route.contract.pattern === "query") {
    throw new BusError("replay-refused", `${named} is a query: its caller has gone, so it is evidence, not work`);
  }
  if (letter.replay === "never" || found?.route.deadletter.replay === "never") {
    throw new BusError("replay-refused", `${named} may not be replayed: the route says \`deadletter: { replay: never }\``);
  }
}

async function send(parts: ActParts, letter: DeadLetter, id: string): Promise<void> {
  const found = parts.find(letter.route);
  // what died in the steps of a route that run before its branches is sent through them again
  const branch =
    found?.branches.find(({ name }) => name === letter.branch) ?? (found?.steps?.name === letter.branch ? found.steps : undefined);
  if (!found || !branch) {
    throw new BusError(
      "replay-refused",
      `branch \`${letter.branch}\` of route \`${letter.route}\` does not run any more; apply the route first`,
    );
  }
  const envelope = await envelopeOf(parts, letter);
  const startedAt = parts.clock.now();
  const row = (rest: Partial<JournalRecord>): JournalRecord => ({
    ...factsOf(parts, letter),
    step: "replayed",
    outcome: "ok",
    attempt: letter.attempts + 1,
    elapsed: parts.clock.now() - startedAt,
    ...rest,
  });
  try {
    await parts.recheck?.(found.route, letter.branch, envelope);
    const marks = { "mbus-replay": `deadletter ${id}` };
    const result = await branch.deliver(envelope, { signal: NEVER, attempt: 1, marks });
    const detail = `dead letter ${id}: ${result.kind}`;
    await parts.journal.append([row({ detail, ...branch.audited?.(envelope, result, detail) })]);
  } catch (thrown) {
    const error = asBusError(thrown);
    const detail = `dead letter ${id}: ${error.message}`.slice(0, 1000);
    await parts.journal.append([row({ outcome: "failed", errorClass: error.class, errorCode: error.code, detail })]);
    throw error;
  }
}

const NEVER = new AbortController().signal;

async function envelopeOf(parts: ActParts, letter: DeadLetter): Promise<Envelope> {
  const record = await parts.recordAt(letter);
  if (!record?.envelope) throw new BusError("not-found", `the journal no longer keeps message \`${letter.messageId}\``);
  return record.envelope;
}

type Facts = Pick<JournalRecord, "time" | "id" | "correlationId" | "route" | "branch" | "contract" | "system" | "target">;

function factsOf(parts: ActParts, letter: DeadLetter): Facts {
  const { messageId: id, correlationId, route, branch, contract, source: system, target } = letter;
  return {
    time: parts.clock.now(),
    id,
    correlationId,
    route,
    branch,
    contract,
    system,
    ...(target === undefined ? undefined : { target }),
  };
}
