/**
 * Has every server and tool of the tests once, one after the other: what must be installed or built is there before test files run
 * side by side. What cannot be had is told here and again by its tests, which fail in CI and are skipped elsewhere.
 */
import { have, PHP_SOAP, ZEEP } from "./debian.ts";
import { mongoServer } from "./mongodb.ts";
import { POSTGRESQL } from "./postgres.ts";
import { OPENSSH } from "./sshd.ts";
import { natsServer } from "./nats.ts";
import { rabbitServer } from "./rabbitmq.ts";
import type { Server } from "./servers.ts";

const SERVERS: readonly (() => Promise<Server | undefined>)[] = [() => natsServer(), rabbitServer, mongoServer];

async function tell(work: () => unknown): Promise<void> {
  try {
    await work();
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
  }
}

for (const tool of [ZEEP, PHP_SOAP, OPENSSH, POSTGRESQL]) await tell(() => have(tool));
for (const open of SERVERS) await tell(async () => (await open())?.close());
