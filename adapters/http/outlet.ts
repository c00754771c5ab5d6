/** JSON out: queries and commands as plain JSON, events as CloudEvents in HTTP binary mode. */
import { writeHeaderFacts } from "#bus/edge/headers.ts";
import type { AvroRecord, Message } from "#bus/envelope.ts";
import { BusError } from "#bus/errors.ts";
import type { Outlet } from "#bus/ports.ts";
import type { Authorization, HttpOutletSettings, WebCall, WebClient, WebReply } from "#bus/wire.ts";
import { writeBinary } from "#bus/edge/cloudevents.ts";
import { failureOf } from "./status.ts";
import { compileTarget } from "./target.ts";

/**
 * Any 2xx confirms delivery, or what `statuses` says. A 409 does too when the receiver shows that it knows the `Idempotency-Key` (it
 * repeats the key, sends `Idempotency-Replayed: true`, or a problem type that ends in `duplicate-message`); any other 409 is the
 * receiver's own fault. GET and DELETE have no body: what they need stands in the address. Throws `configuration` for a wrong address.
 */
export function createHttpOutlet(settings: HttpOutletSettings): Outlet {
  const { address, method, codec, maxBytes, client, authorization } = settings;
  const events = settings.pattern === "event";
  const bodiless = method === "GET" || method === "DELETE";
  const target = compileTarget(address, settings.query);
  const fixed: Record<string, string> = { accept: (settings.replyCodec ?? codec).mediaType };
  for (const [name, value] of Object.entries(settings.headers)) fixed[name.toLowerCase()] = value;
  if (!bodiless) fixed["content-type"] = codec.mediaType;
  return {
    endpoint: address,
    async send(message: Message, signal: AbortSignal) {
      const { envelope, value } = message;
      const facts = writeHeaderFacts(envelope, !events);
      const headers = events ? { ...fixed, ...facts, ...writeBinary(envelope) } : { ...fixed, ...facts };
      const body = bodiless ? EMPTY : codec.write(value);
      const call = { method, url: target(message), headers, body, maxBytes };
      const reply = authorization ? await authorized(client, authorization, call, signal) : await client.request(call, signal);
      return readAnswer(settings, reply, envelope.id);
    },
    // A shared client is closed by its owner.
    close: () => settings.owns?.close() ?? Promise.resolve(),
  };
}

const EMPTY = new Uint8Array(0);

/** A 401 says that the token is not taken any more: one new one is tried. */
async function authorized(client: WebClient, authorization: Authorization, call: WebCall, signal: AbortSignal): Promise<WebReply> {
  for (let again = true; ; again = false) {
    const header = await authorization.header(signal);
    const reply = await client.request({ ...call, headers: { ...call.headers, authorization: header } }, signal);
    if (reply.status !== 401) return reply;
    authorization.refused(header);
    if (!again) return reply;
  }
}

function readAnswer(settings: HttpOutletSettings, reply: WebReply, id: string): AvroRecord | undefined {
  const { replyCodec } = settings;
  const failure = failureOf(reply.status, settings.statuses);
  if (failure) {
    if (replyCodec === undefined && knownAlready(reply, id)) return undefined;
    throw failure;
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
