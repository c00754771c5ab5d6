/** What every broker promises, on a real RabbitMQ, and what only a real server can do to us. */
import { afterAll, it } from "vitest";
import type { Broker } from "#bus/broker.ts";
import { brokerSuite } from "#test/conformance/broker.ts";
import { rabbitServer } from "#test/harness/rabbitmq.ts";
import { FEATURES } from "./spec.ts";
import { openAmqpBroker, type AmqpBrokerOptions } from "./transport.ts";

const server = await rabbitServer();
afterAll(() => server?.close());

let buses = 0;
/** Each world is a bus of its own on the one server. */
const optionsOf = (url: string): AmqpBrokerOptions => ({ url, node: "n1", prefix: `t${process.pid}-${buses++}` });

if (server === undefined) it.skip("RabbitMQ (no server can be had)", () => undefined);
else {
  const { url } = server;
  brokerSuite("amqp", FEATURES.broker, async () => {
    const options = optionsOf(url);
    let port: Broker = await openAmqpBroker(options);
    return {
      port,
      async restart() {
        await port.close();
        port = await openAmqpBroker(options);
        return port;
      },
      close: () => port.close(),
    };
  });
}
