/**
 * Cuts a JSON text into the raw texts of its members or items. Going through JSON.parse and back would round long numbers and hide
 * repeated members, so the contract's codec must see the caller's own text.
 */
import { BusError } from "../errors.ts";

const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Mended bytes would be other data than what was sent. Throws json-malformed. */
export function utf8Of(bytes: Uint8Array): string {
  try {
    return UTF8.decode(bytes);
  } catch (error) {
    throw new BusError("json-malformed", "the event is not UTF-8", { cause: error });
  }
}

/** Raw text of each top-level member, by name. Throws json-malformed for what is no object or repeats a member. */
export function membersOf(text: string): Map<string, string> {
  if (!isJson(text, (value) => typeof value === "object" && value !== null && !Array.isArray(value)))
    throw new BusError("json-malformed", "the event is not a JSON object");
  const members = new Map<string, string>();
  let at = text.indexOf("{") + 1;
  const name = /\s*,?\s*("(?:[^"\\]|\\.)*")\s*:\s*/y;
  for (;;) {
    name.lastIndex = at;
    const found = name.exec(text);
    if (found?.[1] === undefined) return members;
    const end = endOfValue(text, name.lastIndex);
    const key = JSON.parse(found[1]) as string;
    if (members.has(key)) throw new BusError("json-malformed", `the event repeats the member ${key.slice(0, 80)}`);
    members.set(key, text.slice(name.lastIndex, end).trimEnd());
    at = end;
  }
}

/** Raw text of each item. Throws json-malformed for what is no array. */
export function itemsOf(text: string): readonly string[] {
  if (!isJson(text, Array.isArray)) throw new BusError("json-malformed", "the batch is not a JSON array of events");
  const items: string[] = [];
  let at = text.indexOf("[") + 1;
  for (;;) {
    const end = endOfValue(text, at);
    const item = text.slice(at, end).trim();
    if (item !== "") items.push(item);
    if (text[end] !== ",") return items;
    at = end + 1;
  }
}

function isJson(text: string, fits: (value: unknown) => boolean): boolean {
  try {
    return fits(JSON.parse(text));
  } catch {
    return false;
  }
}

/** Index behind the value that starts at `start`; the text is known to be JSON. */
function endOfValue(text: string, start: number): number {
  let depth = 0;
  for (let i = start; i < text.length; i++) {
    switch (text.charCodeAt(i)) {
      case 0x22:
        i = endOfString(text, i);
        break;
      case 0x7b:
      case 0x5b:
        depth++;
        break;
      case 0x7d:
      case 0x5d:
        if (depth-- === 0) return i;
        break;
      case 0x2c:
        if (depth === 0) return i;
        break;
      default:
    }
  }
  return text.length;
}

/** Index of the quote that ends the string beginning at `start`. */
function endOfString(text: string, start: number): number {
  let end = text.indexOf('"', start + 1);
  while (isEscaped(text, end)) end = text.indexOf('"', end + 1);
  return end;
}

function isEscaped(text: string, at: number): boolean {
  let slashes = 0;
  while (text.charCodeAt(at - 1 - slashes) === 0x5c) slashes++;
  return slashes % 2 === 1;
}
