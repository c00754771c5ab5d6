/**
 * Messages on their way to the stream. Many at once, none awaited by the next; each is tried again under one id, so that the server
 * keeps it once, until it is confirmed or the patience ends. A second send of the same message is a new one: the relay wants it again.
 */
import { createInbox, headers, nuid, type Msg, type MsgHdrs } from "@nats-io/transport-node";
import { BusError } from "#bus/errors.ts";
import { stopping, type Link } from "./connect.ts";
import type { Streams } from "./streams.ts";

export type Sends = Readonly<{
  /** Resolves when the stream confirmed the message. `id`: what the server knows a repeat by; without it each call is a message of its own. */
  send(subject: string, payload: Uint8Array, more?: Readonly<{ id: string; headers: Readonly<Record<string, string>> }>): Promise<void>;
  /** After a new connection: everything unconfirmed once more, in its order. */
  again(): void;
  close(): void;
}>;

type Sending = {
  readonly subject: string;
  readonly payload: Uint8Array;
  readonly headers: MsgHdrs;
  readonly reply: string;
  readonly until: number;
  readonly resolve: () => void;
  readonly reject: (error: BusError) => void;
  /** When it is tried again unless an answer comes. */
  due: number;
  wait: number;
  why: string;
};

/** Unconfirmed messages, also of a caller that does not keep to the broker's window. */
const MOST = 10_000;
const TICK = 100;
/** Milliseconds after which an unanswered message is sent again. */
const UNANSWERED = 5_000;
const TOO_LARGE = 10_054;

export function openSends(link: Link, streams: Pick<Streams, "ensure">): Sends {
  const { nc } = link;
  const inbox = createInbox();
  const session = nuid.next();
  const sending = new Map<string, Sending>();
  let count = 0;

  const publish = (one: Sending): void => {
    one.due = performance.now() + UNANSWERED;
    if (link.up()) nc.publish(one.subject, one.payload, { headers: one.headers, reply: one.reply });
  };
  const later = (one: Sending, why: string): void => {
    one.why = why;
    one.due = performance.now() + one.wait;
    one.wait = Math.min(one.wait * 2, 2_000);
  };

  const mend = (): void => void streams.ensure().catch(() => undefined);

  const subscription = nc.subscribe(`${inbox}.*`, {
    callback(error, answer) {
      if (error)
        return link.report(new BusError("transport-unavailable", `NATS gives no confirmations: ${error.message}`, { cause: error }));
      const one = sending.get(answer.subject);
      if (!one) return;
      const refused = refusalOf(answer);
      if (refused?.code === TOO_LARGE) return end(one, tooLarge(one.payload.length));
      if (!refused) return end(one);
      later(one, refused.why);
      // "no responders": the stream is not there, or not yet.
      if (refused.code === 503) mend();
    },
  });
  const end = (one: Sending, error?: BusError): void => {
    sending.delete(one.reply);
    if (error) one.reject(error);
    else one.resolve();
  };
  const ticking = setInterval(() => {
    const now = performance.now();
    for (const one of sending.values()) {
      if (now > one.until) end(one, unavailable(one.why));
      else if (now > one.due) publish(one);
    }
  }, TICK);

  return {
    send(subject, payload, more) {
      const most = nc.info?.max_payload ?? Infinity;
      if (payload.length + 256 > most) return Promise.reject(tooLarge(payload.length));
      if (sending.size >= MOST)
        return Promise.reject(new BusError("queue-full", `${MOST} messages are on their way to NATS unconfirmed: wait for some of them`));
      return new Promise((resolve, reject) => {
        const reply = `${inbox}.${++count}`;
        const until = performance.now() + link.patience;
        const one: Sending = { subject, payload, headers: headers(), reply, until, resolve, reject, due: 0, wait: 50, why: "no answer" };
        for (const name in more?.headers) one.headers.set(name, more.headers[name] ?? "");
        one.headers.set("Nats-Msg-Id", more?.id ?? `${session}.${count}`);
        sending.set(reply, one);
        publish(one);
      });
    },
    again() {
      for (const one of sending.values()) publish(one);
    },
    close() {
      clearInterval(ticking);
      subscription.unsubscribe();
      for (const one of sending.values()) end(one, stopping());
    },
  };
}

type Refused = Readonly<{ code: number; why: string }>;
type Confirmation = Readonly<{ error?: Readonly<{ err_code?: number; code: number; description?: string }>; stream?: string }>;

/** A confirmation begins with `{"stream`; everything else is read. */
function refusalOf(answer: Msg): Refused | undefined {
  if (answer.data[2] === 0x73) return undefined;
  if (answer.data.length === 0) return { code: answer.headers?.code ?? 0, why: "the server has no such stream, or JetStream is off" };
  const { error, stream } = JSON.parse(Buffer.from(answer.data).toString("utf8")) as Confirmation;
  if (!error && stream !== undefined) return undefined;
  return { code: error?.err_code ?? error?.code ?? 0, why: error?.description ?? "an answer that is no confirmation" };
}

const tooLarge = (bytes: number): BusError =>
  new BusError(
    "message-too-large",
    `NATS does not take a message of ${bytes} bytes: raise max_payload of the server, or send big bodies by claim check`,
  );

const unavailable = (why: string): BusError =>
  new BusError(
    "transport-unavailable",
    `NATS did not confirm a message in time (${why}): check that the server runs with JetStream and that the stream has space`,
  );
