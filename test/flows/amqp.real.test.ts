/** The flows that an engine could change, on RabbitMQ. */
import { afterAll, describe } from "vitest";
import { brokerEngine, DEFAULT_ENGINE } from "#test/harness/flow-engines.ts";
import { cliFlows } from "./cli.ts";
import { clientFlows } from "./clients.ts";
import { deliveryFlows } from "./delivery.ts";
import { fileFlows } from "./files.ts";
import { killFlows } from "./kill.ts";
import { reloadFlows } from "./reload.ts";
import { ticketFlows } from "./tickets.ts";

const engine = await brokerEngine("amqp");
afterAll(() => engine?.close());

describe.skipIf(!engine)("on RabbitMQ (skipped where no server of our own can be had)", () => {
  const on = engine ?? DEFAULT_ENGINE;
  deliveryFlows(on, 300, false);
  ticketFlows(on);
  reloadFlows(on);
  fileFlows(on, 600, false);
  clientFlows(on, false);
  cliFlows(on);
  killFlows(on, 5);
});
