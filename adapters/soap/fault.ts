/** A BusError as a SOAP fault: which side, which HTTP status, and what the sender may know of it. */
import { CLASSES, CODES, type BusError, type Place } from "#bus/errors.ts";
import type { SoapFault, SoapService, SoapVersion, WebResponse } from "#bus/wire.ts";
import { contentType } from "./media.ts";

/** Places listed in one fault; a broken document can have thousands. */
const MAX_PLACES = 20;

export function faultAnswer(service: SoapService, version: SoapVersion, error: BusError, messageId?: string): WebResponse {
  const headers: Record<string, string> = { "content-type": contentType(version) };
  if (messageId !== undefined) headers["x-message-id"] = messageId;
  if (error.retryAfter !== undefined || statusOf(error, version) === 503)
    headers["retry-after"] = String(Math.max(1, Math.ceil((error.retryAfter ?? 1000) / 1000)));
  return { status: statusOf(error, version), headers, body: service.writeFault(version, faultOf(error, messageId)) };
}

/** SOAP 1.1 binds every fault to 500, SOAP 1.2 a sender's to 400; "come again later" is 503 in both, so that proxies see it. */
function statusOf(error: BusError, version: SoapVersion): number {
  if (error.class === "throttled" || error.class === "provider-unavailable") return 503;
  return version === "1.2" && CLASSES[error.class].side === "sender" ? 400 : 500;
}

function faultOf(error: BusError, messageId: string | undefined): SoapFault {
  const detail: { name: string; text: string }[] = [
    { name: "code", text: error.code },
    { name: "class", text: error.class },
  ];
  if (messageId !== undefined) detail.push({ name: "messageId", text: messageId });
  if (error.providerCode !== undefined) detail.push({ name: "providerCode", text: error.providerCode });
  for (const place of error.places.slice(0, MAX_PLACES)) detail.push({ name: "place", text: placeText(place) });
  // What failed inside is for the operator's eyes; the caller learns which kind it was.
  const text = error.class === "internal" ? CODES[error.code][1] : error.message;
  return { side: CLASSES[error.class].side, code: `mbus:${error.code}`, text, detail };
}

function placeText(place: Place): string {
  const where = [
    place.path,
    place.line === undefined ? undefined : `line ${place.line}${place.column === undefined ? "" : `, column ${place.column}`}`,
    place.rule === undefined ? undefined : `rule ${place.rule}`,
  ].filter((part) => part !== undefined);
  return where.length === 0 ? place.text : `${where.join(", ")}: ${place.text}`;
}
