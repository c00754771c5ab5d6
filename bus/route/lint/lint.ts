/** Everything that can be said about an administrator's files without running them. Needs no network, never throws. */
import type { AdapterSpec } from "../../wire.ts";
import type { Document, Kind, LeftOut, ParsedSet } from "../documents.ts";
import type { Files, Finding } from "../findings.ts";
import { KINDS, schemasFor, type KindName } from "../schema/kinds.ts";
import { nodeAt } from "../schema/tree.ts";
import { readDrafts, shapeDraft, type Draft } from "./draft.ts";
import { readFields, type Fields } from "./fields.ts";
import { leftOut } from "./left-out.ts";
import { RULES } from "./rules.ts";
import type { LintSet, Say } from "./rule.ts";

export type Linted = Readonly<{ documents: ParsedSet; findings: readonly Finding[] }>;

/**
 * Reads all `*.yaml` files that are no maps. `environment` holds the values of `${var:…}`; without it the vars of all
 * environment documents together count. Findings are sorted by place; a faulty document hides nothing of the others.
 */
export function lintFiles(
  files: Files,
  specs: readonly AdapterSpec[],
  environment?: Readonly<Record<string, string>>,
  now = Date.now(),
): Linted {
  const findings: Finding[] = [];
  const report = (finding: Finding) => void findings.push(finding);
  const drafts = readDrafts(files, report);
  const schemas = schemasFor(specs);
  const paths = new Set(files.paths);
  const templates = new Map(
    drafts
      .filter((draft) => isOf(draft, "template"))
      .toReversed()
      .map((draft) => [draft.id, draft]),
  );
  let hidesVars = false;
  const shape = (kinds: readonly string[], vars: Readonly<Record<string, string>>) => {
    for (const draft of drafts) if (kinds.includes(draft.kind)) shapeDraft(draft, { schemas, vars, paths, templates, hidesVars, report });
  };
  shape(["environment"], {});
  const vars = environment ?? allVars(drafts);
  hidesVars = environment === undefined && drafts.some((draft) => isOf(draft, "environment") && draft.broken);
  shape(["template"], vars);
  shape(["system", "contract", "route", "grant", "policy", "test"], vars);
  refuseDuplicates(drafts, report);
  const set = lintSet(files, drafts, now);
  const byDocument = draftsByDocument(drafts);
  for (const rule of RULES) rule.check(set, sayer(rule.name, byDocument, report));
  const left: LeftOut[] = [...leftOut(drafts, set)];
  return { documents: { ...documentsOf(drafts), leftOut: left }, findings: sorted(findings) };
}

function allVars(drafts: readonly Draft[]): Readonly<Record<string, string>> {
  const vars = drafts.flatMap(({ document }) => (document?.kind === "environment" ? Object.entries(document.vars) : []));
  return Object.fromEntries(vars);
}

function refuseDuplicates(drafts: readonly Draft[], report: (finding: Finding) => void): void {
  const seen = new Map<string, Draft>();
  for (const draft of drafts) {
    if (draft.id === "" || draft.kind === "unknown" || draft.kind === "test") continue;
    const name = `${draft.kind} ${draft.id}`;
    const first = seen.get(name);
    if (!first) seen.set(name, draft);
    else if (draft.root) {
      const { file, line, column } = nodeAt(draft.root, ["id"]).spot;
      draft.broken = true;
      report({
        file,
        line,
        column,
        severity: "error",
        rule: "duplicate-id",
        text: `${draft.kind} \`${draft.id}\` stands already at ${first.at.file}:${first.at.line}; give one of them another id`,
      });
    }
  }
}

function sayer(rule: string, drafts: ReadonlyMap<Document, Draft>, report: (finding: Finding) => void): Say {
  return (where, text, options = {}) => {
    const severity = options.severity ?? "error";
    if (!("document" in where)) return report({ file: where.file, line: 1, column: 1, severity, rule, text });
    const draft = drafts.get(where.document);
    const node = draft?.root ? nodeAt(draft.root, where.path) : undefined;
    const spot = node?.kind === "scalar" && where.offset !== undefined ? node.at(where.offset) : where.document.source.place(where.path);
    if (draft && severity === "error" && options.keep !== true) draft.broken = true;
    report({ file: spot.file, line: spot.line, column: spot.column, severity, rule: options.rule ?? rule, text });
  };
}

type Documents = Omit<ParsedSet, "leftOut">;

function documentsOf(drafts: readonly Draft[]): Documents {
  const sound = drafts.flatMap(({ document, broken }) => (document && !broken ? [document] : []));
  const of = <K extends Kind>(kind: K): ReadonlyMap<string, Extract<Document, { kind: K }>> =>
    new Map(sound.flatMap((document) => (document.kind === kind ? [[document.id, document as Extract<Document, { kind: K }>]] : [])));
  return {
    systems: of("system"),
    contracts: of("contract"),
    routes: of("route"),
    grants: of("grant"),
    policies: of("policy"),
    templates: of("template"),
    environments: of("environment"),
    tests: [...of("test").values()],
  };
}

/** A document of unknown kind may be of any: its id is known to all. */
const isOf = (draft: Draft, kind: KindName): boolean => draft.kind === kind || draft.kind === "unknown";

function draftsByDocument(drafts: readonly Draft[]): ReadonlyMap<Document, Draft> {
  return new Map(drafts.flatMap((draft) => (draft.document ? [[draft.document, draft] as const] : [])));
}

function lintSet(files: Files, drafts: readonly Draft[], now: number): LintSet {
  const documents = documentsOf(drafts);
  const named = new Map(KINDS.map((kind) => [kind, new Set(drafts.flatMap((draft) => (isOf(draft, kind) ? [draft.id] : [])))]));
  const names = (kind: KindName) => named.get(kind) ?? new Set<string>();
  const schemas = new Map(
    [...documents.contracts.values()].flatMap(({ id, schema, reply }) => [
      [id, schema] as const,
      ...(reply ? [[reply.id, reply.schema] as const] : []),
    ]),
  );
  const cache = new Map<string, Fields | undefined>();
  const fields = (type: string): Fields | undefined => {
    if (!cache.has(type)) cache.set(type, readFields(files.text(schemas.get(type) ?? "") ?? ""));
    return cache.get(type);
  };
  const byDocument = draftsByDocument(drafts);
  const node: LintSet["node"] = (document, path) => {
    const root = byDocument.get(document)?.root;
    return root ? nodeAt(root, path) : { kind: "list", items: [], spot: document.source };
  };
  const hidden = drafts.some((draft) => draft.broken && draft.id === "" && draft.kind !== "test");
  return { ...documents, files, now, names, hidden, fields, node };
}

/** By file, line, column; each fault once. */
function sorted(findings: readonly Finding[]): readonly Finding[] {
  const order = (a: Finding, b: Finding) =>
    compare(a.file, b.file) || a.line - b.line || a.column - b.column || compare(a.rule, b.rule) || compare(a.text, b.text);
  const unique = new Map(
    findings.map((finding) => [`${finding.file}:${finding.line}:${finding.column}:${finding.rule}:${finding.text}`, finding]),
  );
  return [...unique.values()].toSorted(order);
}
const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
