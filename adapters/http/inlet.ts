/** JSON in: the twin of the SOAP face. Queries answer 200, events and commands 202 once they are durable. */
import { createDoorway } from "#bus/edge/doorway.ts";
import { asBusError, BusError } from "#bus/errors.ts";
import type { Accept, Inlet, Outcome } from "#bus/ports.ts";
import type { HttpInletSettings, WebRequest, WebResponse } from "#bus/wire.ts";
import { problemAnswer } from "./problem.ts";
import { isJws, mediaTypeOf, readRequest } from "./request.ts";

/** `drain`: milliseconds that `close` waits for messages still in the bus. */
export function createHttpInlet(settings: HttpInletSettings, drain = 10_000): Inlet {
  return createDoorway(settings, drain, {
    aside: (request) => (request.method === settings.method ? undefined : wrongMethod(settings, request)),
    refuse: (error, request) => problemAnswer(error, request.path, request.headers["traceparent"]),
    take: (request, accept) => answer(settings, accept, request),
  });
}

async function answer(settings: HttpInletSettings, accept: Accept, request: WebRequest): Promise<WebResponse> {
  const inbound = readRequest(request, settings);
  try {
    const outcome = await accept(inbound, request.signal);
    return await signed(settings, request, outcomeAnswer(settings, outcome));
  } catch (error) {
    return signed(settings, request, problemAnswer(asBusError(error), request.path, inbound.traceparent));
  }
}

/** Who signs its messages, or has to, gets signed answers; as JSON where the question came so, a problem always as what it is. */
async function signed(settings: HttpInletSettings, request: WebRequest, answer: WebResponse): Promise<WebResponse> {
  const { signatures } = settings;
  const type = mediaTypeOf(request.headers["content-type"]);
  if (signatures === undefined || answer.body === undefined || !(isJws(type, request.body) || signatures.required(request.system)))
    return answer;
  const inside = (answer.headers?.["content-type"] ?? "").replace(/^application\//, "");
  const outside = inside === "json" && type === "application/json" ? type : "application/jose";
  return { ...answer, headers: { ...answer.headers, "content-type": outside }, body: await signatures.writeJws(answer.body, inside) };
}

function outcomeAnswer(settings: HttpInletSettings, outcome: Outcome): WebResponse {
  const { id, correlationId, position } = outcome;
  const headers: Record<string, string> = { "content-type": "application/json", "x-message-id": id, "x-correlation-id": correlationId };
  if (outcome.kind === "reply" && settings.replyCodec !== undefined)
    return {
      status: 200,
      headers: { ...headers, "content-type": settings.replyCodec.mediaType },
      body: settings.replyCodec.write(outcome.value),
    };
  if (settings.binding.pattern === "command") headers["location"] = `/mconnect/commands/${encodeURIComponent(id)}`;
  return { status: 202, headers, body: JSON.stringify({ id, correlationId, position }) };
}

function wrongMethod(settings: HttpInletSettings, request: WebRequest): WebResponse {
  const error = new BusError("http-request", `${request.method} is not served here; send ${settings.method} with a JSON body`);
  const refused = problemAnswer(error, request.path, request.headers["traceparent"], 405);
  return { ...refused, headers: { ...refused.headers, allow: settings.method } };
}
