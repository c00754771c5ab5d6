import { BusError } from "../../errors.ts";
import type { AvroRecord, Message } from "../../envelope.ts";
import { compileExpression } from "../expression.ts";
import { noXPath } from "../predicate.ts";
import type { StepResult } from "../runtime.ts";
import type { Builder } from "./parts.ts";

/** Parts of one message; more belong to a file source, which streams. */
export const MAX_SPLIT = 10_000;

/** One message to many: each part is a message `<id>/<n>` caused by the whole, with the part as its value. */
export const split: Builder<"split"> = (doc, parts) => {
  const place = parts.place(doc.path);
  if (doc.by.language === "xpath") throw noXPath(place, "a split after the message was read");
  const by = compileExpression(doc.by.text, place);
  return {
    name: "split",
    place,
    run(message) {
      const found = by.evaluate(message.value, message);
      return found instanceof Promise ? found.then((settled: unknown) => cut(settled, message, place)) : cut(found, message, place);
    },
  };
};

function cut(found: unknown, message: Message, place: string): StepResult {
  // A single part comes as itself, not as a list of one: JSONata's singleton rule.
  const items: readonly unknown[] = found === undefined || found === null ? [] : Array.isArray(found) ? found : [found];
  if (items.length > MAX_SPLIT)
    throw new BusError("message-too-large", `${place}: the split gives ${items.length} parts; at most ${MAX_SPLIT}`);
  const { envelope } = message;
  return {
    kind: "many",
    messages: items.map((item, index) => {
      if (typeof item !== "object" || item === null || Array.isArray(item)) {
        throw new BusError("expression-failed", `${place}: part ${index + 1} is no record; split by an expression that gives records`);
      }
      return { envelope: { ...envelope, id: `${envelope.id}/${index + 1}`, causationId: envelope.id }, value: item as AvroRecord };
    }),
  };
}
