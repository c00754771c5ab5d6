/** Content types and actions of SOAP over HTTP: SOAP 1.1 §6.1.1 (SOAPAction), SOAP 1.2 part 2 §7 and RFC 3902. */
import { BusError } from "#bus/errors.ts";
import type { SoapVersion } from "#bus/wire.ts";

export type Media = Readonly<{ version: SoapVersion; action: string | undefined }>;

/** Content types as they came, and what they say: a caller sends the same one with every message. Bounded. */
const known = new Map<string, Media>();
const MOST_KNOWN = 200;

/** Version and action parameter of a content type. Throws media-type. */
export function readMedia(contentType: string | undefined): Media {
  const text = contentType ?? "";
  const seen = known.get(text);
  if (seen !== undefined) return seen;
  const media = parseMedia(text);
  if (known.size < MOST_KNOWN && text.length < 300) known.set(text, media);
  return media;
}

function parseMedia(contentType: string): Media {
  const [type = ""] = contentType.split(";", 1);
  const parameters = [...contentType.slice(type.length).matchAll(PARAMETER)].map(
    ([, name = "", value = ""]) => [name.toLowerCase(), unquote(value.trim())] as const,
  );
  const version = VERSIONS.get(type.trim().toLowerCase());
  if (version === undefined)
    throw new BusError(
      "media-type",
      `Content-Type is "${type.trim().slice(0, 80)}"; send text/xml for SOAP 1.1 or application/soap+xml for SOAP 1.2`,
    );
  // Whoever repeats a parameter may mean either: each has to be right.
  const charset = parameters.find(([name, value]) => name === "charset" && value.toLowerCase() !== "utf-8")?.[1];
  if (charset !== undefined) throw new BusError("media-type", `the charset is "${charset.slice(0, 40)}"; only utf-8 is taken`);
  const actions = new Set(parameters.filter(([name]) => name === "action").map(([, value]) => value));
  if (actions.size > 1) throw new BusError("media-type", "the Content-Type names two actions; send one");
  return { version, action: [...actions][0] };
}

/** Version to answer in when the request could not be read. */
export function versionOf(contentType: string | undefined): SoapVersion {
  const seen = known.get(contentType ?? "");
  if (seen !== undefined) return seen.version;
  return VERSIONS.get((contentType ?? "").split(";", 1)[0]?.trim().toLowerCase() ?? "") ?? "1.1";
}

const VERSIONS = new Map<string, SoapVersion>([
  ["text/xml", "1.1"],
  ["application/soap+xml", "1.2"],
]);

/** A semicolon inside of quotes ends no parameter: actions are URIs. */
const PARAMETER = /;\s*([^=;\s]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^;]*)/g;

function unquote(text: string): string {
  return text.length >= 2 && text.startsWith('"') && text.endsWith('"') ? text.slice(1, -1).replaceAll('\\"', '"') : text;
}

/** Content type of a message; `action` belongs to SOAP 1.2 requests only. */
export function contentType(version: SoapVersion, action?: string): string {
  if (version === "1.1") return "text/xml; charset=utf-8";
  return action === undefined || action === ""
    ? "application/soap+xml; charset=utf-8"
    : `application/soap+xml; charset=utf-8; action="${action}"`;
}

/**
 * The operation is what the body says. An action may be left out or empty, be the WSDL's own, or end in the operation's name
 * (many clients send just that); anything else would let a filter in front of us see another operation. Throws soap-action.
 */
export function checkAction(where: string, action: string | undefined, operation: string, declared: string): void {
  if (action === undefined) return;
  const said = unquote(action.trim());
  if (said === "" || said === declared) return;
  const last = said.slice(Math.max(said.lastIndexOf("/"), said.lastIndexOf("#"), said.lastIndexOf(":")) + 1);
  if (last === operation || last === `${operation}Request`) return;
  const text = `${where} says "${said.slice(0, 120)}", but the body holds ${operation}; leave it empty or send "${declared === "" ? operation : declared}"`;
  throw new BusError("soap-action", text, { places: [{ path: where, text }] });
}
