/**
 * Taking from a lane: one pull request is out at a time, for as many messages as the window has room, so that a busy lane moves in
 * batches and none waits for the one before it. What is held too long is said to be worked on; what cannot be kept is given back.
 */
import { createInbox, type Msg, type NatsConnection, type Subscription } from "@nats-io/transport-node";
import type { Taking } from "#bus/broker.ts";
import { asBusError, BusError } from "#bus/errors.ts";
import { raced, type Link } from "./connect.ts";
import { ACK_WAIT, type LaneState } from "./streams.ts";

const ACK = Buffer.from("+ACK");
const NAK = Buffer.from("-NAK");
const WORKING = Buffer.from("+WPI");
const TERM = Buffer.from("+TERM");
const NANOS = 1_000_000;
/** A pull request's life, and how often the server says that it still knows it. */
const EXPIRES = 20_000;
const HEARTBEAT = 4_000;
/** Without a word for so long the request is taken for lost. */
const SILENCE = 15_000;
const TICK = 2_000;
/** Held for longer than this, a message is said to be worked on: well before the server would hand it out again. */
const HELD = ACK_WAIT / 3;

export type OpenLane = Taking &
  Readonly<{
    /** After a new connection: makes the lane where it is gone, gives back what was held, and goes on. */
    again(): Promise<void>;
  }>;

/** A consumer to take from. `ensure` makes it where it is missing. */
export type Place = Readonly<{ label: string; stream: string; consumer: string; ensure(): Promise<LaneState> }>;

/** A message that was handed out, until one of the three is said; only the first counts. */
export type Handed = Readonly<{
  message: Msg;
  redelivered: boolean;
  settle(): void;
  giveBack(): void;
  /** It never can be handled: not again. */
  drop(): void;
}>;

type Held = { readonly reply: string; at: number };

/** `made` is called when the lane had to be made anew while it was open: what it held is gone. */
export async function openLane(
  link: Link,
  place: Place,
  window: number,
  handler: (handed: Handed) => void,
  made: () => void,
): Promise<OpenLane> {
  const { nc } = link;
  const next = `$JS.API.CONSUMER.MSG.NEXT.${place.stream}.${place.consumer}`;
  const held = new Set<Held>();
  let inbox = "";
  let serial = 0;
  let asked = 0;
  let heard = 0;
  let highest = 0;
  const late: string[] = [];
  let subscription: Subscription | undefined;
  let paused = false;
  let closed = false;
  let opening: Promise<void> | undefined;

  const say = (reply: string, word: Uint8Array): void => {
    if (link.up()) nc.publish(reply, word);
  };

  function pull(): void {
    const room = window - held.size;
    if (asked > 0 || room <= 0 || !subscription || paused || closed || !link.up()) return;
    asked = room;
    serial++;
    heard = performance.now();
    nc.publish(next, JSON.stringify({ batch: room, expires: EXPIRES * NANOS, idle_heartbeat: HEARTBEAT * NANOS }), {
      reply: `${inbox}.${serial}`,
    });
  }

  function status(message: Msg): void {
    const code = message.headers?.code ?? 0;
    if (code === 100 || message.subject !== `${inbox}.${serial}`) return;
    asked = 0;
    if (code === 404 || code === 408) return pull();
    void link.sleep(200).then(() => reopen());
  }

  function take(message: Msg, reply: string): void {
    const sequences = sequencesOf(reply);
    const redelivered = sequences.deliveries > 1 || sequences.stream <= highest;
    highest = Math.max(highest, sequences.stream);
    const mine: Held = { reply, at: performance.now() };
    const settle = (word: Uint8Array): void => {
      if (!held.delete(mine)) return;
      say(reply, word);
      pull();
    };
    held.add(mine);
    asked = Math.max(0, asked - 1);
    try {
      handler({ message, redelivered, settle: () => settle(ACK), giveBack: () => settle(NAK), drop: () => settle(TERM) });
    } catch (error) {
      link.report(asBusError(error));
    }
    pull();
  }

  function listen(): void {
    inbox = createInbox();
    asked = 0;
    const own = inbox;
    subscription = nc.subscribe(`${own}.*`, {
      callback(error, message) {
        if (error)
          return link.report(
            new BusError("transport-unavailable", `NATS hands out nothing of ${place.label}: ${error.message}`, { cause: error }),
          );
        heard = performance.now();
        if (message.subject.startsWith(own)) {
          if (own === inbox) status(message);
        } else if (message.reply) {
          if (own === inbox && !paused && !closed) take(message, message.reply);
          else late.push(message.reply);
        }
      },
    });
    pull();
  }

  function detach(): Promise<void> {
    const before = subscription;
    subscription = undefined;
    inbox = "";
    if (before && link.up())
      return raced(
        before.drain().catch(() => undefined),
        2_000,
      );
    before?.unsubscribe();
    return Promise.resolve();
  }

  function giveBack(replies: readonly string[]): void {
    for (const reply of replies) say(reply, NAK);
  }
  const heldReplies = (): string[] => {
    const replies = [...held].map(({ reply }) => reply);
    held.clear();
    return replies;
  };

  /** Listens no more; what was on its way to us goes back. */
  async function quiet(): Promise<void> {
    await detach();
    if (link.up()) await endRequests(nc, next, late);
    giveBack(late.splice(0));
  }

  /** One at a time; a second call waits for the first. */
  function reopen(first = false): Promise<void> {
    if (closed || link.closed()) return Promise.resolve();
    opening ??= (async () => {
      void detach();
      const state = await place.ensure();
      if (closed) return;
      highest = state.delivered;
      if (state.made && !first) made();
      if (!paused) listen();
      giveBack(late.splice(0));
    })().finally(() => (opening = undefined));
    return opening;
  }
  const tryAgain = (): void => {
    reopen().catch((error: unknown) => link.report(asBusError(error)));
  };

  const ticking = setInterval(() => {
    const now = performance.now();
    for (const mine of held)
      if (now - mine.at > HELD) {
        mine.at = now;
        say(mine.reply, WORKING);
      }
    if (!link.up() || paused || opening) return;
    if (!subscription || (asked > 0 && now - heard > SILENCE)) tryAgain();
  }, TICK);

  const stop = (): void => {
    closed = true;
    clearInterval(ticking);
  };
  try {
    await reopen(true);
  } catch (error) {
    stop();
    throw error;
  }
  return {
    pause(wanted) {
      if (wanted === paused || closed) return;
      paused = wanted;
      if (paused) void quiet();
      else if (!opening) listen();
    },
    async again() {
      const before = heldReplies();
      await reopen();
      giveBack(before);
    },
    async close() {
      if (closed) return;
      stop();
      await quiet();
      giveBack(heldReplies());
      if (link.up())
        await raced(
          nc.flush().catch(() => undefined),
          2_000,
        );
    },
  };
}

/**
 * Makes the server forget the requests that nobody listens to any more: it does when a new one comes, and that one ends soon. A server
 * that holds only forgotten requests when messages are given back (2.9) loses sight of the first until its wait for the settling ends.
 */
async function endRequests(nc: NatsConnection, next: string, late: string[]): Promise<void> {
  const inbox = createInbox();
  const done = Promise.withResolvers<void>();
  const subscription = nc.subscribe(inbox, {
    callback(_, message) {
      if (message.subject !== inbox && message.reply) late.push(message.reply);
      done.resolve();
    },
  });
  nc.publish(next, JSON.stringify({ batch: 1, expires: 50 * NANOS }), { reply: inbox });
  await raced(done.promise, 2_000);
  subscription.unsubscribe();
}

/**
 * `$JS.ACK.<stream>.<consumer>.<deliveries>.<stream sequence>…`; servers may put domain and account before the stream. The number of
 * deliveries alone does not tell: 2.9 forgets it at times.
 */
export function sequencesOf(reply: string): Readonly<{ deliveries: number; stream: number; time: string }> {
  const tokens = reply.split(".");
  const at = tokens.length === 9 ? 4 : 6;
  return { deliveries: Number(tokens[at]), stream: Number(tokens[at + 1]), time: tokens[at + 3] ?? "" };
}
