/**
 * A signed message is received once: before anything is done with it, its receipt is durable in the journal, and the journal refuses a
 * second receipt of what was signed, on every process and after every restart. The receipt is also the evidence of who signed what.
 */
import { BusError } from "../errors.ts";
import type { Signed } from "../edge/signatures.ts";
import { digestOf } from "../ids.ts";
import type { JournalRecord } from "../journal/record.ts";
import type { Mutable } from "../mutable.ts";
import type { Inbound, Journal } from "../ports.ts";
import type { Route, System } from "../route/runtime.ts";

/** Bytes of a signed message that the journal keeps whole, where the route keeps payloads; of a bigger one it keeps the digest. */
const ORIGINAL_KEPT = 256 * 1024;

/** Throws signature-missing where the sender's registration says that every message of it is signed. */
export function demandSignature(system: System | undefined, inbound: Pick<Inbound, "signed" | "shape">): void {
  // a route's own question comes from within the bus, under the message that made it ask
  if (inbound.signed !== undefined || inbound.shape === "contract" || system?.signatures.required !== true) return;
  throw new BusError(
    "signature-missing",
    `messages of \`${system.id}\` must be signed (\`signatures.required\`, ${system.place}), and this one is not: sign it with a registered certificate`,
  );
}

export type Received = Readonly<{ id: string; correlationId: string; time: number }>;

/** Writes the receipt. Throws signature-replayed where what was signed came before. */
export async function receive(journal: Journal, route: Route, inbound: Inbound, signed: Signed, received: Received): Promise<void> {
  const [appended] = await journal.append([receiptOf(route, inbound, signed, received)]);
  if (appended?.duplicateOf === undefined) return;
  throw new BusError(
    "signature-replayed",
    `this signed message was received before (journal position ${appended.duplicateOf}): sign each message anew, also when it is sent again`,
  );
}

function receiptOf(route: Route, inbound: Inbound, signed: Signed, received: Received): JournalRecord {
  const { certificate, algorithm, created, covers } = signed;
  const when = created === undefined ? "" : `, signed ${new Date(created).toISOString()}`;
  const record: Mutable<JournalRecord> = {
    step: "verified",
    outcome: "ok",
    ...received,
    route: route.id,
    contract: route.contract.id,
    system: inbound.system ?? "",
    detail: `${algorithm} by certificate ${certificate}, over ${covers === "message" ? "the whole message" : "its body"}${when}`,
    index: { certificate },
    digest: digestOf(inbound.bytes),
  };
  if (route.journal.payload === "full" && inbound.bytes.length <= ORIGINAL_KEPT) record.original = inbound.bytes;
  if (signed.remember > 0) record.dedupe = { key: `signed ${record.system} ${signed.seen}`, window: signed.remember };
  return record;
}
