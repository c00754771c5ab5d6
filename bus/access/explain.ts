/**
 * Why a system may or may not use a contract, rule after rule in the order in which a message meets them. What decides is the code
 * that decides about messages; here it is only told what it went by.
 */
import { asBusError, type ErrorCode } from "../errors.ts";
import type { CallContext } from "../envelope.ts";
import type { View } from "../passage.ts";
import type { Branch, Grant, Route } from "../route/runtime.ts";
import { checkCaller, LENIENT } from "./binding.ts";
import { checkCallContext } from "./call-context.ts";
import { authorise, findGrant } from "./grants.ts";

/** `at`: milliseconds since the epoch. `call`: absent = what a call must say is told and not judged. */
export type AccessQuestion = Readonly<{ system: string; contract: string; at: number; call?: CallContext | undefined }>;

export type AccessRule = "system" | "contract" | "route" | "grant" | "time" | "legal-basis" | "purpose" | "call" | "quota" | "fields";
/** `said` says what the rule went by; a denial says what would allow it. */
export type AccessStep = Readonly<{ rule: AccessRule; verdict: "allows" | "denies" | "tells"; said: string }>;

export type AccessAnswer = Readonly<{
  allowed: boolean;
  system: string;
  contract: string;
  at: number;
  /** Id of the grant that decides, and of the route. */
  grant?: string;
  route?: string;
  /** Code of the error that a message would be refused with. */
  code?: ErrorCode;
  steps: readonly AccessStep[];
}>;

/** The rule that a denial's code belongs to. What stands before it in the list was passed. */
const ORDER: readonly (readonly [AccessRule, readonly ErrorCode[]])[] = [
  ["system", ["system-missing", "system-unknown"]],
  ["grant", ["grant-missing"]],
  ["time", ["grant-expired"]],
  ["legal-basis", ["legal-basis-mismatch"]],
  ["purpose", ["purpose-mismatch"]],
];

export function explainAccess(view: View, question: AccessQuestion): AccessAnswer {
  const { system, contract, at, call } = question;
  const steps: AccessStep[] = [];
  const base = { system, contract, at };
  const deny = (rule: AccessRule, error: unknown, more: Partial<AccessAnswer> = {}): AccessAnswer => {
    const { code, message } = asBusError(error);
    return { allowed: false, ...base, ...more, code, steps: [...steps, { rule, verdict: "denies", said: message }] };
  };
  const ways = waysOf(view, system, contract);
  const way = ways[0];
  if (!view.contracts.has(contract))
    return refused(base, steps, "contract", `no contract is called \`${contract}\`; \`mbus contract list\` shows their names`);
  if (!way) return refused(base, steps, "route", `no route that runs takes \`${contract}\` from \`${system}\` or brings it there`);
  steps.push({ rule: "route", verdict: "allows", said: way.said });
  const at_ = { route: way.route.id };
  let grant: Grant;
  try {
    grant = way.find(view, question);
  } catch (thrown) {
    const { code } = asBusError(thrown);
    const rule = ORDER.findIndex(([, codes]) => codes.includes(code));
    for (const [passed] of ORDER.slice(0, Math.max(0, rule)))
      steps.push({ rule: passed, verdict: "allows", said: `rule \`${passed}\` is passed` });
    return deny(ORDER[rule]?.[0] ?? "grant", thrown, at_);
  }
  steps.push(...grantSteps(view, grant, call));
  const found = { ...at_, grant: grant.id };
  try {
    callStep(steps, view, way, grant, call);
  } catch (thrown) {
    return deny("call", thrown, found);
  }
  steps.push(...closingSteps(grant));
  return { allowed: true, ...base, ...found, steps };
}

type Base = Pick<AccessAnswer, "system" | "contract" | "at">;

function refused(base: Base, steps: readonly AccessStep[], rule: AccessRule, said: string): AccessAnswer {
  return { allowed: false, ...base, code: "contract-unknown", steps: [...steps, { rule, verdict: "denies", said }] };
}

/** How a system may come to a contract: it sends into a route, or a branch brings it events. */
type Way = Readonly<{ route: Route; sends: boolean; said: string; find: (view: View, question: AccessQuestion) => Grant }>;

function waysOf(view: View, system: string, contract: string): readonly Way[] {
  const routes = [...view.routes.values()].map(({ route }) => route).filter((route) => route.contract.id === contract);
  return routes.flatMap((route): readonly Way[] => {
    const source = route.sources.find((each) => each.system === undefined || each.system === system);
    const branch = route.contract.pattern === "event" ? route.branches.find((each) => each.system === system) : undefined;
    // who is named by a source sends; a source for everybody counts only where no branch names the system
    if (branch && source?.system !== system) return [receives(route, branch, system)];
    return source ? [sends(route, system)] : [];
  });
}

const sends = (route: Route, system: string): Way => ({
  route,
  sends: true,
  said: `route \`${route.id}\` (${route.place}) takes it from \`${system}\``,
  find: (view, { at, call }) => authorise(route, view, { system, ...(call && { call }) }, at),
});

const receives = (route: Route, branch: Branch, system: string): Way => ({
  route,
  sends: false,
  said: `branch \`${branch.name}\` of route \`${route.id}\` (${route.place}) brings it to \`${system}\``,
  find: ({ grants, systems }, { at, contract }) => findGrant(grants, systems, { system, role: "consumer", contract }, [], at),
});

/** A grant may have no end that a calendar knows. */
const day = (time: number): string => (Math.abs(time) > 8.64e15 ? "for ever" : new Date(time).toISOString());

function grantSteps(view: View, grant: Grant, call: CallContext | undefined): readonly AccessStep[] {
  const { act, section, check = "any", reasons } = grant.legalBasis;
  const tells = call === undefined ? "tells" : "allows";
  const registered = view.systems.get(grant.system);
  return [
    { rule: "system", verdict: "allows", said: `\`${grant.system}\` is registered (${registered?.place ?? "?"})` },
    { rule: "grant", verdict: "allows", said: `grant \`${grant.id}\` (${grant.place}) of \`${grant.owner}\` lets it be a ${grant.role}` },
    { rule: "time", verdict: "allows", said: `it holds from ${day(grant.from)} until ${day(grant.until)}` },
    {
      rule: "legal-basis",
      verdict: check === "any" ? "allows" : tells,
      said: `\`${act}, ${section}\`; CallBasis is ${check === "any" ? "not compared with it" : `compared with it (${check})`}`,
    },
    {
      rule: "purpose",
      verdict: reasons === undefined ? "allows" : tells,
      said: reasons === undefined ? "any CallReason" : `CallReason must begin with ${reasons.map((each) => `\`${each}\``).join(" or ")}`,
    },
  ];
}

/** Throws what a message with this call would be refused with. */
function callStep(steps: AccessStep[], view: View, { route, sends: calls }: Way, grant: Grant, call: CallContext | undefined): void {
  if (!calls) return;
  const caller = view.systems.get(grant.system);
  if (call !== undefined) {
    // headers that the route asks for belong to a message, not to a call
    checkCallContext({ ...route, access: { ...route.access, require: [] } }, call, {});
    if (caller) checkCaller(caller, call, LENIENT);
    steps.push({ rule: "call", verdict: "allows", said: "the call says what it must, in its caller's own name" });
    return;
  }
  const named = route.contract.requires.length === 0 ? "nothing" : route.contract.requires.join(", ");
  const whose = caller ? `; CallingEntity is ${[caller.institution.idno, ...caller.actsFor].join(" or ")}` : "";
  steps.push({ rule: "call", verdict: "tells", said: `a call must say ${named}${whose}` });
}

function closingSteps({ quota, allow }: Grant): readonly AccessStep[] {
  return [
    { rule: "quota", verdict: "tells", said: quota ? `${quota.count} messages in ${quota.per / 1000} s` : "no quota" },
    { rule: "fields", verdict: "tells", said: allow ? `of the answer or event: ${allow.join(", ")}` : "every field" },
  ];
}
