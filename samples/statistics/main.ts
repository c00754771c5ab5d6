/**
 * The statistical data lake (bns/lake): counts what happens, and refuses whatever could name somebody.
 *
 *   POST /events               CloudEvents from the bus (binary mode), each one once
 *   GET  /ui/ledger            what was received, newest first, repeated events, and how many were refused
 */
import { json, serve, surroundings } from "../lib/host.ts";
import { openLedger } from "../lib/ledger.ts";
import { receiver, type Event } from "../lib/receiver.ts";

/** A 13-digit number (IDNP, IDNO, IDNV) or a field that names a person or a thing of one. */
const PERSONAL = /"\d{13}"|"(idnp|idnv|vin|plate|familyName|givenName|patronymic|dateOfBirth|street|house|flat|owner\w*)":(?!null)/u;

const { data, port } = surroundings();
const ledger = openLedger(data);
let refused = 0;

await serve(
  "bns/lake",
  port,
  {
    "POST /events": receiver(ledger, refuse),
    "GET /ui/ledger": () => json(200, { ...ledger.counts(), refused, entries: ledger.last(100) }),
  },
  () => ledger.close(),
);

function refuse(event: Event): string | undefined {
  const [found] = PERSONAL.exec(JSON.stringify({ ...event.data, "ce-subject": event.subject ?? null })) ?? [];
  if (found === undefined) return undefined;
  refused += 1;
  return `personal data is not taken here: ${found.startsWith('"') && /\d{13}/u.test(found) ? "a 13-digit number" : found}`;
}
