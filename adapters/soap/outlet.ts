/** SOAP out: one operation of one provider's service. */
import { BusError } from "#bus/errors.ts";
import { replyAddressing } from "#bus/edge/addressing.ts";
import { writeHeaderFacts } from "#bus/edge/headers.ts";
import type { AvroRecord, Message } from "#bus/envelope.ts";
import type { Outlet } from "#bus/ports.ts";
import type { SoapOutletSettings, WebReply } from "#bus/wire.ts";
import { contentType } from "./media.ts";

/**
 * A repeated delivery carries the same `Idempotency-Key` and `X-Message-Id`. An answer without a body (202, 204) is a
 * confirmed delivery without a reply.
 */
export function createSoapOutlet(settings: SoapOutletSettings): Outlet {
  const { service, operation, version, address, callContext, maxBytes } = settings;
  const inSoap = callContext === "soap" || callContext === "both";
  const inHttp = callContext === "http" || callContext === "both";
  const fixed = fixedHeaders(settings);
  return {
    endpoint: address,
    async send(message: Message, signal: AbortSignal) {
      const { envelope, value } = message;
      const plain = service.writeRequest(
        version,
        operation,
        value,
        inSoap ? envelope.call : undefined,
        settings.replies === true ? replyAddressing(service.action(operation), envelope.id) : undefined,
      );
      const body = settings.sign === undefined ? plain : await settings.sign(plain);
      const headers = writeHeaderFacts(envelope, inHttp, { ...fixed });
      return readAnswer(settings, await settings.client.request({ method: "POST", url: address, headers, body, maxBytes }, signal));
    },
    // The client is shared with other outlets; its owner closes it.
    close: () => Promise.resolve(),
  };
}

function fixedHeaders(settings: SoapOutletSettings): Record<string, string> {
  const action = settings.service.action(settings.operation);
  const headers: Record<string, string> = { accept: contentType(settings.version).split(";", 1)[0] ?? "" };
  for (const [name, value] of Object.entries(settings.headers)) headers[name.toLowerCase()] = value;
  headers["content-type"] = contentType(settings.version, action);
  if (settings.version === "1.1") headers["soapaction"] = `"${action}"`;
  return headers;
}

function readAnswer(settings: SoapOutletSettings, reply: WebReply): AvroRecord | undefined {
  const good = reply.status >= 200 && reply.status < 300;
  if (good && reply.body.byteLength === 0) return undefined;
  if (!/xml/i.test(reply.headers["content-type"] ?? "")) {
    if (!good) throw badStatus(reply.status);
    throw invalid("it is not XML by its Content-Type", undefined);
  }
  try {
    const value = settings.service.readReply(settings.operation, reply.body, settings.check?.());
    if (good) return value;
  } catch (error) {
    // A fault counts with any status; a document that cannot be read does not explain a bad status.
    if (error instanceof BusError && error.class === "provider-fault") throw error;
    if (good) throw invalid(error instanceof Error ? error.message : "it cannot be read", error);
  }
  throw badStatus(reply.status);
}

function badStatus(status: number): BusError {
  return new BusError("provider-fault", `the provider answered with HTTP ${status}`, { providerCode: String(status) });
}

function invalid(why: string, cause: unknown): BusError {
  const places = cause instanceof BusError ? cause.places : [];
  return new BusError("provider-reply-invalid", `the provider's answer is not usable: ${why}`, { places, cause });
}
