/** What a wrong check digit does on this stage, and the log's word of it: once an hour for a system, for a system errs in thousands. */
import type { CheckDigits, IdentifierRules } from "#bus/access/binding.ts";
import type { Clock } from "#bus/ports.ts";
import type { Log } from "./log.ts";

const AGAIN = 3_600_000;
/** Systems remembered; a bus has hundreds. */
const MOST = 10_000;

export function identifierRules(digits: CheckDigits, log: Pick<Log, "warn">, clock: Pick<Clock, "now">): IdentifierRules {
  const last = new Map<string, number>();
  return {
    digits,
    warn(system, text) {
      const now = clock.now();
      if (now - (last.get(system) ?? -AGAIN) < AGAIN || last.size >= MOST) return;
      last.set(system, now);
      log.warn({ system, fault: text }, "identifiers with a wrong check digit are let through; MBUS_CHECK_DIGITS=refuse would refuse them");
    },
  };
}
