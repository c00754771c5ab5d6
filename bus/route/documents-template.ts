/** A route from a template: parameters are put into texts, nothing else happens. Every node keeps its place in the template. */
import type { ParameterDoc, Spot } from "./documents.ts";
import type { Finding } from "./findings.ts";
import { hint } from "../near.ts";
import { nodeAt, plain, type Entry, type MapNode, type ScalarNode, type TreeNode } from "./schema/tree.ts";
import { readDuration } from "./schema/units.ts";

type Report = (finding: Finding) => void;
type Values = ReadonlyMap<string, string | number | boolean>;

/** Keys that a route made from a template may still set itself. */
const OWN = ["bus", "id", "title", "owner", "state"];

/** The route as if it had been written out; undefined when its parameters are wrong (then something was reported). */
export function expandTemplate(
  instance: MapNode,
  body: TreeNode,
  parameters: Readonly<Record<string, ParameterDoc>>,
  report: Report,
): MapNode | undefined {
  let sound = true;
  const fail: Report = (finding) => {
    sound = false;
    report(finding);
  };
  const values = readValues(instance, parameters, fail);
  if (!sound) return undefined;
  const made = substitute(body, values, fail);
  if (!sound || made.kind !== "map") return undefined;
  const own = [...instance.entries].filter(([key]) => OWN.includes(key));
  return {
    kind: "map",
    spot: instance.spot,
    entries: new Map([...own, ...[...made.entries].filter(([key]) => !own.some(([name]) => name === key))]),
  };
}

/** What can be said of a template before any route is made from it. */
export function checkTemplate(root: MapNode, parameters: Readonly<Record<string, ParameterDoc>>, report: Report): void {
  for (const [name, parameter] of Object.entries(parameters)) {
    if (parameter.default !== undefined) valueOf(name, nodeAt(root, ["parameters", name, "default"]), parameter, report);
  }
  const told = new Set<string>();
  visitNames(nodeAt(root, ["route"]), (node, name, offset) => {
    const parameter = Object.hasOwn(parameters, name) ? parameters[name] : undefined;
    if (!parameter) report(error(node.at(offset), "unknown-parameter", noValue(name, Object.keys(parameters))));
    else if (!parameter.required && parameter.default === undefined && !told.has(name)) {
      const text = `\`${name}\` is used in the route but a route need not give it; write a \`default\`, or \`required: true\``;
      report(error(nodeAt(root, ["parameters", name]).spot, "missing-default", text));
      told.add(name);
    }
  });
}

const noValue = (name: string, known: Iterable<string>): string =>
  `\`\${param:${name}}\`: the template has no value for this parameter${hint(name, known)}`;

/** Every `${param:name}` below a node. */
function visitNames(node: TreeNode, visit: (node: ScalarNode, name: string, offset: number) => void): void {
  if (node.kind === "list") for (const item of node.items) visitNames(item, visit);
  else if (node.kind === "map") for (const entry of node.entries.values()) visitNames(entry.node, visit);
  else if (typeof node.value === "string") {
    for (const match of node.value.matchAll(PARAMETER)) visit(node, match[1] ?? "", match.index);
  }
}

const PARAMETER = /\$\{param:([^{}]*)\}/g;

function readValues(instance: MapNode, parameters: Readonly<Record<string, ParameterDoc>>, fail: Report): Values {
  const given = instance.entries.get("with")?.node;
  const entries: ReadonlyMap<string, Entry> = given?.kind === "map" ? given.entries : new Map<string, Entry>();
  const values = new Map<string, string | number | boolean>();
  const unknown = [...entries.keys()].filter((name) => !Object.hasOwn(parameters, name));
  for (const name of unknown) {
    fail(
      error(
        entries.get(name)?.key ?? instance.spot,
        "unknown-parameter",
        `the template has no parameter \`${name}\`${hint(name, Object.keys(parameters))}`,
      ),
    );
  }
  for (const [name, parameter] of Object.entries(parameters)) {
    const node = entries.get(name)?.node;
    const value = node === undefined ? parameter.default : valueOf(name, node, parameter, fail);
    if (value !== undefined) values.set(name, value);
    else if (!node && parameter.required && unknown.length === 0) {
      fail(
        error(
          given?.spot ?? instance.spot,
          "missing-parameter",
          `\`with\` has no \`${name}\` (${parameter.description}); the template needs it`,
        ),
      );
    }
  }
  return values;
}

function valueOf(name: string, node: TreeNode, parameter: ParameterDoc, fail: Report): string | number | boolean | undefined {
  const value = plain(node);
  if (parameter.type === "integer" && Number.isInteger(value)) return value as number;
  if (parameter.type === "boolean" && typeof value === "boolean") return value;
  if (node.kind === "scalar" && value !== null && parameter.type === "string") return node.text;
  const read =
    node.kind === "scalar" && parameter.type === "duration"
      ? readDuration(node.text)
      : { fault: `takes a value of type ${parameter.type}` };
  if ("value" in read && node.kind === "scalar") return node.text;
  fail(error(node.spot, "wrong-type", `\`${name}\`: ${"fault" in read ? read.fault : ""}`));
  return undefined;
}

function substitute(node: TreeNode, values: Values, fail: Report): TreeNode {
  if (node.kind === "list") return { ...node, items: node.items.map((item) => substitute(item, values, fail)) };
  if (node.kind === "map") {
    const entries = [...node.entries].map(([key, entry]): [string, Entry] => [
      key,
      { key: entry.key, node: substitute(entry.node, values, fail) },
    ]);
    return { ...node, entries: new Map(entries) };
  }
  return typeof node.value === "string" && node.value.includes("${param:") ? fillScalar(node, values, fail) : node;
}

/** A text that is only the parameter takes its type; inside other text it becomes text. */
function fillScalar(node: ScalarNode, values: Values, fail: Report): ScalarNode {
  const text = String(node.value);
  const whole = /^\$\{param:([^{}]*)\}$/.exec(text)?.[1];
  const value = text.replace(PARAMETER, (_, name: string, offset: number) => {
    const found = values.get(name);
    if (found === undefined) fail(error(node.at(offset), "unknown-parameter", noValue(name, values.keys())));
    return String(found ?? "");
  });
  return { ...node, value: whole === undefined ? value : (values.get(whole) ?? value), text: value, at: () => node.spot };
}

function error(spot: Spot, rule: string, text: string): Finding {
  return { file: spot.file, line: spot.line, column: spot.column, severity: "error", rule, text };
}
