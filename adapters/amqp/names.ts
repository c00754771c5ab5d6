/**
 * Names on the broker. An id keeps its letters, digits and `-`; every other character becomes `_hh` for each byte of its UTF-8, so
 * that no id holds a `.`, `*`, `#` or a line break, and two ids never meet. Routing keys and queue names end at 255 bytes: an id
 * that would be longer than 110 keeps its beginning and ends in `_x` and its digest; `_x` begins no byte, so these meet no other.
 */
import { createHash } from "node:crypto";
import type { Lane } from "#bus/broker.ts";

const LONGEST = 110;
const DIGEST_CHARS = 40;

const known = new Map<string, string>();

export function encodeId(id: string): string {
  const had = known.get(id);
  if (had !== undefined) return had;
  const whole = id.replace(/[^A-Za-z0-9-]/gu, encodeChar);
  const name = whole.length <= LONGEST ? whole : shorten(whole);
  // Ids come from administrators' files; the bound is for those that do not.
  if (known.size < 5_000) known.set(id, name);
  return name;
}

function encodeChar(char: string): string {
  const code = char.codePointAt(0) ?? 0;
  // Half a surrogate pair has no UTF-8; `_u` begins no byte either.
  if (code >= 0xd800 && code <= 0xdfff) return `_u${code.toString(16)}`;
  let text = "";
  for (const byte of Buffer.from(char, "utf8")) text += `_${byte.toString(16).padStart(2, "0")}`;
  return text;
}

function shorten(whole: string): string {
  const digest = createHash("sha256").update(whole).digest("hex").slice(0, DIGEST_CHARS);
  return `${whole.slice(0, LONGEST - DIGEST_CHARS - 2)}_x${digest}`;
}

/** A contract's id keeps its dots: it stands last in a routing key, and systems write it by hand. */
function contractWord(contract: string): string {
  const word = contract.split(".").map(encodeId).join(".");
  return word.length <= LONGEST ? word : encodeId(contract);
}

/** Names of one bus on a broker; several buses of one broker differ in `prefix`. */
export type Names = Readonly<{
  /** Direct exchange of all topics. */
  exchange: string;
  /** Exchange and queue of what the broker gave up. */
  dead: string;
  /** Topic exchange of what modern systems publish; what no queue takes goes to the exchange and queue `unrouted`. */
  from: string;
  unrouted: string;
  /** Topic exchange towards modern systems. */
  to: string;
  /** Routing key that a system publishes a contract with, and the one it receives it with. */
  fromKey(system: string, contract: string): string;
  toKey(system: string, contract: string): string;
  /** Routing key of a question. */
  askKey(system: string, contract: string): string;
  /** Routing key of a question to a system, and of all answers of it to one asking process. */
  callKey(system: string, contract: string): string;
  answerKey(system: string, session: string, question: string): string;
  /** Queue of all that comes with one routing key of `from`. */
  source(key: string): string;
  /** Queue that a system receives from. */
  inbox(system: string): string;
  /** Queue that a system takes questions from. */
  calls(system: string): string;
  key(topic: string, partition: number): string;
  lane(lane: Lane): string;
  ask(topic: string): string;
}>;

export function namesOf(prefix: string): Names {
  return {
    exchange: prefix,
    dead: `${prefix}.dead`,
    from: `${prefix}.from`,
    unrouted: `${prefix}.from.unrouted`,
    to: `${prefix}.to`,
    fromKey: (system, contract) => `from.${encodeId(system)}.${contractWord(contract)}`,
    toKey: (system, contract) => `to.${encodeId(system)}.${contractWord(contract)}`,
    askKey: (system, contract) => `ask.${encodeId(system)}.${contractWord(contract)}`,
    callKey: (system, contract) => `call.${encodeId(system)}.${contractWord(contract)}`,
    answerKey: (system, session, question) => `answer.${encodeId(system)}.${session}.${question}`,
    source: (key) => `${prefix}.${key}`,
    inbox: (system) => `to.${encodeId(system)}`,
    calls: (system) => `call.${encodeId(system)}`,
    key: (topic, partition) => `${encodeId(topic)}.${partition}`,
    lane: ({ topic, group, partition }) => `${prefix}.lane.${encodeId(topic)}.${encodeId(group)}.${partition}`,
    ask: (topic) => `${prefix}.ask.${encodeId(topic)}`,
  };
}
