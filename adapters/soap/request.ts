/** A SOAP request over HTTP as the bus takes it: what it says, and the fault in it, if any. */
import { asBusError, BusError } from "#bus/errors.ts";
import { CALL_NAMES, checkId, mergeCall, readHeaderFacts } from "#bus/edge/headers.ts";
import type { AvroRecord, CallContext } from "#bus/envelope.ts";
import type { Inbound } from "#bus/ports.ts";
import { OASIS_STYLE, type SignatureStyle, type Signatures } from "#bus/edge/signatures.ts";
import type { SoapInletSettings, SoapMessage, SoapVersion, SourceBinding, WebRequest } from "#bus/wire.ts";
import { checkAction, readMedia, versionOf, type Media } from "./media.ts";

export type SoapRequest = Readonly<{
  version: SoapVersion;
  operation: string | undefined;
  inbound: Inbound;
  /** wsa:MessageID, which a signed answer names. */
  messageId: string | undefined;
  /** How the answer is signed, where it is: as the message was, or as the sender's registration demands. */
  style: SignatureStyle | undefined;
}>;

/** An inbound while it is put together: what the sender did not say is left out. */
type Draft = { -readonly [K in keyof Inbound]: Inbound[K] };

const WSA = "{http://www.w3.org/2005/08/addressing}";
/** Keys of header blocks, made once. */
const CALL_BLOCKS = CALL_NAMES.map(([key, name]) => [key, `{https://mconnect.gov.md}${name}`] as const);
const ACTION = `${WSA}Action`;
const MESSAGE_ID = `${WSA}MessageID`;
const RELATES_TO = `${WSA}RelatesTo`;
const OLD_WSA = "{http://schemas.xmlsoap.org/ws/2004/08/addressing}";
const ANSWER_TO = [
  ["ReplyTo", `${WSA}ReplyTo`],
  ["FaultTo", `${WSA}FaultTo`],
  ["ReplyTo", `${OLD_WSA}ReplyTo`],
  ["FaultTo", `${OLD_WSA}FaultTo`],
] as const;
const MICROSOFT_ACTION = "{http://schemas.microsoft.com/ws/2005/05/addressing/none}Action";
const ANSWERS_HERE = new Set([
  "http://www.w3.org/2005/08/addressing/anonymous",
  "http://www.w3.org/2005/08/addressing/none",
  "http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous",
]);

/** Never throws: a broken request still goes through the bus, so that the journal has a row of it. */
export function readRequest(request: WebRequest, settings: SoapInletSettings): SoapRequest {
  const mediaType = request.headers["content-type"] ?? "";
  const http = readHeaderFacts(request.headers, settings.headers);
  let version = versionOf(mediaType);
  let message: SoapMessage | undefined;
  let fault: BusError | undefined = http.fault;
  let call: CallContext = http.call;
  try {
    const media = readMedia(mediaType);
    if (request.body.byteLength > settings.limits.maxBytes)
      throw new BusError("message-too-large", `a message may have at most ${settings.limits.maxBytes} bytes`);
    message = settings.service.readRequest(request.body, settings.signatures?.check(request.system));
    version = message.version;
    const merged = mergeCall(callOf(message), http.call);
    call = merged.call;
    fault ??= merged.fault;
    if (message.signed?.covers === "message") checkCarrier(message, call);
    checkMessage(message, media, request, settings);
  } catch (error) {
    fault ??= asBusError(error);
  }
  const operation = message?.operation;
  const value = message?.value;
  const read = (): AvroRecord => {
    if (fault !== undefined) throw fault;
    return value ?? {};
  };
  const { route, name } = sourceOf(settings, operation);
  const inbound: Draft = {
    route,
    from: name,
    system: request.system,
    call,
    headers: http.headers,
    bytes: request.body,
    mediaType,
    read,
  };
  const id = goodId(message, MESSAGE_ID) ?? http.id;
  const correlationId = goodId(message, RELATES_TO) ?? http.correlationId;
  if (id !== undefined) inbound.id = id;
  if (correlationId !== undefined) inbound.correlationId = correlationId;
  if (http.traceparent !== undefined) inbound.traceparent = http.traceparent;
  if (http.waits !== undefined) inbound.waits = http.waits;
  if (message?.signed !== undefined) inbound.signed = message.signed;
  return {
    version,
    operation,
    inbound,
    messageId: goodId(message, MESSAGE_ID),
    style: styleOf(message, fault, request, settings.signatures),
  };
}

function styleOf(
  message: SoapMessage | undefined,
  fault: BusError | undefined,
  request: WebRequest,
  signatures: Signatures | undefined,
): SignatureStyle | undefined {
  if (signatures === undefined) return undefined;
  if (message?.signed !== undefined) return message.signed.style;
  const meant =
    fault !== undefined && Buffer.from(request.body.buffer, request.body.byteOffset, request.body.byteLength).includes(SECURITY);
  return meant || signatures.required(request.system) ? OASIS_STYLE : undefined;
}

/** Stands in every message that means to be signed, also in one that cannot be read. */
const SECURITY = "oasis-200401-wss-wssecurity-secext-1.0.xsd";

/** What is signed as a whole brings its call context under the signature, not beside it. Throws signature-coverage. */
function checkCarrier(message: SoapMessage, call: CallContext): void {
  const signed = callOf(message);
  for (const [key, name] of CALL_NAMES)
    if (call[key] !== undefined && signed[key] === undefined)
      throw new BusError(
        "signature-coverage",
        `${name} comes as an HTTP header, which the signature does not cover; send it as a signed SOAP header`,
      );
}

function sourceOf(settings: SoapInletSettings, operation: string | undefined): Readonly<{ route: string | undefined; name: string }> {
  const found: SourceBinding | undefined =
    (operation === undefined ? undefined : settings.bindings.get(operation)) ?? settings.bindings.values().next().value;
  return { route: found?.route, name: found?.from ?? "" };
}

/** What must hold besides the XSD. Throws media-type, soap-version, soap-action, soap-operation, soap-shape, http-request. */
function checkMessage(message: SoapMessage, media: Media, request: WebRequest, settings: SoapInletSettings): void {
  const { operation, headers, version } = message;
  if (media.version !== version)
    throw new BusError("media-type", `the envelope is SOAP ${version}, but the Content-Type belongs to SOAP ${media.version}`);
  if (settings.version !== undefined && version !== settings.version)
    throw new BusError("soap-version", `this address takes SOAP ${settings.version} only, the envelope is SOAP ${version}`);
  const declared = settings.service.action(operation);
  checkAction("SOAPAction", request.headers["soapaction"], operation, declared);
  checkAction("the action parameter of Content-Type", media.action, operation, declared);
  checkAction("wsa:Action", headers.get(ACTION), operation, declared);
  checkAction("the header Action", headers.get(MICROSOFT_ACTION), operation, declared);
  if (!settings.bindings.has(operation))
    throw new BusError(
      "soap-operation",
      `no route takes ${operation} here; this address takes ${[...settings.bindings.keys()].join(", ")}`,
    );
  for (const [name, block] of ANSWER_TO) {
    const address = headers.get(block)?.trim();
    if (address !== undefined && address !== "" && !ANSWERS_HERE.has(address))
      throw new BusError("soap-shape", `wsa:${name} names another address; answers only go back to the caller (use the anonymous address)`);
  }
  const wrongId = checkId("wsa:MessageID", headers.get(MESSAGE_ID)) ?? checkId("wsa:RelatesTo", headers.get(RELATES_TO));
  if (wrongId !== undefined) throw wrongId;
}

function callOf(message: SoapMessage): CallContext {
  const call: Record<string, string> = {};
  for (const [key, block] of CALL_BLOCKS) {
    const value = message.headers.get(block)?.trim();
    if (value !== undefined && value !== "") call[key] = value;
  }
  return call;
}

/** The id in a header block, where it is one. */
function goodId(message: SoapMessage | undefined, block: string): string | undefined {
  const id = message?.headers.get(block);
  return id !== undefined && checkId("", id) === undefined ? id : undefined;
}
