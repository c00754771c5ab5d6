/** A route's checked value to its document. */
import type { Pattern } from "../contract/contract.ts";
import type { ErrorClass } from "../errors.ts";
import { DEFAULTS } from "./defaults.ts";
import type { AdapterDoc, BranchDoc, FailureDoc, FromDoc, Located, MapDoc, Path, RouteDoc, ScheduleDoc, Spot } from "./documents.ts";
import { readDeliver, readOrder, readPredicate, readSteps, type Raw } from "./documents-shapes.ts";

/** Keys of a `from`, `to` or branch that are no adapter. */
const PLAIN = new Set(["name", "system", "in", "out", "schedule", "when", "map", "steps", "deliver", "order", "wait"]);

type Body = Omit<RouteDoc, keyof Located | "written">;

export function readRoute(value: Raw, template: Readonly<{ id: string; at: Spot }> | undefined): Body {
  const contract = value["contract"] as Readonly<{ request?: string; reply?: string; command?: string; event?: string }>;
  const pattern: Pattern = contract.event !== undefined ? "event" : contract.command !== undefined ? "command" : "query";
  const access = (value["access"] ?? {}) as Readonly<{ grant?: string | string[]; require?: string[] }>;
  const journal = (value["journal"] ?? {}) as Partial<RouteDoc["journal"]>;
  const deliver = readDeliver(value["deliver"]);
  const order = readOrder(value["order"], ["order"]) ?? readOrder((value["deliver"] as Raw | undefined)?.["order"], ["deliver", "order"]);
  return {
    kind: "route",
    id: String(value["id"]),
    title: String(value["title"]),
    owner: String(value["owner"]),
    state: (value["state"] ?? DEFAULTS.state) as RouteDoc["state"],
    pattern,
    contract: contract.event ?? contract.command ?? contract.request ?? "",
    ...some("reply", contract.reply),
    from: (value["from"] as readonly Raw[]).map((from, index) => readFrom(from, ["from", index])),
    access: { grants: listOf(access.grant), require: access.require ?? [] },
    ...some("order", order),
    steps: readSteps(value["steps"], ["steps"]),
    branches: readBranches(value),
    replies: ((value["replies"] ?? []) as readonly Raw[]).map((reply, index) => readBranch(reply, ["replies", index])),
    ...some("deliver", deliver),
    failures: readFailures(value["failures"]),
    deadletter: { keep: DEFAULTS.deadletterKeep, replay: DEFAULTS.replay[pattern], ...(value["deadletter"] as object | undefined) },
    journal: { ...DEFAULTS.journal, index: [], ...journal },
    ...some("stopAfter", value["stopAfter"] as RouteDoc["stopAfter"]),
    ...some("notify", value["notify"] as RouteDoc["notify"]),
    tests: listOf(value["tests"] as string | string[] | undefined),
    ...some("template", template),
  };
}

function some<K extends string, T>(key: K, value: T | undefined): { [P in K]?: T } {
  return (value === undefined ? {} : { [key]: value }) as { [P in K]?: T };
}
const listOf = (value: string | readonly string[] | undefined): readonly string[] => (value === undefined ? [] : [value].flat());

function readFrom(value: Raw, path: Path): FromDoc {
  const schedule = value["schedule"] as ScheduleDoc | undefined;
  return {
    name: String(value["name"]),
    ...some("system", value["system"] as string | undefined),
    adapter: adapterOf(value, path),
    ...some("in", value["in"] as MapDoc | undefined),
    ...some("out", value["out"] as MapDoc | undefined),
    ...some("schedule", schedule && { ...DEFAULTS.schedule, ...schedule }),
    ...some("wait", value["wait"] as number | undefined),
    path,
  };
}

function adapterOf(value: Raw, path: Path): AdapterDoc {
  const [name = "", options] = Object.entries(value).find(([key]) => !PLAIN.has(key)) ?? [];
  return { name, options: options as Raw, path: [...path, name] };
}

function readBranches(value: Raw): readonly BranchDoc[] {
  const to = value["to"] as Raw | undefined;
  if (to) return [readBranch({ ...to, name: "to" }, ["to"])];
  return (value["fanOut"] as readonly Raw[]).map((branch, index) => readBranch(branch, ["fanOut", index]));
}

function readBranch(value: Raw, path: Path): BranchDoc {
  const map = value["map"] as string | undefined;
  const inner = readOrder(value["order"], [...path, "order"]);
  const order = inner ?? readOrder((value["deliver"] as Raw | undefined)?.["order"], [...path, "deliver", "order"]);
  return {
    name: String(value["name"]),
    ...some("system", value["system"] as string | undefined),
    ...some("when", value["when"] === undefined ? undefined : readPredicate(value["when"] as Raw, [...path, "when"])),
    ...some("in", map === undefined ? (value["in"] as MapDoc | undefined) : { map }),
    ...some("out", value["out"] as MapDoc | undefined),
    steps: readSteps(value["steps"], [...path, "steps"]),
    adapter: adapterOf(value, path),
    ...some("deliver", readDeliver(value["deliver"])),
    ...some("order", order),
    path,
  };
}

function readFailures(value: unknown): readonly FailureDoc[] {
  return ((value ?? []) as readonly Raw[]).map((rule, index) => {
    const on = rule["on"];
    return {
      ...(rule as unknown as FailureDoc),
      on: on === "default" ? undefined : (on as readonly ErrorClass[]),
      path: ["failures", index],
    };
  });
}
