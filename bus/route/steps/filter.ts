import { predicateOf } from "../predicate.ts";
import type { Message } from "../../envelope.ts";
import type { StepResult } from "../runtime.ts";
import type { Builder } from "./parts.ts";

/** A message for which the condition is false is dropped, and its journal row says by which line. */
export const filter: Builder<"filter"> = (doc, parts) => {
  const place = parts.place(doc.path);
  const when = predicateOf(doc.when, parts.place(doc.when.path));
  const dropped: StepResult = { kind: "drop", reason: `the filter at ${place} let it not through` };
  const decide = (holds: boolean, message: Message): StepResult => (holds ? { kind: "next", message } : dropped);
  return {
    name: "filter",
    place,
    run(message) {
      const holds = when(message);
      return holds instanceof Promise ? holds.then((settled) => decide(settled, message)) : decide(holds, message);
    },
  };
};
