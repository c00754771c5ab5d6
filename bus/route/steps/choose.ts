import { BusError } from "../../errors.ts";
import { predicateOf } from "../predicate.ts";
import type { Message } from "../../envelope.ts";
import type { Step, StepContext, StepResult } from "../runtime.ts";
import type { Builder } from "./parts.ts";
import { runSteps, type StepsOutcome } from "./run.ts";

/** Content-based router: the steps of the first case that is true, else those of `otherwise`. */
export const choose: Builder<"choose"> = (doc, parts) => {
  const cases = doc.cases.map((one) => ({ when: predicateOf(one.when, parts.place(one.path)), steps: parts.nested(one.steps) }));
  const otherwise = parts.nested(doc.otherwise);
  const place = parts.place(doc.path);
  const waits = [...cases.flatMap((one) => one.steps), ...otherwise].some((step) => step.waits === true);
  return {
    name: "choose",
    place,
    ...(waits ? { waits } : {}),
    run(message, context) {
      for (const [index, { when, steps }] of cases.entries()) {
        const holds = when(message);
        if (holds instanceof Promise) return later(holds, index, message, context);
        if (holds) return inner(steps, message, context);
      }
      return inner(otherwise, message, context);
    },
  };

  async function later(first: Promise<boolean>, from: number, message: Message, context: StepContext): Promise<StepResult> {
    for (const [index, { when, steps }] of cases.entries()) {
      if (index < from) continue;
      if (await (index === from ? first : when(message))) return inner(steps, message, context);
    }
    return inner(otherwise, message, context);
  }
};

function inner(steps: readonly Step[], message: Message, context: StepContext): StepResult | Promise<StepResult> {
  const outcome = runSteps(steps, message, context);
  return outcome instanceof Promise ? outcome.then(resultOf) : resultOf(outcome);
}

function resultOf(outcome: StepsOutcome): StepResult {
  if (outcome.kind !== "next") return outcome;
  const [only] = outcome.messages;
  if (only === undefined) throw new BusError("unexpected", "steps ended without a message");
  return outcome.messages.length === 1 ? { kind: "next", message: only } : { kind: "many", messages: outcome.messages };
}
