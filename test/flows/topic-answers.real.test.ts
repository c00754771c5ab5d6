/**
 * Modern institutions that answer, end to end: a legacy system asks the bus, the bus asks a system on a broker under the permissions that
 * `mbus broker-config` wrote, and brings its answer back. Commands wait for a system that is not there; queries tell at once.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import avsc from "avsc";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createSite, type BusProcess, type Site } from "#test/harness/bus-process.ts";
import { have, PIKA } from "#test/harness/debian.ts";
import { natsServer } from "#test/harness/nats.ts";
import { rabbitServer } from "#test/harness/rabbitmq.ts";
import { eventually } from "#test/harness/receiver.ts";
import { respondOnNats, respondOnRabbit, type Answer, type Asked, type Handle, type Responder } from "#test/harness/responder.ts";
import type { Server } from "#test/harness/servers.ts";
import { apply } from "#test/harness/world.ts";

const SECRETS = {
  MBUS_SECRET_BROKER_MBUS: "the-bus",
  MBUS_SECRET_BROKER_RSP_POPULATION: "register",
  MBUS_SECRET_BROKER_CNAS_PENSIONS: "pensions",
};
const REGISTER = "rsp_2fpopulation";
const PENSIONS = "cnas_2fpensions";
const PERSON = "2004100423789";
const CALL = { CallingUser: "2004100010095", CallingEntity: "1007601008122", CallBasis: "art. 29", CallReason: "citizen service" };
const AVRO = "application/vnd.confluent.avro";

type Ground = Readonly<{
  open(config: string): Promise<Server | undefined>;
  env(url: string): Record<string, string>;
  respond(url: string, user: string, password: string, handle: Handle): Promise<Responder>;
}>;
const GROUNDS: Readonly<Record<"nats" | "amqp", Ground>> = {
  nats: {
    open: (config) => natsServer({ config }),
    env: (url) => ({ NATS_URL: url.replace("//", "//mbus:the-bus@") }),
    respond: respondOnNats,
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
    respond: respondOnRabbit,
  },
};

/** The two sample routes with a reply go to a broker, the query in Avro; each far side was a legacy one. */
function toTopics(site: Site, broker: "nats" | "amqp"): void {
  const target = (system: string, options: string) => (text: string) =>
    text.replace(/^to:\n(?: {2}.*\n)+/mu, `to:\n  system: ${system}\n  ${broker}: ${options}\n`);
  site.edit("routes/rsp/person-lookup.yaml", (text) => target("rsp/population", "{ format: avro }")(text).replace("2500ms", "1500ms"));
  site.edit("routes/cnas/benefit-register.yaml", target("cnas/pensions", "{}"));
  for (const file of ["rsp/person-lookup", "cnas/benefit-register"])
    site.edit(`routes/${file}.yaml`, (text) => text.replace(/^tests:.*\n/mu, ""));
  site.hurry();
}

describe.each(["nats", "amqp"] as const)("modern institutions that answer on %s", (broker) => {
  const ground = GROUNDS[broker];
  let site: Site | undefined;
  let server: Server | undefined;
  let bus: BusProcess;
  const closing: (() => Promise<unknown>)[] = [];

  beforeAll(async () => {
    const plain = createSite(SECRETS);
    const { out } = await plain.mbus("broker-config", broker);
    await plain.remove();
    server = await ground.open(out);
    if (!server) return;
    site = createSite({ ...SECRETS, ...ground.env(server.url), MBUS_LOG_LEVEL: "error" });
    toTopics(site, broker);
    bus = await site.start({ variables: { "rsp.url": "http://127.0.0.1:9", "cnas.url": "http://127.0.0.1:9" } });
  }, 600_000);
  afterAll(async () => {
    for (const close of closing.toReversed()) await close();
    await site?.remove();
    await server?.close();
  }, 60_000);

  const here = (name: string, run: (site: Site, url: string) => Promise<void>): void =>
    it(
      name,
      async (context) => {
        if (!site || !server) context.skip();
        else await run(site, server.url);
      },
      240_000,
    );
  const answering = async (user: string, password: string, handle: Handle): Promise<void> => {
    const responder = await ground.respond(server?.url ?? "", user, password, handle);
    closing.push(() => responder.close());
  };
  const lookUp = async (id: string): Promise<Readonly<{ status: number; json: Record<string, unknown>; took: number }>> => {
    const started = performance.now();
    const response = await fetch(`${bus.http}/mconnect/rest/person.request.v1`, {
      method: "POST",
      headers: { "content-type": "application/json", "x-system": "primaria/registry", "x-message-id": id, ...CALL },
      body: JSON.stringify({ idnp: PERSON }),
    });
    return { status: response.status, json: (await response.json()) as Record<string, unknown>, took: performance.now() - started };
  };
  const rows = async (of: Site, id: string): Promise<readonly Readonly<Record<string, unknown>>[]> =>
    JSON.parse((await of.mbus("journal", "find", "--json", "--id", id)).out) as readonly Readonly<Record<string, unknown>>[];

  here("a query that nobody is there to answer is tried again within its deadline, and its caller told", async (of) => {
    const { status, json } = await lookUp("q-nobody");
    expect([status, json["type"]]).toEqual([502, "urn:mconnect-bus:error:endpoint-unreachable"]);
    expect((await rows(of, "q-nobody")).filter(({ step }) => step === "attempt")).not.toEqual([]);
  });

  here("a command that nobody is there to answer is accepted, waits, and ends with the answer of who comes later", async (of) => {
    expect(await apply(bus, { id: "order-1", application: "A-1" })).toMatchObject({ status: 202 });
    const asked: Asked[] = [];
    await answering(PENSIONS, "pensions", (question) => {
      asked.push(question);
      const { applicationId } = JSON.parse(question.bytes.toString()) as { applicationId: string };
      const reply = { applicationId, caseNumber: "D-7", status: "registered", amount: "1500.00", registeredOn: "2026-11-25" };
      return { body: JSON.stringify(reply) };
    });
    const ticket = async (): Promise<Record<string, unknown>> => {
      const response = await fetch(`${bus.http}/mconnect/commands/order-1`, { headers: { "x-system": "primaria/registry" } });
      return (await response.json()) as Record<string, unknown>;
    };
    let last: Record<string, unknown> = {};
    await eventually(
      async () => (last = await ticket())["state"] === "done",
      () => `the ticket says ${JSON.stringify(last)}`,
      60_000,
    );
    expect(last).toMatchObject({ reply: { applicationId: "A-1", caseNumber: "D-7", status: "registered" } });
    expect(asked.map(({ id, topic }) => [id, topic])).toEqual([["order-1", `call.${PENSIONS}.benefit.register.v1`]]);
    expect((await rows(of, "order-1")).filter(({ step }) => step === "delivered")).toHaveLength(1);
  });

  here("a query in Avro is answered in Avro or JSON, and cut to the granted fields; its caller's context goes with it", async () => {
    const schemaOf = async (subject: string): Promise<{ id: number; schema: string }> => {
      const subjects = (await (await fetch(`${bus.registry}/subjects`)).json()) as string[];
      const name = subjects.find((one) => one.includes(subject)) ?? subject;
      return (await (await fetch(`${bus.registry}/subjects/${encodeURIComponent(name)}/versions/latest`)).json()) as {
        id: number;
        schema: string;
      };
    };
    const request = await schemaOf("person.request");
    const response = await schemaOf("person.response");
    const read = avsc.Type.forSchema(JSON.parse(request.schema) as avsc.Schema, { wrapUnions: false });
    const write = avsc.Type.forSchema(JSON.parse(response.schema) as avsc.Schema, { wrapUnions: false });
    const fields = (JSON.parse(response.schema) as { fields: { name: string; default: unknown }[] }).fields.map(
      (field) => [field.name, field.default] as const,
    );
    const person = {
      ...Object.fromEntries(fields),
      status: "found",
      idnp: PERSON,
      familyName: "Rusu",
      givenName: "Ana",
      patronymic: "Ion",
    };
    const framed = (): Buffer => {
      const head = Buffer.alloc(5);
      head.writeUInt32BE(response.id, 1);
      return Buffer.concat([head, write.toBuffer(person)]);
    };
    const asked: Asked[] = [];
    await answering(REGISTER, "register", (question): Answer | undefined => {
      asked.push(question);
      if (question.id === "q-silent") return undefined;
      if (question.id === "q-problem") return { body: '{"status":404}', contentType: "application/problem+json" };
      if (question.id === "q-wrong") return { body: '{"status":"perhaps"}' };
      return question.id === "q-json" ? { body: JSON.stringify(person) } : { body: framed(), contentType: AVRO };
    });
    await eventually(
      async () => (await lookUp(`q-warm-${asked.length}-${Math.random()}`)).status === 200,
      () => "nobody answers",
      40_000,
    );
    asked.length = 0;
    for (const id of ["q-avro", "q-json"]) {
      const { status, json } = await lookUp(id);
      expect([status, json], id).toEqual([200, expect.objectContaining({ status: "found", idnp: PERSON, familyName: "Rusu" })]);
      expect(json["patronymic"] ?? null, id).toBeNull();
    }
    const [first] = asked;
    expect(first).toMatchObject({ id: "q-avro", topic: `call.${REGISTER}.person.request.v1`, contentType: AVRO });
    expect(first?.headers).toMatchObject({ callinguser: CALL.CallingUser, callbasis: CALL.CallBasis });
    expect(first?.headers["mbus-deadline"]).toMatch(/Z$/u);
    expect([first?.bytes[0], first?.bytes.readUInt32BE(1)]).toEqual([0, request.id]);
    expect(read.fromBuffer(first?.bytes.subarray(5) ?? Buffer.alloc(0))).toMatchObject({ idnp: PERSON });
  });

  here("a refusal, an answer that fits no contract, and silence each reach the caller as what they are", async () => {
    expect(await lookUp("q-problem")).toMatchObject({ status: 502, json: { providerCode: "404" } });
    expect(await lookUp("q-wrong")).toMatchObject({ status: 502, json: { type: "urn:mconnect-bus:error:provider-reply-invalid" } });
    const silent = await lookUp("q-silent");
    expect(silent.status).toBe(504);
  });

  here("the asked system has an endpoint of its own, with a breaker as any other", async () => {
    const text = await (await fetch(`${bus.http}/metrics`)).text();
    expect(text).toContain(`mbus_endpoint_up_ratio{endpoint="${broker}:call.rsp/population.person.request.v1"}`);
  });

  if (broker === "nats") return; // the page's client is one of RabbitMQ
  it("the client of docs/topics.md answers as it stands there", async (context) => {
    if (!site || !server) {
      context.skip();
      return;
    }
    const page = readFileSync(new URL("../../docs/topics.md", import.meta.url), "utf8");
    const script = /^```python answers\n([\s\S]*?)^```$/mu.exec(page)?.[1] ?? "";
    for (const close of closing.splice(0)) await close();
    site.edit("routes/rsp/person-lookup.yaml", (text) =>
      text.replace("{ format: avro }", "{ format: json }").replace("title: Person lookup", "title: Person lookup in JSON"),
    );
    const { mbus } = site;
    await eventually(
      async () => (await mbus("status", "--json")).out.includes("Person lookup in JSON"),
      () => "the route did not change",
      60_000,
    );
    const url = new URL(server.url);
    url.username = REGISTER;
    url.password = "register";
    const env = { ...process.env, AMQP_URL: url.href, SYSTEM: REGISTER };
    const client: ChildProcess = spawn("/usr/bin/python3", ["-c", script], { env, stdio: ["ignore", "pipe", "inherit"] });
    closing.push(async () => void client.kill("SIGKILL"));
    await new Promise<void>((resolve, reject) => {
      client.stdout?.once("data", () => resolve());
      client.once("exit", () => reject(new Error("the client ended")));
    });
    let answer: Awaited<ReturnType<typeof lookUp>> | undefined;
    await eventually(
      async () => (answer = await lookUp(`q-page-${Math.random()}`)).status === 200,
      () => `the page's client gives ${JSON.stringify(answer)}`,
      60_000,
    );
    expect(answer?.json).toMatchObject({ status: "found", idnp: PERSON, familyName: "Rusu" });
  }, 240_000);
});
