/** A route with nothing left unsaid: every value that will count, and where it comes from (a file and line, a policy, built-in). */
import { Document, isCollection, isPair, isScalar, visit, type Node } from "yaml";
import { layersOf, resolveDeliver, type Layer } from "./deliver.ts";
import type { BranchDoc, ParsedSet, Path, RouteDoc } from "./documents.ts";
import type { DeliverPolicy, RetryRule } from "./runtime.ts";
import { maskSecrets } from "./schema/fill.ts";
import { formatDuration } from "./schema/units.ts";

export { resolveDeliver } from "./deliver.ts";

type Raw = Record<string, unknown>;
type Origins = Map<string, string>;

const percent = (share: number): string => `${Number((share * 100).toFixed(4))}%`;
const rule = ({ class: name, code }: RetryRule): string => (code === undefined ? name : `${name}:${code}`);
const span = (ms: number | undefined): string | undefined => (ms === undefined ? undefined : formatDuration(ms));

/** Order in which a route reads best. */
const KEYS =
  "bus id title owner state contract from access order steps to fanOut replies deliver failures deadletter journal stopAfter notify tests".split(
    " ",
  );

const PERIODS = [
  [1, "s"],
  [60, "minute"],
  [3600, "hour"],
  [86_400, "day"],
] as const;

/** A count per the shortest period in which it is whole, as it must have been written. */
function rateOf(perSecond: number | undefined): string | undefined {
  if (perSecond === undefined) return undefined;
  const counts = PERIODS.map(([seconds, name]) => ({ count: perSecond * seconds, name }));
  const whole = counts.find(({ count }) => Math.round(count) > 0 && Math.abs(count - Math.round(count)) < 1e-9 * count);
  const { count, name } = whole ?? { count: perSecond * 86_400, name: "day" };
  return `${Math.round(count)}/${name}`;
}

const whenOpen = ({ whenOpen: act, retryAfter }: NonNullable<DeliverPolicy["breaker"]>): unknown =>
  retryAfter === undefined ? act : { fault: "provider-unavailable", retryAfter: formatDuration(retryAfter) };

/** Every setting of `deliver`: where it stands and how it is written. `undefined`: it is not there. */
const SETTINGS: readonly Readonly<{ path: readonly string[]; show: (policy: DeliverPolicy) => unknown }>[] = [
  { path: ["deadline"], show: (policy) => span(policy.deadline) },
  { path: ["attempt", "timeout"], show: (policy) => formatDuration(policy.attemptTimeout) },
  { path: ["retry", "on"], show: (policy) => policy.retry.on.map(rule) },
  { path: ["retry", "attempts"], show: (policy) => policy.retry.attempts },
  { path: ["retry", "backoff", "first"], show: (policy) => formatDuration(policy.retry.backoff.first) },
  { path: ["retry", "backoff", "factor"], show: (policy) => policy.retry.backoff.factor },
  { path: ["retry", "backoff", "max"], show: (policy) => formatDuration(policy.retry.backoff.max) },
  { path: ["retry", "backoff", "jitter"], show: (policy) => policy.retry.backoff.jitter },
  { path: ["retry", "giveUpAfter"], show: (policy) => span(policy.retry.giveUpAfter) },
  { path: ["breaker", "window"], show: ({ breaker }) => breaker && formatDuration(breaker.window) },
  { path: ["breaker", "minimumCalls"], show: ({ breaker }) => breaker?.minimumCalls },
  { path: ["breaker", "openAtFailureRate"], show: ({ breaker }) => breaker && percent(breaker.openAtFailureRate) },
  { path: ["breaker", "openFor"], show: ({ breaker }) => breaker && formatDuration(breaker.openFor) },
  { path: ["breaker", "probes"], show: ({ breaker }) => breaker?.probes },
  { path: ["breaker", "whenOpen"], show: ({ breaker }) => breaker && whenOpen(breaker) },
  { path: ["limits", "concurrency"], show: (policy) => policy.limits.concurrency },
  { path: ["limits", "queue"], show: (policy) => policy.limits.queue },
  { path: ["limits", "rate"], show: ({ limits }) => rateOf(limits.ratePerSecond) },
];

/** YAML of the route with the origin of each value as a comment; secrets are `***`. Throws nothing: unknown ids give undefined. */
export function effectiveRoute(set: ParsedSet, id: string): Readonly<{ yaml: string }> | undefined {
  const route = set.routes.get(id);
  if (!route) return undefined;
  const origins: Origins = new Map();
  const { deliver, to, fanOut, ...head } = structuredClone(route.written) as Raw;
  const full: Raw = { ...head, ...orderOf(route, head, deliver, [], origins) };
  delete full["template"];
  const fill = (key: string, value: unknown) => {
    const written = (full[key] ?? undefined) as unknown;
    full[key] = withDefaults(written, value, [key], origins);
  };
  fill("state", route.state);
  fill("deadletter", { keep: formatDuration(route.deadletter.keep), replay: route.deadletter.replay });
  fill("journal", { payload: route.journal.payload, keep: formatDuration(route.journal.keep), index: route.journal.index });
  if (to !== undefined) full["to"] = to;
  const [first] = route.branches;
  if (fanOut === undefined && first) full["deliver"] = deliverOf(set, route, first, ["deliver"], origins);
  else full["fanOut"] = (fanOut as Raw[]).map((branch, index) => branchOf(set, route, branch, index, origins));
  const ordered = Object.fromEntries(KEYS.flatMap((key) => (full[key] === undefined ? [] : [[key, full[key]]])));
  return { yaml: print(ordered, route, origins) };
}

/** What is written, and beneath it what counts where nothing is written. */
function withDefaults(written: unknown, value: unknown, path: Path, origins: Origins): unknown {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    const given = (written ?? {}) as Raw;
    const filled = Object.entries(value).map(([key, inner]): [string, unknown] => [
      key,
      withDefaults(given[key], inner, [...path, key], origins),
    ]);
    return { ...given, ...Object.fromEntries(filled) };
  }
  if (written === undefined) origins.set(path.join("\0"), "built-in");
  return written ?? value;
}

/** An order that was written inside `deliver` stands beside it here; it names the place where it was written. */
function orderOf(route: RouteDoc, written: Raw, deliver: unknown, at: Path, origins: Origins): Raw {
  const order = (deliver as Raw | undefined)?.["order"];
  if (order === undefined || written["order"] !== undefined) return {};
  const { file, line } = route.source.place([...at, "deliver", "order"]);
  setOrigin(origins, [...at, "order"], order, `${file}:${line}`);
  return { order };
}

function branchOf(set: ParsedSet, route: RouteDoc, written: Raw, index: number, origins: Origins): Raw {
  const branch = route.branches[index];
  const { deliver, ...rest } = written;
  const at = ["fanOut", index];
  return branch
    ? { ...rest, ...orderOf(route, rest, deliver, at, origins), deliver: deliverOf(set, route, branch, [...at, "deliver"], origins) }
    : rest;
}

function deliverOf(set: ParsedSet, route: RouteDoc, branch: BranchDoc, at: Path, origins: Origins): Raw {
  const policy = resolveDeliver(route, branch, set);
  const layers = layersOf(route, branch, set).toReversed();
  const result: Raw = {};
  if (policy.breaker === undefined) {
    result["breaker"] = "none";
    origins.set([...at, "breaker"].join("\0"), originOf(layers, ["breaker"]));
  }
  for (const { path, show } of SETTINGS) {
    const value = show(policy);
    if (value === undefined) continue;
    let target = result;
    for (const key of path.slice(0, -1)) target = (target[key] ??= {}) as Raw;
    target[path.at(-1) ?? ""] = value;
    setOrigin(origins, [...at, ...path], value, originOf(layers, path));
  }
  return result;
}

/** One origin for a value and all that stands in it. */
function setOrigin(origins: Origins, path: Path, value: unknown, origin: string): void {
  origins.set(path.join("\0"), origin);
  if (typeof value !== "object" || value === null) return;
  for (const [key, inner] of Object.entries(value)) setOrigin(origins, [...path, key], inner, origin);
}

/** The strongest layer that says something at this path. */
function originOf(layers: readonly Layer[], path: readonly string[]): string {
  const layer = layers.find(({ deliver }) => {
    const value = path.reduce<unknown>((at, key) => (typeof at === "object" && at !== null ? (at as Raw)[key] : undefined), deliver);
    return value !== undefined;
  });
  if (!layer) return "built-in";
  const { file, line } = layer.document.source.place([...layer.path, ...path]);
  return layer.document.kind === "policy" ? `policy ${layer.document.id} (${file}:${line})` : `${file}:${line}`;
}

function print(full: Raw, route: RouteDoc, origins: Origins): string {
  const document = new Document(full);
  visit(document, {
    Node(key, node, ancestors) {
      if (key === "key") return undefined;
      if (isScalar(node) && typeof node.value === "string") node.value = maskSecrets(node.value);
      const inner = isCollection(node);
      const leaves = inner && node.items.every((item) => isScalar(item));
      if (inner && !leaves && node.items.length > 0) return undefined;
      if (inner) node.flow = true;
      comment(node, pathOf(node, ancestors), route, origins);
      return inner ? visit.SKIP : undefined;
    },
  });
  document.commentBefore = unset(full, route);
  return document.toString({ lineWidth: 0 });
}

/** What has no value at all cannot stand in the YAML; it is said above it. The text below is a valid route again. */
function unset(full: Raw, route: RouteDoc): string {
  const lines = [` effective form of ${route.source.file}:${route.source.line}; each comment says where the value comes from`];
  if (route.access.grants.length === 0) lines.push(" access.grant: any grant of the contract (built-in)");
  const branches = (full["fanOut"] ?? []) as Raw[];
  const blocks = branches.map((branch) => [`${String(branch["name"])}: deliver`, branch["deliver"]] as const);
  for (const [name, block] of blocks.length > 0 ? blocks : [["deliver", full["deliver"]] as const]) {
    const { deadline, retry, limits } = block as { deadline?: unknown; retry?: Raw; limits?: Raw };
    const settings = { deadline, "retry.giveUpAfter": retry?.["giveUpAfter"], "limits.rate": limits?.["rate"] };
    for (const [setting, value] of Object.entries(settings)) if (value === undefined) lines.push(` ${name}.${setting}: none (built-in)`);
  }
  return lines.join("\n");
}

function comment(node: Node, path: Path, route: RouteDoc, origins: Origins): void {
  const { file, line } = route.source.place(path);
  node.comment = ` ${origins.get(path.join("\0")) ?? `${file}:${line}`}`;
}

/** Path of a value by its ancestors: keys of pairs, positions in lists. Keys themselves get no comment. */
function pathOf(node: unknown, ancestors: readonly unknown[]): Path {
  const chain = [...ancestors, node];
  return chain.flatMap((part, at): (string | number)[] => {
    if (isPair<unknown>(part)) return [isScalar(part.key) ? String(part.key.value) : "?"];
    const parent = chain[at - 1];
    const items: readonly unknown[] = isCollection(parent) ? parent.items : [];
    return items.includes(part) ? [items.indexOf(part)] : [];
  });
}
