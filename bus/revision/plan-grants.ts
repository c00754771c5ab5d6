/** What a change gives to whom, and takes from whom: fields of replies and events, times and quotas of grants. */
import { eachPath } from "../contract/marks.ts";
import { parseSchema } from "../contract/parse.ts";
import type { ContractType } from "../contract/contract.ts";
import type { Grant } from "../route/runtime.ts";
import type { Side } from "./plan.ts";

export type GrantChange = Readonly<{
  grant: string;
  change: "begins" | "changes" | "ends";
  system: string;
  role: "consumer" | "producer";
  contract: string;
  /** Fields that the system will see and did not, or saw and will not: dotted paths without fields below them. */
  gains: readonly string[];
  loses: readonly string[];
  /** What else differs, `name: before -> after` each. */
  terms: readonly string[];
}>;

/** Also where the grant's file stays and its contract got a field that the grant does not withhold. Sorted by id. */
export function grantChanges(before: Side, after: Side): readonly GrantChange[] {
  const was = new Map(before.set.grants.map((grant) => [grant.id, grant]));
  const will = new Map(after.set.grants.map((grant) => [grant.id, grant]));
  return [...new Set([...was.keys(), ...will.keys()])].toSorted().flatMap((id) => changeOf(before, after, was.get(id), will.get(id)));
}

function changeOf(before: Side, after: Side, was: Grant | undefined, will: Grant | undefined): readonly GrantChange[] {
  const grant = will ?? was;
  if (!grant) return [];
  // another holder or another contract: the old grant ends and a new one begins under its name
  if (was && will && (was.system !== will.system || was.role !== will.role || was.contract !== will.contract))
    return [...changeOf(before, after, was, undefined), ...changeOf(before, after, undefined, will)];
  const seen = { was: was ? fieldsOf(before, was) : new Set<string>(), will: will ? fieldsOf(after, will) : new Set<string>() };
  const gains = [...seen.will].filter((path) => !seen.was.has(path)).toSorted();
  const loses = [...seen.was].filter((path) => !seen.will.has(path)).toSorted();
  const terms = was && will ? termsOf(was, will) : [];
  if (was && will && gains.length + loses.length + terms.length === 0) return [];
  const change = was === undefined ? "begins" : will === undefined ? "ends" : "changes";
  const { id, system, role, contract } = grant;
  return [{ grant: id, change, system, role, contract, gains, loses, terms }];
}

/** What its holder may see. A producer sees nothing by its grant. */
function fieldsOf({ set }: Side, { role, contract: id, allow }: Grant): ReadonlySet<string> {
  const contract = set.contracts.get(id);
  const type = contract?.pattern === "event" ? contract.request : contract?.reply;
  if (role === "producer" || !type) return new Set();
  const leaves = leavesOf(type);
  if (allow === undefined) return new Set(leaves);
  return new Set(leaves.filter((leaf) => allow.some((path) => leaf === path || leaf.startsWith(`${path}.`))));
}

function leavesOf(type: ContractType): readonly string[] {
  const paths: string[] = [];
  eachPath(parseSchema(type.schemaText).shape, (path) => paths.push(path));
  // children follow their parent
  return paths.filter((path, at) => !(paths[at + 1] ?? "").startsWith(`${path}.`));
}

function termsOf(was: Grant, will: Grant): readonly string[] {
  const shown = (grant: Grant): Readonly<Record<string, string>> => ({
    from: dayOf(grant.from),
    until: dayOf(grant.until),
    quota: grant.quota ? `${grant.quota.count} in ${grant.quota.per / 1000} s` : "none",
    "legal basis": `${grant.legalBasis.act}, ${grant.legalBasis.section}`,
    purpose: grant.legalBasis.purpose,
    owner: grant.owner,
  });
  const [a, b] = [shown(was), shown(will)];
  return Object.keys(a).flatMap((name) => (a[name] === b[name] ? [] : [`${name}: ${a[name] ?? ""} -> ${b[name] ?? ""}`]));
}

const dayOf = (time: number): string => (Number.isFinite(time) && Math.abs(time) < 8.64e15 ? new Date(time).toISOString() : String(time));
