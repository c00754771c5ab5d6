/** Dead letters of one cause share a fingerprint, so that an operator sees one group and not ten thousand rows. */
import type { BusError } from "../errors.ts";
import { digestOf } from "../ids.ts";

const encoder = new TextEncoder();

/**
 * Text of an error without what differs from message to message: quoted values, UUIDs, long hexadecimal numbers, numbers. At most 300 characters,
 * cut before the patterns run, so that no text costs more than its first part.
 */
export function normalised(text: string): string {
  return text
    .slice(0, 600)
    .replaceAll(/`[^`]*`|"[^"]*"|'[^']*'|„[^”]*”|«[^»]*»/gu, "…")
    .replaceAll(/\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/giu, "…")
    .replaceAll(/\b(?=\d*[a-f])(?=[a-f]*\d)[0-9a-f]{8,}\b/giu, "…")
    .replaceAll(/\d+/gu, "#")
    .replaceAll(/\s+/gu, " ")
    .trim()
    .slice(0, 300);
}

/** Route, branch, step, class and normalised text, as 16 hexadecimal digits. */
export function fingerprintOf(route: string, branch: string, error: BusError): string {
  const cause = [route, branch, error.step ?? "", error.class, normalised(error.message)].join("\n");
  return digestOf(encoder.encode(cause)).slice(0, 16);
}
