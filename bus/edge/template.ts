/**
 * Texts of an administrator with `{field}` in them: addresses, mails. A field's value is data wherever it stands; what encodes it is
 * chosen by the place that the text goes to. Braces around anything but a field path are plain text.
 */
import type { Message } from "../envelope.ts";
import { compileMessagePath, textOf } from "../route/field-path.ts";

/** Encodes one value; `undefined` stands for null and for nothing. May throw a BusError where the place cannot take the value. */
export type Encode = (text: string | undefined, path: string) => string;

/** A template made ready: the text of one message. */
export type Template = (message: Message) => string;

const FIELD = /\{(\$?[A-Za-z_][\w.-]*)\}/gu;

/** Field paths in the order they stand, with repetitions. */
export function fieldsOf(template: string): readonly string[] {
  return [...template.matchAll(FIELD)].map((match) => match[1] ?? "");
}

/** Throws `configuration` where a path is none. */
export function compileTemplate(template: string, encode: Encode): Template {
  const parts: ((message: Message) => string)[] = [];
  let last = 0;
  for (const match of template.matchAll(FIELD)) {
    const [whole, path = ""] = match;
    const before = template.slice(last, match.index);
    const get = compileMessagePath(path);
    parts.push((message) => before + encode(textOf(get(message)), path));
    last = match.index + whole.length;
  }
  const rest = template.slice(last);
  return (message) => parts.reduce((text, part) => text + part(message), "") + rest;
}

/** The one field that a template consists of, its value as it is; undefined where there is text around it. */
export function compileOnly(template: string): ((message: Message) => unknown) | undefined {
  const [path, second] = fieldsOf(template);
  return path === undefined || second !== undefined || template !== `{${path}}` ? undefined : compileMessagePath(path);
}
