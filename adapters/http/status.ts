/** What an answer's status means: the usual, or what the route says of it. */
import { BusError, type ErrorCode } from "#bus/errors.ts";
import type { StatusMeaning } from "#bus/wire.ts";

const CODE: Readonly<Record<Exclude<StatusMeaning, "delivered">, ErrorCode>> = {
  "provider-fault": "provider-fault",
  "provider-unavailable": "endpoint-unavailable",
  throttled: "endpoint-throttled",
  timeout: "attempt-timeout",
  "contract-violation": "json-violation",
};

/** Undefined = delivered. The exact status goes before its kind (`404` before `4xx`). */
export function failureOf(status: number, statuses: Readonly<Record<string, StatusMeaning>> = {}): BusError | undefined {
  const usual = status >= 200 && status < 300 ? "delivered" : "provider-fault";
  const meaning = statuses[status] ?? statuses[`${Math.floor(status / 100)}xx`] ?? usual;
  if (meaning === "delivered") return undefined;
  return new BusError(CODE[meaning], `the provider answered with HTTP ${status}`, { providerCode: String(status) });
}
