/** The promises of every transport, kept over a real RabbitMQ. */
import { afterAll, it } from "vitest";
import { BROKER_FEATURES, brokerTransportWorld } from "#test/conformance/broker-world.ts";
import { transportSuite } from "#test/conformance/transport.ts";
import { rabbitServer } from "#test/harness/rabbitmq.ts";
import { openAmqpBroker } from "./transport.ts";

const server = await rabbitServer();
afterAll(() => server?.close());
let buses = 0;

if (server === undefined) it.skip("RabbitMQ (no server can be had)", () => undefined);
else {
  const { url } = server;
  transportSuite("amqp", BROKER_FEATURES, () => {
    const prefix = `w${process.pid}-${buses++}`;
    return brokerTransportWorld(() => openAmqpBroker({ url, node: "n1", prefix }), 1);
  });
}
