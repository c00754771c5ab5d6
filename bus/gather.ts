/**
 * Aggregator (Enterprise Integration Patterns) with durable groups: a message is in its group before it counts, and a group is
 * taken out by exactly one message. Groups are bounded; a message too many is refused, not lost.
 */
import type { Envelope, Message } from "./envelope.ts";
import { asBusError, BusError } from "./errors.ts";
import type { Clock, Collection, Store } from "./ports.ts";
import type { StepContext } from "./route/runtime.ts";

/** Messages of one group at most. */
const GROUP_MAX = 1000;

type Item = { envelope: string; value: string };
type Group = { route: string; group: string; due: number; items: Item[] };
type Complete = Parameters<StepContext["gather"]>[2];
export interface Gatherer {
  /** The whole group when this message completes it. */
  add(route: string, group: string, message: Message, complete: Complete): Promise<readonly Message[] | undefined>;
  /** Takes out the groups of a route whose time is over. */
  due(route: string): Promise<readonly (readonly Message[])[]>;
}

export async function createGatherer(parts: Readonly<{ clock: Clock; store: Store }>): Promise<Gatherer> {
  const groups = await parts.store.collection<Group>("gathered", { index: ["route"] });
  return {
    async add(route, group, message, complete) {
      const id = `${route} ${group}`;
      for (let attempt = 0; attempt < 50; attempt += 1) {
        const done = await add(groups, id, { route, group, due: parts.clock.now() + complete.timeout, items: [pack(message)] }, complete);
        if (done !== "again") return done;
      }
      throw new BusError("inlet-busy", `group \`${group}\` changes faster than one message can join it`, { retryAfter: 1000 });
    },
    async due(route) {
      const taken: (readonly Message[])[] = [];
      for (const { id, version, value } of await groups.find({ where: { route }, limit: 1000 })) {
        if (value.items.length === 0 || value.due > parts.clock.now()) continue;
        const won = await groups.update(id, version, { ...value, items: [] }).then(
          () => true,
          () => false, // a message joined in between: the next look decides
        );
        if (won) taken.push(value.items.map(unpack));
      }
      return taken;
    },
  };
}

/** One try: insert the group or add to it under its version. `again` = another writer was quicker. */
async function add(
  groups: Collection<Group>,
  id: string,
  fresh: Group,
  complete: Complete,
): Promise<readonly Message[] | undefined | "again"> {
  const known = await groups.get(id);
  const next = known && known.value.items.length > 0 ? { ...known.value, items: [...known.value.items, ...fresh.items] } : fresh;
  if (next.items.length > GROUP_MAX)
    throw new BusError("inlet-busy", `group \`${fresh.group}\` holds ${GROUP_MAX} messages already`, { retryAfter: 60_000 });
  const messages = next.items.map(unpack);
  const full = messages.length >= (complete.count ?? GROUP_MAX) || (complete.when !== undefined && (await complete.when(messages)));
  try {
    if (known) await groups.update(id, known.version, full ? { ...next, items: [] } : next);
    else if (!full) await groups.insert(id, next);
  } catch (thrown) {
    const error = asBusError(thrown);
    if (error.code === "store-conflict" || error.code === "store-duplicate") return "again";
    throw error;
  }
  return full ? messages : undefined; // an emptied group stays: removing it could take a message that just joined
}

function pack(message: Message): Item {
  const { body, ...rest } = message.envelope;
  return {
    envelope: JSON.stringify({ ...rest, body: encodeBytes(body) }),
    value: JSON.stringify(message.value, bytesToText),
  };
}

function unpack(item: Item): Message {
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
