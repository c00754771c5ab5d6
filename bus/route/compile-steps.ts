/** The steps of a route as they run: where the documents put work that belongs elsewhere, it is moved there. */
import { isFileEdge } from "./edge-kinds.ts";
import type { RouteDoc, StepDoc } from "./documents.ts";
import type { DocOf } from "./steps/parts.ts";

/** What leading steps of a file route ask of its splitter. */
export type Folded = Readonly<{
  xsd: string | undefined;
  split: DocOf<"split"> | undefined;
  /** The map that makes the contract's shape, where no source has one of its own. */
  map: DocOf<"map"> | undefined;
  steps: readonly StepDoc[];
}>;

/**
 * In a route from files, `validate: { xsd }`, `split: { xpath }` and the first `map` speak of the file's XML; its source does
 * that work record by record, so they leave the list of steps.
 */
export function foldFileSteps(route: RouteDoc): Folded {
  const none: Folded = { xsd: undefined, split: undefined, map: undefined, steps: route.steps };
  if (!route.from.every((from) => isFileEdge(from.adapter.name))) return none;
  const steps = [...route.steps];
  let { xsd, split, map }: Omit<Folded, "steps"> = none;
  for (let [first] = steps; first !== undefined; [first] = steps) {
    if (first.kind === "validate" && first.xsd !== undefined && xsd === undefined) xsd = first.xsd;
    else if (first.kind === "split" && first.by.language === "xpath" && split === undefined) split = first;
    else if (first.kind === "map" && map === undefined && route.from.every((from) => from.in === undefined)) map = first;
    else break;
    steps.shift();
  }
  return { xsd, split, map, steps };
}

/** First delay anywhere in the steps. */
export function findDelay(steps: readonly StepDoc[]): StepDoc | undefined {
  for (const step of steps) {
    if (step.kind === "delay") return step;
    if (step.kind !== "choose") continue;
    const inner = findDelay([...step.cases.flatMap((one) => one.steps), ...step.otherwise]);
    if (inner !== undefined) return inner;
  }
  return undefined;
}

const CHANGES = new Set<StepDoc["kind"]>(["map", "split", "enrich", "aggregate", "xml-to-json"]);

/** May these steps give the message another value? */
export function changesValue(steps: readonly StepDoc[]): boolean {
  return steps.some(
    (step) =>
      CHANGES.has(step.kind) || (step.kind === "choose" && changesValue([...step.cases.flatMap((one) => one.steps), ...step.otherwise])),
  );
}
