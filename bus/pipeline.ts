/**
 * One message through the bus, in the order of the picture: find the route, may they?, decode, call context, quota, steps, then
 * exchange (query) or publish (event, command). Whatever fails leaves a journal row and the sender gets the error.
 */
import { authorise } from "./access/grants.ts";
import { checkCaller, checkIdentifiers } from "./access/binding.ts";
import { checkCallContext } from "./access/call-context.ts";
import { topicOf, type AvroRecord, type Envelope, type Message } from "./envelope.ts";
import { asBusError, BusError } from "./errors.ts";
import { exchange } from "./exchange.ts";
import { newId, traceparentOf } from "./ids.ts";
import { refuse } from "./journal/facts.ts";
import type { Mutable } from "./mutable.ts";
import type { Passage, PipelineParts, View } from "./passage.ts";
import type { Accept, Inbound, Outcome } from "./ports.ts";
import { publish, Told } from "./publish.ts";
import type { Source } from "./route/runtime.ts";
import { demandSignature, receive } from "./signature/receipt.ts";
import { runSteps, type StepsOutcome } from "./route/steps/run.ts";
import type { RunningRoute } from "./running.ts";

const NEVER = new AbortController().signal;

/** A message's body before its steps are done: nobody reads it until `seal` encodes what they made. */
const UNSEALED = new Uint8Array(0);

export function createPipeline(parts: PipelineParts): Accept {
  return async (inbound, signal = NEVER) => {
    const started = parts.clock.now();
    const id = inbound.id ?? newId(started);
    const correlationId = inbound.correlationId ?? id;
    try {
      return await pass(parts, inbound, { id, correlationId, started, signal });
    } catch (thrown) {
      if (thrown instanceof Told) throw thrown.error;
      const error = asBusError(thrown);
      const begun = { id, correlationId, time: started, elapsed: parts.clock.now() - started };
      await refuse(parts.journal, inbound, begun, error, parts.audit.denied(inbound, begun, error, started));
      throw error;
    }
  };
}

type Begun = Readonly<{ id: string; correlationId: string; started: number; signal: AbortSignal }>;

async function pass(parts: PipelineParts, inbound: Inbound, begun: Begun): Promise<Outcome> {
  const view = parts.view();
  const { running, source } = findSource(parts, view, inbound);
  const { route } = running;
  if (source.system !== undefined && inbound.system !== source.system) {
    throw new BusError("grant-missing", `only system \`${source.system}\` may send to \`${route.id}\` through \`${source.name}\``);
  }
  const grant = authorise(route, view, inbound, begun.started);
  const read = inbound.read();
  demandSignature(view.systems.get(inbound.system ?? ""), inbound);
  checkCallContext(route, inbound.call, inbound.headers);
  const caller = view.systems.get(grant.system);
  if (caller) checkCaller(caller, inbound.call, parts.identifiers);
  if (inbound.signed)
    await receive(parts.journal, route, inbound, inbound.signed, { id: begun.id, correlationId: begun.correlationId, time: begun.started });
  const quota = parts.quotas.take(grant);
  if (quota) await quota;
  const mapped = source.in && inbound.shape !== "contract" ? source.in(read, undefined) : read;
  const value = mapped instanceof Promise ? await mapped : mapped;
  checkIdentifiers(route.contract.request, value, grant.system, parts.identifiers);
  const message = wrap(running, inbound, begun, value);
  const steps = stepsOf(parts, running, message, begun.signal);
  const outcome = steps instanceof Promise ? await steps : steps;
  const passage: Passage = { running, source, grant, inbound, started: begun.started, signal: begun.signal };
  // awaited here: a promise that is given back by an async function costs two more turns of the queue
  return route.contract.pattern === "query"
    ? await exchange(parts, passage, message, outcome)
    : await publish(parts, passage, message, outcome);
}

function findSource(parts: PipelineParts, view: View, inbound: Inbound): { running: RunningRoute; source: Source } {
  if (parts.stopping()) throw new BusError("bus-stopping", "the bus is stopping and takes no new messages", { retryAfter: 5000 });
  parts.mayTake?.();
  const running = inbound.route === undefined ? undefined : view.routes.get(inbound.route);
  const source = running?.route.sources.find((candidate) => candidate.name === inbound.from);
  if (!running || !source) {
    inbound.read(); // what cannot be routed is mostly not readable either, and then that is the better answer
    throw new BusError("contract-unknown", `no route takes what came in through \`${inbound.from}\``);
  }
  if (running.paused())
    throw new BusError("route-paused", `route \`${running.route.id}\` is paused by an operator`, { retryAfter: 30_000 });
  return { running, source };
}

function wrap(running: RunningRoute, inbound: Inbound, begun: Begun, value: AvroRecord): Message {
  const { contract } = running.route;
  const deadline = running.route.branches[0]?.deliver.deadline;
  const waits = inbound.waits === undefined ? deadline : Math.min(inbound.waits, deadline ?? Number.POSITIVE_INFINITY);
  const envelope: Mutable<Envelope> = {
    id: begun.id,
    source: inbound.system ?? "",
    type: topicOf(contract.id),
    time: begun.started,
    correlationId: begun.correlationId,
    traceparent: traceparentOf(inbound.traceparent),
    contract: contract.id,
    call: inbound.call,
    headers: inbound.headers,
    body: UNSEALED,
  };
  if (inbound.subject !== undefined) envelope.subject = inbound.subject;
  if (waits !== undefined && contract.pattern === "query") envelope.deadline = begun.started + waits;
  return { envelope, value };
}

/** Steps of the route at acceptance. Routes that read a topic run theirs at each branch instead. */
function stepsOf(parts: PipelineParts, running: RunningRoute, message: Message, signal: AbortSignal): StepsOutcome | Promise<StepsOutcome> {
  const { route } = running;
  if (route.steps.length === 0 || running.staged) return { kind: "next", messages: [message] };
  return runSteps(route.steps, message, parts.context(route.id, signal));
}
