/** One route document to a route that runs. Throws CompileFault. */
import type { CompiledType } from "../contract/avro.ts";
import type { CompiledContract } from "../contract/compile.ts";
import type { RecordShape } from "../contract/shape.ts";
import type { AvroRecord } from "../envelope.ts";
import { replyContract } from "../contract/reply.ts";
import { sourceBinding, targetBinding } from "./compile-wire.ts";
import { changesValue, findDelay, foldFileSteps, type Folded } from "./compile-steps.ts";
import { unknownContract, type Contracts, type Tools } from "./compile-tools.ts";
import type { BranchDoc, FromDoc, MapDoc, OrderDoc, ParsedSet, Path, RouteDoc, StepDoc } from "./documents.ts";
import { resolveDeliver } from "./deliver.ts";
import { compileTextPath } from "./field-path.ts";
import { predicateOf } from "./predicate.ts";
import type { Branch, FailureRule, Mapper, Route, Source, Step } from "./runtime.ts";
import { compileSteps } from "./steps/table.ts";

export type RouteParts = Readonly<{
  set: ParsedSet;
  contracts: Contracts;
  /** Turns XML text that the step has scanned into plain values; absent = the step xml-to-json is refused. */
  xmlToJson?: (text: string) => Promise<AvroRecord> | AvroRecord;
}>;

type Making = Readonly<{
  document: RouteDoc;
  contract: CompiledContract;
  reply: CompiledType | undefined;
  folded: Folded;
  tools: Tools;
  parts: RouteParts;
}>;

export function compileRoute(document: RouteDoc, tools: Tools, parts: RouteParts): Route {
  const contract = parts.contracts.contracts.get(document.contract);
  if (contract === undefined) return tools.fail(["contract"], "contract-unknown", `contract \`${document.contract}\` is unknown or faulty`);
  const reply = replyOf(document, contract, tools, parts);
  const folded = foldFileSteps(document);
  const delay = document.pattern === "query" ? findDelay(document.steps) : undefined;
  if (delay !== undefined)
    tools.fail(delay.path, "delay-in-query", "a query cannot wait: its caller holds the line; delay an event or a command");
  const making: Making = { document, contract, reply, folded, tools, parts };
  const route = {
    id: document.id,
    title: document.title,
    owner: document.owner,
    state: document.state,
    place: tools.place([]),
    contract,
    reply,
    sources: document.from.map((from) => sourceOf(making, from)),
    access: document.access,
    steps: buildSteps(making, folded.steps),
    branches: document.branches.map((branch) => branchOf(making, branch)),
    replies: repliesOf(making),
    failures: document.failures.map(failureOf),
    deadletter: document.deadletter,
    journal: { payload: document.journal.payload, keep: document.journal.keep, index: indexOf(making) },
    stopAfter: document.stopAfter,
  };
  return { ...route, revision: revisionOf(making, [...route.branches, ...route.replies]) };
}

/** To its receiver a reply is news: the same branch that an event of its type would have. */
function repliesOf(making: Making): readonly Branch[] {
  const { contract, reply, document } = making;
  if (reply === undefined) return [];
  const view = { ...making, contract: replyContract(contract, reply), reply: undefined };
  return document.replies.map((branch) => ({ ...branchOf(view, branch), order: undefined }));
}

function replyOf(document: RouteDoc, contract: CompiledContract, tools: Tools, parts: RouteParts): CompiledType | undefined {
  if (document.pattern !== contract.pattern) {
    return tools.fail(
      ["contract"],
      "contract-pattern",
      `contract \`${contract.id}\` is of pattern ${contract.pattern}; this route uses it as a ${document.pattern}`,
    );
  }
  if (document.reply === undefined || document.reply === contract.reply?.id) return contract.reply;
  const known = parts.contracts.types.has(document.reply) ? "" : " (and no contract has that type)";
  return tools.fail(
    ["contract", "reply"],
    "reply-unknown",
    `the reply of \`${contract.id}\` is \`${contract.reply?.id ?? "nothing"}\`, not \`${document.reply}\`${known}`,
  );
}

function buildSteps(making: Making, steps: readonly StepDoc[]): readonly Step[] {
  const { tools, parts } = making;
  return tools.at(["steps"], () =>
    compileSteps(steps, {
      pattern: making.contract.pattern,
      place: (path) => tools.place(path),
      map: (file) => tools.map(file, ["steps"], { from: undefined, to: undefined }),
      type(id) {
        const type = parts.contracts.types.get(id);
        if (type === undefined) throw unknownContract(id);
        return type;
      },
      xmlToJson: parts.xmlToJson,
    }),
  );
}

function mapper(
  making: Making,
  document: MapDoc | undefined,
  path: Path,
  from: RecordShape | undefined,
  to: RecordShape | undefined,
): Mapper | undefined {
  return document === undefined ? undefined : making.tools.map(document.map, path, { from, to });
}

function sourceOf(making: Making, from: FromDoc): Source {
  const { contract, reply, folded, tools } = making;
  const into = from.in ?? folded.map;
  const wire = tools.at(from.adapter.path, () =>
    sourceBinding({ document: from, mapped: into !== undefined, answered: from.out !== undefined, contract, reply, folded, tools }),
  );
  return {
    name: from.name,
    system: from.system,
    binding: wire.binding,
    in: mapper(making, into, from.in === undefined ? ["steps"] : [...from.path, "in"], wire.request, contract.request.shape),
    out: mapper(making, from.out, [...from.path, "out"], reply?.shape, wire.reply),
    schedule: from.schedule,
    wait: from.wait,
  };
}

function branchOf(making: Making, branch: BranchDoc): Branch {
  const { document, contract, reply, tools, parts } = making;
  const mapped = branch.in !== undefined;
  const wire = tools.at(branch.adapter.path, () =>
    targetBinding({ document: branch, mapped, answered: branch.out !== undefined, contract, reply, tools }),
  );
  // Steps of the branch may have changed the value before the map sees it.
  const from = changesValue(branch.steps) ? undefined : contract.request.shape;
  return {
    name: branch.name,
    system: branch.system,
    when: branch.when === undefined ? undefined : whenOf(tools, branch.when),
    steps: buildSteps(making, branch.steps),
    binding: wire.binding,
    addresses: addressesOf(making, branch),
    in: mapper(making, branch.in, [...branch.path, "in"], from, wire.request),
    out: mapper(making, branch.out, [...branch.path, "out"], wire.reply, reply?.shape),
    deliver: resolveDeliver(document, branch, parts.set),
    order: orderOf(tools, branch.order ?? document.order),
    failures: [],
  };
}

function whenOf(tools: Tools, when: NonNullable<BranchDoc["when"]>): NonNullable<Branch["when"]> {
  return tools.at(when.path, () => predicateOf(when, tools.place(when.path)));
}

/** The options' own address, else the system's addresses with the option `path` below them. */
function addressesOf(making: Making, branch: BranchDoc): readonly string[] {
  const { tools, parts } = making;
  if (branch.adapter.name !== "soap" && branch.adapter.name !== "http") return [];
  const { url, path } = branch.adapter.options as { url?: string; path?: string };
  if (url !== undefined) return [url];
  const system = branch.system === undefined ? undefined : parts.set.systems.get(branch.system);
  const bases = system?.addresses ?? [];
  if (bases.length === 0)
    return tools.fail(branch.adapter.path, "address-missing", `give \`url\`, or an address to system \`${branch.system ?? ""}\``);
  return bases.map((base) => (path === undefined ? base : `${base.replace(/\/+$/, "")}/${path.replace(/^\/+/, "")}`));
}

function orderOf(tools: Tools, order: OrderDoc | undefined): Branch["order"] {
  if (order === undefined || order.by === "none") return undefined;
  const { by } = order;
  if (by.language !== "path") return tools.fail(by.path, "order-key", "an order needs the key at once: write a field path");
  return tools.at(by.path, () => compileTextPath(by.field));
}

function failureOf(failure: RouteDoc["failures"][number]): FailureRule {
  const { on, code, do: act, with: value } = failure;
  return { on, do: act, ...(code === undefined ? {} : { code }), ...(value === undefined ? {} : { with: { ...value } }) };
}

/** Search fields are named as the file writes them: `headers.case-number`. */
function indexOf(making: Making): Route["journal"]["index"] {
  const { document, tools } = making;
  const fields = document.journal.index.map((path, at) => ({ path, get: tools.at(["journal", "index", at], () => compileTextPath(path)) }));
  return (message) => {
    const index: Record<string, string> = {};
    for (const { path, get } of fields) {
      const text = get(message);
      if (text !== undefined) index[path] = text;
    }
    return index;
  };
}

/** Everything that decides how the route runs: its document, resolved policies and addresses, and the schemas. */
function revisionOf(making: Making, branches: readonly Branch[]): string {
  const { document, contract, reply, tools, parts } = making;
  const { written: _, ...plain } = document;
  const settled = branches.map(({ name, addresses, deliver }) => ({ name, addresses, deliver }));
  const contractDocument = parts.set.contracts.get(contract.id);
  return tools.revision([plain, settled, contractDocument, contract.request.schemaText, reply?.schemaText]);
}
