/**
 * Replies of commands that are pushed to whoever sent them. Where a route names an address for a system's replies, the reply is published
 * in the same durable write that ends the command, to a topic of that route and system, and a branch of its own delivers it: with
 * retries, breaker and dead letters like any other. Its message id is the ticket, so that a receiver knows a repetition.
 */
import { authorise } from "./access/grants.ts";
import type { ContractType } from "./contract/contract.ts";
import { replyContract } from "./contract/reply.ts";
import { topicOf, type Envelope, type Message } from "./envelope.ts";
import { factsOf } from "./journal/facts.ts";
import type { JournalRecord } from "./journal/record.ts";
import type { Branch, Route } from "./route/runtime.ts";
import type { View } from "./passage.ts";
import type { Reduce } from "./reduction.ts";

/** The route as the branches of its replies see it. */
export function replyView(route: Route, reply: ContractType): Route {
  return { ...route, contract: replyContract(route.contract, reply), reply: undefined, steps: [], failures: [] };
}

export const replyTopic = (route: Route, branch: Branch): string => `mbus.reply.${route.id}.${branch.name}`;

/** How long the same outcome of the same command is pushed once only, ms. */
const ONCE = 7 * 24 * 3_600_000;

type Push = Readonly<{ time: number; claim: (envelope: Envelope) => Envelope | Promise<Envelope> }>;

/** The record that publishes the reply; undefined where its sender has no address for it. */
export async function pushOf(route: Route, command: Envelope, body: Uint8Array, { time, claim }: Push): Promise<JournalRecord | undefined> {
  const branch = route.replies?.find(({ system }) => system === command.source);
  if (!branch || !route.reply) return undefined;
  const { dataref: _, deadline: __, ...kept } = command;
  const envelope = { ...kept, type: topicOf(route.reply.id), contract: route.reply.id, causationId: command.id, time, body };
  return {
    ...factsOf(route, envelope),
    step: "replied",
    outcome: "ok",
    time,
    branch: branch.name,
    target: command.source,
    detail: "its reply is pushed",
    envelope: await claim(envelope),
    topic: replyTopic(route, branch),
    dedupe: { key: `reply ${command.source} ${command.id}`, window: ONCE },
  };
}

/** What goes out: from the provider, and no field more than the sender's grant allows at that moment. Throws access-denied. */
export function replyMessage(
  parts: Readonly<{ route: Route; view: () => View; now: () => number; reduce: Reduce }>,
): (message: Message) => Message {
  const { route, view, now, reduce } = parts;
  const provider = route.branches[0]?.system;
  return ({ envelope, value }) => {
    const grant = authorise(route, view(), { system: envelope.source }, now());
    return { envelope: provider === undefined ? envelope : { ...envelope, source: provider }, value: reduce(grant, value) };
  };
}
