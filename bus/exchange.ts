/**
 * A query: ask the provider, bring the reply back through the contract, cut it to the granted fields. The records of request and
 * reply are durable before the answer leaves; the request's is written while the provider works, and positions grow, so the
 * reply's being durable says that the request's is.
 */
import { failureRule } from "./delivery/backoff.ts";
import { deliverQuery } from "./delivery/query.ts";
import type { AvroRecord, Message } from "./envelope.ts";
import { asBusError, BusError } from "./errors.ts";
import { digestOf, newId } from "./ids.ts";
import { acceptedRows, factsOf } from "./journal/facts.ts";
import type { JournalRecord } from "./journal/record.ts";
import type { Mutable } from "./mutable.ts";
import type { Outcome } from "./ports.ts";
import { seal, type Passage, type PipelineParts } from "./passage.ts";
import type { Branch, FailureRule, Route } from "./route/runtime.ts";
import type { StepsOutcome } from "./route/steps/run.ts";

export async function exchange(parts: PipelineParts, passage: Passage, given: Message, outcome: StepsOutcome): Promise<Outcome> {
  const { running, grant } = passage;
  const { route } = running;
  const message = seal(route.contract.request, (outcome.kind === "next" ? outcome.messages[0] : undefined) ?? given);
  const audited = parts.audit.asked(route, message, grant, message.envelope.time);
  const request = parts.journal.append(acceptedRows(route, message, grant, audited));
  request.catch(() => undefined); // awaited with the reply's record below
  try {
    const reply = await replyTo(parts, passage, message, outcome);
    const reduced = running.reduceReply(grant, reply.value);
    const body = route.reply?.encode(reduced);
    const record = repliedFacts(parts, passage, message, body, reply);
    const appended = await parts.journal.append([record]);
    await request; // written earlier, so it is settled or settles now
    const mapped = passage.source.out && passage.inbound.shape !== "contract" ? passage.source.out(reduced, message) : reduced;
    const value = mapped instanceof Promise ? await mapped : mapped;
    return {
      kind: "reply",
      id: message.envelope.id,
      correlationId: message.envelope.correlationId,
      value,
      position: appended[0]?.position ?? 0,
    };
  } catch (thrown) {
    await request;
    throw thrown;
  }
}

type Reply = Readonly<{ value: AvroRecord; attempts: number; target: string | undefined }>;

async function replyTo(parts: PipelineParts, passage: Passage, message: Message, outcome: StepsOutcome): Promise<Reply> {
  const { route } = passage.running;
  if (outcome.kind === "answer") return { value: outcome.value, attempts: 0, target: undefined };
  const branch = route.branches[0];
  if (outcome.kind === "drop" || !branch) throw new BusError("rejected-by-step", `route \`${route.id}\` ended without asking a provider`);
  try {
    return await ask(parts, passage, branch, message);
  } catch (thrown) {
    return onFailure(route, branch, asBusError(thrown));
  }
}

async function ask(parts: PipelineParts, passage: Passage, branch: Branch, message: Message): Promise<Reply> {
  const mapped = branch.in?.(message.value, message);
  const value = mapped instanceof Promise ? await mapped : mapped;
  const outgoing = value === undefined ? message : { envelope: message.envelope, value };
  const result = await deliverQuery({
    branch,
    outlets: passage.running.outlets(branch.name),
    message: outgoing,
    policy: branch.deliver,
    deadlineAt: message.envelope.deadline,
    endpoints: parts.endpoints,
    clock: parts.clock,
    signal: passage.signal,
    onAttempt: (attempt) => {
      const record: JournalRecord = {
        ...factsOf(passage.running.route, message.envelope),
        step: "attempt",
        outcome: "failed",
        time: parts.clock.now(),
        branch: branch.name,
        ...attempt,
      };
      parts.journal.append([record]).catch(() => undefined); // the reply's own record fails too, and that one is awaited
    },
  });
  if (result.value === undefined)
    throw new BusError("provider-reply-invalid", `the provider of \`${passage.running.route.id}\` answered without a reply`);
  const back = branch.out ? branch.out(result.value, message) : result.value;
  return { value: back instanceof Promise ? await back : back, attempts: result.attempts, target: branch.system };
}

function onFailure(route: Route, branch: Branch, error: BusError): Reply {
  const rules: readonly FailureRule[] = branch.failures.length > 0 ? branch.failures : route.failures;
  const rule = failureRule(rules, error);
  if (rule?.do === "reply" && rule.with) return { value: rule.with, attempts: 0, target: branch.system };
  throw error; // a query's caller is told; a dead letter of it would be evidence, not work, and the journal holds that
}

function repliedFacts(parts: PipelineParts, passage: Passage, message: Message, body: Uint8Array | undefined, reply: Reply): JournalRecord {
  const { route } = passage.running;
  const { envelope } = message;
  const time = parts.clock.now();
  const record: Mutable<JournalRecord> = {
    id: envelope.id,
    correlationId: envelope.correlationId,
    route: route.id,
    contract: envelope.contract,
    system: envelope.source,
    step: "replied",
    outcome: "ok",
    time,
    elapsed: time - passage.started,
    grant: passage.grant.id,
    attempt: reply.attempts,
  };
  if (reply.target !== undefined) record.target = reply.target;
  if (body) record.digest = digestOf(body);
  if (route.journal.payload === "full" && body && route.reply) {
    const source = reply.target ?? "";
    record.envelope = { ...envelope, id: newId(time), causationId: envelope.id, source, contract: route.reply.id, time, body };
  }
  return record;
}
