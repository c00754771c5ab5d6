/** Every act of an administrator is an audit event, whoever writes its row: the journal given here sees to it. */
import type { ContractType } from "../contract/contract.ts";
import type { JournalRecord } from "../journal/record.ts";
import type { Journal } from "../ports.ts";
import { auditEvent } from "./event.ts";

/** The journal with its acts audited; everything else passes as it is. */
export function auditActs(journal: Journal, type: ContractType): Journal {
  return {
    writers: journal.writers,
    append: (records) => journal.append(records.some(isBareAct) ? records.map((record) => audited(type, record)) : records),
    read: (from, limit, only) => journal.read(from, limit, only),
    find: (query) => journal.find(query),
    close: () => journal.close(),
  };
}

const isBareAct = ({ step, envelope, topic }: JournalRecord): boolean => step === "act" && envelope === undefined && topic === undefined;

function audited(type: ContractType, record: JournalRecord): JournalRecord {
  if (!isBareAct(record)) return record;
  const { detail = "", time, correlationId, route, id } = record;
  const { what, who } = said(detail);
  const event = auditEvent(type, time, {
    type: `MConnect.Administration.${what}`,
    correlationId,
    from: "bus",
    outcome: "ok",
    message: detail.slice(0, 1000),
    messageId: id,
    ...(route === undefined ? undefined : { object: route, objectType: "route" as const }),
    ...(who === undefined ? undefined : { operator: who }),
  });
  return { ...record, ...event };
}

const WORDS = 4;

/** Acts read `<what> by <who>: <why>`; what the bus did by itself names nobody. */
function said(detail: string): Readonly<{ what: string; who: string | undefined }> {
  const [, before, who] = /^(.{1,200}?) by ([^:]{1,200}):/su.exec(detail) ?? [];
  const words = before?.match(/\p{L}+/gu)?.slice(0, WORDS) ?? [];
  const what = words.map((word) => word.charAt(0).toUpperCase() + word.slice(1).toLowerCase()).join("");
  return { what: what === "" ? "Act" : what, who };
}
