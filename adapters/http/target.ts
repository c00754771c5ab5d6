/**
 * The address of one call, from a template: `https://host/persons/{idnp}` and query parameters. A value fills its place and no more: it
 * can change neither the host nor the number of segments, end the path, or add a parameter.
 */
import { compileTemplate, fieldsOf, type Encode } from "#bus/edge/template.ts";
import type { Message } from "#bus/envelope.ts";
import { BusError } from "#bus/errors.ts";

/** Longer ones are refused by most servers. */
const LONGEST = 8_000;

/** Throws `configuration` for a template that no address can be made of; the target throws map-failed where a value is missing. */
export function compileTarget(address: string, query: Readonly<Record<string, string>> = {}): (message: Message) => string {
  const parts = /^(https?:\/\/[^/?#]*)([^?#]*)(\?[^#]*)?$/u.exec(address);
  const [, origin = "", path = "", fixed = ""] = parts ?? [];
  if (!parts || fieldsOf(origin + fixed).length > 0)
    throw new BusError(
      "configuration",
      "fields may stand in the path of an address and in `query`; scheme, host and port are written out, without #",
    );
  const named = Object.entries(query).map(([name, template]) => ({ name: encode(name), value: compileQuery(template) }));
  if (named.length === 0 && fieldsOf(path).length === 0) return () => address;
  const fill = compileTemplate(path, segment);
  return (message) => {
    const filled = fill(message);
    if (DOTS.test(filled)) throw new BusError("map-failed", "a field makes a segment of the address `.` or `..`");
    let target = origin + filled + fixed;
    for (const { name, value } of named) {
      const text = value(message);
      if (text !== undefined) target += `${target.includes("?") ? "&" : "?"}${name}=${text}`;
    }
    if (target.length > LONGEST) throw new BusError("message-too-large", `the address of the call has more than ${LONGEST} characters`);
    return target;
  };
}

/** A segment that a URL parser takes for "here" or "one up". */
const DOTS = /(?:^|\/)(?:\.|%2e){1,2}(?=\/|$)/iu;

const encode = (text: string): string =>
  encodeURIComponent(text.toWellFormed()).replace(/[!'()*]/gu, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);

const segment: Encode = (text, path) => {
  if (text === undefined || text === "") throw new BusError("map-failed", `the address needs \`${path}\`, and the message has none`);
  return encode(text);
};

/** The parameter's text, encoded; undefined where one of its fields is null. */
function compileQuery(template: string): (message: Message) => string | undefined {
  let missing = false;
  const fill = compileTemplate(template, (text) => {
    missing ||= text === undefined;
    return text ?? "";
  });
  return (message) => {
    missing = false;
    const text = fill(message);
    return missing ? undefined : encode(text);
  };
}
