/** A route in plain words: who may send, what happens, where to, when each attempt is made, what follows each failure. */
import { timetable, type Slot } from "../delivery/backoff.ts";
import { CLASSES, type ErrorClass } from "../errors.ts";
import { topicToken } from "../edge/topic.ts";
import { isTopicEdge } from "./compile-topics.ts";
import { DEFAULTS } from "./defaults.ts";
import { resolveDeliver } from "./deliver.ts";
import type { AdapterDoc, BranchDoc, FromDoc, KeyDoc, ParsedSet, PredicateDoc, RouteDoc, StepDoc } from "./documents.ts";
import { maskSecrets } from "./schema/fill.ts";
import type { DeliverPolicy } from "./runtime.ts";
import { formatDuration, spokenDuration } from "./schema/units.ts";

/** Text for people; undefined when no sound route has this id. */
export function explainRoute(set: ParsedSet, id: string): string | undefined {
  const route = set.routes.get(id);
  if (!route) return undefined;
  const lines = [
    `${route.id}: ${route.title}`,
    `${route.pattern === "event" ? "An" : "A"} ${route.pattern} of contract ${route.contract}${route.reply === undefined ? "" : `, answered by ${route.reply}`}. Owner: ${route.owner}. ${STATES[route.state]}`,
    "",
    "Who may send",
    ...route.from.flatMap((from) => indent(senders(set, route, from))),
    ...(route.access.require.length > 0 ? indent([`Each message must bring ${route.access.require.join(", ")}.`]) : []),
    "",
    "What happens",
    ...indent(route.steps.length === 0 ? ["The message goes on as it is."] : stepLines(route.steps)),
    "",
    "Where it goes",
    ...route.branches.flatMap((branch) => indent(target(set, route, branch))),
    ...replyLines(route),
    "",
    "What is kept",
    ...indent(kept(route)),
  ];
  return `${lines.join("\n")}\n`;
}

/** What the sender of a command hears, and how. */
function replyLines(route: RouteDoc): readonly string[] {
  const held = route.from.flatMap(({ name, wait }) =>
    wait === undefined ? [] : [`through ${name}: the caller is held for ${formatDuration(wait)}, then it gets a ticket.`],
  );
  const pushed = route.replies.map(
    ({ name, system, adapter }) => `${name}: pushed to ${system ?? ""} through ${edge(adapter)}, with the ticket as its id.`,
  );
  return held.length + pushed.length === 0 ? [] : ["", "How the reply comes back", ...indent([...held, ...pushed])];
}

const STATES = {
  active: "It runs.",
  paused: "It is paused: messages wait.",
  draft: "It is a draft: it is checked but never runs.",
} as const;
const indent = (lines: readonly string[]): readonly string[] => lines.map((line) => `  ${line}`);
const day = (time: number): string => new Date(time).toISOString().slice(0, 10);

function senders(set: ParsedSet, route: RouteDoc, from: FromDoc): readonly string[] {
  const when = from.schedule ? `, by the clock \`${from.schedule.cron}\` (${from.schedule.timezone ?? "UTC"})` : "";
  if (from.adapter.name === "topic" && from.system === undefined) {
    return [`${from.name}: the bus itself, ${edge(from.adapter)}; grants were checked when the messages came in.`];
  }
  const role = route.pattern === "event" ? "producer" : "consumer";
  const { grants } = route.access;
  const holds = [...set.grants.values()].filter(
    (grant) =>
      grant.contract === route.contract &&
      grant.role === role &&
      (grants.length === 0 || grants.includes(grant.id)) &&
      (from.system === undefined || grant.system === from.system),
  );
  const lines = holds.map((grant) => {
    const { act, section, purpose } = grant.legalBasis;
    const quota = grant.quota ? `, at most ${grant.quota.count} per ${formatDuration(grant.quota.per).replace(/^1(?=\D)/, "")}` : "";
    return `  ${grant.system} by grant ${grant.id}: ${act} ${section}, for ${purpose}, ${day(grant.valid.from)} to ${day(grant.valid.until - 1)}${quota}.`;
  });
  const nobody = ["  nobody: no grant covers it, so every message is refused."];
  return [
    `${from.name}: ${from.system ?? "any system with a grant"} through ${edge(from.adapter, topicIn(route, from))}${when}.`,
    ...(lines.length > 0 ? lines : nobody),
  ];
}

/** The topic as the system writes it, where the edge is one on a broker. */
function topicIn(route: RouteDoc, { adapter, system }: FromDoc): string | undefined {
  if (!isTopicEdge(adapter.name) || system === undefined) return undefined;
  return `${route.pattern === "query" ? "ask" : "from"}.${topicToken(system)}.${route.contract}`;
}
function topicOut(set: ParsedSet, route: RouteDoc, { adapter, system }: BranchDoc): string | undefined {
  if (!isTopicEdge(adapter.name) || system === undefined) return undefined;
  const answered = (set.contracts.get(route.contract)?.reply ?? route.reply) !== undefined;
  return `${answered ? "call" : "to"}.${topicToken(system)}.${route.contract} as ${adapter.options["format"] === "avro" ? "Avro" : "JSON"}`;
}

function edge({ name, options }: AdapterDoc, topic?: string): string {
  if (topic !== undefined) return `${name} (${topic})`;
  const shown = ["path", "url", "operation", "name", "directory", "match"].flatMap((key) =>
    typeof options[key] === "string" ? [maskSecrets(options[key])] : [],
  );
  return shown.length === 0 ? name : `${name} (${shown.join(", ")})`;
}

function stepLines(steps: readonly StepDoc[], prefix = ""): readonly string[] {
  return steps.flatMap((step, index) => {
    const number = `${prefix}${index + 1}.`;
    if (step.kind !== "choose") return [`${number} ${stepWords(step)}`];
    const ways = step.cases.flatMap((one, at) => [`   When ${condition(one.when)}:`, ...inner(one.steps, `${number}${at + 1}.`)]);
    return [
      `${number} Choose the first that is true.`,
      ...ways,
      "   Otherwise:",
      ...inner(step.otherwise, `${number}${step.cases.length + 1}.`),
    ];
  });
}
const inner = (steps: readonly StepDoc[], prefix: string): readonly string[] =>
  steps.length === 0 ? ["     nothing."] : stepLines(steps, prefix).map((line) => `     ${line}`);

const condition = (when: PredicateDoc): string => {
  if (when.language !== "field") return `${when.language} \`${when.text}\` is true`;
  if (when.exists !== undefined) return `${when.field} is ${when.exists ? "there" : "not there"}`;
  if (when.matches !== undefined) return `${when.field} fits ${when.matches}`;
  if (when.in) return `${when.field} is one of ${when.in.join(", ")}`;
  return when.equals === undefined ? `${when.field} is not ${when.notEquals}` : `${when.field} is ${when.equals}`;
};
const keyWords = (key: KeyDoc): string => (key.language === "path" ? key.field : `${key.language} \`${key.text}\``);
const DUPLICATES = {
  drop: "is dropped (and journalled)",
  fault: "is refused",
  "return-first-reply": "gets the first one's reply",
} as const;

function until({ count, when }: Extract<StepDoc, { kind: "aggregate" }>["complete"]): string {
  const ends = [...(count === undefined ? [] : [`there are ${count}`]), ...(when === undefined ? [] : [condition(when)])];
  return ends.length === 0 ? "" : ` until ${ends.join(" or ")}`;
}

function stepWords(step: Exclude<StepDoc, { kind: "choose" }>): string {
  switch (step.kind) {
    case "filter":
      return `Go on only when ${condition(step.when)}; the rest is dropped, and the journal says so.`;
    case "map":
      return `Map by ${step.map}.`;
    case "validate":
      return `Check against ${step.xsd ?? step.contract ?? ""}.`;
    case "enrich":
      return `Ask ${step.contract} and put its reply into ${step.into}${step.cache === undefined ? "" : `, kept for ${formatDuration(step.cache)}`}.`;
    case "tap":
      return `Copy ${step.fields.join(", ")} to topic ${step.topic}; this never fails the message.`;
    case "dedupe":
      return `Within ${formatDuration(step.window)}, a second message with the same ${keyWords(step.key)} ${DUPLICATES[step.onDuplicate]}.`;
    case "split":
      return `Split by ${step.by.language} \`${step.by.text}\`.`;
    case "aggregate":
      return `Gather messages of one ${keyWords(step.correlate)}${until(step.complete)}, at most ${formatDuration(step.complete.timeout)}.`;
    case "delay":
      return step.for === undefined ? `Wait until \`${step.until?.text ?? ""}\`.` : `Wait ${formatDuration(step.for)}.`;
    case "reject":
      return `Refuse with ${step.code}: ${step.reason}.`;
    case "xml-to-json":
      return `Turn the XML text in ${step.from ?? "xml"} into plain values.`;
  }
  return step satisfies never;
}

function target(set: ParsedSet, route: RouteDoc, branch: BranchDoc): readonly string[] {
  const policy = resolveDeliver(route, branch, set);
  const order = branch.order ?? route.order;
  const when = branch.when ? `, when ${condition(branch.when)}` : "";
  const own = branch.steps.length > 0 ? [" First:", ...indent(indent(stepLines(branch.steps)))] : [];
  const ordered = order && order.by !== "none" ? [`  One at a time per ${keyWords(order.by)}.`] : [];
  return [
    `${branch.name}: ${branch.system ?? "the bus"} through ${edge(branch.adapter, topicOut(set, route, branch))}${when}.`,
    ...own,
    ...ordered,
    ...indent(timetableLines(policy)),
    ...indent(["When it fails:"]),
    ...indent(indent(failureLines(route, policy))),
  ];
}

/** Rows of a timetable that are printed; the last one always is. */
const SHOWN = 12;

/** The timetable that delivery follows: each attempt's earliest moment (all before fail at once) and latest (all before time out). */
export function timetableLines(policy: DeliverPolicy): readonly string[] {
  const { retry, attemptTimeout, deadline } = policy;
  const { slots, unreachable } = timetable(policy);
  const head = `${retry.attempts === 1 ? "One attempt" : `Up to ${retry.attempts} attempts`} of at most ${formatDuration(attemptTimeout)}${deadline === undefined ? "" : `, all within ${formatDuration(deadline)}`}${retry.giveUpAfter === undefined ? "" : `, none after ${formatDuration(retry.giveUpAfter)}`}:`;
  const shown = slots.filter((slot) => slot.attempt <= SHOWN || slot.attempt === retry.attempts);
  return [head, ...shown.map(slotLine), ...late(unreachable), breakerLine(policy.breaker)];
}

const slotLine = ({ attempt, earliest, latest }: Slot): string =>
  `  attempt ${attempt}: ${attempt === 1 ? "at once" : `${spokenDuration(earliest)} to ${spokenDuration(latest)} after the first`}`;

const late = (attempts: number): readonly string[] =>
  attempts === 0
    ? []
    : [`  When every attempt takes its whole time, there is none left for the last ${attempts === 1 ? "one" : String(attempts)}.`];

function breakerLine(breaker: DeliverPolicy["breaker"]): string {
  if (!breaker) return "No circuit breaker.";
  const rate = `${Math.round(breaker.openAtFailureRate * 100)}% of at least ${breaker.minimumCalls} calls within ${formatDuration(breaker.window)}`;
  return `When ${rate} fail, calls stop for ${formatDuration(breaker.openFor)}; meanwhile messages ${breaker.whenOpen === "wait" ? "wait" : "are refused"}.`;
}

const ACTS = {
  reject: "the sender is told",
  reply: "the sender gets the reply given in the file",
  deadletter: "it becomes a dead letter",
  drop: "it is dropped, and the journal says so",
  stop: "the route stops",
} as const;

function failureLines(route: RouteDoc, policy: DeliverPolicy): readonly string[] {
  return (Object.keys(CLASSES) as ErrorClass[]).map((name) => {
    const retried = policy.retry.attempts > 1 && policy.retry.on.some((rule) => rule.class === name);
    const codes = policy.retry.on.flatMap((rule) => (rule.class === name && rule.code !== undefined ? [rule.code] : []));
    const coded = route.failures.filter((rule) => rule.on?.includes(name) && rule.code !== undefined);
    const rule = route.failures.find((one) => one.code === undefined && (one.on === undefined || one.on.includes(name)));
    const special = coded.map((one) => `${one.code ?? ""}: ${ACTS[one.do]}; `).join("");
    const tried = retried ? `tried again${codes.length > 0 ? ` (only ${codes.join(", ")})` : ""}, then ` : "";
    return `${name} (${CLASSES[name].meaning}): ${special}${tried}${ACTS[rule?.do ?? DEFAULTS.failure[route.pattern]]}.`;
  });
}

function kept(route: RouteDoc): readonly string[] {
  const content = { full: "with its content", hash: "with a hash of its content", none: "without its content" }[route.journal.payload];
  const index = route.journal.index.length > 0 ? ` Search by ${route.journal.index.join(", ")}.` : "";
  const again = route.deadletter.replay === "manual" ? "an operator may send them again" : "they are never sent again";
  return [
    `Journal: each message ${content}, for ${formatDuration(route.journal.keep)}.${index}`,
    `Dead letters: for ${formatDuration(route.deadletter.keep)}; ${again}.`,
    ...(route.stopAfter ? [`The route stops after ${route.stopAfter.failedRecords} failed records.`] : []),
  ];
}
