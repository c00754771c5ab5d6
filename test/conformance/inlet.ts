/**
 * What every inlet promises, as a library: an adapter's test gives a name and a constructor of its world.
 * A case that cannot hold for an adapter is skipped by its title, with the reason.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import { BusError } from "#bus/errors.ts";
import type { Accept, Inbound, Inlet, Outcome } from "#bus/ports.ts";

/** What the outsider saw. `text` is all of it: status, headers, body, or the files that were left. */
export type Answer = Readonly<{ ok: boolean; text: string }>;

export type InletWorld = Readonly<{
  inlet: Inlet;
  /** Sends one message from outside; its answer, however it looks. Rejects when nobody listens any more. */
  send(kind: "good" | "broken"): Promise<Answer>;
  close(): Promise<void>;
}>;

export type InletOptions = Readonly<{
  name: string;
  skip?: Readonly<Record<string, string>>;
  /** `drain`: milliseconds that `close` may wait; `maxInFlight`: unfinished messages at once. */
  open(options: Readonly<{ drain: number; maxInFlight: number }>): Promise<InletWorld>;
}>;

/** Bytes that the good message must arrive with, part of what `send("good")` sent. */
export const GOOD_TEXT = "conformance-good";

export function accepted(inbound: Inbound, kind: "reply" | "accepted" = "accepted"): Outcome {
  const ids = { id: inbound.id ?? "made-by-the-bus", correlationId: inbound.correlationId ?? "correlation", position: 7 };
  return kind === "reply" ? { kind, ...ids, value: inbound.read() } : { kind, ...ids, duplicate: false };
}

export function inletConformance(options: InletOptions): void {
  const worlds: InletWorld[] = [];
  const open = async (accept: Accept, limits = { drain: 2000, maxInFlight: 10 }): Promise<InletWorld> => {
    const world = await options.open(limits);
    worlds.push(world);
    await world.inlet.start(accept);
    return world;
  };
  afterEach(async () => {
    for (const world of worlds.splice(0)) await world.close();
  });
  const test = (title: string, body: () => Promise<void>): void => {
    const reason = options.skip?.[title];
    if (reason === undefined) it(title, body, 15_000);
    else it.skip(`${title} (${reason})`, body);
  };

  describe(`${options.name} as an inlet`, () => {
    test("answers only after accept settles", async () => {
      const gate = Promise.withResolvers<void>();
      const reached = Promise.withResolvers<void>();
      const world = await open(async (inbound) => {
        reached.resolve();
        await gate.promise;
        return accepted(inbound);
      });
      let answered = false;
      const answer = world.send("good").then((found) => {
        answered = true;
        return found;
      });
      await reached.promise;
      await sleep(60);
      expect(answered).toBe(false);
      gate.resolve();
      expect((await answer).ok).toBe(true);
    });

    test("hands over the bytes as received, and decodes when asked", async () => {
      let seen: Inbound | undefined;
      const world = await open(async (inbound) => {
        seen = inbound;
        return accepted(inbound);
      });
      await world.send("good");
      expect(Buffer.from(seen?.bytes ?? []).toString("utf8")).toContain(GOOD_TEXT);
      expect(JSON.stringify(seen?.read())).toContain(GOOD_TEXT);
      expect(seen?.mediaType).not.toBe("");
    });

    test("brings a broken message to the bus, whose read says what is wrong", async () => {
      let failure: unknown;
      const world = await open(async (inbound) => {
        try {
          inbound.read();
        } catch (error) {
          failure = error;
          throw error;
        }
        return accepted(inbound);
      });
      const answer = await world.send("broken");
      expect(failure).toBeInstanceOf(BusError);
      expect((failure as BusError).class).toBe("contract-violation");
      expect(answer.ok).toBe(false);
      expect(answer.text).toContain((failure as BusError).code);
    });

    test("makes a refusal the protocol's own fault, with its code", async () => {
      const world = await open(() => Promise.reject(new BusError("grant-missing", "no grant lets you do this")));
      const answer = await world.send("good");
      expect(answer.ok).toBe(false);
      expect(answer.text).toContain("grant-missing");
    });

    test("never shows what failed inside", async () => {
      const world = await open(() => Promise.reject(new Error("password of the database is hunter2")));
      const answer = await world.send("good");
      expect(answer.ok).toBe(false);
      expect(answer.text).not.toContain("hunter2");
      expect(answer.text).not.toMatch(/\.ts:\d+/);
    });

    test("close waits for the message that is in the bus, and its sender is answered", async () => {
      const gate = Promise.withResolvers<void>();
      const reached = Promise.withResolvers<void>();
      const world = await open(async (inbound) => {
        reached.resolve();
        await gate.promise;
        return accepted(inbound);
      });
      const answer = world.send("good");
      await reached.promise;
      let closed = false;
      const closing = world.inlet.close().then(() => void (closed = true));
      await sleep(60);
      expect(closed).toBe(false);
      gate.resolve();
      expect((await answer).ok).toBe(true);
      await closing;
    });

    test("takes nothing after close, and close may be called again", async () => {
      let count = 0;
      const world = await open(async (inbound) => {
        count += 1;
        return accepted(inbound);
      });
      await world.send("good");
      await Promise.all([world.inlet.close(), world.inlet.close()]);
      await world.inlet.close();
      const late = await world.send("good").catch(() => ({ ok: false }));
      expect(late.ok).toBe(false);
      expect(count).toBe(1);
    });

    test("close comes to an end though accept never does", async () => {
      const reached = Promise.withResolvers<void>();
      const world = await open(() => (reached.resolve(), new Promise(() => {})), { drain: 100, maxInFlight: 10 });
      void world.send("good").catch(() => undefined);
      await reached.promise;
      await world.inlet.close();
    });

    test("refuses what passes its bound of unfinished messages", async () => {
      const gate = Promise.withResolvers<void>();
      const reached = Promise.withResolvers<void>();
      const world = await open(
        async (inbound) => {
          reached.resolve();
          await gate.promise;
          return accepted(inbound);
        },
        { drain: 2000, maxInFlight: 1 },
      );
      const first = world.send("good");
      await reached.promise;
      const second = await world.send("good");
      expect(second.ok).toBe(false);
      expect(second.text).toContain("inlet-busy");
      expect(second.text.toLowerCase()).toContain("retry-after: 1");
      gate.resolve();
      expect((await first).ok).toBe(true);
    });
  });
}
