/** A message as it lies in a group: known by its source and id, its envelope and value as JSON that keeps bytes and big integers. */
import type { Envelope, Message } from "./envelope.ts";
import { digestOf } from "./ids.ts";

/** Messages of one group at most, and of its complete parts that nobody finished yet. */
export const GROUP_MAX = 1000;

/** `key` tells whether the message is in the group already: 128 bits of the SHA-256 over source and id. */
export type Item = { key: string; envelope: string; value: string };

export function pack(message: Message): Item {
  const { body, ...rest } = message.envelope;
  return {
    key: digestOf(Buffer.from(nameOf(rest))).slice(0, 32),
    envelope: JSON.stringify({ ...rest, body: encodeBytes(body) }),
    value: JSON.stringify(message.value, bytesToText),
  };
}

/** A message that an operator sends again joins anew: the group that it was in is over. */
function nameOf({ source, id, headers }: Omit<Envelope, "body">): string {
  const replay = headers["mbus-replay"];
  return replay === undefined ? `${source} ${id}` : `${source} ${id} ${replay}`;
}

export function unpack(item: Item): Message {
  const envelope = JSON.parse(item.envelope) as Omit<Envelope, "body"> & { body: string };
  return { envelope: { ...envelope, body: decodeBytes(envelope.body) }, value: JSON.parse(item.value, textToBytes) as Message["value"] };
}

const encodeBytes = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("base64");
const decodeBytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "base64"));

/** Bytes and big integers survive JSON under a key no Avro field can have. */
function bytesToText(_key: string, value: unknown): unknown {
  if (value instanceof Uint8Array) return { "@bytes": encodeBytes(value) };
  return typeof value === "bigint" ? { "@long": value.toString() } : value;
}

function textToBytes(_key: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  const { "@bytes": bytes, "@long": long } = value as { "@bytes"?: unknown; "@long"?: unknown };
  if (typeof bytes === "string") return decodeBytes(bytes);
  return typeof long === "string" ? BigInt(long) : value;
}
