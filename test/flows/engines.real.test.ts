/** The main job on each engine: `mbus start --samples` carries the tour of the sample world, and the journal has every row of it. */
import { spawn } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createSite, type Site } from "#test/harness/bus-process.ts";
import { mongoServer } from "#test/harness/mongodb.ts";
import { natsServer } from "#test/harness/nats.ts";
import { rabbitServer, virtualHost, type RabbitServer } from "#test/harness/rabbitmq.ts";
import type { Server } from "#test/harness/servers.ts";

/** One RabbitMQ and one MongoDB for all engines; each bus has a virtual host and a database of its own. */
const shared = {
  rabbit: undefined as Promise<RabbitServer | undefined> | undefined,
  mongo: undefined as Promise<Server | undefined> | undefined,
};
afterAll(async () => {
  for (const server of [await shared.rabbit, await shared.mongo]) await server?.close();
}, 60_000);

async function rabbit(host?: string): Promise<Server | undefined> {
  const server = await (shared.rabbit ??= rabbitServer());
  if (!server || (host !== undefined && !server.ctl)) return undefined;
  return { ...server, url: host === undefined ? server.url : await virtualHost(server, host), close: () => Promise.resolve() };
}

async function mongo(): Promise<Server | undefined> {
  const server = await (shared.mongo ??= mongoServer());
  return server && { ...server, close: () => Promise.resolve() };
}

type Engine = Readonly<{
  name: string;
  servers: readonly (() => Promise<Server | undefined>)[];
  env: (...urls: readonly string[]) => Readonly<Record<string, string>>;
  /** What stands on the servers when the tour is over. */
  after?: (...urls: readonly string[]) => Promise<void>;
}>;

const nats = (url = ""): Readonly<Record<string, string>> => ({ MBUS_TRANSPORT: "nats", NATS_URL: url });
const amqp = (url = ""): Readonly<Record<string, string>> => ({ MBUS_TRANSPORT: "amqp", AMQP_URL: url });
const mongodb = (url = "", database = ""): Readonly<Record<string, string>> => ({
  MBUS_STORE: "mongodb",
  MONGODB_URL: url,
  MONGODB_DATABASE: database,
});

const ENGINES: readonly Engine[] = [
  { name: "nats", servers: [() => natsServer()], env: nats },
  { name: "amqp", servers: [() => rabbit()], env: amqp },
  { name: "nats and mongodb", servers: [() => natsServer(), mongo], env: (url, store) => ({ ...nats(url), ...mongodb(store, "on-nats") }) },
  {
    name: "amqp and mongodb",
    servers: [() => rabbit("shared"), mongo],
    env: (url, store) => ({ ...amqp(url), ...mongodb(store, "on-amqp") }),
  },
  {
    name: "a schema registry outside",
    servers: [registryElsewhere],
    env: (url = "") => ({ SCHEMA_REGISTRY_URL: url }),
    async after(url = "") {
      const subjects = (await (await fetch(`${url}/subjects`)).json()) as string[];
      expect(subjects.filter((subject) => subject.includes("person.changed"))).not.toEqual([]);
    },
  },
];

/** The registry of another bus, which has no contracts of its own: a server that speaks Confluent's protocol, in another process. */
async function registryElsewhere(): Promise<Server> {
  const site = createSite();
  for (const folder of ["routes", "contracts"]) rmSync(join(site.root, folder), { recursive: true });
  const bus = await site.start();
  expect(await (await fetch(`${bus.registry}/subjects`)).json()).toEqual(["audit.event.v1"]); // the bus's own
  return { url: bus.registry, version: "the registry of another bus", from: "process", close: () => site.remove() };
}

type Row = Readonly<{ step: string; outcome: string; route?: string; branch?: string; correlationId: string }>;

describe.each(ENGINES)("the main job on $name", ({ servers, env, after }) => {
  const opened: Server[] = [];
  const site = createSite();

  beforeAll(async () => {
    for (const open of servers) {
      const server = await open();
      if (server) opened.push(server);
    }
  }, 600_000);
  afterAll(async () => {
    await site.remove();
    await Promise.all(opened.map((server) => server.close()));
  }, 60_000);

  it("carries every stop of the tour, with a row of each event for every subscriber, and again after a stop and a start", async (context) => {
    if (opened.length < servers.length) {
      context.skip();
      return;
    }
    let seen = 0;
    for (const run of ["first", "second"]) {
      const bus = startSamples(site, env(...opened.map(({ url }) => url)));
      try {
        const said = await bus.welcome;
        expect(said.split("\n").filter((line) => / (yes|NO) /u.test(line)).length, said).toBeGreaterThanOrEqual(4);
        expect(said).not.toMatch(/ NO /u);
        const found = await rows(site, "--route", "person-changed");
        const accepted = found.filter(({ step }) => step === "accepted");
        expect(accepted.length, run).toBeGreaterThan(seen);
        seen = accepted.length;
        for (const { correlationId } of accepted) {
          const delivered = found.filter((row) => row.step === "delivered" && row.correlationId === correlationId);
          // three subscribers, each once: nothing is delivered again after the start
          expect(delivered.map(({ branch }) => branch).toSorted(compare)).toEqual(["pensions", "statistics", "townhall"]);
          expect(new Set(delivered.map(({ outcome }) => outcome))).toEqual(new Set(["ok"]));
        }
        expect(found.filter(({ step }) => step === "deadletter")).toEqual([]);
        await after?.(...opened.map(({ url }) => url));
      } finally {
        await bus.end();
      }
    }
  }, 240_000);
});

const compare = (a = "", b = ""): number => a.localeCompare(b);

/** `mbus start --samples` as an operator runs it; `welcome` is what it prints when the tour is over. */
function startSamples(site: Site, engine: Readonly<Record<string, string>>): Readonly<{ welcome: Promise<string>; end(): Promise<void> }> {
  const ports = { MBUS_HTTP_PORT: "0", MBUS_TLS_PORT: "0", MBUS_REGISTRY_PORT: "0" };
  const child = spawn(process.execPath, [fileURLToPath(new URL("../../cli/mbus.js", import.meta.url)), "start", "--samples"], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, MBUS_ROOT: site.root, MBUS_DATA_DIR: site.dataDir, ...ports, ...engine },
  });
  let out = "";
  let err = "";
  const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  child.stderr.on("data", (chunk: Buffer) => (err += chunk.toString()));
  const welcome = new Promise<string>((resolve, reject) => {
    child.once("exit", (code) => reject(new Error(`the bus ended with ${code}: ${err}`)));
    child.stdout.on("data", (chunk: Buffer) => {
      out += chunk.toString();
      if (out.includes("Ctrl-C stops the bus")) resolve(out);
    });
  });
  return {
    welcome,
    async end() {
      child.kill("SIGTERM");
      await gone;
    },
  };
}

async function rows(site: Site, ...filter: readonly string[]): Promise<readonly Row[]> {
  const { out, err } = await site.mbus("journal", "find", "--limit", "1000", "--json", ...filter);
  expect(err).toBe("");
  return JSON.parse(out) as readonly Row[];
}
