/** A whole bus on a NATS that fails, and on NATS with a MongoDB that fails. */
import { afterAll, describe } from "vitest";
import { brokerEngine, DEFAULT_ENGINE, type OwnServer } from "#test/harness/flow-engines.ts";
import { mongoServer } from "#test/harness/mongodb.ts";
import { brokerFaultFlows } from "./broker-faults.ts";
import { FROZEN, storeFaultFlows } from "./store-faults.ts";

const engine = await brokerEngine("nats");
const store = await mongoServer();
afterAll(async () => {
  await engine?.close();
  await store?.close();
});

describe.skipIf(!engine)("on NATS (skipped where no server of our own can be had)", () => {
  brokerFaultFlows(engine ?? DEFAULT_ENGINE);
  if (store?.kill && store.revive) storeFaultFlows(engine ?? DEFAULT_ENGINE, store as OwnServer, FROZEN);
  else describe.skip("and MongoDB (no server of our own can be had)", () => undefined);
});
