import { describe, expect, it } from "vitest";
import { definitionsFor } from "./permissions.ts";

type Named = Readonly<{ name: string; type?: string; durable: boolean; arguments: Readonly<Record<string, unknown>> }>;
type Definitions = Readonly<{
  users: readonly Readonly<{ name: string; password_hash: string; tags: string }>[];
  exchanges: readonly Named[];
  queues: readonly Named[];
  bindings: readonly Readonly<{ source: string; destination: string; routing_key: string }>[];
}>;
const made = definitionsFor([{ system: "rsp/population", passwordHash: "hash" }, { system: "cnas/pensions" }], "/", "gov") as Definitions;

describe("the definitions for RabbitMQ", () => {
  it("make a user of each system, without rights of an administrator; one without a password comes by its certificate only", () => {
    expect(made.users.map(({ name, password_hash: hash, tags }) => [name, hash, tags])).toEqual([
      ["rsp_2fpopulation", "hash", ""],
      ["cnas_2fpensions", "", ""],
    ]);
  });

  it("give each system its own queue, which is durable, bounded, and refuses what it cannot hold", () => {
    expect(made.queues.map(({ name }) => name)).toEqual(["gov.from.unrouted", "to.rsp_2fpopulation", "to.cnas_2fpensions"]);
    for (const { name, durable, arguments: given } of made.queues) {
      expect(durable, name).toBe(true);
      expect(given, name).toEqual({ "x-queue-type": "quorum", "x-max-length": 100_000, "x-overflow": "reject-publish" });
    }
  });

  it("keep what no route takes apart, so that its sender can be told", () => {
    expect(made.exchanges.map(({ name, type, arguments: given }) => [name, type, given])).toEqual([
      ["gov.from", "topic", { "alternate-exchange": "gov.from.unrouted" }],
      ["gov.to", "topic", {}],
      ["gov.from.unrouted", "fanout", {}],
    ]);
    expect(made.bindings).toMatchObject([
      { source: "gov.from.unrouted", destination: "gov.from.unrouted" },
      { source: "gov.to", destination: "to.rsp_2fpopulation", routing_key: "to.rsp_2fpopulation.#" },
      { source: "gov.to", destination: "to.cnas_2fpensions", routing_key: "to.cnas_2fpensions.#" },
    ]);
  });
});
