/**
 * Modern institutions on a broker's topics, end to end: their own clients, in another language or by bare protocol lines, under the
 * permissions that `mbus broker-config` wrote from the register of systems, through a whole bus to and from legacy SOAP systems.
 */
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createSite, type BusProcess, type Site } from "#test/harness/bus-process.ts";
import { have, PIKA } from "#test/harness/debian.ts";
import { modernOnNats, modernOnRabbit, type Got, type Modern } from "#test/harness/modern.ts";
import { natsServer } from "#test/harness/nats.ts";
import { rabbitServer } from "#test/harness/rabbitmq.ts";
import { eventually } from "#test/harness/receiver.ts";
import type { Server } from "#test/harness/servers.ts";
import { idnp, tell } from "#test/harness/world.ts";

const SECRETS = {
  MBUS_SECRET_BROKER_MBUS: "the-bus",
  MBUS_SECRET_BROKER_RSP_POPULATION: "register",
  MBUS_SECRET_BROKER_PRIMARIA_REGISTRY: 'town"hall',
  MBUS_SECRET_BROKER_CNAS_PENSIONS: "pensions",
};
const REGISTER = "rsp_2fpopulation";
const TOWNHALL = "primaria_2fregistry";
const PENSIONS = "cnas_2fpensions";

type Ground = Readonly<{
  /** The broker, with the permissions that `config` prints. */
  open(config: string): Promise<Server | undefined>;
  env(url: string): Record<string, string>;
  client(url: string, user: string, password: string): Promise<Modern>;
}>;

const GROUNDS: Readonly<Record<"nats" | "amqp", Ground>> = {
  nats: {
    open: (config) => natsServer({ config }),
    env: (url) => ({ NATS_URL: url.replace("//", "//mbus:the-bus@") }),
    client: modernOnNats,
  },
  amqp: {
    async open(config) {
      const server = have(PIKA) ? await rabbitServer() : undefined;
      if (!server?.ctl) return undefined;
      const file = join(mkdtempSync(join(tmpdir(), "mbus-definitions-")), "definitions.json");
      writeFileSync(file, config);
      await server.ctl("import_definitions", file);
      return server;
    },
    env: (url) => ({ AMQP_URL: url }),
    client: async (url, user, password) => modernOnRabbit(url, user, password),
  },
};

/** The sample routes with the broker beside their other edges. */
function onTopics(site: Site, broker: "nats" | "amqp"): void {
  site.edit("routes/rsp/person-changed.yaml", (text) =>
    text
      .replace("\naccess:", `  - name: modern\n    system: rsp/population\n    ${broker}: {}\n\naccess:`)
      .replace("http: { path: /events }", `${broker}: {}`)
      .replace(
        "  - name: statistics",
        `  - name: archive\n    system: cnas/pensions\n    ${broker}: { format: avro }\n  - name: statistics`,
      ),
  );
  site.edit("routes/rsp/person-lookup.yaml", (text) =>
    text.replace("\naccess:", `  - name: portal\n    system: primaria/registry\n    ${broker}: {}\n\naccess:`),
  );
  site.edit("routes/cnas/benefit-register.yaml", (text) =>
    text.replace("\naccess:", `  - name: portal\n    system: primaria/registry\n    ${broker}: {}\n\naccess:`),
  );
}

const APPLICATION = {
  applicationId: "ORH-2026-77",
  idnp: "2004100423789",
  kind: "coldSeasonAid",
  amount: "800.00",
  from: "2026-11-01",
  iban: "MD24AG000225100013104168",
  townHall: "Primăria Orhei",
};
const change = (person: string, revision: number): Record<string, unknown> => ({
  idnp: person,
  changedAt: "2026-11-23T09:00:00.000Z",
  kind: "addressChanged",
  revision,
  changes: [{ field: "address", before: "Orhei", after: "Soroca" }],
  dateOfBirth: "1961-07-19",
  sex: "M",
  address: { region: "Soroca", locality: "Soroca", street: null, house: null, flat: null },
});
const CALL = { CallingUser: "2004100010095", CallingEntity: "1007601008122", CallBasis: "art. 29", CallReason: "citizen service" };

describe.each(["nats", "amqp"] as const)("modern institutions on %s, the bus itself on its embedded parts", (broker) => {
  const ground = GROUNDS[broker];
  let site: Site | undefined;
  let server: Server | undefined;
  let bus: BusProcess;
  const clients: Record<string, Modern> = {};

  const connectAll = async (url: string): Promise<void> => {
    for (const client of Object.values(clients)) client.close();
    clients["register"] = await ground.client(url, REGISTER, "register");
    clients["townhall"] = await ground.client(url, TOWNHALL, 'town"hall');
    clients["pensions"] = await ground.client(url, PENSIONS, "pensions");
  };

  beforeAll(async () => {
    const plain = createSite(SECRETS);
    const { out, err } = await plain.mbus("broker-config", broker);
    await plain.remove();
    expect(err).toContain("bns/lake has no password");
    server = await ground.open(out);
    if (!server) return;
    site = createSite({ ...SECRETS, ...ground.env(server.url), MBUS_LOG_LEVEL: "error" });
    onTopics(site, broker);
    site.edit("routes/policies.yaml", (text) =>
      text.replace("first: 5s, factor: 3", "first: 200ms, factor: 2").replace("openFor: 1m", "openFor: 1s"),
    );
    bus = await site.start({ samples: true });
    await connectAll(server.url);
  }, 600_000);
  afterAll(async () => {
    for (const client of Object.values(clients)) client.close();
    await site?.remove();
    await server?.close();
  }, 60_000);

  const here = (name: string, run: (site: Site, client: (name: string) => Modern) => Promise<void>): void =>
    it(
      name,
      async (context) => {
        if (!site) {
          context.skip();
          return;
        }
        await run(site, (who) => clients[who] as Modern);
      },
      240_000,
    );
  const rows = async (of: Site, ...filter: string[]): Promise<readonly Readonly<Record<string, string>>[]> => {
    const { out } = await of.mbus("journal", "find", "--json", "--limit", "100", ...filter);
    return JSON.parse(out === "" ? "[]" : out) as Readonly<Record<string, string>>[];
  };
  /** The message of this id: the sample world tells of changes of its own. */
  const received = async (who: Modern, id: string): Promise<Got> => {
    for (;;) {
      const got = await who.receive();
      if (got.id === id) return got;
    }
  };
  const delivered = (of: Site, id: string, branch: string): Promise<void> =>
    eventually(
      async () =>
        (await rows(of, "--id", id)).some((row) => row["step"] === "delivered" && row["branch"] === branch && row["outcome"] === "ok"),
      () => `${id} did not reach ${branch}`,
      60_000,
    );

  here(
    "SOAP in, topic out: a legacy register's change reaches a modern town hall as a CloudEvent that its grant allows",
    async (_, client) => {
      expect((await tell(bus, { id: "soap-1", person: idnp(1), revision: 1 })).status).toBe(200);
      const got = await received(client("townhall"), "soap-1");
      expect([got.topic, got.id, got.contentType]).toEqual([`to.${TOWNHALL}.person.changed.v1`, "soap-1", "application/json"]);
      expect(got.json()).toMatchObject({ idnp: idnp(1), revision: 1, address: { region: "Soroca" } });
      expect(got.json()["dateOfBirth"] ?? null).toBeNull();
    },
  );

  here("and in Avro with its schema's id where the route says so", async (_, client) => {
    const got = await received(client("pensions"), "soap-1");
    expect([got.topic, got.id, got.contentType]).toEqual([`to.${PENSIONS}.person.changed.v1`, "soap-1", "application/vnd.confluent.avro"]);
    expect(got.bytes[0]).toBe(0);
    const schema = await fetch(`${bus.registry}/schemas/ids/${got.bytes.readUInt32BE(1)}`);
    expect(await schema.text()).toContain("idnp");
    expect(got.bytes.includes(idnp(1))).toBe(true);
  });

  here(
    "topic in, SOAP out: what a modern register publishes reaches the legacy pensions system, and every other branch",
    async (of, client) => {
      await client("register").publish(`from.${REGISTER}.person.changed.v1`, JSON.stringify(change(idnp(2), 1)), { id: "topic-1" });
      await delivered(of, "topic-1", "pensions");
      await delivered(of, "topic-1", "townhall");
      const accepted = (await rows(of, "--id", "topic-1")).find((row) => row["step"] === "accepted");
      expect(accepted).toMatchObject({ system: "rsp/population", route: "person-changed", outcome: "ok" });
      expect((await received(client("townhall"), "topic-1")).json()).toMatchObject({ idnp: idnp(2) });
    },
  );

  here("Avro that another client framed is taken as well: the content type decides", async (of, client) => {
    // what the pensions system gets is what a client with the schema would write
    await tell(bus, { id: "soap-2", person: idnp(3), revision: 1 });
    const { bytes } = await received(client("pensions"), "soap-2");
    await client("register").publish(`from.${REGISTER}.person.changed.v1`, bytes, {
      id: "avro-1",
      contentType: "application/vnd.confluent.avro",
    });
    await delivered(of, "avro-1", "pensions");
  });

  here("a structured CloudEvent is taken with its own attributes", async (of, client) => {
    const event = { specversion: "1.0", id: "structured-1", source: "/x", type: "t", data: change(idnp(4), 1) };
    await client("register").publish(`from.${REGISTER}.person.changed.v1`, JSON.stringify(event), {
      contentType: "application/cloudevents+json; charset=utf-8",
    });
    await delivered(of, "structured-1", "pensions");
  });

  here("a question over the topic is answered by a legacy SOAP provider, reduced to what the grant allows", async (_, client) => {
    const asked = `ask.${TOWNHALL}.person.request.v1`;
    const answer = await client("townhall").ask(asked, '{"idnp":"2004100423789"}', { headers: CALL });
    expect(answer.contentType).toBe("application/json");
    expect(answer.json()).toMatchObject({ status: "found", idnp: "2004100423789" });
    expect(answer.json()["patronymic"] ?? null).toBeNull();
    const refused = await client("townhall").ask(asked, '{"idnp":"2004100423789"}');
    expect(refused.contentType).toBe("application/problem+json");
    expect(refused.json()).toMatchObject({ type: "urn:mconnect-bus:error:call-context-missing", status: 403 });
  });

  here(
    "a command over the topic has one effect at the legacy system, however often it is sent, and its ticket tells how it ended",
    async (of, client) => {
      const topic = `from.${TOWNHALL}.benefit.register.v1`;
      for (let times = 0; times < 3; times++)
        await client("townhall").publish(topic, JSON.stringify(APPLICATION), { id: "order-1", headers: CALL });
      const ticket = async (): Promise<Readonly<Record<string, unknown>>> => {
        const response = await fetch(`${bus.http}/mconnect/commands/order-1`, { headers: { "x-system": "primaria/registry" } });
        return (await response.json()) as Readonly<Record<string, unknown>>;
      };
      await eventually(
        async () => JSON.stringify(await ticket()).includes("caseNumber"),
        () => "the command did not end",
        60_000,
      );
      const found = await rows(of, "--id", "order-1");
      expect(found.filter(({ step, outcome }) => step === "accepted" && outcome === "ok")).toHaveLength(1);
      expect(found.filter(({ step }) => step === "delivered")).toHaveLength(1);
    },
  );

  here("no institution speaks or asks in another's name", async (of, client) => {
    for (const topic of [`from.${REGISTER}.person.changed.v1`, `ask.${PENSIONS}.person.request.v1`, `to.${PENSIONS}.person.changed.v1`])
      expect(await client("townhall").forbidden(topic), topic).toMatch(/Permissions Violation|403/u);
    // and its own name alone opens no route that is another's
    expect((await rows(of, "--system", "primaria/registry", "--step", "accepted", "--route", "person-changed")).length).toBe(0);
  });

  here("what is refused comes back to its sender as a notice that names it", async (_, client) => {
    await client("register").publish(`from.${REGISTER}.person.changed.v1`, '{"idnp":1}', { id: "bad-1" });
    const notice = await client("register").receive();
    expect([notice.topic, notice.contentType]).toEqual([`to.${REGISTER}.mbus.refused.v1`, "application/problem+json"]);
    expect(notice.json()).toMatchObject({ messageId: "bad-1", status: 400 });
  });

  here("a changed file changes the route alone: what comes meanwhile waits on the broker and is taken", async (of, client) => {
    of.edit("routes/rsp/person-changed.yaml", (text) => text.replace("title: Tell subscribers", "title: Tell all subscribers"));
    const send = (n: number): Promise<void> =>
      client("register").publish(`from.${REGISTER}.person.changed.v1`, JSON.stringify(change(idnp(5), n)), { id: `reload-${n}` });
    let sent = 0;
    let runs = "";
    while (!runs.includes("Tell all subscribers")) {
      await send(++sent);
      runs = (await of.mbus("status", "--json")).out;
    }
    await send(++sent);
    for (let n = 1; n <= sent; n++) await delivered(of, `reload-${n}`, "pensions");
  });

  here("the broker's state is a metric, and the endpoint of each system has a breaker as any other", async () => {
    const text = await (await fetch(`${bus.http}/metrics`)).text();
    expect(text).toContain(`mbus_topic_edge_up{broker="${broker}"} 1`);
    expect(text).toContain(`mbus_topic_sources_waiting{broker="${broker}"} 0`);
    expect(text).toContain(`mbus_endpoint_up_ratio{endpoint="${broker}:to.primaria/registry.person.changed.v1"} 1`);
  });

  here("a bus that is killed loses nothing that the broker confirmed", async (of, client) => {
    await bus.end("SIGKILL");
    await client("register").publish(`from.${REGISTER}.person.changed.v1`, JSON.stringify(change(idnp(6), 1)), { id: "killed-1" });
    bus = await of.start({ samples: true });
    await delivered(of, "killed-1", "pensions");
  });

  here("a broker that dies stops its own topics only, says so, and everything goes on when it is back", async (of, client) => {
    if (!server?.kill || !server.revive) return;
    await server.kill();
    const page = async (path: string): Promise<string> => (await fetch(`${bus.http}${path}`)).text();
    await eventually(
      async () => (await page("/readyz")).includes(`${broker}: away`),
      () => "the broker is not missed",
      60_000,
    );
    expect((await tell(bus, { id: "dead-1", person: idnp(7), revision: 1 })).status).toBe(200);
    await delivered(of, "dead-1", "pensions");
    await server.revive();
    await eventually(
      async () => (await page("/readyz")) === "ready\n",
      () => "the broker's return is not seen",
      60_000,
    );
    await connectAll(server.url);
    expect((await received(client("townhall"), "dead-1")).json()).toMatchObject({ idnp: idnp(7) });
    await client("register").publish(`from.${REGISTER}.person.changed.v1`, JSON.stringify(change(idnp(7), 2)), { id: "back-1" });
    await delivered(of, "back-1", "pensions");
  });
});
