/** A whole bus on RabbitMQ and a MongoDB that fails. */
import { afterAll, describe } from "vitest";
import { brokerEngine, type OwnServer } from "#test/harness/flow-engines.ts";
import { mongoServer } from "#test/harness/mongodb.ts";
import { KILLED, storeFaultFlows } from "./store-faults.ts";

const engine = await brokerEngine("amqp");
const store = await mongoServer();
afterAll(async () => {
  await engine?.close();
  await store?.close();
});

if (engine && store?.kill && store.revive) storeFaultFlows(engine, store as OwnServer, KILLED);
else describe.skip("on RabbitMQ and MongoDB (no servers of our own can be had)", () => undefined);
