import type { AvroRecord, Message } from "../../envelope.ts";
import { parsePath } from "../field-path.ts";
import type { StepContext } from "../runtime.ts";
import { withValue, type Builder } from "./parts.ts";

/** Answers kept per step; the oldest goes first. */
const CACHE_SIZE = 1_000;

type Kept = Readonly<{ value: AvroRecord; until: number }>;

/**
 * Asks another contract and puts its reply into a field of the message. The question is the message's value, or what the `input`
 * map makes of it. An answer may serve again for `cache` milliseconds, but only to the same sender for the same caller: what one
 * institution may see, another may not.
 */
export const enrich: Builder<"enrich"> = (doc, parts) => {
  const input = doc.input === undefined ? undefined : parts.map(doc.input.map);
  const into = parsePath(doc.into);
  const kept = new Map<string, Kept>();
  return {
    name: "enrich",
    place: parts.place(doc.path),
    async run(message, context) {
      const question = input === undefined ? message.value : await input(message.value, message);
      const answer = await ask(question, message, context);
      return { kind: "next", message: withValue(message, put(message.value, into, answer)) };
    },
  };

  async function ask(question: AvroRecord, message: Message, context: StepContext): Promise<AvroRecord> {
    if (doc.cache === undefined) return context.ask(doc.contract, question, message);
    const { source, call } = message.envelope;
    const key = JSON.stringify([source, call.user, call.entity, call.basis, question], (_, value: unknown) =>
      typeof value === "bigint" ? `${value}n` : value,
    );
    const now = context.clock.now();
    const known = kept.get(key);
    if (known !== undefined && known.until > now) return known.value;
    const value = await context.ask(doc.contract, question, message);
    kept.delete(key);
    kept.set(key, { value, until: now + doc.cache });
    const [oldest] = kept.keys();
    if (kept.size > CACHE_SIZE && oldest !== undefined) kept.delete(oldest);
    return value;
  }
};

/** The record with `answer` at a path; records on the way are copied, never changed. */
export function put(record: AvroRecord, path: readonly string[], answer: unknown): AvroRecord {
  const [name, ...rest] = path;
  if (name === undefined) return record;
  const inner = Object.hasOwn(record, name) ? record[name] : undefined;
  const next = typeof inner === "object" && inner !== null && !Array.isArray(inner) ? (inner as AvroRecord) : {};
  return { ...record, [name]: rest.length === 0 ? answer : put(next, rest, answer) };
}
