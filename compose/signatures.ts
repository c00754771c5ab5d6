/** Message signatures for the edges: the registry's certificates and rules, the bus's key for messages, the clock. */
import type { X509Certificate } from "node:crypto";
import type { SignatureCheck, Signatures } from "#bus/edge/signatures.ts";
import { newId } from "#bus/ids.ts";
import type { Clock } from "#bus/ports.ts";
import type { System } from "#bus/route/runtime.ts";
import { openJws, writeJws } from "#bus/signature/jws.ts";
import { signEnvelope, type MessageKey } from "#bus/signature/sign.ts";

export type SignatureParts = Readonly<{
  systems: () => ReadonlyMap<string, System>;
  /** Certificates of a system that verify now. */
  certificatesOf: (system: string) => readonly X509Certificate[];
  /** Opens the key; asked once, when something is signed for the first time, because making an RSA key takes a while. */
  openKey: () => Promise<MessageKey>;
  clock: Clock;
  /** Milliseconds. */
  window: SignatureCheck["window"];
}>;

/** What the bus signs counts this long, unless the window is shorter. */
const LIFE = 300_000;

export function createSignatures({ systems, certificatesOf, openKey, clock, window }: SignatureParts): Signatures {
  const rulesOf = (system: string | undefined): System["signatures"] | undefined =>
    system === undefined ? undefined : systems().get(system)?.signatures;
  let opened: Promise<MessageKey> | undefined;
  const key = (): Promise<MessageKey> => {
    opened ??= openKey().catch((error: unknown) => {
      opened = undefined; // the next one tries again
      throw error;
    });
    return opened;
  };
  const life = Math.min(LIFE, window.maxAge);
  return {
    check(system) {
      const rules = rulesOf(system);
      return {
        certificates: system === undefined || rules === undefined ? [] : certificatesOf(system),
        covers: rules?.covers ?? "message",
        sha1: rules?.rsaSha1 ?? false,
        now: clock.now(),
        window,
      };
    },
    required: (system) => rulesOf(system)?.required ?? false,
    signEnvelope: async (envelope, style, relatesTo) =>
      signEnvelope(envelope, { key: await key(), style, now: clock.now(), life, relatesTo }),
    openJws,
    writeJws: async (payload, type) => writeJws(payload, type, await key(), clock.now(), newId(clock.now())),
  };
}
