/** Messages of groups are read once for all questions of a predicate, within a bound, and never another message's. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createMemoryStore } from "#test/harness/memory.ts";
import { messageOf } from "#test/harness/message.ts";
import { createVirtualClock } from "#test/harness/virtual-clock.ts";
import type { Message } from "./envelope.ts";
import { createGatherer } from "./gather.ts";
import { pack, unpack } from "./gather-item.ts";
import { createUnpacked } from "./gather-unpacked.ts";

const item = (n: number, text = "x") => pack(messageOf({ n, text }, { id: `m-${n}` }));

describe("a message that is asked for again", () => {
  it("is the same object: it was read once", () => {
    const unpacked = createUnpacked();
    const [first] = unpacked([item(1)]);
    expect(unpacked([item(1), item(2)])[0]).toBe(first);
  });

  it("is another one where it holds something else under the same name", () => {
    const unpacked = createUnpacked();
    unpacked([item(1, "of one route")]);
    expect(unpacked([item(1, "of another")])[0]?.value["text"]).toBe("of another");
    expect(unpacked([item(1, "of one route")])[0]?.value["text"]).toBe("of one route");
  });

  it("is read again when more came in between than is kept, and is right all the same", () => {
    const unpacked = createUnpacked(2_000);
    const [first] = unpacked([item(1)]);
    unpacked(Array.from({ length: 50 }, (_, n) => item(n + 2, "y".repeat(100))));
    const [again] = unpacked([item(1)]);
    expect(again).not.toBe(first);
    expect(again).toEqual(first);
  });

  it("is whatever was packed, in whatever order and within whatever bound", () => {
    const step = fc.array(fc.tuple(fc.integer({ min: 0, max: 9 }), fc.constantFrom("a", "bb", "c".repeat(200))), { maxLength: 12 });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 8 }), fc.integer({ min: 0, max: 3_000 }), (steps, kept) => {
        const unpacked = createUnpacked(kept);
        for (const pairs of steps) {
          const items = pairs.map(([n, text]) => item(n, text));
          expect(unpacked(items)).toEqual(items.map(unpack));
        }
      }),
    );
  });
});

describe("a group by predicate", () => {
  it("costs one reading per message, not one per message and question", async () => {
    const gatherer = await createGatherer({ clock: createVirtualClock(), store: createMemoryStore() });
    const seen = new Set<Message>();
    let asked = 0;
    const when = async (messages: readonly Message[]) => {
      asked += 1;
      for (const message of messages) seen.add(message);
      return messages.length === 60;
    };
    for (let n = 1; n <= 60; n += 1) {
      const closing = await gatherer.add("r", "g", messageOf({ n }, { id: `m-${n}` }), { timeout: 60_000, when });
      expect(closing?.messages.length).toBe(n === 60 ? 60 : undefined);
    }
    expect([asked, seen.size]).toEqual([60, 60]);
  });
});
