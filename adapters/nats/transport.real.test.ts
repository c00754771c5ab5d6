/** The promises of every transport, kept over a real NATS JetStream. */
import { afterAll, it } from "vitest";
import { BROKER_FEATURES, brokerTransportWorld } from "#test/conformance/broker-world.ts";
import { transportSuite } from "#test/conformance/transport.ts";
import { natsServer } from "#test/harness/nats.ts";
import { openNatsBroker } from "./transport.ts";

const server = await natsServer();
let deployments = 0;

if (server === undefined) it.skip("NATS (no server can be had)", () => undefined);
else {
  const { url } = server;
  afterAll(() => server.close());
  transportSuite("nats", BROKER_FEATURES, () => {
    const deployment = `W${process.pid}-${++deployments}`;
    return brokerTransportWorld(() => openNatsBroker({ url, node: "n1", deployment, maxBytes: 67_108_864, patience: 20_000 }), 1);
  });
}
