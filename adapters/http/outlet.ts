/** JSON out: queries and commands as plain JSON, events as CloudEvents in HTTP binary mode. */
import { writeHeaderFacts } from "#bus/edge/headers.ts";
import type { AvroRecord, Message } from "#bus/envelope.ts";
import { BusError } from "#bus/errors.ts";
import type { Outlet } from "#bus/ports.ts";
import type { HttpOutletSettings, WebReply } from "#bus/wire.ts";
import { writeBinary } from "#bus/edge/cloudevents.ts";

/**
 * Any 2xx confirms delivery. A 409 does too when the receiver shows that it knows the `Idempotency-Key` (it repeats the key, sends
 * `Idempotency-Replayed: true`, or a problem type that ends in `duplicate-message`); any other 409 is the receiver's own fault.
 */
export function createHttpOutlet(settings: HttpOutletSettings): Outlet {
  const { address, method, codec, maxBytes, client } = settings;
  const events = settings.pattern === "event";
  const fixed: Record<string, string> = { accept: (settings.replyCodec ?? codec).mediaType };
  for (const [name, value] of Object.entries(settings.headers)) fixed[name.toLowerCase()] = value;
  fixed["content-type"] = codec.mediaType;
  return {
    endpoint: address,
    async send(message: Message, signal: AbortSignal) {
      const { envelope, value } = message;
      const facts = writeHeaderFacts(envelope, !events);
      const headers = events ? { ...fixed, ...facts, ...writeBinary(envelope) } : { ...fixed, ...facts };
      const reply = await client.request({ method, url: address, headers, body: codec.write(value), maxBytes }, signal);
      return readAnswer(settings, reply, envelope.id);
    },
    // The client is shared with other outlets; its owner closes it.
    close: () => Promise.resolve(),
  };
}

function readAnswer(settings: HttpOutletSettings, reply: WebReply, id: string): AvroRecord | undefined {
  const { replyCodec } = settings;
  if (reply.status < 200 || reply.status >= 300) {
    if (replyCodec === undefined && knownAlready(reply, id)) return undefined;
    throw new BusError("provider-fault", `the provider answered with HTTP ${reply.status}`, { providerCode: String(reply.status) });
  }
  if (replyCodec === undefined || reply.body.byteLength === 0) return undefined;
  try {
    return replyCodec.read(reply.body);
  } catch (error) {
    const why = error instanceof Error ? error.message : "it cannot be read";
    const places = error instanceof BusError ? error.places : [];
    throw new BusError("provider-reply-invalid", `the provider's answer is not usable: ${why}`, { places, cause: error });
  }
}

function knownAlready(reply: WebReply, id: string): boolean {
  if (reply.status !== 409) return false;
  if (reply.headers["idempotency-key"] === id || reply.headers["idempotency-replayed"] === "true") return true;
  if (!(reply.headers["content-type"] ?? "").startsWith("application/problem+json")) return false;
  try {
    const problem = JSON.parse(Buffer.from(reply.body).toString("utf8")) as { type?: unknown };
    return typeof problem.type === "string" && problem.type.endsWith("duplicate-message");
  } catch {
    return false;
  }
}
