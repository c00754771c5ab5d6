/**
 * Replies of commands: a caller may wait for one a while; later it is fetched by ticket, which is the message id, or pushed to where a
 * route says.
 */
import { createWaits, type Waits } from "./command-waits.ts";
import type { AvroRecord, Envelope } from "./envelope.ts";
import { asBusError, BusError } from "./errors.ts";
import { newId } from "./ids.ts";
import { factsOf } from "./journal/facts.ts";
import type { JournalQuery, StoredRecord } from "./journal/record.ts";
import type { Clock, Journal } from "./ports.ts";
import { pushOf } from "./replies.ts";
import type { Route } from "./route/runtime.ts";

/** How a command ended at its provider. */
export type Settled = Readonly<{ value: AvroRecord | undefined; error: BusError | undefined }>;

export type Ticket = Readonly<{ id: string; state: "pending" | "done" | "failed"; position: number; reply?: AvroRecord; error?: string }>;

export interface Commands {
  /** Holds a caller for the reply of a command that it is about to send. */
  expect: Waits["expect"];
  /** Called by the branch before it acknowledges: the reply is durable when this resolves. */
  settle(route: Route, envelope: Envelope, settled: Settled): Promise<void>;
  ticket(routes: ReadonlyMap<string, Readonly<{ route: Route }>>, id: string, system: string | undefined): Promise<Ticket>;
}

/** What the sender's grant lets it see of a reply, today. Throws access-denied. */
export type ReduceReply = (route: Route, system: string, value: AvroRecord) => AvroRecord;

export type CommandParts = Readonly<{
  journal: Journal;
  clock: Clock;
  reduce: ReduceReply;
  /** Puts a big body aside. */
  claim?: (envelope: Envelope) => Envelope | Promise<Envelope>;
}>;

export function createCommands(parts: CommandParts): Commands {
  const waits = createWaits(parts);
  const { claim = (envelope: Envelope) => envelope } = parts;
  return {
    expect: (route, envelope) => waits.expect(route, envelope),
    async settle(route, envelope, { value, error }) {
      const time = parts.clock.now();
      const type = route.reply;
      const body = value && type ? type.encode(value) : undefined;
      const reply = body && type ? { ...envelope, id: newId(time), causationId: envelope.id, contract: type.id, time, body } : undefined;
      const push = body && (await pushOf(route, envelope, body, { time, claim }));
      await parts.journal.append([
        ...(push ? [push] : []),
        {
          ...factsOf(route, envelope),
          step: "replied",
          outcome: error ? "failed" : "ok",
          time,
          ...(error ? { errorClass: error.class, errorCode: error.code, detail: error.message.slice(0, 1000) } : undefined),
          ...(reply ? { envelope: reply } : undefined),
        },
      ]);
      waits.tell(envelope, { value, error });
    },
    async ticket(routes, id, system) {
      // ids are the senders' own: two systems may use the same one, so the sender is part of every question
      const accepted = system === undefined ? undefined : await newest(parts.journal, { id, system, step: "accepted" });
      // another system's ticket is answered like one that never was: ids must not tell who sent what
      // what is no command is never answered: its id is no ticket, and "pending" would be said for ever
      const pattern = accepted?.route === undefined ? undefined : routes.get(accepted.route)?.route.contract.pattern;
      if (system === undefined || !accepted || (pattern !== undefined && pattern !== "command"))
        throw new BusError("not-found", `no command has the ticket \`${id}\``);
      const settled = await newest(parts.journal, { id, system, step: "replied" });
      if (!settled || settled.position < accepted.position) return { id, state: "pending", position: accepted.position };
      if (settled.outcome === "failed") return { id, state: "failed", position: settled.position, error: settled.detail ?? "failed" };
      return { id, state: "done", position: settled.position, ...replyOf(parts.reduce, routes, settled.route, settled.envelope) };
    },
  };
}

async function newest(journal: Journal, query: JournalQuery): Promise<StoredRecord | undefined> {
  return (await journal.find({ ...query, limit: 1 })).records[0];
}

function replyOf(
  reduce: ReduceReply,
  routes: ReadonlyMap<string, Readonly<{ route: Route }>>,
  routeId: string | undefined,
  envelope: Envelope | undefined,
): { reply?: AvroRecord; error?: string } {
  const route = routeId === undefined ? undefined : routes.get(routeId)?.route;
  if (!envelope || !route?.reply) return {};
  try {
    return { reply: reduce(route, envelope.source, route.reply.decode(envelope.body)) };
  } catch (thrown) {
    return { error: asBusError(thrown).message };
  }
}
