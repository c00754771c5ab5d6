/**
 * Runs a list of steps over one message. Most steps are synchronous; nothing is awaited until one of them returns a promise, so
 * a condition and a map cost function calls and no turns of the event loop.
 */
import type { AvroRecord, Message } from "../../envelope.ts";
import { asBusError, BusError } from "../../errors.ts";
import { Redeliver } from "../../ports.ts";
import type { Step, StepContext, StepResult } from "../runtime.ts";

/** How the steps ended. After a split, `messages` holds the parts that were not dropped. */
export type StepsOutcome =
  | Readonly<{ kind: "next"; messages: readonly Message[] }>
  | Readonly<{ kind: "drop"; reason: string }>
  | Readonly<{ kind: "answer"; value: AvroRecord }>;

/** Parts of one message in memory at once. */
const MAX_PARTS = 10_000;

/**
 * Runs `steps` in order. A step that delays throws Redeliver: the message comes again after that time and its steps run anew
 * (each of them gives the same for the same message id). A failing step is a BusError that names the step.
 */
export function runSteps(steps: readonly Step[], message: Message, context: StepContext): StepsOutcome | Promise<StepsOutcome> {
  let current = message;
  for (const [index, step] of steps.entries()) {
    const result = runOne(step, current, context);
    if (result instanceof Promise) return result.then((settled) => goOn(steps, index, settled, context));
    if (result.kind !== "next") return finish(steps, index, result, context);
    current = result.message;
  }
  return { kind: "next", messages: [current] };
}

function runOne(step: Step, message: Message, context: StepContext): StepResult | Promise<StepResult> {
  try {
    const result = step.run(message, context);
    return result instanceof Promise ? result.catch((error: unknown) => fail(step, error)) : result;
  } catch (error) {
    return fail(step, error);
  }
}

function fail(step: Step, error: unknown): never {
  if (error instanceof Redeliver) throw error;
  const known = asBusError(error);
  if (known.step !== undefined) throw known;
  throw new BusError(known.code, known.message, {
    places: known.places,
    step: `${step.name} (${step.place})`,
    cause: known.code === "unexpected" ? known.cause : known,
    ...(known.providerCode === undefined ? undefined : { providerCode: known.providerCode }),
    ...(known.retryAfter === undefined ? undefined : { retryAfter: known.retryAfter }),
  });
}

function goOn(steps: readonly Step[], index: number, result: StepResult, context: StepContext): StepsOutcome | Promise<StepsOutcome> {
  return result.kind === "next" ? runSteps(steps.slice(index + 1), result.message, context) : finish(steps, index, result, context);
}

function finish(
  steps: readonly Step[],
  index: number,
  result: Exclude<StepResult, { kind: "next" }>,
  context: StepContext,
): StepsOutcome | Promise<StepsOutcome> {
  if (result.kind === "delay") throw new Redeliver(result.ms, true);
  if (result.kind === "many") return runParts(steps.slice(index + 1), result.messages, context);
  return result;
}

/** Each part goes through the rest of the steps by itself; an answer ends them all. */
async function runParts(rest: readonly Step[], parts: readonly Message[], context: StepContext): Promise<StepsOutcome> {
  const kept: Message[] = [];
  let reason = "the split gave no parts";
  for (const part of parts) {
    const outcome = await runSteps(rest, part, context);
    if (outcome.kind === "answer") return outcome;
    if (outcome.kind === "drop") reason = outcome.reason;
    else kept.push(...outcome.messages);
    if (kept.length > MAX_PARTS)
      throw new BusError("message-too-large", `a message split into over ${MAX_PARTS} parts; split it at its source`);
  }
  return kept.length === 0 ? { kind: "drop", reason } : { kind: "next", messages: kept };
}
