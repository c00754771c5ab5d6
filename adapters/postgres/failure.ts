/** Why a database refused, in the bus's words. Its own words stay out: they repeat values of rows. SQLSTATE says enough. */
import { BusError } from "#bus/errors.ts";

/** SQLSTATE: states of their own, and classes (PostgreSQL's appendix A). */
const NOT_NOW = /^(?:40001|40P01|55P03|53...|57P..|58...|25006)$/u;
const WRONG_ROUTE = /^(?:28...|3D...|42...|26...)$/u;
const SLOW = /^(?:57014|25P03)$/u;

export function databaseFailure(error: unknown, name: string): BusError {
  if (error instanceof BusError) return error;
  const { code = "", message = "" } = error as { code?: string; message?: string };
  const details = { providerCode: code, cause: error };
  if (SLOW.test(code) || /timeout expired|timeout exceeded/u.test(message))
    return new BusError("attempt-timeout", `${name} did not answer in time`, { cause: error });
  if (NOT_NOW.test(code)) return new BusError("endpoint-unavailable", `${name} cannot do it now (SQLSTATE ${code})`, details);
  if (WRONG_ROUTE.test(code))
    return new BusError(
      "configuration",
      `${name} refuses account, table or statement (SQLSTATE ${code}); look at the route and at the account's rights`,
      details,
    );
  if (/^[0-9A-Z]{5}$/u.test(code) && !code.startsWith("08"))
    return new BusError("provider-fault", `${name} refused the row (SQLSTATE ${code})`, details);
  return new BusError("endpoint-unreachable", `${name} could not be reached, or the connection broke`, { cause: error });
}
