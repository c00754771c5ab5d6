/** When grants end: for those who have to renew them in time. */
import type { Grant } from "../route/runtime.ts";
import type { GrantIndex } from "./grants.ts";

/** `left`: milliseconds until it ends; not above 0 when it has ended. */
export type GrantState = Readonly<{
  id: string;
  owner: string;
  system: string;
  role: Grant["role"];
  contract: string;
  state: "holds" | "begins" | "ended";
  from: number;
  until: number;
  left: number;
  quota?: Readonly<{ count: number; per: number }>;
  place: string;
}>;

const DAY = 86_400_000;
/** Days before the end at which it is told: the further ones leave time for a new legal basis, the last one for a telephone call. */
export const WARN_DAYS = [30, 7, 1] as const;

/** Every grant that runs, the one that ends first in front. */
export function grantStates(index: GrantIndex, now: number): readonly GrantState[] {
  return everyGrant(index)
    .map((grant) => stateOf(grant, now))
    .toSorted((one, other) => one.until - other.until || (one.id < other.id ? -1 : 1));
}

export function everyGrant(index: GrantIndex): readonly Grant[] {
  return [index.consumer, index.producer].flatMap((byContract) =>
    [...byContract.values()].flatMap((bySystem) => [...bySystem.values()].flat()),
  );
}

function stateOf(grant: Grant, now: number): GrantState {
  const { id, owner, system, role, contract, from, until, quota, place } = grant;
  const state = now < from ? "begins" : now < until ? "holds" : "ended";
  return { id, owner, system, role, contract, state, from, until, left: until - now, ...(quota && { quota }), place };
}

/** Those that an operator should hear of: that end within thirty days, or ended within as many. */
export function expiring(index: GrantIndex, now: number): readonly GrantState[] {
  return grantStates(index, now).filter(({ left }) => Math.abs(left) <= WARN_DAYS[0] * DAY);
}

/** The nearest of the warnings that are due: 30, 7 or 1 days before the end, 0 from the end on; undefined = none yet. */
export function warningOf({ left }: Pick<GrantState, "left">): number | undefined {
  if (left <= 0) return 0;
  return WARN_DAYS.findLast((days) => left <= days * DAY);
}
