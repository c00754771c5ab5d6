/** A JSON or CloudEvents request as the bus takes it: what it says, and the fault in it, if any. */
import { randomBytes } from "node:crypto";
import { CALL_NAMES, checkId, mergeCall, readHeaderFacts } from "#bus/edge/headers.ts";
import type { OpenedJws } from "#bus/edge/signatures.ts";
import type { CallContext } from "#bus/envelope.ts";
import { asBusError, BusError } from "#bus/errors.ts";
import type { Inbound } from "#bus/ports.ts";
import type { HttpInletSettings, WebRequest } from "#bus/wire.ts";
import { readBinary, readStructured, type EventFacts } from "#bus/edge/cloudevents.ts";

/** Never throws: a broken request still goes through the bus, so that the journal has a row of it. */
export function readRequest(request: WebRequest, settings: HttpInletSettings): Inbound {
  const { fault: wrongHeader, ...facts } = readHeaderFacts(request.headers, settings.headers);
  let fault = wrongHeader;
  let event: EventFacts | undefined;
  let data: Uint8Array = request.body;
  let jws: OpenedJws | undefined;
  let { call } = facts;
  try {
    ({ event, data, jws } = readContent(request, settings));
    if (jws !== undefined) {
      const merged = mergeCall(jws.call, call);
      ({ call } = merged);
      fault ??= merged.fault ?? checkCarrier(jws, call);
    }
    fault ??= checkId("the event's id", event?.id) ?? checkId("the event's correlationid", event?.correlationId);
  } catch (error) {
    fault ??= asBusError(error);
  }
  const { id, ...others } = event ?? {};
  return {
    traceparent: newTraceparent(),
    ...facts,
    ...others,
    ...(id !== undefined && checkId("", id) === undefined && { id }),
    route: settings.binding.route,
    from: settings.binding.from,
    system: request.system,
    bytes: request.body,
    mediaType: request.headers["content-type"] ?? "",
    call,
    ...(jws && { signed: jws.signed }),
    read() {
      if (fault !== undefined) throw fault;
      return settings.codec.read(data);
    },
  };
}

type Content = { event: EventFacts | undefined; data: Uint8Array; jws?: OpenedJws | undefined };

/** Throws media-type, message-too-large, http-request, json-malformed, json-violation, signature-*. */
function readContent(request: WebRequest, settings: HttpInletSettings): Content {
  const type = mediaTypeOf(request.headers["content-type"]);
  if (request.body.byteLength > settings.limits.maxBytes)
    throw new BusError("message-too-large", `a message may have at most ${settings.limits.maxBytes} bytes`);
  const { signatures } = settings;
  if (signatures !== undefined && isJws(type, request.body)) {
    const jws = signatures.openJws(Buffer.from(request.body).toString("latin1"), signatures.check(request.system));
    const binary = settings.binding.pattern === "event" ? readBinary(request.headers) : undefined;
    return { event: binary, data: jws.payload, jws };
  }
  const events = settings.binding.pattern === "event";
  if (events && type === "application/cloudevents+json") return readStructured(request.body);
  if (type !== "application/json") {
    const also = events ? " or application/cloudevents+json" : "";
    throw new BusError("media-type", `Content-Type is "${type.slice(0, 80)}"; send application/json${also}, in utf-8`);
  }
  return { event: events ? readBinary(request.headers) : undefined, data: request.body };
}

/** A compact JWS comes under its own type, or as JSON, which begins with other letters. */
export function isJws(type: string, body: Uint8Array): boolean {
  const start = Buffer.from(body.buffer, body.byteOffset, Math.min(body.byteLength, 3)).toString("latin1");
  return type === "application/jose" || (type === "application/json" && start === "eyJ");
}

/** What is signed as a whole brings its call context in the protected header, not beside it. */
function checkCarrier(jws: OpenedJws, call: CallContext): BusError | undefined {
  if (jws.signed.covers !== "message") return undefined;
  const bare = CALL_NAMES.find(([key]) => call[key] !== undefined && jws.call[key] === undefined);
  if (bare === undefined) return undefined;
  const text = `${bare[1]} comes as an HTTP header, which the signature does not cover; send it in the protected header of the JWS`;
  return new BusError("signature-coverage", text);
}

/** Type without parameters; a charset other than utf-8 is part of it, so that it fits nothing. */
export function mediaTypeOf(header = ""): string {
  const charset = /;\s*charset\s*=\s*"?([^";\s]+)/i.exec(header)?.[1]?.toLowerCase();
  const type = header.split(";", 1)[0]?.trim().toLowerCase() ?? "";
  return charset === undefined || charset === "utf-8" ? type : `${type}; charset=${charset}`;
}

/** A trace of its own where the caller has none, so that every problem document can name one. */
function newTraceparent(): string {
  const hex = randomBytes(24).toString("hex");
  return `00-${hex.slice(0, 32)}-${hex.slice(32)}-01`;
}
