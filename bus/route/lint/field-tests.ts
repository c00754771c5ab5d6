/** Conditions on one field: the field must be there, and a comparison must be able to be true. */
import type { FieldTestDoc, Path, PredicateDoc, RouteDoc } from "../documents.ts";
import { hint } from "../../near.ts";
import { factsOf, isFact } from "./data.ts";
import type { FieldFacts } from "./fields.ts";
import type { LintSet, Rule, Say } from "./rule.ts";
import { pathOf, visitSteps } from "./visit.ts";

export const fieldTests: Rule = {
  name: "contract-field",
  check(set, say) {
    for (const route of set.routes.values()) {
      const look = (when: PredicateDoc | undefined, shaped: boolean): void => {
        if (when?.language === "field") checkTest(set, say, route, when, shaped);
      };
      const visit: Parameters<typeof visitSteps>[1] = (step, shaped) => {
        if (step.kind === "filter") look(step.when, shaped);
        if (step.kind === "choose") for (const one of step.cases) look(one.when, shaped);
      };
      const shaped = visitSteps(route.steps, visit);
      for (const branch of route.branches) {
        look(branch.when, shaped);
        visitSteps(branch.steps, visit, shaped);
      }
    }
  },
};

/** After a step that changed the shape only the message's own facts are known. */
function checkTest(set: LintSet, say: Say, route: RouteDoc, test: FieldTestDoc, shaped: boolean): void {
  if (!shaped && !isFact(test.field)) return;
  const facts = isFact(test.field) ? (MESSAGE[test.field] ?? TEXT) : factsOf(set, say, route.contract, test.field, route, test.path);
  if (facts === undefined) return;
  for (const { value, path } of literalsOf(test)) {
    const reason = whyNever(test.field, facts, value);
    if (reason !== undefined) say({ document: route, path }, reason, { rule: "never-equal" });
  }
}

/** Headers, call context and the message's names are texts, its time is milliseconds. */
const TEXT: FieldFacts = { nullable: true, personal: false, look: "text" };
const MESSAGE: Readonly<Record<string, FieldFacts>> = { $time: { ...TEXT, look: "number" } };

type Literal = Readonly<{ value: string | number | boolean; path: Path }>;

function literalsOf(test: FieldTestDoc): readonly Literal[] {
  const at = (...more: readonly (string | number)[]): Path => pathOf(test.path.slice(0, -1), ...more);
  const { equals, notEquals } = test;
  return [
    ...(equals === undefined ? [] : [{ value: equals, path: at("equals") }]),
    ...(notEquals === undefined ? [] : [{ value: notEquals, path: at("notEquals") }]),
    ...(test.in ?? []).map((value, index) => ({ value, path: at("in", index) })),
  ];
}

const NOUNS = { text: "a text", number: "a number", boolean: "true or false" } as const;

function whyNever(field: string, { look, symbols }: FieldFacts, value: string | number | boolean): string | undefined {
  const have = typeof value === "string" ? "text" : typeof value === "number" ? "number" : "boolean";
  if (look !== undefined && look !== have) {
    const advice = look === "text" ? "; write it in quotes" : have === "text" ? "; write it without quotes" : "";
    return `\`${field}\` is ${NOUNS[look]} and never equals \`${value}\`, ${NOUNS[have]}${advice}`;
  }
  if (symbols === undefined || symbols.includes(String(value))) return undefined;
  return `\`${field}\` is never \`${value}\`${hint(String(value), symbols)}`;
}
