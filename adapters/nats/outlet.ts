/** To a modern system over NATS: `to.<system>.<contract>`, kept by the server until the system's own consumer has settled it. */
import type { AvroRecord, Message } from "#bus/envelope.ts";
import { encodeValue, writeBinary } from "#bus/edge/cloudevents.ts";
import { BusError } from "#bus/errors.ts";
import type { Outlet } from "#bus/ports.ts";
import type { TopicTarget } from "#bus/wire.ts";
import { writeHeaderFacts } from "#bus/edge/headers.ts";
import { subjectOf, TO } from "./names.ts";
import { SENT, type Topics } from "./topics.ts";

export type NatsOutletSettings = TopicTarget & Readonly<{ topics: Topics }>;

/** Confirmed when the stream has the message; a repeat of it within a minute is known by its id and kept once. */
export function createNatsOutlet(settings: NatsOutletSettings): Outlet {
  const { topics, system, contract, codec } = settings;
  const subject = subjectOf("to", system, contract);
  // The system may wait for its first message before there is one. What fails here is tried again with each message.
  topics.reader(system).catch(() => undefined);
  return {
    endpoint: `nats:${TO}/${subject}`,
    async send(message: Message, signal: AbortSignal): Promise<AvroRecord | undefined> {
      const { envelope, value } = message;
      const facts = writeHeaderFacts(envelope, false);
      const headers = {
        ...facts,
        ...writeBinary(envelope),
        "ce-datacontenttype": codec.mediaType,
        "content-type": codec.mediaType,
        [SENT]: "1",
      };
      const body = codec.write(value);
      await abortable(signal, topics.reader(system));
      await abortable(signal, topics.sends.send(subject, body, { id: `${subject} ${encodeValue(envelope.id)}`, headers }));
      return undefined;
    },
    // The connection is shared with other outlets; its owner closes it.
    close: () => Promise.resolve(),
  };
}

/** The promise, or attempt-timeout as soon as the signal is given. What the server then still confirms is a repeat for the next attempt. */
async function abortable<T>(signal: AbortSignal, promise: Promise<T>): Promise<T> {
  const given = Promise.withResolvers<never>();
  const abort = (): void =>
    given.reject(new BusError("attempt-timeout", "NATS did not confirm the message within the attempt's time", { cause: signal.reason }));
  if (signal.aborted) abort();
  signal.addEventListener("abort", abort);
  try {
    return await Promise.race([promise, given.promise]);
  } finally {
    signal.removeEventListener("abort", abort);
    promise.catch(() => undefined);
    given.promise.catch(() => undefined);
  }
}
