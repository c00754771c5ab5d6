/** Why a call out failed, in the bus's words. Only the origin is named: paths and headers may hold secrets. */
import { BusError } from "#bus/errors.ts";

/** The statuses that say "not now" whatever the body holds. */
export function statusFailure(status: number, retryAfter: string | undefined, origin: string): BusError | undefined {
  if (status !== 429 && status !== 502 && status !== 503 && status !== 504) return undefined;
  const wait = readRetryAfter(retryAfter, Date.now());
  const details = { providerCode: String(status), ...(wait !== undefined && { retryAfter: wait }) };
  if (status === 429) return new BusError("endpoint-throttled", `${origin} answered 429: too many requests`, details);
  return new BusError("endpoint-unavailable", `${origin} answered ${status}`, details);
}

/** Milliseconds of a Retry-After header: seconds or an HTTP date (RFC 9110 §10.2.3), at most a day. */
export function readRetryAfter(value: string | undefined, now: number): number | undefined {
  if (value === undefined) return undefined;
  const wait = /^\d{1,9}$/.test(value.trim()) ? Number(value) * 1000 : Date.parse(value) - now;
  return Number.isNaN(wait) ? undefined : Math.min(Math.max(wait, 0), 86_400_000);
}

export function failureOf(error: unknown, origin: string, signal: AbortSignal): BusError {
  if (signal.aborted) {
    if (signal.reason instanceof BusError) return signal.reason;
    return new BusError("attempt-timeout", `${origin} did not answer in time`, { cause: error });
  }
  const code = codeOf(error);
  if (code === "UND_ERR_INVALID_ARG")
    return new BusError("configuration", `the call to ${origin} could not be built: ${textOf(error)}`, { cause: error });
  // undici leaves the parser's code out for answers that do not even begin like HTTP.
  if (code.startsWith("HPE_") || (error instanceof Error && error.name === "HTTPParserError"))
    return new BusError("provider-reply-invalid", `${origin} did not answer in HTTP`, {
      providerCode: code || "HTTPParserError",
      cause: error,
    });
  return new BusError("endpoint-unreachable", `${origin} could not be reached: ${reasonOf(code, error)}`, { cause: error });
}

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nothing listens there",
  ENOTFOUND: "its name is unknown",
  EAI_AGAIN: "its name could not be looked up",
  ECONNRESET: "the connection broke before the answer",
  EPIPE: "the connection broke before the answer",
  UND_ERR_SOCKET: "the connection broke before the answer",
  UND_ERR_CONNECT_TIMEOUT: "no connection within 10 s",
  ETIMEDOUT: "no connection in time",
  EHOSTUNREACH: "no way to that host",
  ENETUNREACH: "no way to that network",
  SELF_SIGNED_CERT_IN_CHAIN: "its certificate's issuer is not trusted",
  DEPTH_ZERO_SELF_SIGNED_CERT: "its certificate's issuer is not trusted",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "its certificate's issuer is not trusted",
  CERT_HAS_EXPIRED: "its certificate has expired",
  ERR_TLS_CERT_ALTNAME_INVALID: "its certificate is for another name",
};

function reasonOf(code: string, error: unknown): string {
  const reason = REASONS[code] ?? textOf(error);
  return code === "" ? reason : `${reason} (${code})`;
}

/** A connect to several addresses fails with all their errors at once; the first one tells enough. */
function codeOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return codeOf(error.errors[0]);
  return error instanceof Error && "code" in error ? String(error.code) : "";
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message.slice(0, 200) : "unknown reason";
}
