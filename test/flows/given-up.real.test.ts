/** The safety net below the transport: what a broker gives up is logged, counted and told, and stops nothing. */
import { connect } from "amqplib";
import { afterAll, describe, expect, it } from "vitest";
import { namesOf } from "#adapters/amqp/names.ts";
import { createSite, type Site } from "#test/harness/bus-process.ts";
import { natsServer } from "#test/harness/nats.ts";
import { rabbitServer } from "#test/harness/rabbitmq.ts";
import { openRawNats } from "#test/harness/raw-nats.ts";
import { eventually } from "#test/harness/receiver.ts";
import type { Server } from "#test/harness/servers.ts";
import { idnp, openSubscribers, tell } from "#test/harness/world.ts";

const TOPIC = "mbus.person.changed.v1";

/** A message that no reader of the lane can read: RabbitMQ is told so, and puts it with the dead. */
async function unreadable(url: string): Promise<void> {
  const connection = await connect(url);
  const channel = await connection.createConfirmChannel();
  const names = namesOf("mbus");
  for (let partition = 0; partition < 4; partition++)
    channel.publish(names.exchange, names.key(TOPIC, partition), Buffer.from("no record"));
  await channel.waitForConfirms();
  await connection.close();
}

/** The server's own word that a message had its last delivery. */
async function advised(url: string): Promise<void> {
  const client = await openRawNats(url, "any", "any");
  client.publish("$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.MBUS.some__lane__0", "{}");
  await client.violates(() => undefined);
  client.close();
}

const BROKERS = [
  {
    broker: "nats",
    open: () => natsServer(),
    env: (url: string) => ({ MBUS_TRANSPORT: "nats", NATS_URL: url }),
    act: advised,
    said: "max_deliver",
  },
  {
    broker: "amqp",
    open: rabbitServer,
    env: (url: string) => ({ MBUS_TRANSPORT: "amqp", AMQP_URL: url }),
    act: unreadable,
    said: "rejected",
  },
] as const;

describe.each(BROKERS)("what $broker gives up", ({ broker, open, env, act, said }) => {
  const closing: (() => Promise<unknown>)[] = [];
  afterAll(async () => {
    for (const close of closing.toReversed()) await close();
  }, 60_000);

  it("is a metric and a line of the readiness page, and events go on past it", async (context) => {
    const server: Server | undefined = await open();
    if (!server) {
      context.skip();
      return;
    }
    closing.push(() => server.close());
    const site: Site = createSite(env(server.url));
    closing.push(() => site.remove());
    const world = await openSubscribers();
    closing.push(() => world.close());
    const bus = await site.start({ variables: world.variables });
    expect((await tell(bus, { id: "before-1", person: idnp(1), revision: 1 })).status).toBe(200);
    const page = async (path: string): Promise<string> => (await fetch(`${bus.http}${path}`)).text();
    expect(await page("/readyz")).toBe("ready\n");
    await act(server.url);
    await eventually(
      async () => (await page("/metrics")).includes(`mbus_broker_given_up_total{broker="${broker}",reason="${said}"}`),
      () => "nothing was counted",
      60_000,
    );
    expect(await page("/readyz")).toContain(`${broker}: gave up`);
    expect((await tell(bus, { id: "after-1", person: idnp(1), revision: 2 })).status).toBe(200);
    await eventually(
      () => world.townhall.effects.has("after-1") && world.pensions.effects.has("after-1"),
      () => "events stopped",
      60_000,
    );
  }, 300_000);
});
