/** What every outlet promises, as a library; see inlet.ts for how it is used. */
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import type { Message } from "#bus/envelope.ts";
import { BusError, type ErrorClass } from "#bus/errors.ts";
import type { Outlet } from "#bus/ports.ts";

/** How the far side behaves next. `hold`: takes the message and answers when `release` is called; `gone`: nobody listens. */
export type Behaviour = "ok" | "hold" | "silent" | "unavailable" | "throttled" | "fault" | "garbage" | "reset" | "huge" | "gone";

export type OutletWorld = Readonly<{
  outlet: Outlet;
  behave(behaviour: Behaviour): Promise<void> | void;
  /** Lets a held answer go. */
  release(): void;
  /** Idempotency keys of the messages that reached the far side, in order. */
  keys(): readonly string[];
  /** Resolves when the far side saw a call broken off. */
  brokenOff(): Promise<void>;
  message(id: string): Message;
  close(): Promise<void>;
}>;

export type OutletOptions = Readonly<{
  name: string;
  skip?: Readonly<Record<string, string>>;
  /** Provider code of the fault that the far side answers with. */
  faultCode: string;
  open(): Promise<OutletWorld>;
}>;

const FAULT_CODE = "its own";

/** Behaviour, class, provider code and wait that the error must carry. */
const FAILURES: readonly (readonly [Behaviour, ErrorClass, string | undefined, number | undefined])[] = [
  ["gone", "unreachable", undefined, undefined],
  ["reset", "unreachable", undefined, undefined],
  ["unavailable", "provider-unavailable", "503", 7000],
  ["throttled", "throttled", "429", 7000],
  ["fault", "provider-fault", FAULT_CODE, undefined],
];

export function outletConformance(options: OutletOptions): void {
  const worlds: OutletWorld[] = [];
  const open = async (): Promise<OutletWorld> => {
    const world = await options.open();
    worlds.push(world);
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
  const failureOf = async (world: OutletWorld, signal = new AbortController().signal): Promise<BusError> => {
    const error: unknown = await world.outlet.send(world.message("m-1"), signal).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(BusError);
    return error as BusError;
  };

  describe(`${options.name} as an outlet`, () => {
    test("names the endpoint that breaker and limits are kept for", async () => {
      expect((await open()).outlet.endpoint).not.toBe("");
    });

    test("resolves only on confirmed delivery", async () => {
      const world = await open();
      await world.behave("hold");
      let done = false;
      const sent = world.outlet.send(world.message("m-1"), new AbortController().signal).then(() => void (done = true));
      await expect.poll(() => world.keys()).toEqual(["m-1"]);
      await sleep(60);
      expect(done).toBe(false);
      world.release();
      await sent;
    });

    test("passes the same idempotency key with each delivery of a message", async () => {
      const world = await open();
      await world.outlet.send(world.message("m-1"), new AbortController().signal);
      await world.outlet.send(world.message("m-1"), new AbortController().signal);
      await world.outlet.send(world.message("m-2"), new AbortController().signal);
      expect(world.keys()).toEqual(["m-1", "m-1", "m-2"]);
    });

    for (const [behaviour, errorClass, providerCode, retryAfter] of FAILURES)
      test(`gives ${errorClass} when the far side is ${behaviour}`, async () => {
        const world = await open();
        await world.behave(behaviour);
        const error = await failureOf(world);
        expect([error.class, error.providerCode, error.retryAfter]).toEqual([
          errorClass,
          providerCode === FAULT_CODE ? options.faultCode : providerCode,
          retryAfter,
        ]);
      });

    for (const behaviour of ["garbage", "huge"] as const)
      test(`gives provider-reply-invalid when the answer is ${behaviour}`, async () => {
        const world = await open();
        await world.behave(behaviour);
        expect((await failureOf(world)).code).toBe("provider-reply-invalid");
      });

    test("works again after a failure", async () => {
      const world = await open();
      await world.behave("reset");
      await failureOf(world);
      await world.behave("ok");
      await world.outlet.send(world.message("m-2"), new AbortController().signal);
    });

    test("after an abort nothing of the call goes on", async () => {
      const world = await open();
      await world.behave("silent");
      const controller = new AbortController();
      const failed = failureOf(world, controller.signal);
      await expect.poll(() => world.keys().length).toBe(1);
      const brokenOff = world.brokenOff();
      controller.abort();
      expect((await failed).class).toBe("timeout");
      await brokenOff;
    });

    test("throws the signal's own reason where that is a bus error", async () => {
      const world = await open();
      await world.behave("silent");
      const controller = new AbortController();
      const failed = failureOf(world, controller.signal);
      await expect.poll(() => world.keys().length).toBe(1);
      controller.abort(new BusError("deadline-passed", "nobody waits any more"));
      expect((await failed).code).toBe("deadline-passed");
    });

    test("sends nothing when the signal is aborted already", async () => {
      const world = await open();
      expect((await failureOf(world, AbortSignal.abort())).class).toBe("timeout");
      await sleep(30);
      expect(world.keys()).toEqual([]);
    });

    test("close may be called twice", async () => {
      const world = await open();
      await Promise.all([world.outlet.close(), world.outlet.close()]);
    });
  });
}
