/**
 * Field paths: `personalCode`, `residence.country`, `headers.official-id`, `call.user`, `$id`. A path is a path, never an
 * expression: no operators, no wildcards. Names are split at dots; a path that crosses a list gives the list of what it finds.
 */
import type { AvroRecord, Message } from "../envelope.ts";
import { BusError } from "../errors.ts";

/** Reads one place of a value; undefined where nothing stands (null is something). */
export type Getter = (value: unknown) => unknown;

const SEGMENT = /^[^.\s[\]{}()'"`]+$/;
/** Deeper paths than this are a mistake. */
const MAX_SEGMENTS = 32;

/** The names of a path. Throws `configuration` when it is not one. */
export function parsePath(path: string): readonly string[] {
  const names = path.split(".");
  const bad = names.find((name) => !SEGMENT.test(name) || name === "__proto__");
  if (bad !== undefined || names.length > MAX_SEGMENTS) {
    throw new BusError("configuration", `\`${path}\` is no field path; write names joined by dots, for example \`residence.country\``);
  }
  return names;
}

/** Compiles a path over a plain value. */
export function compilePath(path: string): Getter {
  return getterOf(parsePath(path));
}

function getterOf(names: readonly string[]): Getter {
  const [first, second] = names;
  if (first === undefined) return (value) => value;
  if (second === undefined) return (value) => step(value, first);
  if (names.length === 2) return (value) => step(step(value, first), second);
  return (value) => {
    let at = value;
    for (const name of names) {
      if (at === undefined || at === null) return undefined;
      at = step(at, name);
    }
    return at;
  };
}

function step(value: unknown, name: string): unknown {
  if (typeof value !== "object" || value === null) return undefined;
  if (Array.isArray(value)) {
    const found = value.flatMap((item: unknown) => step(item, name)).filter((item) => item !== undefined);
    return found.length === 0 ? undefined : found;
  }
  return Object.hasOwn(value, name) ? (value as AvroRecord)[name] : undefined;
}

/** The message's own facts that an expression and a field path may name. */
export const FACTS = ["headers", "call", "id", "source", "key", "subject", "correlationId", "time"] as const;
export type Fact = (typeof FACTS)[number];

export function factOf(message: Message, fact: Fact): unknown {
  return message.envelope[fact];
}

/**
 * Compiles a path over a message: `headers.NAME` and `call.NAME` (also `$headers.NAME`, `$call.NAME`, as expressions write them)
 * and `$id`, `$source`, `$subject`, `$key`, `$correlationId`, `$time` read its own facts, anything else a field of the value.
 */
export function compileMessagePath(path: string): (message: Message) => unknown {
  const [first = "", ...rest] = parsePath(path);
  const marked = first.startsWith("$");
  const name = marked ? first.slice(1) : first;
  if (name === "headers" && rest.length > 0) {
    const header = rest.join(".").toLowerCase();
    return (message) => message.envelope.headers[header];
  }
  if (name === "call" && rest.length === 1) {
    const inner = getterOf(rest);
    return (message) => inner(message.envelope.call);
  }
  if (marked) {
    const fact = FACTS.find((known) => known === name);
    if (fact === undefined || fact === "headers" || fact === "call" || rest.length > 0) {
      throw new BusError(
        "configuration",
        `\`${path}\`: a message has $id, $source, $subject, $key, $correlationId, $time, headers.NAME and call.NAME`,
      );
    }
    return (message) => message.envelope[fact];
  }
  const get = compilePath(path);
  return (message) => get(message.value);
}

/** Path over a message as text: dates as ISO, lists and records as JSON; undefined for null and nothing. */
export function compileTextPath(path: string): (message: Message) => string | undefined {
  const get = compileMessagePath(path);
  return (message) => textOf(get(message));
}

/** A scalar as people read it; undefined for null and nothing. */
export function textOf(value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === "string") return value;
  if (typeof value === "number" || typeof value === "boolean" || typeof value === "bigint") return String(value);
  if (value instanceof Date) return value.toISOString();
  return JSON.stringify(value, (_, inner: unknown) => (typeof inner === "bigint" ? String(inner) : inner));
}
