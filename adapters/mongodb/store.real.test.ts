import { afterAll, describe, it } from "vitest";
import { storeSuite } from "#test/conformance/store.ts";
import { mongoWorld } from "#test/harness/mongo-world.ts";
import { mongoServer } from "#test/harness/mongodb.ts";

const server = await mongoServer();
afterAll(() => server?.close());

if (server)
  storeSuite("MongoDB", ["unique", "version", "range", "blobs", "restart"], () => mongoWorld(server.url, (engine) => engine.store));
else describe("MongoDB as a store", () => it.skip("is proved where a server can be had"));
