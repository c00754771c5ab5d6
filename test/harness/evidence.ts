/** Evidence logs on ports in memory, with real keys, and what a reader needs to check what they give. */
import { createPublicKey, generateKeyPairSync, hash, sign } from "node:crypto";
import { openEvidenceLog, type EvidenceLog } from "#bus/evidence/log.ts";
import type { NoteSigner } from "#bus/evidence/note.ts";
import type { JournalRecord, StoredRecord } from "#bus/journal/record.ts";
import type { Journal, Store } from "#bus/ports.ts";
import { readLogKey, type LogKey } from "#verifier/log.ts";
import { createVirtualClock, type VirtualClock } from "./virtual-clock.ts";

export function noteSigner(name = "example.org/log"): NoteSigner {
  const { privateKey } = generateKeyPairSync("ed25519");
  const publicKey = Buffer.from(createPublicKey(privateKey).export({ format: "jwk" }).x ?? "", "base64url");
  return { name, publicKey, sign: (bytes) => Promise.resolve(sign(null, bytes, privateKey)) };
}

export type EvidenceWorld = Readonly<{ log: EvidenceLog; key: LogKey; clock: VirtualClock; errors: unknown[] }>;

export async function openEvidenceWorld(
  ports: Readonly<{ journal: Journal; store: Store }>,
  over: Partial<Parameters<typeof openEvidenceLog>[0]> = {},
): Promise<EvidenceWorld> {
  const clock = createVirtualClock(Date.UTC(2026, 4, 4, 9));
  const errors: unknown[] = [];
  const log = await openEvidenceLog({
    ...ports,
    clock,
    signer: noteSigner(),
    leases: undefined,
    onError: (error) => void errors.push(error),
    ...over,
  });
  return { log, key: readLogKey(`${log.verifierKey}\n`), clock, errors };
}

/** A record whose every member says its number. */
export function numbered(n: number, over: Partial<JournalRecord> = {}): JournalRecord {
  const id = `m-${n}`;
  return { step: "accepted", outcome: "ok", time: 1_000 + n, id, correlationId: id, route: "lookup", digest: hash("sha256", id), ...over };
}

export const stored = (record: JournalRecord, position: number): StoredRecord => ({ ...record, position });
