/** How hard a branch tries: built-in defaults, then the route's policy, the route, the branch's policy, the branch. Last word wins. */
import type { Pattern } from "../contract/contract.ts";
import { DEFAULT_DELIVER } from "./defaults.ts";
import type { BranchDoc, DeliverDoc, Path, PolicyDoc, RouteDoc } from "./documents.ts";
import type { DeliverPolicy } from "./runtime.ts";

export type Policies = Readonly<{ policies: ReadonlyMap<string, PolicyDoc> }>;

/** One layer of settings and where it stands. */
export type Layer = Readonly<{ deliver: DeliverDoc; document: RouteDoc | PolicyDoc; path: Path }>;

/** The layers that speak for a branch, weakest first; a policy that is not there is passed over. */
export function layersOf(route: RouteDoc, branch: BranchDoc | undefined, set: Policies): readonly Layer[] {
  return [
    layersOfBlock(route, route.deliver, ["deliver"], set),
    layersOfBlock(route, branch?.deliver, [...(branch?.path ?? []), "deliver"], set),
  ].flat();
}

function layersOfBlock(route: RouteDoc, deliver: DeliverDoc | undefined, path: Path, set: Policies): readonly Layer[] {
  if (!deliver) return [];
  const policy = deliver.use === undefined ? undefined : set.policies.get(deliver.use);
  const own: Layer = { deliver, document: route, path };
  return policy ? [{ deliver: policy.deliver, document: policy, path: ["deliver"] }, own] : [own];
}

/** The policy of a route (or of one of its branches), complete. */
export function resolveDeliver(route: RouteDoc, branch: BranchDoc | undefined, set: Policies): DeliverPolicy {
  return layersOf(route, branch, set).reduce(
    (policy, layer) => overlay(policy, layer.deliver, route.pattern),
    DEFAULT_DELIVER[route.pattern],
  );
}

function overlay(below: DeliverPolicy, over: DeliverDoc, pattern: Pattern): DeliverPolicy {
  const { rate, ...limits } = over.limits ?? {};
  const { on, attempts, backoff, giveUpAfter } = over.retry ?? {};
  return {
    deadline: over.deadline ?? below.deadline,
    attemptTimeout: over.attempt?.timeout ?? below.attemptTimeout,
    retry: {
      on: on ?? below.retry.on,
      attempts: attempts ?? below.retry.attempts,
      backoff: { ...below.retry.backoff, ...backoff },
      giveUpAfter: giveUpAfter ?? below.retry.giveUpAfter,
    },
    breaker: breakerOf(below.breaker, over.breaker, pattern),
    limits: { ...below.limits, ...limits, ratePerSecond: rate ?? below.limits.ratePerSecond },
  };
}

function breakerOf(below: DeliverPolicy["breaker"], over: DeliverDoc["breaker"], pattern: Pattern): DeliverPolicy["breaker"] {
  if (over === undefined) return below;
  if (over === "none") return undefined;
  const base = below ?? DEFAULT_DELIVER[pattern].breaker;
  const { scope: _, ...settings } = over;
  return base && { ...base, ...settings };
}
