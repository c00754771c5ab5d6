/** kill -9 of the bus at any moment under load: what was acknowledged is delivered to every branch, and a command takes effect once. */
import { afterAll, describe, expect, it } from "vitest";
import { createSite, type BusProcess } from "#test/harness/bus-process.ts";
import { eventually } from "#test/harness/receiver.ts";
import { idnp, openSubscribers, tell } from "#test/harness/world.ts";

const KILLS = 50;

describe("kill -9 under load", () => {
  const site = createSite();
  let close: () => Promise<void> = () => Promise.resolve();
  afterAll(async () => {
    await site.remove();
    await close();
  });

  it(`loses nothing that was acknowledged, over ${KILLS} kills`, async () => {
    const world = await openSubscribers();
    close = world.close;
    site.edit("routes/rsp/person-changed.yaml", (text) => text.replace(", limits: { rate: 50/s }", ""));
    site.edit("routes/policies.yaml", (text) =>
      text
        .replaceAll("first: 5s", "first: 100ms")
        .replaceAll("first: 500ms", "first: 100ms")
        .replaceAll(/openFor: \w+/gu, "openFor: 1s"),
    );
    const events = new Set<string>();
    const commands = new Set<string>();
    let sequence = 0;
    for (let kill = 0; kill < KILLS; kill += 1) {
      const bus = await site.start({ variables: world.variables });
      const life = new AbortController();
      const senders = Array.from({ length: 8 }, async (_, lane) => {
        while (!life.signal.aborted) {
          const n = (sequence += 1);
          if (lane < 6)
            await send(
              () => tell(bus, { id: `e-${n}`, person: idnp(n % 97), revision: n }),
              200,
              () => events.add(`e-${n}`),
            );
          else
            await send(
              () => apply(bus, n),
              202,
              () => commands.add(`c-${n}`),
            );
        }
      });
      await new Promise((resolve) => setTimeout(resolve, 30 + Math.random() * 350));
      await bus.end("SIGKILL");
      life.abort();
      await Promise.all(senders);
    }
    expect(events.size).toBeGreaterThan(KILLS * 5);
    expect(commands.size).toBeGreaterThan(KILLS);
    const bus = await site.start({ variables: world.variables });
    const missing = (receiver: typeof world.pensions, wanted: ReadonlySet<string>): string[] =>
      [...wanted].filter((id) => !receiver.effects.has(id));
    const all = (): string[] => [
      ...missing(world.pensions, events),
      ...missing(world.townhall, events),
      ...missing(world.statistics, events),
      ...missing(world.pensions, commands),
    ];
    await eventually(
      () => all().length === 0,
      () => `${all().length} of ${events.size} events and ${commands.size} commands are missing, such as ${all().slice(0, 5).join(", ")}`,
      90_000,
    );
    const letters = await site.mbus("deadletters", "list", "--json");
    expect(JSON.parse(letters.out)).toEqual([]);
    await bus.end("SIGTERM");
  });
});

/** A send that the kill may cut: only an answer counts as acknowledged. */
async function send(run: () => Promise<{ status: number; body: string }>, wanted: number, acknowledged: () => void): Promise<void> {
  try {
    const { status, body } = await run();
    if (status === wanted) acknowledged();
    else if (status < 500) throw new Error(`answered ${status}: ${body.slice(0, 500)}`);
  } catch (error) {
    if (error instanceof Error && error.message.startsWith("answered")) throw error;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

async function apply(bus: BusProcess, n: number): Promise<{ status: number; body: string }> {
  const application = {
    applicationId: `A-${n}`,
    idnp: idnp(n),
    kind: "coldSeasonAid",
    amount: "1500.00",
    from: "2026-12-01",
    iban: null,
    townHall: "Orhei",
  };
  const response = await fetch(`${bus.http}/mconnect/rest/benefit.register.v1`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      "x-system": "primaria/registry",
      "x-message-id": `c-${n}`,
      CallingUser: "2004100010095",
      CallingEntity: "1007601008122",
      CallBasis: "Law 547/2003 art. 11",
      CallReason: "application",
    },
    body: JSON.stringify(application),
  });
  return { status: response.status, body: await response.text() };
}
