/** Faults of a real NATS server below an open broker: killed under load, wiped, robbed of its stream, away for too long. */
import { jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { afterEach, describe, expect, it } from "vitest";
import type { Broker, Lane } from "#bus/broker.ts";
import type { BusError } from "#bus/errors.ts";
import { carriedEnvelope, collect, PATIENCE } from "#test/conformance/broker-parts.ts";
import { codeOf, eventually, pause } from "#test/conformance/cases.ts";
import { natsServer } from "#test/harness/nats.ts";
import type { Server } from "#test/harness/servers.ts";
import { openNatsBroker } from "./transport.ts";

const TOPIC = "mbus.test.thing.v1";
const LANE: Lane = { topic: TOPIC, group: "g", partition: 0 };
type Own = Server & Required<Pick<Server, "kill" | "revive" | "wipe">>;

const probe = await natsServer();
const own = probe?.kill !== undefined && probe.revive !== undefined && probe.wipe !== undefined;
await probe?.close();

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

async function world(patience = 60_000) {
  const server = (await natsServer()) as Own;
  const errors: BusError[] = [];
  const port = await openNatsBroker({
    url: server.url,
    node: "test",
    maxBytes: 33_554_432,
    patience,
    onError: (error) => errors.push(error),
  });
  open.push(server, port);
  let renewed = 0;
  port.onReconnect(() => renewed++);
  return { server, port, errors, renewed: () => renewed };
}
const send = (port: Broker, n: number): Promise<void> => port.send(TOPIC, 0, { envelope: carriedEnvelope(n), position: n, after: n - 1 });

describe.skipIf(!own)("a NATS server that fails (skipped where no server of our own can be had)", () => {
  it("killed under load and started again: every send is confirmed, every message comes", async () => {
    const { server, port, renewed } = await world();
    const got = await collect(port, LANE, true, 64);
    const sent: Promise<void>[] = [];
    for (let n = 1; n <= 4_000; n++) {
      sent.push(send(port, n));
      if (n % 200 === 0) await pause(10);
      if (n === 2_000) await server.kill();
      if (n === 2_600) await server.revive();
    }
    await Promise.all(sent);
    await got.countDistinct(4_000);
    expect(renewed()).toBeGreaterThanOrEqual(1);
    await send(port, 4_001);
    await got.countDistinct(4_001);
  });

  it("what was held when it was killed comes again, and settling the old copy does nothing", async () => {
    const { server, port, renewed } = await world();
    const got = await collect(port, LANE, false);
    await send(port, 1);
    await got.count(1);
    await server.kill();
    await server.revive();
    await eventually(() => renewed() > 0, "a new connection", PATIENCE);
    got.seen[0]?.settle();
    await got.count(2);
    expect(got.seen[1]).toMatchObject({ position: 1, redelivered: true });
    await pause(300);
    expect(await port.depth(LANE)).toBe(1);
    got.seen[1]?.settle();
    await eventually(async () => (await port.depth(LANE)) === 0, "an empty lane", PATIENCE);
  });

  it("wiped: stream and lanes are there again, takers go on, and an old copy settles nothing new", async () => {
    const { server, port, renewed } = await world();
    const got = await collect(port, LANE, false);
    await send(port, 1);
    await got.count(1);
    await server.kill();
    await server.wipe();
    await server.revive();
    await eventually(() => renewed() > 0, "a new connection", PATIENCE);
    await send(port, 2);
    await got.count(2);
    got.seen[0]?.settle();
    await pause(300);
    expect(got.seen[1]).toMatchObject({ position: 2, redelivered: false });
    expect(await port.depth(LANE)).toBe(1);
  });

  it("its stream deleted under way: made anew without a new connection, and the relay is told", async () => {
    const { server, port, renewed } = await world();
    const got = await collect(port, LANE, true);
    await send(port, 1);
    await got.count(1);
    const nc = await connect({ servers: server.url.slice("nats://".length) });
    open.push(nc);
    await (await jetstreamManager(nc)).streams.delete("MBUS");
    expect(await codeOf(send(port, 2))).toBe("");
    await eventually(() => renewed() > 0, "the relay told", PATIENCE);
    // As the relay does: what does not come is sent again.
    const sendAgain = async (): Promise<boolean> => {
      await send(port, 3);
      await pause(200);
      return got.positions().includes(3);
    };
    await eventually(sendAgain, "the third message", PATIENCE);
  });

  it("away for longer than the patience: transport-unavailable, and all is well when it is back", async () => {
    const { server, port } = await world(2_000);
    const got = await collect(port, LANE, true);
    await server.kill();
    const calls = [send(port, 1), port.take({ ...LANE, group: "other" }, 1, () => undefined), port.depth(LANE)];
    expect(await Promise.all(calls.map((call) => codeOf(call)))).toEqual(calls.map(() => "transport-unavailable"));
    await server.revive();
    await eventually(async () => (await codeOf(send(port, 2))) === "", "a send that is confirmed", PATIENCE);
    await got.count(1);
  });

  it("no server at the address: opening fails with transport-unavailable, and without its password in the sentence", async () => {
    const { server } = await world();
    await server.kill();
    const opening = openNatsBroker({ url: server.url.replace("//", "//user:hidden@"), node: "test", patience: 500 });
    await expect(opening).rejects.toMatchObject({
      code: "transport-unavailable",
      message: expect.not.stringContaining("hidden") as string,
    });
    expect(await codeOf(openNatsBroker({ url: "http://localhost", node: "test" }))).toBe("configuration");
  });

  it("a message that is not the bus's is put aside and told of, and those behind it come", async () => {
    const { server, port, errors } = await world();
    const got = await collect(port, LANE, true);
    const nc = await connect({ servers: server.url.slice("nats://".length) });
    open.push(nc);
    nc.publish("mbus.t.mbus_2etest_2ething_2ev1.0", "foreign");
    await nc.flush();
    await send(port, 1);
    await got.count(1);
    expect(errors.map((error) => error.code)).toEqual(["journal-failed"]);
    await eventually(async () => (await port.depth(LANE)) === 0, "an empty lane", PATIENCE);
  });
});
