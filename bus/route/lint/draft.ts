/** From files to drafts: one per YAML document, with its kind, id, tree and faults; then each draft's typed document. */
import { readDocument } from "../documents-read.ts";
import { checkTemplate, expandTemplate } from "../documents-template.ts";
import type { Document, Spot } from "../documents.ts";
import type { Files, Finding } from "../findings.ts";
import { KINDS, type KindName, type Schemas } from "../schema/kinds.ts";
import { hint, near } from "../../near.ts";
import { nodeAt, readTrees, textAt, type MapNode, type Tree } from "../schema/tree.ts";
import { walk, type WalkContext } from "../schema/walk.ts";

/** One document on its way. `document` is there when its shape is sound; `broken`: an error says that it may not run. */
export type Draft = {
  readonly kind: KindName | "unknown";
  readonly id: string;
  readonly at: Spot;
  root: MapNode | undefined;
  document: Document | undefined;
  broken: boolean;
};

export type Report = (finding: Finding) => void;
type Raw = Readonly<Record<string, unknown>>;

/** Maps have their own grammar and their own reader. */
const isDocumentFile = (path: string): boolean => /\.ya?ml$/.test(path) && !/\.map\.ya?ml$/.test(path);

export function readDrafts(files: Files, report: Report): readonly Draft[] {
  return files.paths.filter(isDocumentFile).flatMap((path) => {
    const text = files.text(path) ?? "";
    const trees = readTrees(path, text);
    const drafts = trees.map((tree) => draftOf(tree, report));
    return trees.some((tree) => tree.findings.length > 0) ? [...drafts, ...swallowed(path, text, drafts)] : drafts;
  });
}

/** A quote or bracket that never ends swallows documents after it; their names are known all the same, from the bare lines. */
function swallowed(file: string, text: string, drafts: readonly Draft[]): readonly Draft[] {
  const heads = [...text.matchAll(/^bus: *([a-z]+)\/v1[^\n]*\n(?:(?!---)[^\n]*\n)*?id: *(\S+)/gm)];
  return heads.flatMap((match): Draft[] => {
    const [, name = "", id = ""] = match;
    const kind = KINDS.find((one) => one === name);
    if (kind === undefined || drafts.some((draft) => draft.kind === kind && draft.id === id)) return [];
    const line = text.slice(0, match.index).split("\n").length;
    return [{ kind, id, at: { file, line, column: 1 }, root: undefined, document: undefined, broken: true }];
  });
}

/** The id, also when its key is misspelt: other documents may name it. */
function idOf(root: MapNode | undefined): string {
  const key = root?.entries.has("id") ? "id" : [...(root?.entries.keys() ?? [])].find((name) => near(name, ["id"]) !== undefined);
  return key === undefined ? "" : (textAt(root, key) ?? "");
}

function draftOf(tree: Tree, report: Report): Draft {
  for (const finding of tree.findings) report(finding);
  const root = tree.root?.kind === "map" ? tree.root : undefined;
  const written = textAt(root, "bus")?.replace(/\/v1$/, "");
  const kind = KINDS.find((name) => name === written) ?? "unknown";
  const draft: Draft = { kind, id: idOf(root), at: tree.spot, root, document: undefined, broken: true };
  if (tree.findings.length > 0) return { ...draft, root: undefined };
  const fault = headFault(root, tree.spot);
  if (fault) report(fault);
  else draft.broken = false;
  return draft;
}

/** The first key must be `bus: KIND/v1`. */
function headFault(root: MapNode | undefined, spot: Spot): Finding | undefined {
  const error = (at: Spot, rule: string, text: string): Finding => ({ ...at, severity: "error", rule, text });
  if (!root) return error(spot, "no-kind", "a document is a block of keys that begins with `bus: KIND/v1`, for example `bus: route/v1`");
  const [first = ""] = root.entries.keys();
  const bus = root.entries.get("bus");
  if (!bus) {
    const meant = first.toLowerCase() === "bus" || first === "buss" ? `; did you mean \`bus\` instead of \`${first}\`?` : "";
    return error(root.spot, "no-kind", `the first key of a document must be \`bus: KIND/v1\`, for example \`bus: route/v1\`${meant}`);
  }
  const text = textAt(root, "bus") ?? "";
  if (!KINDS.some((kind) => text === `${kind}/v1`)) {
    return error(
      nodeAt(root, ["bus"]).spot,
      "unknown-kind",
      `there is no kind \`${text}\`${hint(
        text,
        KINDS.map((kind) => `${kind}/v1`),
      )}`,
    );
  }
  return first === "bus" ? undefined : error(bus.key, "no-kind", "`bus` must be the first key of the document; move this line to the top");
}

export type ShapeContext = Readonly<{
  schemas: Schemas;
  vars: Readonly<Record<string, string>>;
  paths: ReadonlySet<string>;
  /** The first of each id that is a template, or may be one. */
  templates: ReadonlyMap<string, Draft>;
  /** Some environment cannot be read: variables without a value have no second message. */
  hidesVars: boolean;
  report: Report;
}>;

/** Checks the draft's shape and gives it its document. */
export function shapeDraft(draft: Draft, context: ShapeContext): void {
  const { kind } = draft;
  if (draft.broken || !draft.root || kind === "unknown") return;
  const fail: Report = (finding) => {
    draft.broken = true;
    context.report(finding);
  };
  const unset = context.hidesVars ? () => void (draft.broken = true) : undefined;
  const base = { defs: context.schemas.defs, vars: context.vars, paths: context.paths, unset };
  const instance = kind === "route" && isInstance(draft.root) ? draft.root : undefined;
  if (instance) expand(draft, instance, { ...base, raw: false, report: fail }, context);
  const schema = context.schemas.kinds[kind];
  if (draft.broken) return;
  const value = walk(draft.root, schema, { ...base, raw: false, report: fail }, kind) as Raw;
  if (draft.broken) return;
  const written = walk(draft.root, schema, { ...base, raw: true, report: () => undefined }, kind) as Raw;
  const made = instance ? { id: textAt(instance, "template") ?? "", at: instance } : undefined;
  draft.document = readDocument(kind, draft.root, value, written, made);
  if (draft.document.kind === "template") checkTemplate(draft.root, draft.document.parameters, fail);
}

/** `with` alone says it, too: then it is `template` that is misspelt or missing. */
const isInstance = ({ entries }: MapNode): boolean => entries.has("template") || (entries.has("with") && !entries.has("contract"));

/** Replaces an instance's tree by the template's route with its parameters filled in. */
function expand(draft: Draft, instance: MapNode, walking: WalkContext, context: ShapeContext): void {
  walk(instance, context.schemas.instance, walking, "route");
  if (draft.broken) return;
  const id = textAt(instance, "template") ?? "";
  const template = context.templates.get(id);
  if (!template && context.templates.has("")) return void (draft.broken = true); // its name may be the one that cannot be read
  if (!template) {
    const at = nodeAt(instance, ["template"]).spot;
    return walking.report({
      ...at,
      severity: "error",
      rule: "unknown-template",
      text: `there is no template \`${id}\`${hint(id, context.templates.keys())}`,
    });
  }
  draft.broken = template.broken || template.document === undefined;
  if (draft.broken || !template.root || template.document?.kind !== "template") return;
  const body = nodeAt(template.root, ["route"]);
  const made = expandTemplate(instance, body, template.document.parameters, walking.report);
  if (made) draft.root = made;
}
