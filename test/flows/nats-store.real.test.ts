/** A whole bus on NATS and a MongoDB that fails. */
import { afterAll, describe } from "vitest";
import { brokerEngine, type OwnServer } from "#test/harness/flow-engines.ts";
import { mongoServer } from "#test/harness/mongodb.ts";
import { FROZEN, storeFaultFlows } from "./store-faults.ts";

const engine = await brokerEngine("nats");
const store = await mongoServer();
afterAll(async () => {
  await engine?.close();
  await store?.close();
});

if (engine && store?.kill && store.revive) storeFaultFlows(engine, store as OwnServer, FROZEN);
else describe.skip("on NATS and MongoDB (no servers of our own can be had)", () => undefined);
