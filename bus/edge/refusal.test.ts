import { describe, expect, it } from "vitest";
import { everyError } from "#test/harness/every-error.ts";
import { BusError } from "../errors.ts";
import type { Inbound } from "../ports.ts";
import { isPassing, writeProblem } from "./refusal.ts";

describe("a refusal to its sender", () => {
  const inbound: Inbound = {
    route: "r",
    from: "f",
    system: "a/b",
    id: "m-1",
    correlationId: "c-1",
    call: {},
    headers: {},
    bytes: new Uint8Array(),
    mediaType: "application/json",
    read: () => ({}),
  };
  it.each(everyError)(
    "$code is a problem document with the message's id, and says nothing of the inside",
    ({ code, kind, error, meaning }) => {
      const problem = JSON.parse(Buffer.from(writeProblem(error, inbound, "from.x.y")).toString()) as Record<string, unknown>;
      expect(problem).toMatchObject({
        type: `urn:mconnect-bus:error:${code}`,
        title: meaning,
        instance: "from.x.y",
        messageId: "m-1",
        correlationId: "c-1",
        providerCode: "P-1",
      });
      expect(problem["detail"]).toBe(kind === "internal" ? undefined : `what happened: ${code}`);
      expect(problem["status"]).toBeTypeOf("number");
    },
  );
  it("lists at most fifty places", () => {
    const error = new BusError("json-violation", "x", { places: Array.from({ length: 999 }, () => ({ text: "t" })) });
    expect((JSON.parse(Buffer.from(writeProblem(error, inbound, "s")).toString()) as { errors: unknown[] }).errors).toHaveLength(50);
  });
  it("is not sent where the bus's own state is why: the message comes again", () => {
    const passing = everyError.filter(({ error }) => isPassing(error)).map(({ code }) => code);
    for (const { code, kind } of everyError) if (kind === "throttled" || kind === "internal") expect(passing).toContain(code);
    for (const code of ["bus-stopping", "transport-unavailable", "route-paused"]) expect(passing).toContain(code);
    for (const { code, kind } of everyError)
      if (["contract-violation", "access-denied", "too-large", "duplicate", "expired"].includes(kind)) expect(passing).not.toContain(code);
  });
});
