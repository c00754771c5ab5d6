/**
 * A consumer on a WebSocket, sub-protocol `cloudevents.json`: one event a frame with its `offset`; the consumer answers
 * `confirm:<offset>`, which counts for all before it, or `dead:<event>`. What it never confirmed comes again to its group.
 */
import type { EventDesk, EventSession } from "#bus/edge/events.ts";
import { EVENT_BYTES } from "#bus/edge/events.ts";
import { asBusError, BusError } from "#bus/errors.ts";
import type { SocketHandler, SocketLink } from "#bus/wire.ts";
import { plain, refusal, structured } from "./answers.ts";
import { readStructured } from "./incoming.ts";
import { readOffset, readWish } from "./wish.ts";

export const PROTOCOL = "cloudevents.json";
/** A dead letter is the event with `dead:` before it. */
const MOST_TEXT = EVENT_BYTES + 256;
/** Events of one turn, their bytes, and bytes on the way to a consumer that reads slowly. */
const TURN = 128;
const TURN_BYTES = 262_144;
const UNSENT = 1_048_576;
/** Commands of a consumer that are not done yet, and their bytes. */
const MOST_COMMANDS = 1_024;
const MOST_BYTES = 8 * 1024 * 1024;
const CONFIRM = "confirm:";
const DEAD = "dead:";

export function streamHandler(desk: EventDesk): SocketHandler {
  return async (request, protocols) => {
    if (!protocols.includes(PROTOCOL)) return plain(400, `The sub-protocol must be ${PROTOCOL}: send Sec-WebSocket-Protocol: ${PROTOCOL}.`);
    let session: EventSession;
    try {
      session = await desk.consume(request.system, readWish(request.query));
    } catch (error) {
      return refusal(error);
    }
    if (request.signal.aborted) await session.leave();
    return { protocol: PROTOCOL, maxBytes: MOST_TEXT, open: (link) => serve(session, link) };
  };
}

function serve(session: EventSession, link: SocketLink): Readonly<{ text(text: string): void; ended(): void }> {
  const gone = new AbortController();
  const waiting: string[] = [];
  let bytes = 0;
  let working: Promise<void> | undefined;

  const fail = (thrown: unknown): void => {
    if (gone.signal.aborted) return;
    const error = asBusError(thrown);
    link.close(codeOf(error), isOurs(error) ? "the platform failed; connect again" : error.message);
  };
  const send = async (): Promise<void> => {
    while (!gone.signal.aborted) {
      for (const event of await session.take(TURN, TURN_BYTES, gone.signal)) link.send(structured(event));
      if (link.waiting > UNSENT) await link.drained();
    }
  };
  send().catch(fail);

  const act = async (text: string): Promise<void> => {
    if (text.startsWith(CONFIRM)) return session.confirm(readOffset(text.slice(CONFIRM.length).trim()));
    if (text.startsWith(DEAD)) return session.dead(readStructured(Buffer.from(text.slice(DEAD.length)), true));
    throw new BusError("http-request", "a consumer says confirm:<offset> or dead:<event>");
  };
  /** In order: a confirmation behind a dead letter counts when that is durable. */
  const work = async (): Promise<void> => {
    for (let text = waiting.shift(); text !== undefined; text = waiting.shift()) {
      bytes -= text.length;
      await act(text);
    }
  };

  return {
    text(text) {
      const last = waiting.at(-1);
      // of confirmations that wait, the highest says it all
      if (last?.startsWith(CONFIRM) && text.startsWith(CONFIRM)) {
        if (!(Number(text.slice(CONFIRM.length)) <= Number(last.slice(CONFIRM.length)))) {
          waiting[waiting.length - 1] = text;
          bytes += text.length - last.length;
        }
      } else {
        waiting.push(text);
        bytes += text.length;
      }
      if (waiting.length > MOST_COMMANDS || bytes > MOST_BYTES)
        return fail(new BusError("http-request", "too many dead letters wait; send fewer at a time"));
      working ??= work()
        .catch(fail)
        .finally(() => (working = undefined));
    },
    ended() {
      gone.abort();
      void Promise.resolve(working).then(() => session.leave());
    },
  };
}

/** RFC 6455 §7.4.1: 1013 try again later, 1011 our own failure, 1008 all that the consumer did wrong. */
function codeOf(error: BusError): number {
  if (error.class === "provider-unavailable" || error.class === "throttled") return error.code === "bus-stopping" ? 1012 : 1013;
  return isOurs(error) ? 1011 : 1008;
}

const isOurs = (error: BusError): boolean => error.class === "internal" && error.code !== "not-found";
