/**
 * Names of topics, groups and systems as tokens of subjects and names of consumers. Letters, digits and `-` stay, every other byte of
 * the UTF-8 text becomes `_` and two hex digits, so that no name can hold a wildcard, a separator or another name.
 */
import { createHash } from "node:crypto";
import { BusError } from "#bus/errors.ts";

/** Streams of what modern systems publish, and of what is for them. */
export const FROM = "MBUS_FROM";
export const TO = "MBUS_TO";

const PLAIN = /^[A-Za-z0-9-]+$/u;
/** A consumer's name is a file name on the server: two long parts must fit into 255 bytes. */
const LONGEST = 100;
const HEAD = 30;

/** The whole name, of any length. Two names never have one encoding. */
export function encodeName(text: string): string {
  if (PLAIN.test(text)) return text;
  if (text === "") return "_z";
  let out = "";
  for (const character of text) out += PLAIN.test(character) ? character : encodeCharacter(character);
  return out;
}

/** Half of a surrogate pair is no UTF-8; it keeps its own number. */
function encodeCharacter(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  if (code >= 0xd800 && code <= 0xdfff) return `_u${code.toString(16)}`;
  let out = "";
  for (const byte of Buffer.from(character)) out += `_${byte.toString(16).padStart(2, "0")}`;
  return out;
}

/** As `encodeName`, at most 100 characters: the rest of a longer one is its SHA-256, behind a mark that no encoding has. */
export function tokenOf(text: string): string {
  const whole = encodeName(text);
  if (whole.length <= LONGEST) return whole;
  return `${whole.slice(0, HEAD).replace(/_[0-9a-z]{0,4}$/u, "")}_x${createHash("sha256").update(whole).digest("hex")}`;
}

/** Several names as one. `__` stands in no encoding, and none ends with `_`. */
export function joinNames(...names: readonly string[]): string {
  return names.map(tokenOf).join("__");
}

/** The name of an encoding without a hash; undefined when it is none. For tokens that outsiders wrote. */
export function decodeName(token: string): string | undefined {
  if (!/^(?:[A-Za-z0-9-]|_[0-9a-f]{2})+$/u.test(token)) return undefined;
  const bytes: number[] = [];
  for (let at = 0; at < token.length; at++) {
    if (token[at] === "_") bytes.push(Number.parseInt(token.slice(++at, ++at + 1), 16));
    else bytes.push(token.charCodeAt(at));
  }
  const text = Buffer.from(bytes).toString("utf8");
  return encodeName(text) === token ? text : undefined;
}

const SUBJECT = /^[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*$/u;

/** `<first>.<system>.<contract>`; a contract's id already is made of tokens. Throws configuration on another. */
export function subjectOf(first: "from" | "ask" | "to" | "call", system: string, contract: string): string {
  if (!SUBJECT.test(contract))
    throw new BusError("configuration", `the contract "${contract}" is no NATS subject: use letters, digits, - and _, with dots between`);
  return `${first}.${tokenOf(system)}.${contract}`;
}
