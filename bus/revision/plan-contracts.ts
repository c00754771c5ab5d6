/** What a change does to the schemas of contracts, and whether those who know the old ones can go on. */
import { checkCompatibility } from "../contract/compatibility.ts";
import { asBusError } from "../errors.ts";
import { LEVELS, type CompatibilityLevel } from "../ports.ts";
import type { ContractDoc } from "../route/documents.ts";
import type { Side } from "./plan.ts";

export type ContractChange = Readonly<{
  /** Id of the record type: a contract, or its reply. */
  type: string;
  contract: string;
  change: "begins" | "changes" | "ends";
  level: CompatibilityLevel;
  compatible: boolean;
  /** One sentence per broken rule; each names its field. */
  rules: readonly string[];
  /** What else of the contract's document differs. */
  parts: readonly string[];
}>;

type Type = Readonly<{ id: string; text: string; contract: ContractDoc }>;
type Registered = ((subject: string, schema: string) => Promise<readonly string[]>) | undefined;

export async function contractChanges(before: Side, after: Side, registered: Registered): Promise<readonly ContractChange[]> {
  const [was, will] = [typesOf(before), typesOf(after)];
  const changes: ContractChange[] = [];
  for (const id of [...new Set([...was.keys(), ...will.keys()])].toSorted()) {
    const change = await changeOf(was.get(id), will.get(id), registered);
    if (change) changes.push(change);
  }
  return changes;
}

async function changeOf(was: Type | undefined, will: Type | undefined, registered: Registered): Promise<ContractChange | undefined> {
  const type = will ?? was;
  if (!type) return undefined;
  const parts = was && will && will.id === will.contract.id ? partsOf(was.contract, will.contract) : [];
  if (was?.text === will?.text && parts.length === 0) return undefined;
  const level = levelOf(type.contract);
  const rules = will && was?.text !== will.text ? await rulesOf(was?.text, will, level, registered) : [];
  const change = was === undefined ? "begins" : will === undefined ? "ends" : "changes";
  return { type: type.id, contract: type.contract.id, change, level, compatible: rules.length === 0, rules, parts };
}

async function rulesOf(was: string | undefined, will: Type, level: CompatibilityLevel, registered: Registered): Promise<readonly string[]> {
  try {
    const own = was === undefined ? [] : checkCompatibility(will.text, [was], level);
    return own.length > 0 ? own : ((await registered?.(will.id, will.text)) ?? []);
  } catch (thrown) {
    const error = asBusError(thrown);
    return [error.message];
  }
}

function typesOf({ documents, files }: Side): ReadonlyMap<string, Type> {
  return new Map(
    [...documents.contracts.values()].flatMap((contract) =>
      [{ id: contract.id, schema: contract.schema }, ...(contract.reply ? [contract.reply] : [])].map(
        ({ id, schema }) => [id, { id, text: files.text(schema) ?? "", contract }] as const,
      ),
    ),
  );
}

function levelOf(contract: ContractDoc): CompatibilityLevel {
  const word = contract.compatibility.toUpperCase();
  return LEVELS.find((level) => level === word) ?? "BACKWARD";
}

const PARTS = ["title", "owner", "pattern", "reply", "compatibility", "state", "idempotent", "requires", "subject", "soap"] as const;

function partsOf(was: ContractDoc, will: ContractDoc): readonly string[] {
  return PARTS.filter((name) => JSON.stringify(was[name]) !== JSON.stringify(will[name]));
}
