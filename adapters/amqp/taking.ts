/** Taking from one queue of what modern systems publish: a bounded number at a time, each settled once, none after the channel is gone. */
import type { ConfirmChannel, ConsumeMessage } from "amqplib";
import { createGate } from "#bus/edge/gate.ts";
import { asBusError, type BusError } from "#bus/errors.ts";
import { tend, type Tended } from "./channel.ts";
import type { AmqpEdge } from "./edge.ts";

export type TakingOptions = Readonly<{
  edge: AmqpEdge;
  /** Declares the queue; gives its name. */
  declare: (channel: ConfirmChannel) => Promise<string>;
  /** Unfinished messages at most. */
  window: number;
  /** True = done with; false = have it again. */
  handle: (taken: Taken) => Promise<boolean>;
  /** Answers what comes while the inlet closes; without it such a message goes to the next one that takes. */
  late?: (taken: Taken, error: BusError) => Promise<unknown>;
}>;

/** `closing` resolves when nothing should wait any more. */
export type Taken = Readonly<{ message: ConsumeMessage; closing: Promise<void> }>;

export type TakingFrom = Readonly<{
  /** Resolves when the queue is there and read. */
  ready(): Promise<unknown>;
  /** Takes no more and waits for what is in hand, at most `drain` milliseconds; the rest stays in the queue. Idempotent. */
  close(drain: number): Promise<void>;
}>;

export function takeFrom({ edge, declare, window, handle, late }: TakingOptions): TakingFrom {
  const { link } = edge;
  const gate = createGate(window);
  const closing = Promise.withResolvers<void>();
  let consumer: Readonly<{ channel: ConfirmChannel; tag: string }> | undefined;

  const take = async (channel: ConfirmChannel, message: ConsumeMessage): Promise<void> => {
    const taken: Taken = { message, closing: closing.promise };
    const kept = gate.enter();
    try {
      // Without an answer it is handed out again when the channel ends.
      if (kept !== undefined && late === undefined) return;
      const done = kept === undefined ? await handle(taken) : (await late?.(taken, kept), true);
      if (tended.current() !== channel) return;
      if (done) channel.ack(message);
      else channel.nack(message, false, true);
    } catch (error) {
      link.options.onError(asBusError(error));
      if (tended.current() === channel) channel.nack(message, false, true);
    } finally {
      if (kept === undefined) gate.leave();
    }
  };
  const tended: Tended = tend(link, {
    async prepare(channel) {
      const queue = await declare(channel);
      await channel.prefetch(window);
      const { consumerTag } = await channel.consume(queue, (message) => {
        if (message === null) tended.renew();
        else void take(channel, message);
      });
      consumer = { channel, tag: consumerTag };
    },
    lost: () => (consumer = undefined),
  });
  return {
    ready: () => tended.ready(),
    async close(drain) {
      const last = consumer;
      consumer = undefined;
      closing.resolve();
      if (last !== undefined) await last.channel.cancel(last.tag).catch(() => undefined);
      await gate.close(drain);
      await tended.close();
    },
  };
}
