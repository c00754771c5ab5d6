import { BusError } from "../../errors.ts";
import { compileExpression } from "../expression.ts";
import type { Message } from "../../envelope.ts";
import type { StepContext, StepResult } from "../runtime.ts";
import type { Builder } from "./parts.ts";

/** Longest wait: what waits longer is a process, not a message. */
const MAX_DELAY = 366 * 24 * 3_600_000;

/** Waits durably: `for` counts from the moment the bus accepted the message, so that a redelivery does not wait twice. */
export const delay: Builder<"delay"> = (doc, parts) => {
  const place = parts.place(doc.path);
  const until = doc.until === undefined ? undefined : compileExpression(doc.until.text, place);
  const waited = doc.for ?? 0;
  return {
    name: "delay",
    place,
    waits: true,
    run(message, context) {
      if (until === undefined) return wait(message.envelope.time + waited, message, context);
      const due = until.evaluate(message.value, message);
      if (due instanceof Promise) return due.then((settled: unknown) => wait(moment(settled, place), message, context));
      return wait(moment(due, place), message, context);
    },
  };
};

function wait(due: number, message: Message, context: StepContext): StepResult {
  const ms = due - context.clock.now();
  return ms <= 0 ? { kind: "next", message } : { kind: "delay", ms: Math.min(ms, MAX_DELAY), message };
}

/** A day, or a moment with its zone: without one it would be another moment on each machine. */
const MOMENT = /^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:\d{2}))?$/;

/** Milliseconds since the epoch of an ISO 8601 text or a number; nothing = now. */
function moment(value: unknown, place: string): number {
  if (value === undefined || value === null) return 0;
  const ms = typeof value === "number" ? value : typeof value === "string" && MOMENT.test(value) ? Date.parse(value) : Number.NaN;
  if (Number.isNaN(ms)) throw new BusError("expression-failed", `${place}: \`until\` gave neither an ISO 8601 moment nor milliseconds`);
  return ms;
}
