/** The type of audit events: our own schema, known to the registry like any other, whatever the administrator's files hold. */
import { readFileSync } from "node:fs";
import { AUDIT_CONTRACT } from "#bus/audit/event.ts";
import { compileType } from "#bus/contract/avro.ts";
import type { ContractType } from "#bus/contract/contract.ts";
import type { Schemas } from "./schemas.ts";

const SCHEMA = new URL(`../contracts/mconnect/${AUDIT_CONTRACT}.avsc`, import.meta.url);

export async function auditType(schemas: Pick<Schemas, "idOf" | "lookup">): Promise<ContractType> {
  const schemaText = readFileSync(SCHEMA, "utf8");
  const schemaId = await schemas.idOf(AUDIT_CONTRACT, schemaText);
  return compileType({ id: AUDIT_CONTRACT, schemaText, schemaId, lookup: schemas.lookup });
}
