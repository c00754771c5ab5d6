/** A whole bus on a RabbitMQ that fails, and on RabbitMQ with a MongoDB that fails. */
import { afterAll, describe, expect } from "vitest";
import { brokerEngine, DEFAULT_ENGINE, type OwnServer } from "#test/harness/flow-engines.ts";
import { mongoServer } from "#test/harness/mongodb.ts";
import { eventually } from "#test/harness/receiver.ts";
import type { RabbitServer } from "#test/harness/rabbitmq.ts";
import { brokerFaultFlows, type OwnFault } from "./broker-faults.ts";
import { KILLED, storeFaultFlows } from "./store-faults.ts";

const engine = await brokerEngine("amqp");
const store = await mongoServer();
afterAll(async () => {
  await engine?.close();
  await store?.close();
});

/**
 * The server takes an acknowledgement of a message that it never handed out, on every channel of its own, again and again. It answers by
 * closing the channel with 406, PRECONDITION_FAILED, and leaves the connection standing.
 */
const CLOSED_CHANNELS: OwnFault = {
  name: "every channel closed by the server with 406, again and again",
  async act(server: RabbitServer) {
    const round = "length([rabbit_channel:do(Channel, {'basic.ack', 4294967295, false}) || Channel <- rabbit_channel:list()]).";
    const close = async (): Promise<number> => Number((await server.ctl?.("-q", "eval", round))?.trim());
    const first = await close();
    expect(first).toBeGreaterThan(2); // one to send on, others to take from and to ask on
    let closed = 0;
    await eventually(
      async () => (closed += await close()) > 3 * first,
      () => `of ${first} channels only ${closed} were closed again`,
      120_000,
    );
  },
};

describe.skipIf(!engine)("on RabbitMQ (skipped where no server of our own can be had)", () => {
  brokerFaultFlows(engine ?? DEFAULT_ENGINE, [CLOSED_CHANNELS]);
  if (store?.kill && store.revive) storeFaultFlows(engine ?? DEFAULT_ENGINE, store as OwnServer, KILLED);
  else describe.skip("and MongoDB (no server of our own can be had)", () => undefined);
});
