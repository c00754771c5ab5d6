/** A whole bus on a NATS that fails. */
import { afterAll, describe } from "vitest";
import { brokerEngine, DEFAULT_ENGINE } from "#test/harness/flow-engines.ts";
import { brokerFaultFlows } from "./broker-faults.ts";

const engine = await brokerEngine("nats");
afterAll(() => engine?.close());

describe.skipIf(!engine)("on NATS (skipped where no server of our own can be had)", () => brokerFaultFlows(engine ?? DEFAULT_ENGINE));
