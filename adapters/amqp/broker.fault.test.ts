/** A real RabbitMQ that dies, forgets, refuses and hangs under the bus. */
import { connect } from "amqplib";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import type { Broker, Carried, Lane } from "#bus/broker.ts";
import { carriedEnvelope, collect, PATIENCE, TOPIC } from "#test/conformance/broker-parts.ts";
import { codeOf, eventually, pause } from "#test/conformance/cases.ts";
import { rabbitServer } from "#test/harness/rabbitmq.ts";
import type { GivenUp } from "./dead.ts";
import { namesOf } from "./names.ts";
import { openAmqpBroker, type AmqpBrokerOptions } from "./transport.ts";

const server = await rabbitServer();
afterAll(() => server?.close());

const LANE: Lane = { topic: TOPIC, group: "g", partition: 0 };
const carried = (n: number): Carried => ({ envelope: carriedEnvelope(n), position: n, after: n - 1 });
const numbers = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);

const open: Broker[] = [];
afterEach(async () => {
  for (const broker of open.splice(0)) await broker.close();
});
let buses = 0;
async function broker(url: string, more: Partial<AmqpBrokerOptions> = {}) {
  const prefix = `f${process.pid}-${buses++}`;
  const port = await openAmqpBroker({ url, node: "n1", prefix, patience: 100_000, ...more });
  open.push(port);
  return { port, names: namesOf(prefix) };
}
const sendAll = (port: Broker, from: number, to: number): Promise<unknown> =>
  Promise.all(numbers(from, to).map((n) => port.send(TOPIC, 0, carried(n))));
/** Another client, as an administrator's tool would be. */
async function byHand(
  url: string,
  act: (channel: Awaited<ReturnType<Awaited<ReturnType<typeof connect>>["createChannel"]>>) => Promise<unknown>,
) {
  const connection = await connect(url);
  connection.on("error", () => undefined);
  await act(await connection.createChannel());
  await connection.close();
}

describe.skipIf(server === undefined)("RabbitMQ under the bus", () => {
  const { url, ctl, kill, revive, wipe } = server ?? { url: "" };
  const ours = kill !== undefined && revive !== undefined && wipe !== undefined;

  it.skipIf(!ours)("killed at full speed: all that was confirmed comes, and sending goes on by itself", async () => {
    const { port } = await broker(url);
    let reconnects = 0;
    port.onReconnect(() => reconnects++);
    const got = await collect(port, LANE, true, 500);
    await sendAll(port, 1, 501);
    // RabbitMQ writes the name of a new queue down half a second late; the data of a queue that it forgot is not what is tried here.
    await pause(3_000);
    const more = sendAll(port, 501, 1_001);
    await pause(10);
    await kill?.();
    const last = sendAll(port, 1_001, 1_501);
    await revive?.();
    await Promise.all([more, last]);
    await eventually(() => new Set(got.positions()).size === 1_500, "every message", PATIENCE);
    expect(reconnects).toBeGreaterThan(0);
  });

  it.skipIf(!ours)("killed right after a lane was made: a queue that the server forgot is made anew, and sending goes on", async () => {
    const { port } = await broker(url);
    const got = await collect(port, LANE, true);
    await sendAll(port, 1, 11);
    await kill?.();
    const waiting = sendAll(port, 11, 21);
    await revive?.();
    await waiting;
    await eventually(() => numbers(11, 21).every((n) => got.positions().includes(n)), "what was sent meanwhile", PATIENCE);
  });

  it.skipIf(!ours)("data wiped while the bus runs: lanes are there again and get what is sent", async () => {
    const { port } = await broker(url);
    const got = await collect(port, LANE, true);
    await sendAll(port, 1, 11);
    await got.count(10);
    await kill?.();
    await wipe?.();
    const waiting = sendAll(port, 11, 111);
    await revive?.();
    await waiting;
    await eventually(() => numbers(11, 111).every((n) => got.positions().includes(n)), "what was sent meanwhile", PATIENCE);
  });

  it.skipIf(!ours)("a server that stays away fails calls as transport-unavailable, in bounded time, and comes back", async () => {
    const { port } = await broker(url, { patience: 1_500 });
    await kill?.();
    await eventually(async () => (await codeOf(port.depth(LANE))) === "transport-unavailable", "the loss noticed", PATIENCE);
    const calls = [port.send(TOPIC, 0, carried(1)), port.take(LANE, 1, () => undefined), port.request(TOPIC, carriedEnvelope(1), 60_000)];
    expect(await Promise.all(calls.map((call) => codeOf(call)))).toEqual(calls.map(() => "transport-unavailable"));
    expect(await codeOf(openAmqpBroker({ url, node: "n2", patience: 500 }))).toBe("transport-unavailable");
    await revive?.();
    const sent = async (): Promise<boolean> => (await codeOf(port.send(TOPIC, 0, carried(1)))) === "";
    await eventually(sent, "sending again", PATIENCE);
  });

  it("a queue deleted by hand is made again, and what is sent right after arrives", async () => {
    const { port, names } = await broker(url);
    const got = await collect(port, LANE, true);
    await sendAll(port, 1, 11);
    await got.count(10);
    await byHand(url, (channel) => channel.deleteQueue(names.lane(LANE)));
    await sendAll(port, 11, 111);
    await eventually(() => numbers(11, 111).every((n) => got.positions().includes(n)), "what was sent after", PATIENCE);
  });

  it("the exchange deleted by hand is made again", async () => {
    const { port, names } = await broker(url);
    const got = await collect(port, LANE, true);
    await byHand(url, (channel) => channel.deleteExchange(names.exchange));
    await sendAll(port, 1, 11);
    await eventually(() => numbers(1, 11).every((n) => got.positions().includes(n)), "all", PATIENCE);
  });

  it.skipIf(ctl === undefined)("a channel that the server closes for late acknowledgement comes back with its messages", async () => {
    const set = (name: string, value: number): Promise<unknown> =>
      ctl?.("eval", `application:set_env(rabbit, ${name}, ${value}).`) ?? pause(0);
    await set("consumer_timeout", 1_000);
    await set("channel_tick_interval", 500);
    const { port } = await broker(url);
    const got = await collect(port, LANE, false);
    await port.send(TOPIC, 0, carried(1));
    await got.count(2);
    expect(got.positions()).toEqual([1, 1]);
    await set("consumer_timeout", 1_800_000);
    expect(got.seen[1]?.redelivered).toBe(true);
    got.seen[0]?.settle();
    await eventually(
      async () => {
        got.seen.at(-1)?.settle();
        return (await port.depth(LANE)) === 0;
      },
      "the lane empty",
      PATIENCE,
    );
  });

  it.skipIf(ctl === undefined)("a server short of disk is waited for; taking and settling go on meanwhile", async () => {
    const { port } = await broker(url);
    const slow = await collect(port, { ...LANE, group: "slow" }, false);
    await sendAll(port, 1, 11);
    await slow.count(10);
    await ctl?.("set_disk_free_limit", "900000GB");
    let confirmed = 0;
    // The first message after the alarm has the server tell us of it.
    const sent = numbers(11, 61).map((n) => port.send(TOPIC, 0, carried(n)).then(() => confirmed++));
    await pause(1_500);
    for (const message of slow.seen) message.settle();
    await eventually(async () => (await port.depth({ ...LANE, group: "slow" })) === 0, "settled during the alarm", PATIENCE);
    expect(confirmed).toBe(0);
    await ctl?.("set_disk_free_limit", "50MB");
    await Promise.all(sent);
    await slow.count(60);
  });

  it("a queue that is there but is no quorum queue is refused, and named as a hazard", async () => {
    const { port, names } = await broker(url);
    await byHand(url, (channel) => channel.assertQueue(names.lane(LANE), { durable: true }));
    expect(await codeOf(port.take(LANE, 1, () => undefined))).toBe("configuration");
    expect((await port.hazards()).map((hazard) => hazard.setting)).toEqual(["amqp.quorum"]);
    await byHand(url, (channel) => channel.deleteQueue(names.lane(LANE)));
    expect(await port.hazards()).toEqual([]);
  });

  it("a body that is none of ours goes to the dead queue and is told; the lane goes on", async () => {
    const dead: GivenUp[] = [];
    const errors: Error[] = [];
    const { port, names } = await broker(url, { onDead: (message) => dead.push(message), onError: (error) => errors.push(error) });
    const got = await collect(port, LANE, true);
    await byHand(url, (channel) => {
      channel.publish(names.exchange, names.key(TOPIC, 0), Buffer.from("hello"));
      return pause(100);
    });
    await sendAll(port, 1, 3);
    await got.count(2);
    await eventually(() => dead.length === 1, "the dead message", PATIENCE);
    expect(dead[0]).toMatchObject({ queue: names.lane(LANE), reason: "rejected" });
    expect(errors).toHaveLength(1);
    await eventually(async () => (await port.depth(LANE)) === 0, "the lane empty", PATIENCE);
  });
});
