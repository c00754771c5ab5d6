/** A command whose provider is away, on any engine: accepted at once, its ticket outlives the bus, and ends with the provider's answer. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createSite, type BusProcess, type Site } from "#test/harness/bus-process.ts";
import type { FlowEngine } from "#test/harness/flow-engines.ts";
import { eventually } from "#test/harness/receiver.ts";
import { apply, openSubscribers, type Subscribers } from "#test/harness/world.ts";

type Ticket = Readonly<{ status: number; retryAfter: string | null; state?: string; reply?: Readonly<Record<string, unknown>> }>;

async function look(bus: BusProcess, id: string, system: string): Promise<Ticket> {
  const response = await fetch(`${bus.http}/mconnect/commands/${id}`, { headers: { "x-system": system } });
  return { status: response.status, retryAfter: response.headers.get("retry-after"), ...((await response.json()) as object) };
}

export function ticketFlows(engine: FlowEngine): void {
  describe("a command whose provider is away", () => {
    let site: Site;
    let world: Subscribers;
    beforeAll(async () => {
      site = createSite((await engine.place()).env);
      site.hurry();
      world = await openSubscribers();
    }, 120_000);
    afterAll(async () => {
      await site.remove();
      await world.close();
    });

    it("has a ticket for its sender alone, also after a restart, and ends with one effect and the provider's reply", async () => {
      world.pensions.answer(() => 503);
      const first = await site.start({ variables: world.variables });
      expect(await apply(first, { id: "c-1", application: "A-1" })).toMatchObject({ status: 202 });
      expect(await apply(first, { id: "c-1", application: "A-1" }), "the sender asks again").toMatchObject({ status: 202 });
      expect(await look(first, "c-1", "primaria/registry")).toMatchObject({ status: 202, state: "pending", retryAfter: "2" });
      expect((await look(first, "c-1", "rsp/population")).status).toBe(404);
      await first.end("SIGTERM");
      const second = await site.start({ variables: world.variables });
      expect(await look(second, "c-1", "primaria/registry")).toMatchObject({ status: 202, state: "pending" });
      world.pensions.answer(() => 200);
      let ticket: Ticket | undefined;
      await eventually(
        async () => (ticket = await look(second, "c-1", "primaria/registry")).state === "done",
        () => `the ticket says ${JSON.stringify(ticket)}`,
        60_000,
      );
      expect(ticket).toMatchObject({ status: 200, reply: { applicationId: "A-1", status: "registered" } });
      expect(world.pensions.received.map(({ id }) => id)).toEqual(["c-1"]);
      await second.end("SIGTERM");
    }, 120_000);
  });
}
