/** The audit events of a journal, read as a consumer of their topic would. */
import { readFileSync } from "node:fs";
import { AUDIT_CONTRACT } from "#bus/audit/event.ts";
import { compileType } from "#bus/contract/avro.ts";
import type { AvroRecord } from "#bus/envelope.ts";
import type { JournalRecord } from "#bus/journal/record.ts";

const schemaText = readFileSync(new URL(`../../contracts/mconnect/${AUDIT_CONTRACT}.avsc`, import.meta.url), "utf8");

export const AUDIT = compileType({ id: AUDIT_CONTRACT, schemaText, schemaId: 7, lookup: undefined });

/** Members of each event that are not null, with the row that it rides on. */
export function auditsOf(records: readonly JournalRecord[]): readonly Readonly<{ row: JournalRecord; event: AvroRecord }>[] {
  return records.flatMap((row) => {
    if (row.topic !== `mbus.${AUDIT_CONTRACT}` || row.envelope === undefined) return [];
    const said = Object.entries(AUDIT.decode(row.envelope.body)).filter(([, value]) => value !== null);
    return [{ row, event: Object.fromEntries(said) }];
  });
}
