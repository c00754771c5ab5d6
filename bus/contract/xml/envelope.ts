/** SOAP 1.1 and 1.2 envelopes: reading up to the body's child and behind it, header blocks, faults (W3C SOAP Note 2000, SOAP 1.2 part 1). */
import { BusError } from "../../errors.ts";
import type { SoapFault, SoapVersion } from "../../wire.ts";
import type { Addressing } from "../../edge/addressing.ts";
import type { CallContext } from "../../envelope.ts";
import { printAttribute, printText } from "./chars.ts";
import { advance, closeDocument, closeTag, openRoot } from "./cursor.ts";
import { fail } from "./state.ts";
import type { Cursor } from "./state.ts";
import { intern, showName } from "./names.ts";
import type { Name, Vocabulary } from "./names.ts";
import { readLoose } from "./loose.ts";
import { SECURITY_NAMES, WSSE } from "../../signature/names.ts";

export const SOAP_NS: Readonly<Record<SoapVersion, string>> = {
  "1.1": "http://schemas.xmlsoap.org/soap/envelope/",
  "1.2": "http://www.w3.org/2003/05/soap-envelope",
};
export const MCONNECT_NS = "https://mconnect.gov.md";
export const FAULT_NS = "urn:mconnect-bus:fault";

/** Header namespaces that are known here, so mustUnderstand on them is met. */
const UNDERSTOOD = new Set([
  MCONNECT_NS,
  "http://schemas.microsoft.com/ws/2005/05/addressing/none",
  "http://www.w3.org/2005/08/addressing",
  "http://schemas.xmlsoap.org/ws/2004/08/addressing",
]);
const ROLES = new Set([
  "",
  "http://schemas.xmlsoap.org/soap/actor/next",
  "http://www.w3.org/2003/05/soap-envelope/role/next",
  "http://www.w3.org/2003/05/soap-envelope/role/ultimateReceiver",
]);
const MAX_HEADERS = 64;
/** Endpoint references (WS-Addressing 1.0 §2): their address stands for them; one without an address is none that is known here. */
const ADDRESSED = new Set(["ReplyTo", "FaultTo", "From"]);
const ADDRESSING = new Set(["http://www.w3.org/2005/08/addressing", "http://schemas.xmlsoap.org/ws/2004/08/addressing"]);
const NOWHERE = "an endpoint without an address";
const WSA_NS = "http://www.w3.org/2005/08/addressing";
const KNOWN_HEADERS: Readonly<Record<string, readonly string[]>> = {
  [MCONNECT_NS]: ["CallingUser", "CallingEntity", "CallBasis", "CallReason"],
  [WSA_NS]: ["Action", "To", "From", "MessageID", "RelatesTo", "ReplyTo", "FaultTo", "Address"],
};

/** Makes the names of every envelope part of the vocabulary: names in it are resolved once for a scope, others in each document. */
export function knowEnvelope(vocabulary: Vocabulary): Vocabulary {
  for (const ns of Object.values(SOAP_NS)) {
    for (const local of ["Envelope", "Header", "Body", "Fault", "mustUnderstand", "actor", "role"]) intern(vocabulary, ns, local);
  }
  for (const [ns, locals] of [...Object.entries(KNOWN_HEADERS), ...Object.entries(SECURITY_NAMES)])
    for (const local of locals) intern(vocabulary, ns, local);
  return vocabulary;
}

export type OpenEnvelope = Readonly<{
  version: SoapVersion;
  headers: ReadonlyMap<string, string>;
  /** There is a Security header for this receiver. */
  secured: boolean;
  /** Where the Body begins. */
  bodyAt: number;
  child: Name | undefined;
}>;

/**
 * Reads up to the body's first child, which is open afterwards. Paths of violations then begin at that child. `verifies`: the caller
 * verifies signatures, so a Security header is understood.
 */
export function openEnvelope(c: Cursor, verifies = false): OpenEnvelope {
  const root = openRoot(c);
  const version = versionOf(c, root);
  const ns = SOAP_NS[version];
  const headers = new Map<string, string>();
  let part = advance(c);
  let secured = false;
  if (part !== undefined && part.ns === ns && part.local === "Header") {
    secured = readHeaders(c, ns, headers, verifies);
    part = advance(c);
  }
  if (part === undefined || part.ns !== ns || part.local !== "Body")
    fail(c, "soap-shape", "the envelope needs a Body, with at most a Header before it", c.at);
  c.base = 2;
  const bodyAt = c.at;
  const child = advance(c);
  return { version, headers, secured, bodyAt, child };
}

function versionOf(c: Cursor, root: Name): SoapVersion {
  if (root.ns === SOAP_NS["1.1"] && root.local === "Envelope") return "1.1";
  if (root.ns === SOAP_NS["1.2"] && root.local === "Envelope") return "1.2";
  if (root.local === "Envelope") fail(c, "soap-version", "the Envelope's namespace is neither that of SOAP 1.1 nor of SOAP 1.2", c.at);
  return fail(c, "soap-shape", "the root element is no SOAP Envelope", c.at);
}

/** Behind the body's child: nothing else may stand in Body and Envelope. */
export function closeEnvelope(c: Cursor): void {
  if (advance(c) !== undefined) fail(c, "soap-shape", "the Body has more than one child", c.at);
  c.base = 0;
  closeTag(c);
  if (advance(c) !== undefined) fail(c, "soap-shape", "nothing may follow the Body", c.at);
  closeTag(c);
  closeDocument(c);
}

/** Says whether a Security header for us is among them. */
function readHeaders(c: Cursor, ns: string, headers: Map<string, string>, verifies: boolean): boolean {
  let secured = false;
  for (let count = 0; ; count++) {
    const name = advance(c);
    if (name === undefined) break;
    if (count >= MAX_HEADERS) fail(c, "xml-limit", `an envelope may have at most ${MAX_HEADERS} header blocks`, c.at);
    const security = verifies && name.ns === WSSE && name.local === "Security";
    if (security && isForUs(c, ns)) secured = true;
    else if (mustUnderstand(c, ns) && !UNDERSTOOD.has(name.ns)) {
      fail(c, "soap-must-understand", `the header ${showName(name)} is marked mustUnderstand and is not known here`, c.at);
    }
    const key = showName(name);
    if (name.ns === MCONNECT_NS && headers.has(key)) fail(c, "soap-shape", `the header ${name.local} stands twice`, c.at);
    const { text, children } = readLoose(c);
    if (children.length === 0) headers.set(key, text.trim());
    else if (ADDRESSED.has(name.local) && ADDRESSING.has(name.ns))
      headers.set(key, (children.find(({ local }) => local === "Address")?.text ?? "").trim() || NOWHERE);
  }
  closeTag(c);
  return secured;
}

/** Only blocks for us count. */
function mustUnderstand(c: Cursor, ns: string): boolean {
  const marked = soapAttribute(c, ns, "mustUnderstand");
  return (marked === "1" || marked === "true") && isForUs(c, ns);
}

/** Is the block just opened for us: without a role, or with one that every receiver plays? `ns`: the envelope's. */
export function isForUs(c: Cursor, ns: string): boolean {
  return ROLES.has(soapAttribute(c, ns, "actor") ?? soapAttribute(c, ns, "role") ?? "");
}

function soapAttribute(c: Cursor, ns: string, local: string): string | undefined {
  for (let i = 0; i < c.attributes; i++) {
    const name = c.attributeNames[i];
    if (name?.ns === ns && name.local === local) return (c.attributeValues[i] ?? "").trim();
  }
  return undefined;
}

const GENERIC = new Set(["Client", "Server", "Sender", "Receiver", "VersionMismatch", "MustUnderstand", "DataEncodingUnknown"]);
const MAX_FAULT_TEXT = 500;

/** A Fault that is open, as the provider's failure. */
export function faultError(c: Cursor, version: SoapVersion): BusError {
  const fault = readLoose(c);
  const text = (path: string): string => {
    let node: typeof fault | undefined = fault;
    for (const local of path.split("/")) node = node?.children.find((inner) => inner.local === local);
    return (node?.text ?? "").trim();
  };
  const local = (code: string): string =>
    code
      .slice(code.lastIndexOf(":") + 1)
      .split(".")
      .at(-1) ?? "";
  const code = version === "1.1" ? local(text("faultcode")) : local(text("Code/Subcode/Value") || text("Code/Value"));
  const detail = fault.children.find((inner) => inner.local === "detail" || inner.local === "Detail")?.children[0];
  const specific = detail?.local === "code" ? detail.text.trim() : detail?.local;
  const providerCode = (GENERIC.has(code) ? (specific ?? code) : code).slice(0, 100);
  const reason = (version === "1.1" ? text("faultstring") : text("Reason/Text")).slice(0, MAX_FAULT_TEXT);
  return new BusError(
    "provider-fault",
    `the provider answered with the fault ${providerCode || "without a code"}: ${reason}`,
    providerCode === "" ? {} : { providerCode },
  );
}

const CALL_HEADERS: readonly (readonly [keyof CallContext, string])[] = [
  ["user", "CallingUser"],
  ["entity", "CallingEntity"],
  ["basis", "CallBasis"],
  ["reason", "CallReason"],
];

function addressingOf({ action, messageId, relatesTo }: Addressing): string {
  const block = (local: string, text: string): string => `<wsa:${local} xmlns:wsa="${WSA_NS}">${printText(clean(text))}</wsa:${local}>`;
  return block("Action", action) + block("MessageID", messageId) + block("RelatesTo", relatesTo);
}

/** An envelope around a payload that declares its own namespaces; both are strings of bytes (chars.ts). */
export function wrapEnvelope(version: SoapVersion, payload: string, call?: CallContext, addressing?: Addressing): string {
  let header = addressing ? addressingOf(addressing) : "";
  for (const [key, local] of CALL_HEADERS) {
    const value = call?.[key];
    if (value !== undefined) header += `<mcon:${local}>${printText(value)}</mcon:${local}>`;
  }
  if (header !== "") header = `<soap:Header xmlns:mcon="${MCONNECT_NS}">${header}</soap:Header>`;
  return `<?xml version="1.0" encoding="UTF-8"?>\n<soap:Envelope xmlns:soap="${SOAP_NS[version]}">${header}<soap:Body>${payload}</soap:Body></soap:Envelope>`;
}

/** Our own fault: the code of bus/errors.ts stands in `detail/code` (1.1) or as Subcode (1.2). */
export function faultPayload(version: SoapVersion, fault: SoapFault): string {
  const items = (fault.detail ?? [])
    .map((item) => `<m:item name="${printAttribute(clean(item.name))}">${printText(clean(item.text))}</m:item>`)
    .join("");
  const detail = `<m:code xmlns:m="${FAULT_NS}">${printText(clean(fault.code))}</m:code>${items === "" ? "" : `<m:items xmlns:m="${FAULT_NS}">${items}</m:items>`}`;
  const text = printText(clean(fault.text));
  const { standard } = fault;
  const qname = standard && `xmlns:${standard.prefix}="${printAttribute(standard.ns)}">${standard.prefix}:${standard.local}`;
  if (version === "1.1") {
    const side = fault.side === "sender" ? "Client" : "Server";
    const code = qname === undefined ? `<faultcode>soap:${side}</faultcode>` : `<faultcode ${qname}</faultcode>`;
    return `<soap:Fault>${code}<faultstring>${text}</faultstring><detail>${detail}</detail></soap:Fault>`;
  }
  const side = fault.side === "sender" ? "Sender" : "Receiver";
  // Its own prefix, if it has one, gives way to the prefix of its namespace.
  const local = /^(?:[A-Za-z_][\w.-]*:)?([A-Za-z_][\w.-]*)$/.exec(fault.code)?.[1];
  const values = [qname, local === undefined ? undefined : `xmlns:m="${FAULT_NS}">m:${local}`].filter((value) => value !== undefined);
  const subcode = values.reduceRight((inner, value) => `<soap:Subcode><soap:Value ${value}</soap:Value>${inner}</soap:Subcode>`, "");
  return (
    `<soap:Fault><soap:Code><soap:Value>soap:${side}</soap:Value>${subcode}</soap:Code>` +
    `<soap:Reason><soap:Text xml:lang="en">${text}</soap:Text></soap:Reason><soap:Detail>${detail}</soap:Detail></soap:Fault>`
  );
}

/** A fault must always be writable: characters that XML does not know become a question mark. */
function clean(text: string): string {
  // oxlint-disable-next-line no-control-regex -- these are the characters that XML 1.0 forbids
  return text.toWellFormed().replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, "?");
}
