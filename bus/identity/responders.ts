/** What OCSP responders said, kept as long as it holds and asked again while it is used. */
import { randomBytes } from "node:crypto";
import { fingerprintOf } from "./certificate.ts";
import type { Link } from "./chain.ts";
import { readAnswer, writeQuestion, type Answer } from "./ocsp.ts";
import { partsOf } from "./parts.ts";
import type { Status } from "./revocation.ts";

export type ResponderParts = Readonly<{
  /** Sends a question (application/ocsp-request) and gives the answer's bytes; bounded in time and size. */
  post(url: string, question: Buffer): Promise<Uint8Array>;
  /** Asked instead of the address in the certificate. */
  url: string | undefined;
  now(): number;
}>;

export interface Responders {
  /** What was said last, if it still holds; starts to ask again when it is older than half a minute. */
  known(link: Link): Status;
  /** Asks, unless the last answer is younger than a minute. Never rejects. */
  ask(link: Link): Promise<void>;
}

/** An answer in use is asked for again after FRESH, and never used unasked after LONGEST: so long a revocation may take to count. */
const FRESH = 25_000;
const LONGEST = 50_000;
/** After a question that failed. */
const AGAIN = 5_000;
/** Certificates whose answers are kept. */
const MOST = 20_000;

type Kept = { said: Answer | undefined; at: number; tried: number; why: string | undefined; asking: Promise<void> | undefined };

export function createResponders({ post, url, now }: ResponderParts): Responders {
  const kept = new Map<string, Kept>();
  const entryOf = (link: Link): Kept => {
    const fingerprint = fingerprintOf(link.certificate);
    let entry = kept.get(fingerprint);
    if (entry) return entry;
    for (const oldest of kept.keys()) {
      if (kept.size < MOST) break;
      kept.delete(oldest);
    }
    entry = { said: undefined, at: 0, tried: -Infinity, why: undefined, asking: undefined };
    kept.set(fingerprint, entry);
    return entry;
  };

  const askOne = async ({ certificate, issuer }: Link, entry: Kept): Promise<void> => {
    const address = url ?? partsOf(certificate).responders[0];
    entry.tried = now();
    if (address === undefined) {
      entry.why = "it names no OCSP responder";
      return;
    }
    const question = { certificate, issuer, nonce: randomBytes(16) };
    try {
      const answer = readAnswer(Buffer.from(await post(address, writeQuestion(question))), question, now());
      if (answer.state === "unknown") entry.why = `${address}: ${answer.why}`;
      else Object.assign(entry, { said: answer, at: now(), why: undefined });
    } catch (error) {
      entry.why = `${address}: ${error instanceof Error ? error.message : String(error)}`;
    }
  };

  const start = (link: Link, entry: Kept): Promise<void> =>
    (entry.asking ??= askOne(link, entry).finally(() => {
      entry.asking = undefined;
    }));

  /** A good answer holds until the responder's own end of it, or for as long as we may not have asked again. */
  const holds = ({ said, at }: Kept): boolean => {
    if (said === undefined || said.state === "unknown") return false;
    return said.state === "revoked" || now() <= (said.until ?? at + LONGEST);
  };

  return {
    known(link) {
      const entry = entryOf(link);
      if (now() - entry.tried > (entry.why === undefined ? FRESH : AGAIN)) void start(link, entry);
      if (!holds(entry)) return { state: "unknown", why: entry.why ?? "the OCSP responder has not answered yet" };
      return entry.said?.state === "revoked" ? { state: "revoked", why: "its authority revoked it (OCSP)" } : { state: "good" };
    },
    async ask(link) {
      const entry = entryOf(link);
      if (now() - entry.tried <= (entry.why === undefined ? LONGEST : AGAIN) && entry.asking === undefined) return;
      await start(link, entry);
    },
  };
}
