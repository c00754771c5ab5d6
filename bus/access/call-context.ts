/** The MConnect call context: its form (13 digits, 13 digits, 256 and 512 characters) and what a contract requires of it. */
import type { CallContext } from "../envelope.ts";
import { BusError, type Place } from "../errors.ts";
import type { Route } from "../route/runtime.ts";

/** Names on the wire, for messages people read. */
export const CALL_NAMES: Readonly<Record<keyof CallContext, string>> = {
  user: "CallingUser",
  entity: "CallingEntity",
  basis: "CallBasis",
  reason: "CallReason",
};

const FORMS: Readonly<Record<keyof CallContext, Readonly<{ fits: (text: string) => boolean; rule: string }>>> = {
  user: { fits: (text) => /^\d{13}$/u.test(text), rule: "an IDNP of 13 digits" },
  entity: { fits: (text) => /^\d{13}$/u.test(text), rule: "an IDNO of 13 digits" },
  basis: { fits: (text) => text.length >= 1 && text.length <= 256, rule: "1 to 256 characters" },
  reason: { fits: (text) => text.length >= 1 && text.length <= 512, rule: "1 to 512 characters" },
};

const KEYS = ["user", "entity", "basis", "reason"] as const;

/** Throws call-context-missing or call-context-invalid, naming every value at fault. */
export function checkCallContext(route: Route, call: CallContext, headers: Readonly<Record<string, string>>): void {
  const bad: Place[] = [];
  const missing: Place[] = [];
  for (const key of KEYS) {
    const text = call[key];
    if (text === undefined) {
      if (route.contract.requires.includes(key))
        missing.push({ path: CALL_NAMES[key], rule: "required by the contract", text: `${CALL_NAMES[key]} is missing` });
    } else if (!FORMS[key].fits(text)) {
      bad.push({ path: CALL_NAMES[key], rule: FORMS[key].rule, text: `${CALL_NAMES[key]} is not ${FORMS[key].rule}` });
    }
  }
  for (const path of route.access.require) {
    const name = path.replace(/^headers\./u, "");
    if (headers[name] === undefined) missing.push({ path: name, rule: "required by the route", text: `header ${name} is missing` });
  }
  if (missing.length > 0)
    throw new BusError("call-context-missing", `${list(missing)}: contract \`${route.contract.id}\` requires it`, { places: missing });
  if (bad.length > 0) throw new BusError("call-context-invalid", list(bad), { places: bad });
}

const list = (places: readonly Place[]): string => places.map((place) => place.text).join("; ");
