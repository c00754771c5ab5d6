/** Replies of commands that come by themselves, over one bus that is killed in between: each once more rather than never, with its ticket as id. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createSite, type BusProcess, type Site } from "#test/harness/bus-process.ts";
import { eventually, type Received } from "#test/harness/receiver.ts";
import { apply, idnp, openSubscribers, type Subscribers } from "#test/harness/world.ts";

const ROUTE = "routes/cnas/benefit-register.yaml";
const REPLIES = `
replies:
  - name: to-townhall
    system: primaria/registry
    http: { path: /replies }
    deliver: { use: async-standard }
order:`;
const PATIENCE = 90_000;

describe("a command whose sender has an address for replies", () => {
  let site: Site;
  let world: Subscribers;
  let bus: BusProcess;
  beforeAll(async () => {
    site = createSite();
    site.hurry();
    site.edit(ROUTE, (text) => text.replace("\norder:", REPLIES));
    world = await openSubscribers();
    bus = await site.start({ variables: world.variables });
  }, 120_000);
  afterAll(async () => {
    await site.remove();
    await world.close();
  });

  const pushes = (id: string): readonly Received[] => world.townhall.received.filter((one) => one.path === "/replies" && one.id === id);
  const arrived = (id: string): Promise<void> =>
    eventually(
      () => pushes(id).length > 0,
      () => `no reply to ${id} came; ${world.townhall.received.length} others did`,
      PATIENCE,
    );

  it("gets the reply as a CloudEvent with the ticket as its id and as Idempotency-Key", async () => {
    expect(await apply(bus, { id: "p-1", application: "A-1" })).toMatchObject({ status: 202 });
    await arrived("p-1");
    const [{ headers, body }] = pushes("p-1") as readonly [Received];
    expect(headers).toMatchObject({
      "idempotency-key": "p-1",
      "ce-specversion": "1.0",
      "ce-id": "p-1",
      "ce-source": "cnas/pensions",
      "ce-type": "mbus.benefit.registered.v1",
      "ce-causationid": "p-1",
    });
    expect(JSON.parse(body)).toMatchObject({ applicationId: "A-1", status: "registered" });
  });

  it("gets it after the bus was killed while the sender's side was away, and the provider is asked once", async () => {
    let tries = 0;
    world.townhall.answer(() => (tries++, 503));
    expect(await apply(bus, { id: "p-2", application: "A-2" })).toMatchObject({ status: 202 });
    await eventually(
      () => tries > 0,
      () => "no push was tried",
      PATIENCE,
    );
    await bus.end("SIGKILL");
    world.townhall.answer(() => 200);
    bus = await site.start({ variables: world.variables });
    await arrived("p-2");
    expect(world.pensions.received.filter(({ id }) => id === "p-2")).toHaveLength(1);
  });

  it("can still fetch it by the ticket, and nobody else can", async () => {
    const look = async (system: string): Promise<Readonly<{ status: number; body: unknown }>> => {
      const response = await fetch(`${bus.http}/mconnect/commands/p-2`, { headers: { "x-system": system } });
      return { status: response.status, body: await response.json() };
    };
    expect(await look("primaria/registry")).toMatchObject({ status: 200, body: { state: "done", reply: { applicationId: "A-2" } } });
    expect((await look("rsp/population")).status).toBe(404);
  });

  it("has the reply in its answer when it holds the line, as long as it says", async () => {
    const response = await fetch(`${bus.http}/mconnect/rest/benefit.register.v1`, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        prefer: "wait=30",
        "x-system": "primaria/registry",
        "x-message-id": "p-3",
        CallingUser: "2004100010095",
        CallingEntity: "1007601008122",
        CallBasis: "Law 547/2003 art. 11",
        CallReason: "application",
      },
      body: JSON.stringify({
        applicationId: "A-3",
        idnp: idnp(1),
        kind: "coldSeasonAid",
        amount: "1500.00",
        from: "2026-12-01",
        iban: null,
        townHall: "Orhei",
      }),
    });
    const body: unknown = await response.json();
    expect({ status: response.status, body }).toMatchObject({ status: 200, body: { applicationId: "A-3", status: "registered" } });
  });
});
