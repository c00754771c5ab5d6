/** Why a mail was not taken, in the bus's words. What the server wrote stays out: it repeats addresses and what was tried. */
import { BusError } from "#bus/errors.ts";

type SmtpError = Error & Readonly<{ code?: string; responseCode?: number; command?: string }>;

/** `answer`: the server refused this mail, and the session goes on. Otherwise the session is over. */
export type MailFailure = Readonly<{ error: BusError; answer: boolean; lasting: boolean }>;

const UNREACHABLE: Readonly<Record<string, string>> = {
  EDNS: "its name is unknown",
  ECONNECTION: "the connection could not be made, or broke",
  ESOCKET: "the connection could not be made, or broke",
  ETLS: "it offers no TLS, or its certificate is not trusted",
};

export function mailFailure(thrown: unknown, server: string, signal: AbortSignal): MailFailure {
  const over = (error: BusError): MailFailure => ({ error, answer: false, lasting: false });
  if (thrown instanceof BusError) return over(thrown);
  if (signal.aborted)
    return over(
      signal.reason instanceof BusError
        ? signal.reason
        : new BusError("attempt-timeout", `${server} did not take the mail in time`, { cause: thrown }),
    );
  const { code = "", responseCode: status } = thrown as SmtpError;
  if (code === "EPROTOCOL" && (status === undefined || status < 400))
    return over(new BusError("provider-reply-invalid", `${server} did not answer in SMTP`, { providerCode: code, cause: thrown }));
  if (code === "EAUTH" && (status === undefined || status >= 500))
    return over(
      new BusError("configuration", `${server} refuses user and password; look at \`user\` and \`password\``, details(status, thrown)),
    );
  if (status !== undefined && status >= 500)
    return {
      error: new BusError("provider-fault", `${server} refused the mail for good (${status})`, details(status, thrown)),
      answer: true,
      lasting: true,
    };
  if (status !== undefined && status >= 400) return { error: unavailable(server, status, thrown), answer: status !== 421, lasting: false };
  if (code === "ETIMEDOUT") return over(new BusError("attempt-timeout", `${server} did not answer in time`, { cause: thrown }));
  const why = UNREACHABLE[code] ?? "the connection could not be made, or broke";
  return over(new BusError("endpoint-unreachable", `${server} could not be reached: ${why}`, { cause: thrown }));
}

const details = (status: number | undefined, cause: unknown) => ({ ...(status !== undefined && { providerCode: String(status) }), cause });

/** 450 to 452 and their like: not now (RFC 5321 §4.2.1). */
function unavailable(server: string, status: number, cause: unknown): BusError {
  return new BusError("endpoint-unavailable", `${server} cannot take the mail now (${status})`, details(status, cause));
}
