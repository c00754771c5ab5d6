/** The security header as a small tree: elements hold elements or text, never both, and no comments or CDATA that could hide a part. */
import { BusError } from "../errors.ts";
import { closeTag, openChild } from "../contract/xml/cursor.ts";
import { nameKey, type Scope } from "../contract/xml/names.ts";
import { cookText, fail } from "../contract/xml/state.ts";
import type { Cursor } from "../contract/xml/state.ts";
import type { Watch } from "./c14n.ts";

/** Where an element begins, so that a cursor can come back to it. */
export type Spot = Readonly<{ at: number; depth: number; outer: Scope }>;
export type Node = Spot &
  Readonly<{
    ns: string;
    local: string;
    /** By local name; attributes with a namespace by `{namespace}local`. */
    attributes: ReadonlyMap<string, string>;
    children: readonly Node[];
    text: string;
  }>;

const MAX_NODES = 400;

/** Where the element stands that was just opened. */
export function spotOf(c: Cursor): Spot {
  return { at: c.at, depth: c.depth - 1, outer: c.scopes[c.depth - 1] ?? c.scope };
}

/** Opens the element of a spot again. Only for a cursor that is not needed where it stands. */
export function comeBack(c: Cursor, spot: Spot): void {
  c.pos = spot.at;
  c.depth = spot.depth;
  c.scope = spot.outer;
  c.empty = false;
  c.last = undefined;
  openChild(c);
}

/** The element that was just opened, through its end tag. Throws signature-shape and xml-*. */
export function readNode(c: Cursor, watch: Watch, budget = { left: MAX_NODES }): Node {
  if (budget.left-- <= 0) throw new BusError("signature-shape", `the Security header has more than ${MAX_NODES} elements`);
  watch(c);
  const { ns = "", local = "" } = c.next ?? {};
  return nodeOf(c, ns, local, watch, budget);
}

function nodeOf(c: Cursor, ns: string, local: string, watch: Watch, budget: { left: number }): Node {
  const spot = spotOf(c);
  const attributes = new Map<string, string>();
  for (let i = 0; i < c.attributes; i++) {
    const name = c.attributeNames[i];
    if (name !== undefined) attributes.set(name.key ?? nameKey(name.ns, name.local), c.attributeValues[i] ?? "");
  }
  const children: Node[] = [];
  let text = "";
  while (!c.empty) {
    const start = c.pos;
    const end = c.src.indexOf("<", start);
    if (end === -1) fail(c, "xml-malformed", `<${local}> is not closed`, c.src.length);
    text += cookText(c, c.src.slice(start, end), start);
    c.pos = end;
    const next = c.src.charCodeAt(end + 1);
    if (next === 47) break;
    if (next === 33 || next === 63)
      fail(c, "signature-shape", `only elements and text may stand in the Security header, not <${c.src.charAt(end + 1)}`);
    c.next = openChild(c);
    children.push(readNode(c, watch, budget));
  }
  closeTag(c);
  if (children.length > 0 && text.trim() !== "") throw new BusError("signature-shape", `text stands between the elements of <${local}>`);
  return { ...spot, ns, local, attributes, children, text };
}

export const isNode = (node: Node, ns: string, local: string): boolean => node.local === local && node.ns === ns;

/** The one child of this name. Throws signature-shape where there is none or several. */
export function only(parent: Node, ns: string, local: string): Node {
  const found = parent.children.filter((child) => isNode(child, ns, local));
  const [node] = found;
  if (node !== undefined && found.length === 1) return node;
  throw new BusError("signature-shape", `<${parent.local}> needs exactly one ${local}, it has ${found.length}`);
}

/** Text of an element without children and, if wanted, without attributes. */
export function textOf(node: Node): string {
  if (node.children.length > 0) throw new BusError("signature-shape", `<${node.local}> may hold text only`);
  return node.text.trim();
}
