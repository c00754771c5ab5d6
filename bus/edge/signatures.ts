/** What an edge needs of message signatures; the composition, which knows the registry of systems, the bus's key and the clock, makes it. */
import type { X509Certificate } from "node:crypto";
import type { CallContext } from "../envelope.ts";

/** By what a signature is judged. */
export type SignatureCheck = Readonly<{
  /** Certificates that may have signed; they are valid now and not revoked. */
  certificates: readonly X509Certificate[];
  /** `message`: every header block that means something is signed too; `body`: Body and Timestamp are enough. */
  covers: "message" | "body";
  /** May SHA-1 be used? Only for clients that know nothing else. */
  sha1: boolean;
  /** Milliseconds: the time, how far clocks may differ, and how old a message may be. */
  now: number;
  window: Readonly<{ skew: number; maxAge: number }>;
}>;

/** What a signature that verified says. */
export type Signed = Readonly<{
  /** SHA-256 of the signer's certificate, hex. */
  certificate: string;
  algorithm: string;
  /** When it was signed, milliseconds since the epoch; undefined = it does not say. */
  created: number | undefined;
  /** SHA-256 of what was signed, hex: the same for the same signed message, however its bytes are written. */
  seen: string;
  /** Milliseconds for which it must not come again; 0 = it says nothing by which two could be told apart. */
  remember: number;
  covers: "message" | "body";
  style: SignatureStyle;
}>;

/** How a SOAP message is signed, so that the answer can be signed alike: ids as `wsu:Id` or as plain `Id`, the key as token or as X509Data. */
export type SignatureStyle = Readonly<{ ids: "wsu" | "plain"; key: "token" | "x509" }>;

export const OASIS_STYLE: SignatureStyle = { ids: "wsu", key: "token" };

/** A JSON Web Signature that verified. */
export type OpenedJws = Readonly<{
  payload: Uint8Array;
  signed: Signed;
  /** The call context in its protected header. */
  call: CallContext;
}>;

export interface Signatures {
  /** How a message of this system is judged; undefined = an unknown system, of which no certificate counts. */
  check(system: string | undefined): SignatureCheck;
  /** Must this system's messages be signed, and the answers to it with them? */
  required(system: string | undefined): boolean;
  /** Signs an envelope that the bus wrote; `relatesTo` is the wsa:MessageID it answers. */
  signEnvelope(envelope: Uint8Array, style: SignatureStyle, relatesTo?: string): Promise<Uint8Array>;
  /** Opens a compact JWS. Throws signature-*. */
  openJws(token: string, check: SignatureCheck): OpenedJws;
  /** A compact JWS over these bytes. */
  writeJws(payload: Uint8Array | string, type: string): Promise<string>;
}
