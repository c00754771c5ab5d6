/** What a rule sees and how it speaks. A rule is one function in the table of lint.ts. */
import type {
  ContractDoc,
  Document,
  EnvironmentDoc,
  GrantDoc,
  Path,
  PolicyDoc,
  RouteDoc,
  SystemDoc,
  TemplateDoc,
  TestDoc,
} from "../documents.ts";
import type { Files, Severity } from "../findings.ts";
import type { KindName } from "../schema/kinds.ts";
import type { TreeNode } from "../schema/tree.ts";
import type { Fields } from "./fields.ts";

export type LintSet = Readonly<{
  files: Files;
  /** Milliseconds since the epoch. */
  now: number;
  systems: ReadonlyMap<string, SystemDoc>;
  contracts: ReadonlyMap<string, ContractDoc>;
  routes: ReadonlyMap<string, RouteDoc>;
  grants: ReadonlyMap<string, GrantDoc>;
  policies: ReadonlyMap<string, PolicyDoc>;
  templates: ReadonlyMap<string, TemplateDoc>;
  environments: ReadonlyMap<string, EnvironmentDoc>;
  tests: readonly TestDoc[];
  /** Ids of all documents of a kind, the faulty ones too: a reference to them is not a second fault. */
  names(kind: KindName): ReadonlySet<string>;
  /** Does a faulty file hide ids from us? Then nothing can be said about ids that are missing. */
  hidden: boolean;
  /** Fields of a contract's or reply's type; undefined when its schema cannot be read. */
  fields(type: string): Fields | undefined;
  /** The node at a path of a document. */
  node(document: Document, path: Path): TreeNode;
}>;

export type Where = Readonly<{ document: Document; path: Path; /** Characters into the text that stands there. */ offset?: number }>;
/** `keep`: the document may run all the same (access is refused when a message comes, not before). */
export type Say = (
  where: Where | Readonly<{ file: string }>,
  text: string,
  options?: Readonly<{ severity?: Severity; keep?: boolean; rule?: string }>,
) => void;
export type Rule = Readonly<{ name: string; check(set: LintSet, say: Say): void }>;
