/**
 * Answers of the worker on their way to those who wait. Each wakes a writer, who often writes again at once: a full batch
 * goes out in slices, one a turn of the event loop, so that a timer or a socket never waits for a thousand of them. Order
 * is kept: records by position, then the batch's operations, batch by batch.
 */
import { BusError, CODES, type ErrorCode } from "#bus/errors.ts";
import type { Answer, Fault } from "./protocol.ts";

/** Takes the positions of its records when they are durable, or the failure of the batch. */
export type Ticket = Readonly<{ records: number; done(positions: Float64Array, at: number): void; failed(error: BusError): void }>;
export type Waiting = Readonly<{ resolve(value: unknown): void; reject(error: BusError): void }>;

/** Those who wait for one batch. */
type Takers = Readonly<{ tickets: readonly Ticket[]; waiting: readonly Waiting[] }>;
type Reply = { readonly takers: Takers; readonly answer: Answer; ticket: number; position: number };

export type Replies = Readonly<{
  /** Hands out the first slice now when nothing is before it. */
  push(takers: Takers, answer: Answer): void;
  /** Is something not handed out yet? */
  busy(): boolean;
}>;

/** Tickets of one turn. */
const SLICE = 128;

export function faultError(fault: Fault): BusError {
  const code = Object.hasOwn(CODES, fault.code) ? (fault.code as ErrorCode) : "journal-failed";
  return new BusError(code, fault.message);
}

/** `rested` is called when a turn of its own handed out the last one. */
export function newReplies(rested: () => void): Replies {
  const queue: Reply[] = [];

  const turn = (): void => {
    let room = SLICE;
    for (let reply = queue[0]; reply !== undefined; reply = queue[0]) {
      room -= handOut(reply, room);
      if (reply.ticket < reply.takers.tickets.length) return void setImmediate(later);
      answerOps(reply);
      queue.shift();
    }
  };
  const later = (): void => {
    turn();
    if (queue.length === 0) rested();
  };
  return {
    push(takers, answer) {
      queue.push({ takers, answer, ticket: 0, position: 0 });
      if (queue.length === 1) turn();
    },
    busy: () => queue.length > 0,
  };
}

/** At most `most` tickets of a reply; gives how many. */
function handOut(reply: Reply, most: number): number {
  const { tickets } = reply.takers;
  const from = reply.ticket;
  const end = Math.min(tickets.length, from + most);
  while (reply.ticket < end) {
    const ticket = tickets[reply.ticket++];
    if (ticket === undefined) break;
    ticket.done(reply.answer.positions, reply.position);
    reply.position += ticket.records;
  }
  return reply.ticket - from;
}

function answerOps({ takers, answer }: Reply): void {
  takers.waiting.forEach((waiting, i) => {
    const result = answer.ops[i];
    if (result === undefined || "fault" in result)
      waiting.reject(faultError(result?.fault ?? { code: "unexpected", message: "the engine gave no answer" }));
    else waiting.resolve(result.value);
  });
}
