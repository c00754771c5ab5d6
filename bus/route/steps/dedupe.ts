import { BusError } from "../../errors.ts";
import type { Envelope } from "../../envelope.ts";
import { keyOf } from "../predicate.ts";
import type { FirstMessage, FirstReply, StepResult } from "../runtime.ts";
import type { Builder, DocOf } from "./parts.ts";

/** Milliseconds after which a sender may ask again whether the first message has its reply. */
const AGAIN = 1_000;

/**
 * Idempotent consumer: the first message of a key within the window goes on. What the key remembers is that message (when it came,
 * its source and id), so the same message coming again from the engine is no duplicate of itself; a query never comes from an
 * engine, so there the same id is its client asking again. A message without the key goes on. An id, and a reply, belong to their
 * sender: the key `$id` and `return-first-reply` never mix senders.
 */
export const dedupe: Builder<"dedupe"> = (doc, parts) => {
  const place = parts.place(doc.path);
  const key = keyOf(doc.key, place);
  const replies = doc.onDuplicate === "return-first-reply";
  const apart = replies || (doc.key.language === "path" && doc.key.field === "$id");
  return {
    name: "dedupe",
    place,
    async run(message, context) {
      const text = await key(message);
      if (text === undefined) return { kind: "next", message };
      const { envelope } = message;
      const name = apart ? `dedupe ${envelope.source} ${text}` : `dedupe ${text}`;
      const known = await context.remember(name, doc.window, noteOf(envelope));
      if (known === undefined) return { kind: "next", message };
      const first = readNote(known);
      const itself = first.id === envelope.id && first.source === envelope.source;
      const redelivered = itself && parts.pattern !== "query";
      if (redelivered && !replies) return { kind: "next", message };
      if (!itself && !replies) return duplicate(doc, first, undefined, place);
      const reply = await context.firstReply(first);
      if (redelivered) {
        const sentAgain = envelope.headers["mbus-replay"] !== undefined;
        return reply.kind === "replied" && !sentAgain ? { kind: "answer", value: reply.value } : { kind: "next", message };
      }
      const free = reply.kind === "free" && (await context.remember(name, doc.window, noteOf(envelope), known)) === undefined;
      return free ? { kind: "next", message } : duplicate(doc, first, reply, place);
    },
  };
};

/** Source and id stand together: an id alone may be another sender's. */
const noteOf = ({ time, source, id }: Envelope): string => `${time} ${source} ${id}`;

function readNote(note: string): FirstMessage {
  const [time = "", source = ""] = note.split(" ", 2);
  return { time: Number(time), source, id: note.slice(time.length + source.length + 2) };
}

function duplicate(doc: DocOf<"dedupe">, first: FirstMessage, reply: FirstReply | undefined, place: string): StepResult {
  const text = `a message with this key came within the last ${Math.round(doc.window / 1000)} s (first: ${first.id}; rule: ${place})`;
  if (doc.onDuplicate === "drop") return { kind: "drop", reason: `duplicate: ${text}` };
  if (doc.onDuplicate === "fault") throw new BusError("duplicate-message", text);
  if (reply?.kind === "replied") return { kind: "answer", value: reply.value };
  if (reply?.kind === "refused") throw new BusError("duplicate-message", `${text}; its reply cannot be given: ${reply.reason}`);
  throw new BusError("duplicate-message", `${text}; its reply is not there yet, ask again`, { retryAfter: AGAIN });
}
