import { BusError } from "../../errors.ts";
import type { Message } from "../../envelope.ts";
import { keyOf, predicateOf } from "../predicate.ts";
import type { StepResult } from "../runtime.ts";
import { withValue, type Builder } from "./parts.ts";

/**
 * Many messages to one: those of a key wait in a durable group until it is complete by count, time or condition. The whole is
 * `{ key, count, items }` (the values in order of arrival) and takes the last message's envelope; a `map` after it gives the shape.
 * The condition sees the same record.
 */
export const aggregate: Builder<"aggregate"> = (doc, parts) => {
  const place = parts.place(doc.path);
  const key = keyOf(doc.correlate, place);
  const { count, timeout, when } = doc.complete;
  const holds = when === undefined ? undefined : predicateOf(when, parts.place(when.path));
  return {
    name: "aggregate",
    place,
    waits: true,
    async run(message, context): Promise<StepResult> {
      const group = await key(message);
      if (group === undefined) throw new BusError("expression-failed", `${place}: the message has no value to correlate by`);
      const complete = {
        timeout,
        ...(count === undefined ? undefined : { count }),
        ...(holds === undefined ? undefined : { when: async (messages: readonly Message[]) => holds(whole(group, messages, message)) }),
      };
      const messages = await context.gather(group, message, complete);
      if (messages === undefined) return { kind: "drop", reason: `it waits for the rest of group ${group}` };
      return { kind: "next", message: whole(group, messages, message) };
    },
  };
};

/** The group as one message. */
export function whole(group: string, messages: readonly Message[], last: Message): Message {
  const { envelope } = messages.at(-1) ?? last;
  const value = { key: group, count: messages.length, items: messages.map((one) => one.value) };
  return withValue({ envelope: { ...envelope, id: `${envelope.id}/all`, causationId: envelope.id }, value: last.value }, value);
}
