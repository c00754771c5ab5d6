/**
 * A modern system's messages over NATS. Events and commands are taken from `from.<system>.<contract>` and settled after the bus accepted
 * or refused them, a refusal with a notice to the sender; queries are answered under `ask.<system>.<contract>`.
 */
import { headers, type Msg, type Subscription } from "@nats-io/transport-node";
import { createGate } from "#bus/edge/gate.ts";
import { isPassing, PROBLEM_TYPE, REFUSED, writeProblem } from "#bus/edge/refusal.ts";
import { answerCodec } from "#bus/edge/topic.ts";
import { asBusError, type BusError } from "#bus/errors.ts";
import type { Accept, Inlet, Outcome } from "#bus/ports.ts";
import type { TopicSource } from "#bus/wire.ts";
import { raced } from "./connect.ts";
import { readInbound } from "./inbound.ts";
import { openLane, sequencesOf, type Handed, type OpenLane } from "./lanes.ts";
import { subjectOf, tokenOf } from "./names.ts";
import { IN_HAND, SENT, type Topics } from "./topics.ts";

export type NatsInletSettings = TopicSource & Readonly<{ topics: Topics }>;

/** Milliseconds after which a message comes again that could not be taken now, where the refusal does not say: doubled each time, to a minute. */
const AGAIN = 500;
const LONGEST = 60_000;
const QUEUE = "mbus";

/** `drain`: milliseconds that `close` waits for messages still in the bus. */
export function createNatsInlet(settings: NatsInletSettings, drain = 10_000): Inlet {
  return settings.binding.pattern === "query" ? questions(settings, drain) : messages(settings, drain);
}

function messages(settings: NatsInletSettings, drain: number): Inlet {
  const { topics, system, contract } = settings;
  const subject = subjectOf("from", system, contract);
  const gate = createGate(Infinity);
  let lane: OpenLane | undefined;

  async function take(handed: Handed, accept: Accept): Promise<void> {
    const inbound = readInbound(settings, handed.message, placeOf(handed.message.reply ?? ""));
    try {
      await accept(inbound);
    } catch (thrown) {
      const error = asBusError(thrown);
      if (isPassing(error)) {
        if (error.class === "internal") topics.link.report(error);
        await topics.link.sleep(error.retryAfter ?? waitOf(handed.message.reply ?? ""));
        return handed.giveBack();
      }
      await topics.reader(system);
      await topics.sends.send(subjectOf("to", system, REFUSED), writeProblem(error, inbound, subject), {
        id: `refused ${subject} ${inbound.id ?? ""}`,
        headers: { "content-type": PROBLEM_TYPE, [SENT]: "1" },
      });
    }
    handed.settle();
  }

  return {
    async start(accept) {
      const window = Math.min(IN_HAND, settings.limits.maxInFlight);
      const handle = (handed: Handed): void => {
        if (gate.enter() !== undefined) return handed.giveBack();
        // A notice that could not be sent leaves the message on the server: all of it happens again.
        const failed = (error: unknown): void => {
          handed.giveBack();
          if (!topics.link.closed()) topics.link.report(asBusError(error));
        };
        take(handed, accept)
          .catch(failed)
          .finally(() => gate.leave())
          .catch(() => undefined);
      };
      // The system may wait for notices before there is one.
      await topics.reader(system);
      lane = await openLane(topics.link, topics.from(system, contract), window, handle, () => undefined);
      topics.lanes.add(lane);
    },
    async close() {
      if (!lane) return;
      lane.pause(true);
      await gate.close(drain);
      topics.lanes.delete(lane);
      await lane.close();
    },
  };
}

function questions(settings: NatsInletSettings, drain: number): Inlet {
  const { topics, system, contract } = settings;
  const subject = subjectOf("ask", system, contract);
  /** Only the system's own inbox is answered: any other reply subject would let it speak with the bus's rights. */
  const inbox = `_INBOX.${tokenOf(system)}.`;
  const gate = createGate(settings.limits.maxInFlight);
  let subscription: Subscription | undefined;

  async function answer(message: Msg, accept: Accept): Promise<void> {
    if (message.reply?.startsWith(inbox) !== true) return;
    const inbound = readInbound(settings, message, undefined);
    const busy = gate.enter();
    if (busy) return refuse(busy);
    try {
      reply(await accept(inbound));
    } catch (error) {
      refuse(asBusError(error));
    } finally {
      gate.leave();
    }
    function reply(outcome: Outcome): void {
      const { id, correlationId } = outcome;
      const codec = answerCodec(settings.replies, inbound.mediaType);
      const body = outcome.kind === "reply" && codec ? codec.write(outcome.value) : Buffer.from(JSON.stringify({ id, correlationId }));
      respond(body, { "content-type": codec?.mediaType ?? "application/json", "x-message-id": id, "x-correlation-id": correlationId });
    }
    function refuse(error: BusError): void {
      const told = { "content-type": PROBLEM_TYPE, "Nats-Service-Error-Code": error.code, "Nats-Service-Error": error.code };
      respond(writeProblem(error, inbound, subject), told);
    }
    function respond(body: Uint8Array, told: Readonly<Record<string, string>>): void {
      const written = headers();
      for (const [name, value] of Object.entries(told)) written.set(name, value.replace(/[\r\n]+/gu, " "));
      message.respond(body, { headers: written });
    }
  }

  return {
    async start(accept) {
      const failed = (error: unknown): void => topics.link.report(asBusError(error));
      const take = (message: Msg): void => void answer(message, accept).catch(failed);
      subscription = topics.link.nc.subscribe(subject, {
        queue: QUEUE,
        callback: (error, message) => (error ? failed(error) : take(message)),
      });
      await topics.link.nc.flush();
    },
    async close() {
      if (subscription && topics.link.up())
        await raced(
          subscription.drain().catch(() => undefined),
          2_000,
        );
      await gate.close(drain);
    },
  };
}

function waitOf(reply: string): number {
  return Math.min(LONGEST, AGAIN * 2 ** Math.min(10, sequencesOf(reply).deliveries));
}

/** The place in the stream and its time: together they are one message's, also after the stream was made anew. */
function placeOf(reply: string): string {
  const { stream, time } = sequencesOf(reply);
  return `nats-${stream}-${time}`;
}
