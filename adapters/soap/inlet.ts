/** SOAP 1.1 and 1.2 in: one address serves a whole service, its WSDL at `?wsdl`. */
import { createDoorway } from "#bus/edge/doorway.ts";
import { asBusError } from "#bus/errors.ts";
import type { Accept, Inlet, Outcome } from "#bus/ports.ts";
import type { SoapInletSettings, WebRequest, WebResponse } from "#bus/wire.ts";
import { faultAnswer } from "./fault.ts";
import { contentType, versionOf } from "./media.ts";
import { readRequest, type SoapRequest } from "./request.ts";

/** `drain`: milliseconds that `close` waits for messages still in the bus. */
export function createSoapInlet(settings: SoapInletSettings, drain = 10_000): Inlet {
  return createDoorway(settings, drain, {
    aside: (request) => (request.method === "POST" ? undefined : document(settings, request)),
    refuse: (error, request) => faultAnswer(settings.service, versionOf(request.headers["content-type"]), error),
    take: (request, accept) => answer(settings, accept, request),
  });
}

async function answer(settings: SoapInletSettings, accept: Accept, request: WebRequest): Promise<WebResponse> {
  const soap = readRequest(request, settings);
  try {
    const outcome = await accept(soap.inbound, request.signal);
    return await signed(settings, soap, replyAnswer(settings, soap, outcome));
  } catch (error) {
    return signed(settings, soap, faultAnswer(settings.service, soap.version, asBusError(error), soap.inbound.id));
  }
}

/** Replies and faults alike: who signs its messages gets signed answers. */
async function signed(settings: SoapInletSettings, soap: SoapRequest, answer: WebResponse): Promise<WebResponse> {
  const { signatures } = settings;
  if (signatures === undefined || soap.style === undefined || !(answer.body instanceof Uint8Array)) return answer;
  return { ...answer, body: await signatures.signEnvelope(answer.body, soap.style, soap.messageId) };
}

function replyAnswer(settings: SoapInletSettings, soap: SoapRequest, outcome: Outcome): WebResponse {
  const { service } = settings;
  const headers = { "content-type": contentType(soap.version), "x-message-id": outcome.id, "x-correlation-id": outcome.correlationId };
  const operation = soap.operation ?? "";
  const value = outcome.kind === "reply" ? outcome.value : service.acknowledgement?.(operation, outcome);
  if (value === undefined) return { status: 202, headers };
  return { status: 200, headers, body: service.writeReply(soap.version, operation, value) };
}

/** `?wsdl` and WCF's `?singleWsdl`, in any case. */
function document(settings: SoapInletSettings, request: WebRequest): WebResponse {
  const wanted = [...request.query.keys()].some((name) => name.toLowerCase() === "wsdl" || name.toLowerCase() === "singlewsdl");
  if (request.method === "GET" && wanted)
    return {
      status: 200,
      headers: { "content-type": "text/xml; charset=utf-8" },
      body: settings.service.wsdl(request.origin + settings.path),
    };
  const body = `This is a SOAP service. POST an envelope, or GET ${request.origin}${settings.path}?wsdl for its description.\n`;
  return { status: 405, headers: { allow: "GET, POST", "content-type": "text/plain; charset=utf-8" }, body };
}
