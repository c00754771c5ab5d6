import { randomUUID } from "node:crypto";
import { afterAll, describe, expect, it } from "vitest";
import { storeSuite } from "#test/conformance/store.ts";
import type { World } from "#test/conformance/cases.ts";
import type { Store } from "#bus/ports.ts";
import { mongoServer } from "#test/harness/mongodb.ts";
import { connect, type Connection } from "./connection.ts";
import { openStore } from "./store.ts";

const server = await mongoServer();
afterAll(() => server?.close());
const LIMITS = { documentBytes: 4_000_000, blobBytes: 134_217_728 };
const clock = { now: () => Date.now(), sleep: (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms)) };

async function world(): Promise<World<Store>> {
  const options = { url: server?.url ?? "", database: `mbus-${randomUUID()}`, patience: 30_000 };
  let connection: Connection;
  const open = async (): Promise<Store> => {
    connection = await connect(options);
    return openStore(connection, clock, LIMITS);
  };
  let port = await open();
  const close = async (): Promise<void> => {
    await port.close();
    await connection.close();
  };
  return {
    port,
    async restart() {
      await close();
      return (port = await open());
    },
    async close() {
      await connection.db.dropDatabase().catch(() => undefined);
      await close();
    },
  };
}

if (server) storeSuite("MongoDB", ["unique", "version", "range", "blobs", "restart"], world);
else describe.skip("MongoDB as a store", () => it("needs a server", () => expect(server).toBeDefined()));
