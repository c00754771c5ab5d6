/** A BusError as a SOAP fault: which side, which HTTP status, and what the sender may know of it. */
import { CLASSES, CODES, type BusError, type ErrorCode, type Place } from "#bus/errors.ts";
import type { SoapFault, SoapService, SoapVersion, WebResponse } from "#bus/wire.ts";
import { contentType } from "./media.ts";

/** Places listed in one fault; a broken document can have thousands. */
const MAX_PLACES = 20;

const OASIS = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity";
const wsse = (local: string): NonNullable<SoapFault["standard"]> => ({ ns: `${OASIS}-secext-1.0.xsd`, prefix: "wsse", local });
/** Codes of WS-Security 1.0 §12. */
const STANDARD: ReadonlyMap<ErrorCode, NonNullable<SoapFault["standard"]>> = new Map([
  ["signature-missing", wsse("InvalidSecurity")],
  ["signature-shape", wsse("InvalidSecurity")],
  ["signature-coverage", wsse("InvalidSecurity")],
  ["signature-replayed", wsse("InvalidSecurity")],
  ["signature-algorithm", wsse("UnsupportedAlgorithm")],
  ["signature-key", wsse("FailedAuthentication")],
  ["signature-wrong", wsse("FailedCheck")],
  ["signature-expired", { ns: `${OASIS}-utility-1.0.xsd`, prefix: "wsu", local: "MessageExpired" }],
]);

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
  const standard = STANDARD.get(error.code);
  const fault = { side: CLASSES[error.class].side, code: `mbus:${error.code}`, text, detail };
  return standard === undefined ? fault : { ...fault, standard };
}

function placeText(place: Place): string {
  const where = [
    place.path,
    place.line === undefined ? undefined : `line ${place.line}${place.column === undefined ? "" : `, column ${place.column}`}`,
    place.rule === undefined ? undefined : `rule ${place.rule}`,
  ].filter((part) => part !== undefined);
  return where.length === 0 ? place.text : `${where.join(", ")}: ${place.text}`;
}
