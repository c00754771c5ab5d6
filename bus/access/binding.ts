/**
 * Whose call it is: CallingEntity is the institution of the system that calls, or one that it acts for; and the check digits of
 * IDNP and IDNO, in the call and in the fields that a contract marks with `"identifier"`.
 */
import type { ContractType, IdentifierField } from "../contract/contract.ts";
import type { AvroRecord, CallContext } from "../envelope.ts";
import { BusError, type Place } from "../errors.ts";
import type { System } from "../route/runtime.ts";
import { identifierFault, type IdentifierKind } from "./idnp.ts";

/** What a wrong check digit does. Thirteen digits are asked for always. */
export type CheckDigits = "off" | "warn" | "refuse";

/** `warn` is told what was wrong and whose it was, never the number. */
export type IdentifierRules = Readonly<{ digits: CheckDigits; warn: (system: string, text: string) => void }>;

export const LENIENT: IdentifierRules = { digits: "off", warn: () => undefined };

/** Throws call-context-invalid where the call names an institution that its system does not speak for, or a number with a wrong digit. */
export function checkCaller(system: System, call: CallContext, rules: IdentifierRules): void {
  const { entity, user } = call;
  if (entity !== undefined && entity !== system.institution.idno && !system.actsFor.includes(entity)) {
    const others = system.actsFor.length === 0 ? "" : ` or one of ${system.actsFor.join(", ")}`;
    const text = `CallingEntity ${entity} is not the institution of system \`${system.id}\`: write ${system.institution.idno}${others}, or have \`actsFor\` of the system (${system.place}) name it`;
    throw new BusError("call-context-invalid", text, { places: [{ path: "CallingEntity", rule: "actsFor", text }] });
  }
  if (rules.digits === "off") return;
  const bad: Place[] = [];
  note(bad, "CallingUser", "IDNP", user, true);
  note(bad, "CallingEntity", "IDNO", entity, true);
  if (bad.length > 0) judge("call-context-invalid", system.id, bad, rules);
}

/** Throws avro-violation where a marked field is not thirteen digits, or has a wrong check digit and rules refuse that. */
export function checkIdentifiers(type: ContractType, value: AvroRecord, system: string, rules: IdentifierRules): void {
  const fields = type.identifiers;
  if (fields === undefined || fields.length === 0) return;
  const form: Place[] = [];
  const digits: Place[] = [];
  for (const { path, parts, kind } of fields) {
    for (const text of textsAt(value, parts, 0)) {
      const before = form.length;
      note(form, path, kind, text, false);
      if (form.length === before && rules.digits !== "off") note(digits, path, kind, text, true);
    }
  }
  if (form.length > 0) throw refusal("avro-violation", form);
  if (digits.length > 0) judge("avro-violation", system, digits, rules);
}

function note(bad: Place[], path: string, kind: IdentifierKind, text: string | undefined, checkDigit: boolean): void {
  if (text === undefined || bad.length >= MOST) return;
  const fault = identifierFault(kind, text, { checkDigit });
  if (fault !== undefined) bad.push({ path, rule: kind, text: `${path}: ${fault}` });
}

/** Faults that one refusal names at most. */
const MOST = 20;

function judge(code: "call-context-invalid" | "avro-violation", system: string, bad: readonly Place[], rules: IdentifierRules): void {
  const error = refusal(code, bad);
  if (rules.digits === "refuse") throw error;
  rules.warn(system, error.message);
}

const refusal = (code: "call-context-invalid" | "avro-violation", bad: readonly Place[]): BusError =>
  new BusError(code, bad.map(({ text }) => text).join("; "), { places: bad });

/** Texts at a path; the items of a list share its path. */
function* textsAt(value: unknown, parts: IdentifierField["parts"], at: number): Generator<string> {
  if (Array.isArray(value)) {
    for (const item of value) yield* textsAt(item, parts, at);
  } else if (at === parts.length) {
    if (typeof value === "string") yield value;
  } else if (isHolder(value)) {
    const part = parts[at];
    if (part === undefined) for (const inner of Object.values(value)) yield* textsAt(inner, parts, at + 1);
    else if (Object.hasOwn(value, part)) yield* textsAt(value[part], parts, at + 1);
  }
}

const isHolder = (value: unknown): value is AvroRecord => typeof value === "object" && value !== null && !(value instanceof Uint8Array);
