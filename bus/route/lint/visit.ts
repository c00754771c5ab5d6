/** Walks through a route's document: steps in depth, and expressions wherever they stand. */
import type { Document, ExpressionDoc, FieldTestDoc, Path, RouteDoc, StepDoc } from "../documents.ts";

/** `shaped`: the message still has the shape of the contract (no map, split, enrich or conversion came before). */
export type Visit = (step: StepDoc, shaped: boolean) => void;

const RESHAPING = new Set<StepDoc["kind"]>(["map", "split", "enrich", "xml-to-json", "aggregate"]);

/** Calls `visit` for each step in order of flow; gives whether the shape at the end is still the contract's. */
export function visitSteps(steps: readonly StepDoc[], visit: Visit, shaped = true): boolean {
  let now = shaped;
  for (const step of steps) {
    visit(step, now);
    if (step.kind === "choose") {
      const ways = [...step.cases.map((one) => one.steps), step.otherwise].map((inner) => visitSteps(inner, visit, now));
      now = ways.every(Boolean);
    }
    if (RESHAPING.has(step.kind)) now = false;
  }
  return now;
}

/** Every step of a route and of its branches. */
export function visitRoute(route: RouteDoc, visit: Visit): void {
  const shaped = visitSteps(route.steps, visit);
  for (const branch of route.branches) visitSteps(branch.steps, visit, shaped);
}

export function stepsOf(route: RouteDoc): readonly StepDoc[] {
  const steps: StepDoc[] = [];
  visitRoute(route, (step) => void steps.push(step));
  return steps;
}

/** Every expression and field test of a document, found by its `language`. */
export function expressionsOf(document: Document): readonly (ExpressionDoc | FieldTestDoc)[] {
  const found: (ExpressionDoc | FieldTestDoc)[] = [];
  const look = (value: unknown): void => {
    if (typeof value !== "object" || value === null) return;
    if (Array.isArray(value)) return value.forEach(look);
    const { language } = value as { language?: unknown };
    if (language === "jsonata" || language === "xpath" || language === "field") found.push(value as ExpressionDoc | FieldTestDoc);
    for (const [key, inner] of Object.entries(value)) if (key !== "written" && key !== "source") look(inner);
  };
  look(document);
  return found;
}

export const pathOf = (base: Path, ...more: readonly (string | number)[]): Path => [...base, ...more];
