/** Acknowledgements of one channel, gathered for a turn of the loop: one for all that are done in a row, one each for the others. */
import type { ConfirmChannel, ConsumeMessage } from "amqplib";

export interface Settling {
  /** Counts a delivery; gives what settles it. */
  take(message: ConsumeMessage): () => void;
  /** Refuses one that was taken: the broker puts it with the dead. */
  drop(message: ConsumeMessage): void;
  /** Handed out and not settled. */
  unsettled(): number;
  /** Sends what is gathered. */
  flush(): void;
  /** The channel is gone: settling does nothing any more. */
  end(): void;
}

export function createSettling(channel: ConfirmChannel): Settling {
  /** Lowest tag that is not settled; all tags of a channel count up by one. */
  let low = 1;
  let highest = 0;
  let open = 0;
  let ended = false;
  let due = false;
  const above = new Set<number>();
  let fresh: ConsumeMessage[] = [];

  const flush = (): void => {
    due = false;
    if (ended || fresh.length === 0) return;
    const batch = fresh.sort((a, b) => a.fields.deliveryTag - b.fields.deliveryTag);
    fresh = [];
    while (low <= highest && above.delete(low)) low += 1;
    let row: ConsumeMessage | undefined;
    const others: ConsumeMessage[] = [];
    for (const message of batch) {
      if (message.fields.deliveryTag < low) row = message;
      else others.push(message);
    }
    try {
      if (row !== undefined) channel.ack(row, true);
      for (const message of others) channel.ack(message);
    } catch {
      // The channel ended in this very moment: what was on it comes again.
      ended = true;
    }
  };
  return {
    take(message) {
      highest = message.fields.deliveryTag;
      open += 1;
      let settled = false;
      return () => {
        if (settled || ended) return;
        settled = true;
        open -= 1;
        above.add(message.fields.deliveryTag);
        fresh.push(message);
        if (due) return;
        due = true;
        setImmediate(flush);
      };
    },
    drop(message) {
      if (ended) return;
      open -= 1;
      above.add(message.fields.deliveryTag);
      channel.nack(message, false, false);
    },
    unsettled: () => (ended ? 0 : open),
    flush,
    end() {
      ended = true;
      fresh = [];
      above.clear();
    },
  };
}
