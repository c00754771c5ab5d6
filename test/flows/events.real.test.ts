/** MConnect Events on buses whose messages a broker carries: the groups' places lie in the journal, so that nothing changes for them. */
import { afterAll, describe, expect, it } from "vitest";
import { createEventsSite, changedEvent, clientOf, identityOf, idsOf } from "#test/harness/events-site.ts";
import { brokerEngine, DEFAULT_ENGINE } from "#test/harness/flow-engines.ts";
import { eventually, openReceiver } from "#test/harness/receiver.ts";

const engines = { nats: await brokerEngine("nats"), amqp: await brokerEngine("amqp") };
afterAll(async () => {
  for (const engine of Object.values(engines)) await engine?.close();
});

describe.each(["nats", "amqp"] as const)("on %s (skipped where no server of our own can be had)", (name) => {
  it.skipIf(!engines[name])(
    "what was taken reaches a group and an ordinary receiver, over a kill of the bus",
    async () => {
      const { env } = await (engines[name] ?? DEFAULT_ENGINE).place();
      const receiver = await openReceiver();
      const site = createEventsSite(receiver.url, env);
      try {
        const first = await site.start();
        const [register, pensions] = [await identityOf(site, "rsp/population"), await identityOf(site, "cnas/pensions")];
        const batch = (from: number): object[] =>
          Array.from({ length: 50 }, (_, at) => changedEvent(`${name}-${from + at}`, { partitionkey: `k${at % 5}` }));
        expect((await clientOf(first, register).batch(batch(0))).status).toBe(202);
        const before = await clientOf(first, pensions).stream();
        const got = [...(await idsOf(before, 30))];
        before.send("confirm:30");
        await before.close();
        expect((await clientOf(first, register).batch(batch(50))).status).toBe(202);
        await first.end("SIGKILL");
        const second = await site.start();
        const after = await clientOf(second, pensions).stream();
        got.push(...(await idsOf(after, 70)));
        expect(got).toEqual(Array.from({ length: 100 }, (_, at) => `${name}-${at}`));
        await after.close();
        await eventually(
          () => receiver.effects.size === 100,
          () => `${receiver.effects.size} of 100 reached the ordinary receiver`,
          60_000,
        );
      } finally {
        await site.remove();
        await receiver.close();
      }
    },
    180_000,
  );
});
