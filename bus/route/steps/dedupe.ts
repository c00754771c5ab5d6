import { BusError } from "../../errors.ts";
import type { Message } from "../../envelope.ts";
import { keyOf } from "../predicate.ts";
import type { StepContext, StepResult } from "../runtime.ts";
import type { Builder, DocOf } from "./parts.ts";

/**
 * Idempotent consumer: the first message of a key within the window goes on. What the key remembers is that message's id, so the
 * same message coming again (a redelivery) is no duplicate of itself. A message without the key goes on.
 */
export const dedupe: Builder<"dedupe"> = (doc, parts) => {
  const place = parts.place(doc.path);
  const key = keyOf(doc.key, place);
  return {
    name: "dedupe",
    place,
    async run(message, context) {
      const text = await key(message);
      if (text === undefined) return { kind: "next", message };
      const first = await context.remember(`dedupe ${text}`, doc.window, message.envelope.id);
      if (first === undefined || first === message.envelope.id) return { kind: "next", message };
      return duplicate(doc, message, context, first, place);
    },
  };
};

async function duplicate(doc: DocOf<"dedupe">, message: Message, context: StepContext, first: string, place: string): Promise<StepResult> {
  const text = `a message with this key came within the last ${Math.round(doc.window / 1000)} s (first: ${first}; rule: ${place})`;
  if (doc.onDuplicate === "drop") return { kind: "drop", reason: `duplicate: ${text}` };
  if (doc.onDuplicate === "return-first-reply") {
    const value = await context.firstReply?.(first, message);
    if (value !== undefined) return { kind: "answer", value };
    throw new BusError("duplicate-message", `${text}; its reply is not there yet or was not kept (journal.payload: full keeps it)`, {
      retryAfter: 1_000,
    });
  }
  throw new BusError("duplicate-message", text);
}
