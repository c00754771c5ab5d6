/**
 * rpc/literal as document/literal: the wrapper that the style implies (WSDL 1.1 §3.5) becomes an element of its own, named after
 * the operation, with one unqualified child for each part. On the wire the two are the same bytes.
 */
import { XSD_NS, enterScope } from "./names.ts";
import type { Name } from "./names.ts";
import type { SchemaSource } from "./schema.ts";
import { need, schemaError } from "./tree.ts";
import type { XNode } from "./tree.ts";

const PREFIX = "rpc-xs";

/** Elements by namespace; each namespace becomes one schema. */
export type RpcWrappers = Map<string, Map<string, XNode>>;

/** The element of one message, noted among the wrappers. `at` is the operation, `parts` the message's parts in order. */
export function rpcWrapper(wrappers: RpcWrappers, namespace: string, local: string, at: XNode, parts: readonly XNode[]): Name {
  const elements = wrappers.get(namespace) ?? new Map<string, XNode>();
  wrappers.set(namespace, elements);
  const children = parts.map((part) => {
    const type = part.attributes.get("type");
    if (type === undefined)
      throw schemaError(part, `the part ${need(part, "name")} names an element; a part of the style rpc needs a type`);
    return xs(
      part,
      "element",
      new Map([
        ["name", need(part, "name")],
        ["type", type],
      ]),
      [],
    );
  });
  const sequence = xs(at, "sequence", new Map(), children);
  elements.set(local, xs(at, "element", new Map([["name", local]]), [xs(at, "complexType", new Map(), [sequence])]));
  return { ns: namespace, local };
}

/** The schemas that hold the wrappers, as if the WSDL's types had them. */
export function rpcSchemas(wrappers: RpcWrappers): SchemaSource[] {
  return [...wrappers].flatMap(([namespace, elements]) => {
    const children = [...elements.values()];
    const [first] = children;
    if (first === undefined) return [];
    const attributes = new Map(namespace === "" ? [] : [["targetNamespace", namespace]]);
    return [{ root: xs(first, "schema", attributes, children), file: `${first.file} (rpc)` }];
  });
}

/** An XML Schema node that stands where `at` stands: its faults name that line, its prefixes are resolved there. */
function xs(at: XNode, local: string, attributes: ReadonlyMap<string, string>, children: readonly XNode[]): XNode {
  const scope = at.scope.prefixes.get(PREFIX) === XSD_NS ? at.scope : enterScope(at.scope, [PREFIX, XSD_NS]);
  const { file, line, column } = at;
  return {
    name: { ns: XSD_NS, local },
    raw: `${PREFIX}:${local}`,
    attributes,
    children,
    text: "",
    scope,
    file,
    line,
    column,
  };
}
