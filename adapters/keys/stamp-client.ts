/** Asks a time-stamping authority over HTTP (RFC 3161 §3.4) and takes its word only for what was asked, now. */
import { hash, randomBytes } from "node:crypto";
import { BusError } from "#bus/errors.ts";
import type { Stamp, TimeStamps } from "#bus/ports.ts";
import type { WebClient } from "#bus/wire.ts";
import { boolean, integer, octets, oid, sequence } from "./der.ts";
import { listOf, readDer, smallOf } from "./der-read.ts";
import { OID, readToken } from "./stamp-token.ts";

export type StampClientParts = Readonly<{
  client: WebClient;
  url: string;
  /** Certificates of authorities that are trusted, PEM. */
  trusted: readonly string[];
  now: () => number;
}>;

/** Bytes of an answer; a token with its chain has some thousands. */
const MOST = 65_536;
const TIMEOUT = 10_000;
/** Milliseconds that the authority's clock may differ from this one. */
const SKEW = 300_000;

export function createStampClient({ client, url, trusted, now }: StampClientParts): TimeStamps {
  return {
    async stamp(bytes, signal) {
      const nonce = randomBytes(8);
      nonce[0] = (nonce[0] ?? 0) | 0x40; // never a zero before it
      const call = {
        method: "POST",
        url,
        headers: { "content-type": "application/timestamp-query", accept: "application/timestamp-reply" },
        body: queryOf(bytes, nonce),
        maxBytes: MOST,
      };
      const reply = await client.request(call, AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT)]));
      if (reply.status !== 200) throw new BusError("stamp-invalid", `${url} answered with HTTP ${reply.status} instead of a time-stamp`);
      const token = tokenOf(reply.body);
      const facts = readToken(token, bytes, trusted);
      if (!facts.nonce?.equals(nonce)) throw new BusError("stamp-invalid", `${url} answered another request than the one it was sent`);
      if (Math.abs(facts.at - now()) > SKEW)
        throw new BusError(
          "stamp-invalid",
          `${url} says it is ${new Date(facts.at).toISOString()}, which is more than ${SKEW / 60_000} minutes from the time here: compare both clocks`,
        );
      return { token, at: facts.at, by: facts.by, authority: facts.authority } satisfies Stamp;
    },
  };
}

/** Version 1, SHA-256, the certificate is wanted in the token. */
function queryOf(bytes: Uint8Array, nonce: Uint8Array): Uint8Array {
  const imprint = sequence(sequence(oid(OID.sha256)), octets(hash("sha256", bytes, "buffer")));
  return sequence(integer(Buffer.of(1)), imprint, integer(nonce), boolean(true));
}

function tokenOf(answer: Uint8Array): Uint8Array {
  const [status, token] = listOf(readDer(answer), 0x30);
  const [code, ...rest] = listOf(status, 0x30);
  const granted = smallOf(code);
  if (granted > 1 || !token) {
    const said = rest.find((part) => part.tag === 0x30);
    const why = said ? listOf(said, 0x30).map(({ content }) => content.toString("utf8")) : [];
    throw new BusError(
      "stamp-invalid",
      `the time-stamping authority refused with status ${granted}${why.length > 0 ? `: ${why.join("; ").slice(0, 200)}` : ""}`,
    );
  }
  return token.whole;
}
