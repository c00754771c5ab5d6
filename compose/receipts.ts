/**
 * `/mconnect/receipts/<message id>`: what the bus signs for of a message, for the system that sent it and no other. The rows that tell of
 * its taking, its check and its answer go into it; whom else it reached, and how, is not the sender's business.
 */
import { MEDIA_TYPE } from "#adapters/asic/container.ts";
import type { EvidenceAdmin } from "#bus/admin.ts";
import { asBusError, BusError } from "#bus/errors.ts";
import type { JournalStep } from "#bus/journal/record.ts";
import type { Journal } from "#bus/ports.ts";
import type { WebHost, WebRequest, WebResponse } from "#bus/wire.ts";
import { problemOf } from "./problem.ts";

const PREFIX = "/mconnect/receipts/";
const STEPS: ReadonlySet<JournalStep> = new Set<JournalStep>(["accepted", "verified", "refused", "replied", "dropped"]);
/** Rows of one message of one sender. */
const MOST = 100;

export type ReceiptParts = Readonly<{ journal: Pick<Journal, "find">; evidence: Pick<EvidenceAdmin, "export"> }>;

export function mountReceipts(host: WebHost, parts: ReceiptParts): void {
  host.mount("systems", PREFIX, async (request) => {
    try {
      return await receipt(parts, request);
    } catch (thrown) {
      return problem(asBusError(thrown));
    }
  });
}

async function receipt({ journal, evidence }: ReceiptParts, request: WebRequest): Promise<WebResponse> {
  if (request.method !== "GET")
    return { status: 405, headers: { allow: "GET", "content-type": "text/plain; charset=utf-8" }, body: "GET a receipt.\n" };
  const id = request.path.slice(PREFIX.length);
  const { system } = request;
  if (system === undefined)
    throw new BusError("system-missing", "a receipt goes to the system that sent the message: use its system certificate");
  // ids are the senders' own: two systems may use the same one, so the sender is part of the question
  const { records } = await journal.find({ id, system, limit: MOST, ascending: true });
  const own = records.filter(({ step }) => STEPS.has(step));
  if (own.length === 0) throw new BusError("not-found", `system \`${system}\` has sent no message with the id \`${id}\``);
  const headers = {
    "content-type": MEDIA_TYPE,
    "content-disposition": 'attachment; filename="receipt.asice"',
    "cache-control": "no-store",
  };
  return { status: 200, headers, body: await evidence.export(id, own) };
}

function problem(error: BusError): WebResponse {
  const answer = error.code === "evidence-pending" ? problemOf(error, 503) : problemOf(error);
  if (error.retryAfter === undefined) return answer;
  return { ...answer, headers: { ...answer.headers, "retry-after": String(Math.ceil(error.retryAfter / 1000)) } };
}
