/** The evidence log of this bus and the containers made of it. */
import { container } from "#adapters/asic/container.ts";
import type { Keys } from "#adapters/keys/ca.ts";
import type { EvidenceAdmin } from "#bus/admin.ts";
import type { Leases } from "#bus/cluster/lease.ts";
import { evidenceOf } from "#bus/evidence/export.ts";
import { openEvidenceLog } from "#bus/evidence/log.ts";
import { openStamps, type StampState } from "#bus/evidence/stamps.ts";
import type { Clock, Journal, Registry, Store, TimeStamps } from "#bus/ports.ts";
import type { Settings } from "#config/settings.ts";

export type EvidenceParts = Readonly<{
  journal: Journal;
  store: Store;
  registry: Registry;
  clock: Clock;
  keys: Pick<Keys, "log" | "seal">;
  leases: Leases | undefined;
  settings: Pick<Settings, "tsaEvery" | "tsaLongest">;
  /** Undefined = none is asked. */
  authority: TimeStamps | undefined;
  onError: (error: unknown, where: string) => void;
}>;

export type Evidence = EvidenceAdmin &
  Readonly<{
    journal: Journal;
    /** Throws stamp-overdue. */
    mayTake(): void;
    stamp(): StampState | undefined;
    close(): Promise<void>;
  }>;

export async function openEvidence(parts: EvidenceParts): Promise<Evidence> {
  const { keys, registry, store } = parts;
  const log = await openEvidenceLog({ ...parts, signer: keys.log });
  const { authority, settings } = parts;
  const stamps = authority && (await openStamps({ ...parts, log, authority, every: settings.tsaEvery, longest: settings.tsaLongest }));
  return {
    journal: log.journal,
    mayTake: () => stamps?.check(),
    stamp: () => stamps?.state(),
    async close() {
      await stamps?.close();
      await log.close();
    },
    export: async (id, records) => container(await evidenceOf({ log, registry, store, stamps }, id, records), keys.seal),
    check: (from, limit) => log.check(from, limit),
    async consistency(size) {
      const { checkpoint, proof } = await log.consistency(size);
      return { checkpoint, proof: proof.map((each) => Buffer.from(each).toString("base64")) };
    },
    async state() {
      return { ...(await log.state()), verifierKey: log.verifierKey, stamp: stamps?.state() };
    },
  };
}
