/**
 * One case through one route, without broker or network, on a virtual clock: the same access check, steps, maps, retries, breaker
 * and failure rules as in the bus; only the receivers and the durable engines are played.
 */
import { checkCaller, LENIENT } from "../../access/binding.ts";
import { checkCallContext } from "../../access/call-context.ts";
import { authorise, findGrant, indexGrants } from "../../access/grants.ts";
import { failureRule } from "../../delivery/backoff.ts";
import { createEndpoints, type Endpoints } from "../../delivery/endpoints.ts";
import { deliverNow, type NowResult } from "../../delivery/now.ts";
import { judge } from "../../delivery/outcome.ts";
import { deliverQuery } from "../../delivery/query.ts";
import { topicOf, type AvroRecord, type Envelope, type Message } from "../../envelope.ts";
import { asBusError, BusError } from "../../errors.ts";
import { Redeliver } from "../../ports.ts";
import { createReduction } from "../../reduction.ts";
import type { CaseDoc } from "../documents-test.ts";
import { runSteps, type StepsOutcome } from "../steps/run.ts";
import type { Branch, Grant, Route, RouteSet, StepContext } from "../runtime.ts";
import { createTestContext } from "./context.ts";
import { readGiven, type Given } from "./given.ts";
import { mockOutlets, type MockParts } from "./mocks.ts";
import { newObserved, type Observed } from "./observed.ts";
import type { VirtualClock } from "./virtual-clock.ts";

export type FlowParts = Readonly<{
  set: RouteSet;
  route: Route;
  clock: VirtualClock;
  one: CaseDoc;
  bytes(file: string): Uint8Array;
  ruleUsed(index: number): void;
}>;

type Flow = FlowParts &
  Readonly<{ seen: Observed; mock: MockParts; endpoints: Endpoints; context: (signal: AbortSignal) => StepContext; signal: AbortSignal }>;

/** Deadlines and back-off without chance: jitter takes its whole time, so that `elapsed` is the worst case. */
const WORST = (): number => 1 - Number.EPSILON;
const UNSEALED = new Uint8Array();
const DECODER = new TextDecoder();

/** Runs a case; a refusal is part of what is observed, not thrown. */
export async function runFlow(parts: FlowParts): Promise<Observed> {
  const seen = newObserved();
  const { route, clock, one, bytes } = parts;
  const mock: MockParts = { route, clock, mocks: one.mocks, bytes, seen, before: new WeakMap() };
  const context = createTestContext(mock, clock);
  const flow: Flow = {
    ...parts,
    seen,
    mock,
    context,
    endpoints: createEndpoints({ clock, random: WORST }),
    signal: new AbortController().signal,
  };
  const started = clock.now();
  let grant: Grant | undefined;
  try {
    const given = await readGiven(route, one.given, bytes);
    grant = permit(flow, given);
    for (const [index, { value, mapped }] of given.values.entries()) {
      // each record of a file is a message of its own, as in the bus
      const id = index === 0 ? "case" : `case-${index + 1}`;
      await passOne(flow, { ...given, id }, grant, mapped && given.source.in ? await given.source.in(value, undefined) : value);
    }
  } catch (thrown) {
    seen.fault = asBusError(thrown);
    if (seen.fault.code === "configuration" || seen.fault.code === "unexpected") throw thrown;
  } finally {
    seen.elapsed = clock.now() - started;
  }
  seen.row = rowOf(flow, grant);
  return seen;
}

function permit(flow: Flow, given: Given): Grant {
  const { route, set, one, clock } = flow;
  const { source, system, call } = given;
  if (source.system !== undefined && system !== source.system) {
    throw new BusError("grant-missing", `only system \`${source.system}\` may send to \`${route.id}\` through \`${source.name}\``);
  }
  const grant = authorise(route, { grants: indexGrants(set.grants), systems: set.systems }, { system, call }, clock.now());
  checkCallContext(route, call, one.given.headers);
  const caller = set.systems.get(grant.system);
  if (caller) checkCaller(caller, call, LENIENT);
  return grant;
}

async function passOne(flow: Flow, given: Given & Readonly<{ id: string }>, grant: Grant, value: AvroRecord): Promise<void> {
  const { route, clock, one } = flow;
  const deadline = route.contract.pattern === "query" ? route.branches[0]?.deliver.deadline : undefined;
  const envelope: Envelope = {
    id: given.id,
    source: given.system ?? "",
    type: topicOf(route.contract.id),
    time: clock.now(),
    correlationId: "case",
    contract: route.contract.id,
    call: given.call,
    headers: one.given.headers,
    body: UNSEALED,
    ...(deadline === undefined ? {} : { deadline: clock.now() + deadline }),
  };
  const key = route.contract.request.keyOf(value);
  const message: Message = { envelope: key === undefined ? envelope : { ...envelope, key }, value };
  const outcome = await stepsOf(flow, message);
  if (outcome.kind === "drop") flow.seen.dropped = true;
  else if (route.contract.pattern === "query") await answer(flow, given, grant, outcome);
  else if (outcome.kind === "answer") throw new BusError("duplicate-message", "the message was handled before");
  else for (const each of outcome.messages) await publish(flow, seal(flow, each), given);
}

/** Steps; a delay moves the virtual clock. */
async function stepsOf(flow: Flow, message: Message): Promise<StepsOutcome> {
  for (;;) {
    try {
      return await runSteps(flow.route.steps, message, flow.context(flow.signal));
    } catch (thrown) {
      if (!(thrown instanceof Redeliver)) throw thrown;
      await flow.clock.sleep(thrown.after);
    }
  }
}

function seal(flow: Flow, message: Message): Message {
  const body = flow.route.contract.request.encode(message.value);
  return { envelope: { ...message.envelope, body }, value: message.value };
}

// ── queries ────────────────────────────────────────────────────────────────────────────────────────────────────────

async function answer(flow: Flow, given: Given, grant: Grant, outcome: Exclude<StepsOutcome, { kind: "drop" }>): Promise<void> {
  const { route, seen } = flow;
  const whole = outcome.kind === "answer" ? outcome.value : await ask(flow, outcome.messages[0]);
  const reduced = createReduction(route.reply)(grant, whole);
  route.reply?.encode(reduced);
  await reply(flow, given, reduced);
  seen.reply = reduced;
}

async function ask(flow: Flow, raw: Message | undefined): Promise<AvroRecord> {
  const { route, clock, endpoints, mock, signal } = flow;
  const [branch] = route.branches;
  if (branch === undefined || raw === undefined)
    throw new BusError("rejected-by-step", `route \`${route.id}\` ended without asking a provider`);
  const message = seal(flow, raw);
  try {
    mock.before.set(message.envelope, message.value);
    const outgoing = branch.in ? { envelope: message.envelope, value: await branch.in(message.value, message) } : message;
    const outlets = mockOutlets(mock, branch);
    const { value = {} } = await deliverQuery({
      branch,
      outlets,
      message: outgoing,
      policy: branch.deliver,
      deadlineAt: message.envelope.deadline,
      endpoints,
      clock,
      signal,
    });
    return branch.out ? await branch.out(value, message) : value;
  } catch (thrown) {
    const error = asBusError(thrown);
    const rule = ruleFor(flow, branch, error);
    if (rule?.do === "reply" && rule.with) return rule.with;
    throw error;
  }
}

/** As the caller's wire has it: XML of a SOAP source, JSON of the others. */
async function reply(flow: Flow, given: Given, value: AvroRecord): Promise<void> {
  const { out, binding } = given.source;
  const wire = out ? await out(value, undefined) : value;
  const { service, operation, replyCodec } = binding;
  if (service !== undefined && operation !== undefined) flow.seen.replyText = DECODER.decode(service.writeReply("1.1", operation, wire));
  else if (replyCodec !== undefined) flow.seen.replyText = DECODER.decode(replyCodec.write(wire));
}

function ruleFor(flow: Flow, branch: Branch, error: BusError): ReturnType<typeof failureRule> {
  const rules = branch.failures.length > 0 ? branch.failures : flow.route.failures;
  const rule = failureRule(rules, error);
  if (rule !== undefined) flow.ruleUsed(flow.route.failures.indexOf(rule));
  return rule;
}

// ── events and commands ────────────────────────────────────────────────────────────────────────────────────────────

async function publish(flow: Flow, message: Message, given: Given): Promise<void> {
  // Branches have cursors of their own; here they go side by side on the one clock.
  await Promise.all(flow.route.branches.map((branch) => deliver(flow, branch, message, given)));
}

async function deliver(flow: Flow, branch: Branch, message: Message, given: Given): Promise<void> {
  const { clock, route, seen, mock, endpoints } = flow;
  const outlets = mockOutlets(mock, branch);
  const observed: Branch = { ...branch, in: noteBefore(flow, branch) };
  const firstAttemptAt = clock.now();
  for (let attempt = 1; ;) {
    try {
      const parts = {
        route,
        branch: observed,
        outlets,
        endpoints,
        clock,
        context: flow.context,
        reduce: (whole: Message) => reduceFor(flow, branch, whole),
      };
      const result = await deliverNow(parts, message.envelope, { signal: flow.signal, attempt });
      await settle(flow, result, given);
      return;
    } catch (thrown) {
      if (thrown instanceof Redeliver) {
        await clock.sleep(thrown.after);
        continue;
      }
      const error = asBusError(thrown);
      if (error.code === "configuration" || error.code === "unexpected") throw error;
      const rules = branch.failures.length > 0 ? branch.failures : route.failures;
      const verdict = judge(branch.deliver, rules, { error, attempt, firstAttemptAt, now: clock.now() }, WORST);
      if (verdict.kind === "end") {
        ruleFor(flow, branch, error);
        if (verdict.rule.do === "deadletter" || verdict.rule.do === "stop") seen.deadletters++;
        if (verdict.rule.do === "drop") seen.dropped = true;
        if (route.contract.pattern === "command") seen.fault = error;
        return;
      }
      await clock.sleep(verdict.after);
      if (verdict.kind === "retry") attempt++;
    }
  }
}

/** The branch's map, noting what the value was before it. */
function noteBefore(flow: Flow, branch: Branch): Branch["in"] {
  const map = branch.in;
  if (map === undefined) return undefined;
  return (value, message) => {
    if (message !== undefined) flow.mock.before.set(message.envelope, value);
    return map(value, message);
  };
}

/** A receiver of an event sees what its own grant allows; commands go to their provider whole. */
function reduceFor(flow: Flow, branch: Branch, message: Message): Message {
  const { route, set, clock } = flow;
  if (route.contract.pattern !== "event" || branch.system === undefined) return message;
  const asker = { system: branch.system, role: "consumer", contract: route.contract.id } as const;
  const grant = findGrant(indexGrants(set.grants), set.systems, asker, [], clock.now());
  return { envelope: message.envelope, value: createReduction(route.contract.request)(grant, message.value) };
}

async function settle(flow: Flow, result: NowResult, given: Given): Promise<void> {
  if (result.kind === "dropped") flow.seen.dropped = true;
  if (flow.route.contract.pattern !== "command" || flow.route.reply === undefined) return;
  const value = result.kind === "delivered" || result.kind === "answered" ? result.value : undefined;
  if (value === undefined) return;
  flow.route.reply.encode(value);
  flow.seen.reply = value;
  await reply(flow, given, value);
}

// ── the journal's row ──────────────────────────────────────────────────────────────────────────────────────────────

function rowOf(flow: Flow, grant: Grant | undefined): Observed["row"] {
  const { seen, route, one } = flow;
  const { fault } = seen;
  const outcome = fault === undefined ? (seen.deadletters > 0 ? "dead" : seen.dropped ? "dropped" : "ok") : outcomeOf(fault);
  return {
    outcome,
    route: route.id,
    contract: route.contract.id,
    ...(one.given.system === undefined ? {} : { system: one.given.system }),
    ...(grant === undefined
      ? {}
      : { grant: grant.id, legalBasis: grant.legalBasis.section, act: grant.legalBasis.act, purpose: grant.legalBasis.purpose }),
    ...(fault === undefined ? {} : { errorClass: fault.class, errorCode: fault.code }),
  };
}

function outcomeOf(fault: BusError): string {
  if (fault.class === "access-denied") return "denied";
  return fault.class === "duplicate" ? "duplicate" : "failed";
}
