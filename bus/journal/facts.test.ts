/** What the journal keeps of whom: enough to prove, no payload where a route says so. */
import { describe, expect, it } from "vitest";
import { createMemoryJournal } from "#test/harness/memory.ts";
import { grantOf, inboundOf } from "#test/harness/bus-world.ts";
import { messageOf } from "#test/harness/message.ts";
import { routeOf } from "#test/harness/route.ts";
import type { Message } from "../envelope.ts";
import { BusError, type ErrorCode } from "../errors.ts";
import { digestOf } from "../ids.ts";
import type { Grant, Route } from "../route/runtime.ts";
import type { JournalRecord } from "./record.ts";
import { acceptedRows, factsOf, indexOf, refuse } from "./facts.ts";

const body = new TextEncoder().encode("body");
const message = messageOf({ idnp: "2004001234567" }, { id: "m-1", source: "a/b", contract: "x.y.v1", body });
const grant = grantOf("a/b", "consumer", "x.y.v1");
const journal = (payload: "full" | "hash" | "none") =>
  ({ payload, keep: 1, index: ({ value }: { value: Record<string, unknown> }) => ({ idnp: String(value["idnp"]) }) }) as const;
const BEGUN = { id: "m-1", correlationId: "c-1", time: 5, elapsed: 7 };

const acceptedOf = (...[route, given, held]: [Route, Message, Grant]): JournalRecord =>
  acceptedRows(route, given, held, {})[0] as JournalRecord;

describe("a record of a message", () => {
  it("names message, exchange, route, contract and sender", () => {
    expect(factsOf(routeOf({ id: "r" }), message.envelope)).toEqual({
      id: "m-1",
      correlationId: "c-1",
      route: "r",
      contract: "x.y.v1",
      system: "a/b",
    });
  });

  it("has the route's search fields, and its grant among them where uses are counted", () => {
    const route = routeOf({ journal: journal("full") });
    expect(indexOf(route, message, grant)).toEqual({ idnp: "2004001234567" });
    expect(indexOf(route, message, { ...grant, quota: { count: 1, per: 1 } })).toEqual({ idnp: "2004001234567", grant: grant.id });
  });

  it.each([
    ["full", true],
    ["hash", false],
    ["none", false],
  ] as const)("with the payload policy `%s` keeps the envelope: %s; the digest always", (payload, kept) => {
    const record = acceptedOf(routeOf({ journal: journal(payload) }), message, grant);
    expect("envelope" in record).toBe(kept);
    expect(record).toMatchObject({ step: "accepted", outcome: "ok", grant: grant.id, digest: digestOf(body) });
  });
});

describe("who asked for whom and why", () => {
  const CALL = { user: "2004100010095", entity: "1007601008122", basis: "Law 436/2006 art. 29", reason: "certificate" };

  it("stands once in the record of a query: in its envelope, or by itself where no payload is kept", () => {
    const asked = messageOf({}, { call: CALL, body });
    expect(acceptedOf(routeOf({ journal: journal("hash") }), asked, grant).call).toEqual(CALL);
    expect(acceptedOf(routeOf({ journal: journal("none") }), asked, grant).call).toEqual(CALL);
    const whole = acceptedOf(routeOf({ journal: journal("full") }), asked, grant);
    expect(whole).not.toHaveProperty("call");
    expect(whole.envelope?.call).toEqual(CALL);
  });

  it("is left out where nobody said it", () => {
    expect(acceptedOf(routeOf({ journal: journal("hash") }), message, grant)).not.toHaveProperty("call");
  });

  it("is kept of who was refused too, and of a value that is too long not more than a good one may have", async () => {
    const to = createMemoryJournal();
    const call = { ...CALL, reason: "x".repeat(100_000) };
    await refuse(to, inboundOf("r", "a/b", {}, { call }), BEGUN, new BusError("grant-missing", "no grant"));
    await refuse(to, inboundOf("r", "a/b", {}), BEGUN, new BusError("grant-missing", "no grant"));
    expect(to.records[0]?.call).toEqual({ ...CALL, reason: "x".repeat(512) });
    expect(to.records[1]).not.toHaveProperty("call");
  });
});

describe("a refusal", () => {
  const refused = async (code: ErrorCode, over: Parameters<typeof inboundOf>[3] = {}, text = "the reason") => {
    const to = createMemoryJournal();
    await refuse(to, inboundOf("r", "a/b", {}, over), BEGUN, new BusError(code, text));
    return to.records[0];
  };

  it.each([
    ["grant-missing", "denied"],
    ["system-unknown", "denied"],
    ["id-reused", "duplicate"],
    ["duplicate-message", "duplicate"],
    ["xsd-violation", "failed"],
    ["endpoint-unreachable", "failed"],
    ["unexpected", "failed"],
  ] as const)("because of %s has the outcome %s", async (code, outcome) => {
    expect(await refused(code)).toMatchObject({ step: "refused", outcome, errorCode: code, detail: "the reason", elapsed: 7, time: 5 });
  });

  it("says what is known, and leaves out what is not", async () => {
    const row = await refused("system-missing", { route: undefined, system: undefined });
    expect(row).not.toHaveProperty("route");
    expect(row).not.toHaveProperty("system");
    expect(row).toMatchObject({ id: "m-1", correlationId: "c-1" });
  });

  it("keeps the bytes of what broke its contract up to 64 KiB, their digest always", async () => {
    const of = (length: number) => new Uint8Array(length).fill(7);
    expect((await refused("xsd-violation", { bytes: of(65_536) }))?.original).toHaveLength(65_536);
    const big = await refused("xsd-violation", { bytes: of(65_537) });
    expect([big?.original, big?.digest]).toEqual([undefined, digestOf(of(65_537))]);
  });

  it.each(["grant-missing", "id-reused", "endpoint-unreachable", "message-too-large"] as const)(
    "because of %s keeps no bytes",
    async (code) => {
      expect(await refused(code)).not.toHaveProperty("original");
    },
  );

  it("keeps a thousand characters of its reason", async () => {
    expect((await refused("unexpected", {}, "x".repeat(5000)))?.detail).toHaveLength(1000);
  });

  it("is durable when it resolves, and fails with the journal", async () => {
    const to = createMemoryJournal();
    to.failWith(new Error("disk full"));
    await expect(refuse(to, inboundOf("r", "a/b", {}), BEGUN, new BusError("unexpected", "x"))).rejects.toMatchObject({
      code: "journal-failed",
    });
  });
});
