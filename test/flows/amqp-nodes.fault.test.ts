/** Processes of one bus that die and sleep, on RabbitMQ and MongoDB. */
import { afterAll, describe } from "vitest";
import { brokerEngine, DEFAULT_ENGINE } from "#test/harness/flow-engines.ts";
import { mongoServer } from "#test/harness/mongodb.ts";
import type { Server } from "#test/harness/servers.ts";
import { nodesFlows } from "./nodes.ts";

const engine = await brokerEngine("amqp");
const mongo = await mongoServer();
const none: Server = { url: "", version: "", from: "", close: () => Promise.resolve() };
afterAll(async () => void (await Promise.all([engine?.close(), mongo?.close()])));

describe.skipIf(!engine || !mongo)("on RabbitMQ and MongoDB (skipped where no servers of our own can be had)", () =>
  nodesFlows(engine ?? DEFAULT_ENGINE, mongo ?? none),
);
