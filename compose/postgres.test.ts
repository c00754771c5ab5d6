import { describe, expect, it } from "vitest";
import type { Branch } from "#bus/route/runtime.ts";
import { sourceOf } from "#test/harness/bus-world.ts";
import { eventually } from "#test/conformance/cases.ts";
import { accepted } from "#test/conformance/inlet.ts";
import { echoJson } from "#test/harness/echo-json.ts";
import { createMemoryStore } from "#test/harness/memory.ts";
import { contractOf, routeOf } from "#test/harness/route.ts";
import { systemClock } from "./clock.ts";
import { postgresInlet, postgresOutlet } from "./postgres.ts";

const told: string[] = [];
const secret = (name: string): string => {
  if (name !== "db") throw new Error(`secret ${name} is not set`);
  return "postgres://bus:hunter2@127.0.0.1:1/exchange";
};
const parts = (development = false) => ({
  dataDir: "",
  clock: systemClock,
  secret,
  development,
  store: createMemoryStore(),
  onError: (error: unknown, where: string) => void told.push(`${where}: ${(error as Error).message}`),
});
const route = routeOf({ id: "import", contract: contractOf("event", "test.echo.v1") });
const table = { url: "${secret:db}", table: "outbox", key: "id", columns: ["text"] };
const limits = { maxBytes: 1_000, maxInFlight: 4 };
const inlet = (options: Record<string, unknown>, development = false) => {
  const source = sourceOf({ name: "rows", binding: { kind: "postgres", options: { ...table, ...options }, codec: echoJson } });
  return postgresInlet(parts(development), route, source, { route: "import", from: "rows", system: "a/b", pattern: "event" }, limits);
};
const outlet = (options: Record<string, unknown>, development = false) => {
  const binding: Branch["binding"] = { kind: "postgres", options: { url: "${secret:db}", statement: "SELECT :text", ...options } };
  return postgresOutlet(parts(development), binding);
};

describe("a route on a database is refused when it is loaded", () => {
  it.each([
    [{}, "needs `failed`"],
    [{ done: "taken_at" }, "needs `failed`"],
    [{ cursor: "changed_at", failed: "refused" }, "or `cursor`"],
    [{ cursor: "changed_at", done: "taken_at" }, "or `cursor`"],
    [{ failed: "refused", security: "none" }, "for development only"],
    [{ failed: "refused", url: "${secret:other}" }, "secret other is not set"],
    [{ failed: "refused", url: "localhost" }, "must be postgres:"],
  ])("as a source with %j", (options, why) => {
    expect(() => inlet(options)).toThrow(why);
  });

  it.each([
    [{ security: "none" }, "for development only"],
    [{ statement: "DELETE FROM a; DELETE FROM b" }, "several"],
    [{ statement: "SELECT :$no" }, "$id, $source"],
  ])("as a target with %j", (options, why) => {
    expect(() => outlet(options)).toThrow(why);
  });
});

it("the endpoint names host, port and database, and no account", async () => {
  const made = outlet({ security: "none" }, true);
  expect(made.endpoint).toBe("postgres://127.0.0.1:1/exchange");
  await Promise.all([made.close(), made.close()]);
});

it.each([{ failed: "refused" }, { cursor: "changed_at", settle: "10s" }])(
  "a database that is away is told without its password, and the source of %j goes on",
  async (kind) => {
    told.length = 0;
    const made = inlet({ ...kind, every: "10ms" });
    await made.start(async (inbound) => accepted(inbound));
    await eventually(() => told.length >= 2, "it was told, and tried again");
    await made.close();
    expect(told[0]).toBe("source `rows` of route `import`: 127.0.0.1:1/exchange could not be reached, or the connection broke");
    expect(told.join()).not.toContain("hunter2");
  },
);
