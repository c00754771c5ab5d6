/**
 * A channel that comes back by itself. The server closes a channel for a fault of one operation (406, an acknowledgement that took
 * too long) and leaves the connection standing; then, and on each new connection, another channel is opened and made ready.
 */
import type { ChannelModel, ConfirmChannel } from "amqplib";
import { asBusError, BusError } from "#bus/errors.ts";
import { quiet, within, type Link } from "./connection.ts";

export interface Tended {
  /** The channel, if it is ready now. */
  current(): ConfirmChannel | undefined;
  /** When it became ready, by `performance.now()`. */
  since(): number;
  /** Waits for it, bounded. Throws transport-unavailable, bus-stopping, or why it cannot be made ready. */
  ready(): Promise<ConfirmChannel>;
  /** Gives up the present channel and opens another. */
  renew(): void;
  close(): Promise<void>;
}

export type Tending = Readonly<{
  /** Makes a new channel ready: declares, consumes. May throw; it is tried again later. */
  prepare: (channel: ConfirmChannel) => Promise<void>;
  /** Called once after each time the channel was ready. */
  opened?: (channel: ConfirmChannel) => void;
  /** The channel is gone: what was unsettled or unconfirmed on it is unknown. */
  lost?: () => void;
}>;

/** Milliseconds for declaring and consuming. A server that takes longer has a queue without a leader. */
const PREPARE = 15_000;
const FIRST_WAIT = 50;
const LONGEST_WAIT = 2_000;

export function tend(link: Link, tending: Tending): Tended {
  let channel: ConfirmChannel | undefined;
  let opening: ConfirmChannel | "yes" | undefined;
  let closed = false;
  let since = 0;
  let wait = FIRST_WAIT;
  let timer: NodeJS.Timeout | undefined;
  let next = quiet<ConfirmChannel>();

  const gone = (which: ConfirmChannel): void => {
    if (channel !== which) return;
    channel = undefined;
    next = quiet<ConfirmChannel>();
    tending.lost?.();
    later();
  };
  const later = (): void => {
    if (closed || timer !== undefined || link.model() === undefined) return;
    timer = setTimeout(() => {
      timer = undefined;
      void open();
    }, wait);
    wait = Math.min(LONGEST_WAIT, wait * 2);
  };
  const open = async (): Promise<void> => {
    const model = link.model();
    if (closed || channel !== undefined || opening !== undefined || model === undefined) return;
    opening = "yes";
    let fresh: ConfirmChannel | undefined;
    try {
      fresh = await openChannel(model, link.options.onError);
      const made = fresh;
      let ended = false;
      made.on("close", () => {
        ended = true;
        gone(made);
      });
      await within(tending.prepare(made), PREPARE, hung);
      if (ended || link.model() !== model) throw new BusError("transport-unavailable", "the channel ended while it was made ready");
      channel = made;
      since = performance.now();
      wait = FIRST_WAIT;
      next.resolve(made);
      tending.opened?.(made);
    } catch (error) {
      if (fresh !== undefined) void shut(fresh);
      failed(error, model);
    } finally {
      opening = undefined;
    }
    if (closed) void shut(fresh);
    else if (channel === undefined) later();
  };
  const failed = (error: unknown, model: ChannelModel): void => {
    if (closed || link.model() !== model) return;
    const told = faultOf(error);
    if (told === undefined) {
      if (error instanceof BusError) link.options.onError(error);
      return;
    }
    next.reject(told);
    next = quiet<ConfirmChannel>();
    link.options.onError(told);
  };
  const unwatch = link.watch(
    () => {
      wait = FIRST_WAIT;
      void open();
    },
    () => {
      if (channel !== undefined) gone(channel);
    },
  );
  return {
    current: () => channel,
    since: () => since,
    async ready() {
      if (channel !== undefined) return channel;
      if (closed) throw stopping();
      return within(next.promise, link.options.patience, link.away);
    },
    renew() {
      const old = channel;
      if (old === undefined) return;
      gone(old);
      void shut(old);
    },
    async close() {
      if (closed) return;
      closed = true;
      unwatch();
      clearTimeout(timer);
      next.reject(stopping());
      const old = channel;
      channel = undefined;
      await shut(old);
    },
  };
}

const hung = (): BusError =>
  new BusError(
    "transport-unavailable",
    `RabbitMQ did not make a queue ready within ${PREPARE} ms: a queue may have no leader. Is a majority of its servers there? If so, delete that queue; the bus makes it anew and sends again from the journal`,
  );

const stopping = (): BusError => new BusError("bus-stopping", "the connection to RabbitMQ is closed: the bus is stopping");

export async function openChannel(model: ChannelModel, onError: (error: Error) => void): Promise<ConfirmChannel> {
  const channel = await model.createConfirmChannel();
  // `close` follows each `error` of a channel and is what counts.
  channel.on("error", () => undefined);
  channel.on("handler-error", (error: Error) => onError(error));
  return channel;
}

/** Closes a channel, whatever state it is in, within two seconds. */
export async function shut(channel: ConfirmChannel | undefined): Promise<void> {
  if (channel === undefined) return;
  const closing = async (): Promise<void> => channel.close();
  await within(closing(), 2_000, stopping).catch(() => undefined);
}

/** What an administrator must change, as an error; undefined = a fault that passes. */
function faultOf(error: unknown): BusError | undefined {
  if (error instanceof BusError) return error.code === "transport-unavailable" ? undefined : error;
  const code = typeof error === "object" && error !== null && "code" in error ? error.code : undefined;
  const text = asBusError(error).message;
  if (code === 403)
    return new BusError("configuration", `RabbitMQ refuses this user: ${text}. Give it configure, write and read on the names of this bus`);
  if (code === 406)
    return new BusError("configuration", `RabbitMQ has it, but with other settings: ${text}. Delete it there, or change its policy`);
  return undefined;
}
