import { afterAll, describe, it } from "vitest";
import { journalSuite } from "#test/conformance/journal.ts";
import { mongoWorld } from "#test/harness/mongo-world.ts";
import { mongoServer } from "#test/harness/mongodb.ts";

const server = await mongoServer();
afterAll(() => server?.close());

const FEATURES = ["durable", "dedupe", "search", "restart"];
/** FerretDB 1 has no indexes but unique ones. */
const SLOW = "this server looks at every document for each search: thirty searches in thirty thousand take minutes";

if (server) {
  const skips = server.version.startsWith("FerretDB") ? { "finds old and new ones among thirty thousand, also after a restart": SLOW } : {};
  journalSuite("MongoDB", FEATURES, () => mongoWorld(server.url, (engine) => engine.journal), skips);
} else describe("MongoDB as a journal", () => it.skip("is proved where a server can be had"));
