import type { ConfirmChannel, ConsumeMessage } from "amqplib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createSettling } from "./settling.ts";

/** The server's side of acknowledgements: refuses a tag that is not out, as RabbitMQ does by closing the channel. */
function server(count: number) {
  const out = new Set(Array.from({ length: count }, (_, i) => i + 1));
  let frames = 0;
  const channel = {
    ack({ fields }: ConsumeMessage, allUpTo = false) {
      frames += 1;
      if (!out.has(fields.deliveryTag)) throw new Error(`unknown delivery tag ${fields.deliveryTag}`);
      for (const tag of out) if (tag === fields.deliveryTag || (allUpTo && tag < fields.deliveryTag)) out.delete(tag);
    },
    nack: ({ fields }: ConsumeMessage) => void out.delete(fields.deliveryTag),
  };
  return { out, frames: () => frames, channel: channel as unknown as ConfirmChannel };
}
const message = (deliveryTag: number): ConsumeMessage => ({ fields: { deliveryTag } }) as ConsumeMessage;

describe("acknowledgements in batches", () => {
  it("in any order and any batches, exactly what was settled is acknowledged", () => {
    const plan = fc.integer({ min: 1, max: 40 }).chain((count) =>
      fc.record({
        count: fc.constant(count),
        acts: fc.array(fc.record({ tag: fc.integer({ min: 1, max: count }), flush: fc.boolean(), drop: fc.boolean() }), { maxLength: 80 }),
      }),
    );
    fc.assert(
      fc.property(plan, ({ count, acts }) => {
        const { out, channel } = server(count);
        const settling = createSettling(channel);
        const messages = Array.from({ length: count }, (_, i) => message(i + 1));
        const settles = messages.map((each) => settling.take(each));
        const done = new Set<number>();
        for (const { tag, flush, drop } of acts) {
          if (drop && !done.has(tag)) settling.drop(message(tag));
          else if (!drop) settles[tag - 1]?.();
          if (!drop || !done.has(tag)) done.add(tag);
          if (drop) settles[tag - 1] = () => undefined;
          if (flush) settling.flush();
        }
        settling.flush();
        expect([...out]).toEqual(Array.from({ length: count }, (_, i) => i + 1).filter((tag) => !done.has(tag)));
        expect(settling.unsettled()).toBe(count - done.size);
      }),
      { numRuns: 500 },
    );
  });
  it("a thousand settled in a row are one frame", () => {
    const { out, frames, channel } = server(1_000);
    const settling = createSettling(channel);
    for (let tag = 1; tag <= 1_000; tag++) settling.take(message(tag))();
    settling.flush();
    expect([out.size, frames()]).toEqual([0, 1]);
  });
  it("after the channel's end nothing is acknowledged", () => {
    const { out, channel } = server(2);
    const settling = createSettling(channel);
    const settle = settling.take(message(1));
    settling.end();
    settle();
    settling.flush();
    expect(out.size).toBe(2);
  });
});
