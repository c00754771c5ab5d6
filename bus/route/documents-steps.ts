/** Steps of a route: in the file a one-key map, here a union told apart by `kind`. */
import type { ExpressionDoc, KeyDoc, MapDoc, Path, PredicateDoc } from "./documents.ts";

type StepShape<K extends string, T> = Readonly<{ kind: K; path: Path } & T>;

export type ChooseCase = Readonly<{ when: PredicateDoc; steps: readonly StepDoc[]; path: Path }>;

export type StepDoc =
  /** First case that is true; `otherwise` is always there. */
  | StepShape<"choose", { cases: readonly ChooseCase[]; otherwise: readonly StepDoc[] }>
  /** A message for which `when` is false is dropped, and the journal says so. */
  | StepShape<"filter", { when: PredicateDoc; onDrop: "journal" }>
  /** File of the map. */
  | StepShape<"map", { map: string }>
  /** Exactly one: a file of an XSD, or the id of a contract type. */
  | StepShape<"validate", { xsd?: string; contract?: string }>
  /** Asks another contract; the reply goes to the field `into`. `cache`: how long an answer serves, ms. */
  | StepShape<"enrich", { contract: string; input?: MapDoc; into: string; cache?: number }>
  | StepShape<"tap", { topic: string; fields: readonly string[] }>
  | StepShape<"dedupe", { key: KeyDoc; window: number; onDuplicate: "drop" | "fault" | "return-first-reply" }>
  | StepShape<"split", { by: ExpressionDoc; stream: boolean; maxRecord?: number }>
  | StepShape<"aggregate", { correlate: KeyDoc; complete: Readonly<{ count?: number; timeout: number; when?: PredicateDoc }> }>
  /** Exactly one: for some milliseconds, or until the moment (ISO 8601 or epoch ms) that the expression gives. */
  | StepShape<"delay", { for?: number; until?: ExpressionDoc }>
  | StepShape<"reject", { code: string; reason: string }>
  /** Untyped XML text in `from` (default: the record's field `xml`) to plain values in `into`. */
  | StepShape<"xml-to-json", { from?: string; into?: string }>;
