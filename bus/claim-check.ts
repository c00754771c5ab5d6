/** Claim check (Enterprise Integration Patterns): a big body goes to the blob store once, its reference and SHA-256 travel. */
import type { Envelope } from "./envelope.ts";
import { BusError } from "./errors.ts";
import { digestOf } from "./ids.ts";
import type { Store } from "./ports.ts";

/** Bodies above this many bytes are checked in: 256 KiB. */
export const CLAIM_CHECK_SIZE = 256 * 1024;

/** Begins the names of bodies that were put aside. They go with the records of the journal that name them. */
export const CLAIMS = "claim/";

/** Waits only for what goes to the store. */
export function claimCheck(store: Store, envelope: Envelope): Envelope | Promise<Envelope> {
  return envelope.body.length <= CLAIM_CHECK_SIZE ? envelope : checkIn(store, envelope);
}

async function checkIn(store: Store, envelope: Envelope): Promise<Envelope> {
  const digest = digestOf(envelope.body);
  await store.blobs.put(`${CLAIMS}${digest}`, envelope.body);
  return { ...envelope, body: new Uint8Array(0), dataref: `blob:${digest}` };
}

/** The envelope with its body back; throws not-found when the blob is gone and avro-malformed when it is not the one that was put. */
export async function redeem(store: Store, envelope: Envelope): Promise<Envelope> {
  if (envelope.dataref === undefined) return envelope;
  const digest = envelope.dataref.replace(/^blob:/u, "");
  // bodies of older versions have no prefix
  const body = (await store.blobs.read(`${CLAIMS}${digest}`)) ?? (await store.blobs.read(digest));
  if (!body) throw new BusError("not-found", `the body of message \`${envelope.id}\` (${envelope.dataref}) is no longer kept`);
  if (digestOf(body) !== digest)
    throw new BusError("avro-malformed", `the body of message \`${envelope.id}\` is not the one that was put: its SHA-256 differs`);
  const { dataref: _, ...rest } = envelope;
  return { ...rest, body };
}

/** A message that is written down again much later keeps its body as long as that record: as if it had been put aside now. */
export async function keepClaim(store: Store, envelope: Envelope): Promise<void> {
  const digest = envelope.dataref?.replace(/^blob:/u, "");
  if (digest === undefined) return;
  const body = (await store.blobs.read(`${CLAIMS}${digest}`)) ?? (await store.blobs.read(digest));
  if (body) await store.blobs.put(`${CLAIMS}${digest}`, body);
}
