/** Health, metrics and tickets, as they are mounted on the web host. */
import { afterEach, describe, expect, it } from "vitest";
import { BusError } from "#bus/errors.ts";
import type { WebHandler, WebHost, WebRequest, WebResponse } from "#bus/wire.ts";
import { inboundOf, openBusWorld, type BusWorld, type BusWorldOptions } from "#test/harness/bus-world.ts";
import { mountCommands } from "./commands.ts";
import { mountHealth, type HealthParts } from "./health.ts";

const open: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of open.splice(0)) await close();
});

/** A host that only remembers what is mounted. */
function listing(): WebHost & Readonly<{ mounted: Map<string, WebHandler> }> {
  const mounted = new Map<string, WebHandler>();
  return {
    mounted,
    mount(face, prefix, handler) {
      mounted.set(`${face} ${prefix}`, handler);
      return () => void mounted.delete(`${face} ${prefix}`);
    },
  };
}

async function get(host: ReturnType<typeof listing>, face: string, prefix: string, path = prefix, system?: string): Promise<WebResponse> {
  const handler = host.mounted.get(`${face} ${prefix}`);
  if (!handler) throw new Error(`nothing is mounted at ${prefix}`);
  const request: WebRequest = {
    method: "GET",
    path,
    query: new URLSearchParams(),
    headers: {},
    system,
    origin: "http://127.0.0.1",
    body: new Uint8Array(0),
    signal: new AbortController().signal,
  };
  return handler(request);
}

async function world(options: BusWorldOptions = {}): Promise<BusWorld> {
  const opened = await openBusWorld(options);
  open.push(() => opened.bus.close());
  return opened;
}

function health(parts: Partial<HealthParts> = {}) {
  const host = listing();
  const unmount = mountHealth(host, {
    bus: () => undefined,
    ready: () => true,
    version: "1.2.3",
    topics: () => [],
    configuration: () => ({ drift: false, revision: undefined }),
    identity: () => ({ refused: {}, unknownAccepted: 0 }),
    givenUp: () => [],
    grants: () => [],
    stamp: () => undefined,
    ...parts,
  });
  open.push(unmount);
  return { host, unmount };
}

/** Samples of a metrics text by `name{labels}`. */
const samples = (text: unknown): ReadonlyMap<string, number> =>
  new Map(
    String(text)
      .split("\n")
      .filter((line) => line !== "" && !line.startsWith("#"))
      .map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.slice(line.lastIndexOf(" ") + 1))]),
  );

describe("health", () => {
  it("is alive as long as it answers, and ready when it says so", async () => {
    let ready = false;
    const { host } = health({ ready: () => ready });
    expect(await get(host, "admin", "/livez")).toMatchObject({ status: 200, body: "alive\n" });
    expect(await get(host, "admin", "/readyz")).toMatchObject({ status: 503, body: "not ready\n" });
    ready = true;
    expect(await get(host, "admin", "/readyz")).toMatchObject({ status: 200, body: "ready\n" });
  });

  it("stays ready when a broker of some routes is away or gave messages up, and says so", async () => {
    const topics = () => [{ broker: "nats", up: false, waiting: 2 } as const, { broker: "amqp", up: true, waiting: 0 } as const];
    const { host } = health({ topics, givenUp: () => [{ broker: "amqp", reason: "rejected", count: 3 }] });
    const { status, body } = await get(host, "admin", "/readyz");
    expect(status).toBe(200);
    expect(String(body).trimEnd().split("\n")).toEqual([
      "ready",
      "nats: away, 2 sources of routes wait for it",
      "amqp: gave up 3 messages (rejected) since the start; the journal has them",
    ]);
  });

  it.each([
    [[0, 2], "one: works on 2 of 4 partitions, 0 2"],
    [[], "one: works on 0 of 4 partitions"],
  ])("says which partitions the process works on where several are one bus: %j", async (partitions, line) => {
    const { host } = health({ cluster: () => ({ node: "one", partitions, of: 4 }) });
    expect(await get(host, "admin", "/readyz")).toMatchObject({ status: 200, body: `ready\n${line}\n` });
  });

  it("stands on the administrators' face only, and goes with its host", () => {
    const { host, unmount } = health();
    expect([...host.mounted.keys()]).toEqual(["admin /livez", "admin /readyz", "admin /metrics"]);
    unmount();
    expect(host.mounted.size).toBe(0);
  });
});

describe("metrics", () => {
  it("without a bus are those of the process", async () => {
    const { host } = health();
    const { headers, body } = await get(host, "admin", "/metrics");
    expect(headers?.["content-type"]).toBe("text/plain; version=0.0.4; charset=utf-8");
    const found = samples(body);
    expect([...found.keys()]).toEqual([
      'mbus_build_info{version="1.2.3"}',
      "mbus_event_loop_delay_p99_seconds",
      "mbus_resident_memory_bytes",
      "mbus_configuration_drift",
      "mbus_configuration_revision",
    ]);
    expect(found.get("mbus_resident_memory_bytes")).toBeGreaterThan(1_000_000);
  });

  it("give each branch its lag, and each endpoint its breaker", async () => {
    const { bus, clock } = await world({
      send: (_, branch) => {
        if (branch === "b") throw new BusError("endpoint-unreachable", "nobody is there");
        return { ok: true };
      },
    });
    const { host } = health({ bus: () => bus });
    bus.view().routes.get("register")?.pause(true);
    await bus.accept(inboundOf("changed", "maker/one", { n: 1 }));
    await bus.accept(inboundOf("register", "asker/one", { n: 1 }));
    await clock.settle();
    const found = samples((await get(host, "admin", "/metrics")).body);
    expect(found.get('mbus_branch_lag_messages{route="changed",branch="a"}')).toBe(0);
    expect(found.get('mbus_branch_lag_messages{route="changed",branch="b"}')).toBe(1);
    expect(found.get('mbus_branch_waiting_messages{route="changed",branch="b"}')).toBe(1);
    expect(found.get('mbus_branch_lag_messages{route="register",branch="to"}')).toBe(1);
    expect(found.get('mbus_endpoint_up_ratio{endpoint="http://a"}')).toBe(1);
  });

  it("give each broker of routes its state, and what a broker gave up", async () => {
    const { bus } = await world();
    const topics = () => [{ broker: "nats", up: false, waiting: 2 } as const, { broker: "amqp", up: true, waiting: 0 } as const];
    const { host } = health({ bus: () => bus, topics, givenUp: () => [{ broker: "amqp", reason: "delivery_limit", count: 3 }] });
    const found = samples((await get(host, "admin", "/metrics")).body);
    expect(found.get('mbus_topic_edge_up{broker="nats"}')).toBe(0);
    expect(found.get('mbus_topic_edge_up{broker="amqp"}')).toBe(1);
    expect(found.get('mbus_topic_sources_waiting{broker="nats"}')).toBe(2);
    expect(found.get('mbus_broker_given_up_total{broker="amqp",reason="delivery_limit"}')).toBe(3);
  });

  it("have one HELP and one TYPE before the samples of each name, and no sample twice", async () => {
    const { bus } = await world();
    const { host } = health({ bus: () => bus });
    const lines = String((await get(host, "admin", "/metrics")).body)
      .trimEnd()
      .split("\n");
    const heads = lines.filter((line) => line.startsWith("# TYPE")).map((line) => line.split(" ")[2]);
    expect(new Set(heads).size).toBe(heads.length);
    const names = lines.filter((line) => !line.startsWith("#")).map((line) => line.replace(/ \S+$/u, ""));
    expect(new Set(names).size).toBe(names.length);
    for (const name of names) expect(heads).toContain(name.replace(/\{.*$/u, ""));
    for (const line of lines) expect(line).toMatch(/^(?:# (?:HELP|TYPE) \w+ .+|\w+(?:\{.*\})? \d+(?:\.\d+)?(?:e[+-]?\d+)?)$/u);
  });

  it("escape what a label may not hold", async () => {
    const { host } = health({ version: 'a"b\\c\nd' });
    expect(String((await get(host, "admin", "/metrics")).body)).toContain('mbus_build_info{version="a\\"b\\\\c\\nd"} 1');
  });
});

describe("tickets over the web", () => {
  const PREFIX = "/mconnect/commands/";
  async function tickets(options: BusWorldOptions = {}) {
    const opened = await world(options);
    const host = listing();
    mountCommands(host, opened.bus);
    return {
      ...opened,
      ask: async (id: string, system?: string) => {
        const { status, headers, body } = await get(host, "systems", PREFIX, `${PREFIX}${id}`, system);
        return { status, headers, json: JSON.parse(String(body)) as Record<string, unknown> };
      },
    };
  }

  it("say 202 and when to come again while the command is open, 200 when it is done", async () => {
    const { bus, clock, ask } = await tickets({ send: () => ({ number: 12 }) });
    bus.view().routes.get("register")?.pause(true);
    await bus.accept(inboundOf("register", "asker/one", { n: 1 }, { id: "c-1" }));
    expect(await ask("c-1", "asker/one")).toMatchObject({
      status: 202,
      headers: { "retry-after": "2" },
      json: { id: "c-1", state: "pending" },
    });
    bus.view().routes.get("register")?.pause(false);
    await clock.advance(100);
    const done = await ask("c-1", "asker/one");
    expect(done).toMatchObject({ status: 200, json: { state: "done", reply: { number: 12 } } });
    expect(done.headers).not.toHaveProperty("retry-after");
  });

  it("are 404 for everybody but the sender, as a problem that names no one", async () => {
    const { bus, ask } = await tickets();
    await bus.accept(inboundOf("register", "asker/one", { n: 1 }, { id: "c-1" }));
    for (const system of ["asker/two", "", undefined]) {
      const { status, headers, json } = await ask("c-1", system);
      expect([status, headers?.["content-type"]]).toEqual([404, "application/problem+json"]);
      expect(json).toEqual({
        type: "urn:mconnect-bus:error:not-found",
        title: "not-found",
        status: 404,
        detail: "no command has the ticket `c-1`",
      });
    }
  });

  it("hold any id that a sender may have given", async () => {
    const { bus, ask } = await tickets();
    for (const id of ["a/b", "100%", "ă î"]) {
      await bus.accept(inboundOf("register", "asker/one", { n: 1 }, { id }));
      expect((await ask(id, "asker/one")).status, id).toBeLessThan(300);
    }
  });
});
