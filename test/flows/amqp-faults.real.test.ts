/** A whole bus on a RabbitMQ that fails, and on RabbitMQ with a MongoDB that fails. */
import { afterAll, describe } from "vitest";
import { brokerEngine, DEFAULT_ENGINE, type OwnServer } from "#test/harness/flow-engines.ts";
import { mongoServer } from "#test/harness/mongodb.ts";
import { brokerFaultFlows } from "./broker-faults.ts";
import { KILLED, storeFaultFlows } from "./store-faults.ts";

const engine = await brokerEngine("amqp");
const store = await mongoServer();
afterAll(async () => {
  await engine?.close();
  await store?.close();
});

describe.skipIf(!engine)("on RabbitMQ (skipped where no server of our own can be had)", () => {
  brokerFaultFlows(engine ?? DEFAULT_ENGINE);
  if (store?.kill && store.revive) storeFaultFlows(engine ?? DEFAULT_ENGINE, store as OwnServer, KILLED);
  else describe.skip("and MongoDB (no server of our own can be had)", () => undefined);
});
