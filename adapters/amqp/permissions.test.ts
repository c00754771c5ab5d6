import { describe, expect, it } from "vitest";
import { definitionsFor } from "./permissions.ts";

type Named = Readonly<{ name: string; type?: string; durable: boolean; arguments: Readonly<Record<string, unknown>> }>;
type Definitions = Readonly<{
  users: readonly Readonly<{ name: string; password_hash: string; tags: string }>[];
  exchanges: readonly Named[];
  queues: readonly Named[];
  permissions: readonly Readonly<{ user: string; read: string; write: string }>[];
  topic_permissions: readonly Readonly<{ user: string; write: string }>[];
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
    const kept = made.queues.filter(({ name }) => !name.startsWith("call."));
    expect(kept.map(({ name }) => name)).toEqual(["gov.from.unrouted", "to.rsp_2fpopulation", "to.cnas_2fpensions"]);
    for (const { name, durable, arguments: given } of kept) {
      expect(durable, name).toBe(true);
      expect(given, name).toEqual({ "x-queue-type": "quorum", "x-max-length": 100_000, "x-overflow": "reject-publish" });
    }
  });

  it("give each system a queue of questions, bounded, that it may read beside its own, and let it answer under its own name", () => {
    const calls = made.queues.filter(({ name }) => name.startsWith("call."));
    expect(calls.map(({ name, arguments: given }) => [name, given["x-max-length"], given["x-overflow"]])).toEqual([
      ["call.rsp_2fpopulation", 10_000, "reject-publish"],
      ["call.cnas_2fpensions", 10_000, "reject-publish"],
    ]);
    const [permission] = made.permissions;
    const [topic] = made.topic_permissions;
    // RabbitMQ's expressions are Perl's: \A and \z are the ends of the text
    const fits = (text: string | undefined, name: string): boolean =>
      new RegExp((text ?? "").replace("\\A", "^").replace("\\z", "$"), "u").test(name);
    expect(["to.rsp_2fpopulation", "call.rsp_2fpopulation"].map((name) => fits(permission?.read, name))).toEqual([true, true]);
    for (const name of ["call.cnas_2fpensions", "call.rsp_2fpopulation.x", "xcall.rsp_2fpopulation", "gov.from.unrouted"])
      expect(fits(permission?.read, name), name).toBe(false);
    expect(fits(topic?.write, "answer.rsp_2fpopulation.ab.cd")).toBe(true);
    expect(fits(topic?.write, "answer.cnas_2fpensions.ab.cd")).toBe(false);
    expect(fits(topic?.write, "call.rsp_2fpopulation.x.v1")).toBe(false);
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
      { source: "gov.to", destination: "call.rsp_2fpopulation", routing_key: "call.rsp_2fpopulation.#" },
      { source: "gov.to", destination: "call.cnas_2fpensions", routing_key: "call.cnas_2fpensions.#" },
    ]);
  });
});
