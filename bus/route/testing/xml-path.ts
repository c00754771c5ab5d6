/**
 * Simple paths over XML text, for `expect.reply.xml`: `/Reply/Surname`, `/Reply/Item[2]/Name` (from 1), `count(/Reply/Item)`.
 * Names are compared without their prefix and namespace. In a SOAP message a path may start at the payload. No attributes, no `//`.
 */
import { BusError } from "../../errors.ts";
import { closeDocument, openDocument, openRoot } from "../../contract/xml/cursor.ts";
import { readLoose, type Loose } from "../../contract/xml/loose.ts";
import { newVocabulary } from "../../contract/xml/names.ts";

export function parseXml(text: string): Loose {
  const cursor = openDocument(newVocabulary(), new TextEncoder().encode(text));
  openRoot(cursor);
  const root = readLoose(cursor);
  closeDocument(cursor);
  return root;
}

/** Text of the first element at the path (undefined = none), or a number for `count(…)`. Throws `configuration`. */
export function evaluateXmlPath(path: string, root: Loose): string | number | undefined {
  const counted = /^count\((.*)\)$/.exec(path)?.[1];
  const found = select(counted ?? path, root);
  if (counted !== undefined) return found.length;
  const [first] = found;
  return first === undefined ? undefined : textOf(first).trim();
}

const STEP = /^(?:[^:/[\]@*()]+:)?([^:/[\]@*()]+)(?:\[([1-9][0-9]*)\])?$/;

function select(path: string, root: Loose): readonly Loose[] {
  if (!path.startsWith("/") || path.startsWith("//")) throw noPath(path);
  const steps = path
    .slice(1)
    .split("/")
    .map((step) => {
      const [, name, index] = STEP.exec(step) ?? [];
      if (name === undefined) throw noPath(path);
      return { name, index: index === undefined ? undefined : Number(index) };
    });
  let found: readonly Loose[] = startsOf(root, steps[0]?.name ?? "");
  for (const [at, { name, index }] of steps.entries()) {
    const here =
      at === 0
        ? found
        : found.flatMap((element) =>
            pick(
              element.children.filter((child) => child.local === name),
              index,
            ),
          );
    found = at === 0 ? pick(here, index) : here;
  }
  return found;
}

const pick = (elements: readonly Loose[], index: number | undefined): readonly Loose[] =>
  index === undefined ? elements : elements.slice(index - 1, index);

/** The root, or the payload of a SOAP envelope where the path does not speak of the envelope. */
function startsOf(root: Loose, name: string): readonly Loose[] {
  if (root.local === name) return [root];
  const body = root.local === "Envelope" ? root.children.find((child) => child.local === "Body") : undefined;
  return (body?.children ?? []).filter((child) => child.local === name);
}

function textOf(element: Loose): string {
  return element.text + element.children.map(textOf).join("");
}

function noPath(path: string): BusError {
  return new BusError("configuration", `\`${path}\` is no path of a test; write /Name/Name, an index as /Name[2], or count(/Name)`);
}
