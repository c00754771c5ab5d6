/** Checks a request's Host and target before anything else looks at them (RFC 9112 §3.2), and finds its path. */
import type { IncomingMessage } from "node:http";
import type { Problem } from "./answer.ts";

export type Target = Readonly<{
  /** Percent-decoded once, begins with one slash, has no dot segments. */
  path: string;
  /** What stands behind the question mark, undecoded. */
  query: string;
  /** Host header as sent, and its name without the port. */
  host: string;
  name: string;
}>;

export type HostCheck = (name: string) => boolean;

/** Names a request may address: this machine, and the configured ones (`*.gov.md` stands for all below). */
export function hostCheck(names: readonly string[]): HostCheck {
  const exact = new Set(
    ["localhost", "127.0.0.1", "[::1]", ...names.filter((name) => !name.startsWith("*."))].map((name) => name.toLowerCase()),
  );
  const suffixes = [".localhost", ...names.filter((name) => name.startsWith("*.")).map((name) => name.slice(1).toLowerCase())];
  return (name) => exact.has(name) || suffixes.some((suffix) => name.endsWith(suffix) && name.length > suffix.length);
}

const HOST = /^(\[[0-9a-f:.]{2,45}\]|[a-z0-9._-]{1,253})(:[0-9]{1,5})?$/i;

export function readTarget(request: IncomingMessage, allowed: HostCheck): Target | Problem {
  const host = onlyHost(request.rawHeaders);
  const found = host === undefined ? undefined : HOST.exec(host);
  if (host === undefined || found?.[1] === undefined)
    return badRequest("A request needs exactly one Host header, with a name and maybe a port.");
  const name = found[1].toLowerCase();
  if (!allowed(name)) return badRequest(`The name "${name}" is not served here; add it to the configured host names if it should be.`);
  const target = request.url ?? "";
  if (!target.startsWith("/") || target.startsWith("//"))
    return badRequest("The request target must be a path, as in POST /mconnect/… HTTP/1.1.");
  const mark = target.indexOf("?");
  const path = decodePath(mark < 0 ? target : target.slice(0, mark));
  if (path === undefined) return badRequest("The path has dot segments, control characters or broken percent-encoding.");
  return { path, query: mark < 0 ? "" : target.slice(mark + 1), host, name };
}

/** Node joins or drops repeated headers; only the raw list shows that there were two. */
function onlyHost(raw: readonly string[]): string | undefined {
  let host: string | undefined;
  for (let i = 0; i + 1 < raw.length; i += 2) {
    if (raw[i]?.toLowerCase() !== "host") continue;
    if (host !== undefined) return undefined;
    host = raw[i + 1];
  }
  return host;
}

const FORBIDDEN = /[\p{Cc}\\]|(^|\/)\.\.?(\/|$)/u;

function decodePath(raw: string): string | undefined {
  if (raw.includes("#")) return undefined;
  try {
    const path = raw.includes("%") ? decodeURIComponent(raw) : raw;
    return FORBIDDEN.test(path) || path.startsWith("//") ? undefined : path;
  } catch {
    return undefined;
  }
}

function badRequest(detail: string): Problem {
  return { status: 400, title: "Request is not accepted", detail, close: true };
}
