/** A whole bus on a RabbitMQ that fails. */
import { afterAll, describe } from "vitest";
import { brokerEngine, DEFAULT_ENGINE } from "#test/harness/flow-engines.ts";
import { brokerFaultFlows } from "./broker-faults.ts";

const engine = await brokerEngine("amqp");
afterAll(() => engine?.close());

describe.skipIf(!engine)("on RabbitMQ (skipped where no server of our own can be had)", () => brokerFaultFlows(engine ?? DEFAULT_ENGINE));
