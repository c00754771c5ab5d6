/** Name of a step to its builder. A new step is one file and one line here (and its schema in the documents). */
import type { StepDoc } from "../documents-steps.ts";
import type { Step } from "../runtime.ts";
import { aggregate } from "./aggregate.ts";
import { choose } from "./choose.ts";
import { dedupe } from "./dedupe.ts";
import { delay } from "./delay.ts";
import { enrich } from "./enrich.ts";
import { filter } from "./filter.ts";
import { map } from "./map.ts";
import type { Builder, StepParts } from "./parts.ts";
import { reject } from "./reject.ts";
import { split } from "./split.ts";
import { tap } from "./tap.ts";
import { validate } from "./validate.ts";
import { xmlToJson } from "./xml-to-json.ts";

export const STEPS: { readonly [K in StepDoc["kind"]]: Builder<K> } = {
  choose,
  filter,
  map,
  validate,
  enrich,
  tap,
  dedupe,
  split,
  aggregate,
  delay,
  reject,
  "xml-to-json": xmlToJson,
};

/** Everything a builder is given, but its own nesting. */
export type StepTools = Omit<StepParts, "nested">;

/** Compiles steps and the steps inside them. Throws the first builder's BusError. */
export function compileSteps(docs: readonly StepDoc[], tools: StepTools): readonly Step[] {
  const parts: StepParts = { ...tools, nested: (inner) => compileSteps(inner, tools) };
  return docs.map((doc) => build(doc, parts));
}

function build<K extends StepDoc["kind"]>(doc: Extract<StepDoc, { kind: K }>, parts: StepParts): Step {
  return (STEPS[doc.kind] as Builder<StepDoc["kind"]>)(doc, parts);
}
