/** Topic edges: one connection to a broker, made with the first route that names it; a broker that is away holds up nothing else. */
import { describe, expect, it } from "vitest";
import { BusError } from "#bus/errors.ts";
import type { Accept, Inlet, Outlet } from "#bus/ports.ts";
import type { Route } from "#bus/route/runtime.ts";
import type { TopicSource, TopicTarget } from "#bus/wire.ts";
import { sourceOf } from "#test/harness/bus-world.ts";
import { messageOf } from "#test/harness/message.ts";
import { branchOf, contractOf, routeOf } from "#test/harness/route.ts";
import { createVirtualClock } from "#test/harness/virtual-clock.ts";
import { createInlet } from "./inlets.ts";
import { createOutlets } from "./outlets.ts";
import { createTopicEdges, type TopicEdge, type TopicEdges } from "./topics.ts";

const codec = (mediaType: string) => ({ mediaType, read: () => ({}), write: () => new Uint8Array() });
const json = codec("application/json");
const avro = codec("avro");
const accept: Accept = async () => ({ kind: "accepted", id: "1", correlationId: "1", position: 1, duplicate: false });
const source: TopicSource = {
  system: "a/b",
  contract: "x.y.v1",
  binding: { route: "r", from: "in", system: "a/b", pattern: "event" },
  codecs: { json },
  replies: undefined,
  limits: { maxBytes: 1, maxInFlight: 1 },
};
const target: TopicTarget = { system: "a/b", contract: "x.y.v1", codec: json };
const never = new AbortController().signal;

/** `away`: openings that fail before one succeeds. */
function world(options: { away?: number; refuses?: number; urls?: { natsUrl?: string; amqpUrl?: string } } = {}) {
  const clock = createVirtualClock();
  const said: string[] = [];
  const made: { sources: TopicSource[]; targets: TopicTarget[] } = { sources: [], targets: [] };
  let away = options.away ?? 0;
  let refuses = options.refuses ?? 0;
  const open = async (url: string): Promise<TopicEdge> => {
    said.push(`opens ${url}`);
    if (away-- > 0) throw new BusError("transport-unavailable", "no answer");
    return {
      up: () => true,
      inlet(given): Inlet {
        made.sources.push(given);
        return {
          async start() {
            if (refuses-- > 0) throw new BusError("configuration", "the user may not read");
            said.push("receives");
          },
          close: async () => void said.push("inlet closes"),
        };
      },
      outlet(given): Outlet {
        made.targets.push(given);
        said.push("outlet");
        return { endpoint: "inner", send: async () => (said.push("sends"), undefined), close: async () => void said.push("outlet closes") };
      },
      close: async () => void said.push("edge closes"),
    };
  };
  const urls = options.urls ?? { natsUrl: "nats://n", amqpUrl: "amqp://a" };
  const edges = createTopicEdges(
    {
      settings: { node: "n", natsUrl: urls.natsUrl, amqpUrl: urls.amqpUrl },
      clock,
      onError: (error, where) => void said.push(`${where}: ${(error as Error).message}`),
    },
    { nats: open, amqp: open },
  );
  return { clock, said, made, edges };
}

describe("topic edges", () => {
  it("open no connection before a route names the broker, and one for all that do", async () => {
    const { edges, said, clock } = world();
    expect([said, edges.states()]).toEqual([[], []]);
    await edges.inlet("nats", source).start(accept);
    await edges.inlet("nats", source).start(accept);
    await edges.outlet("nats", target).send(messageOf({}), never);
    expect(said.filter((line) => line.startsWith("opens"))).toEqual(["opens nats://n"]);
    await edges.outlet("amqp", target).send(messageOf({}), never);
    expect(said.filter((line) => line.startsWith("opens"))).toEqual(["opens nats://n", "opens amqp://a"]);
    expect(edges.states()).toEqual([
      { broker: "nats", up: true, waiting: 0 },
      { broker: "amqp", up: true, waiting: 0 },
    ]);
    await edges.close();
    expect(said.filter((line) => line === "edge closes")).toHaveLength(2);
    expect(clock.sleepers).toBe(0);
  });

  it("of a broker without an address refuse the route and say which address is missing", () => {
    const { edges } = world({ urls: {} });
    for (const [broker, name] of [
      ["nats", "NATS_URL"],
      ["amqp", "AMQP_URL"],
    ] as const) {
      expect(() => edges.inlet(broker, source)).toThrow(
        expect.objectContaining({ code: "configuration", message: expect.stringContaining(name) as string }),
      );
      expect(() => edges.outlet(broker, target)).toThrow(BusError);
    }
    expect(edges.states()).toEqual([]);
  });
});

describe("a broker that is away", () => {
  it("holds up no start: the source receives when it is there, and until then is counted", async () => {
    const { edges, said, clock } = world({ away: 4 });
    const start = edges.inlet("nats", source).start(accept);
    await clock.until(start, 5_000);
    expect(said).not.toContain("receives");
    expect(edges.states()).toEqual([{ broker: "nats", up: false, waiting: 1 }]);
    await clock.advance(60_000);
    expect(said.filter((line) => line === "receives")).toHaveLength(1);
    expect(said.filter((line) => line === "topics on NATS: no answer")).toHaveLength(4);
    expect(edges.states()).toEqual([{ broker: "nats", up: true, waiting: 0 }]);
    await edges.close();
  });

  it("lets a message wait for it as long as the attempt lasts, then fails so that it is tried again", async () => {
    const { edges, said, clock } = world({ away: 1 });
    const outlet = edges.outlet("amqp", target);
    expect(outlet.endpoint).toBe("amqp:to.a/b.x.y.v1");
    await clock.settle();
    const attempt = new AbortController();
    const sent = outlet.send(messageOf({}), attempt.signal);
    attempt.abort();
    await expect(sent).rejects.toMatchObject({
      code: "transport-unavailable",
      class: "provider-unavailable",
      message: "RabbitMQ is not there: no answer",
    });
    const again = outlet.send(messageOf({}), never);
    await clock.advance(1_000);
    await again;
    expect(said.filter((line) => line === "sends")).toHaveLength(1);
    await edges.close();
  });

  it("is not waited for by a stop: what still opens closes itself", async () => {
    const { edges, said, clock } = world({ away: 1_000 });
    const inlet = edges.inlet("nats", source);
    await clock.until(inlet.start(accept), 5_000);
    await inlet.close();
    await edges.close();
    const tried = said.length;
    await clock.advance(600_000);
    expect(said.length).toBe(tried);
    await expect(edges.outlet("nats", target).send(messageOf({}), never)).rejects.toMatchObject({ code: "bus-stopping" });
  });
});

describe("a source on a broker", () => {
  it("that the broker refuses is tried again with an inlet of its own, so that a mended permission is enough", async () => {
    const { edges, said, made, clock } = world({ refuses: 2 });
    await clock.until(edges.inlet("nats", source).start(accept), 10_000);
    await clock.advance(10_000);
    expect(said.filter((line) => line.startsWith("source `in` of route `r`"))).toHaveLength(2);
    expect(made.sources).toHaveLength(3);
    expect(said.filter((line) => line === "inlet closes")).toHaveLength(2);
    expect(said.at(-1)).toBe("receives");
    await edges.close();
  });

  it("closes its inlet, once is enough, and never begins after that", async () => {
    const { edges, said, clock } = world();
    const inlet = edges.inlet("nats", source);
    await inlet.start(accept);
    await inlet.close();
    await inlet.close();
    expect(said).toContain("inlet closes");
    const late = world({ away: 2 });
    const second = late.edges.inlet("nats", source);
    await late.clock.until(second.start(accept), 100).catch(() => undefined);
    await second.close();
    await late.clock.advance(60_000);
    expect(late.said).not.toContain("receives");
    await edges.close();
    expect(clock.sleepers).toBe(0);
  });
});

describe("a receiver on a broker", () => {
  it("has its place there before the first message, and its outlet closes with the route", async () => {
    const { edges, said, clock, made } = world();
    const outlet = edges.outlet("nats", target);
    await clock.settle();
    expect(made.targets).toEqual([target]);
    await outlet.send(messageOf({}), never);
    expect(made.targets).toHaveLength(1);
    await outlet.close();
    expect(said.at(-1)).toBe("outlet closes");
  });
});

describe("routes on topics", () => {
  const parts = (topics: TopicEdges) => ({ topics }) as unknown as Parameters<typeof createInlet>[0] & Parameters<typeof createOutlets>[0];
  const route: Route = routeOf({ contract: contractOf("event", "x.y.v1") });
  const on = (over: object, system: string | undefined = "a/b") =>
    sourceOf({ system, binding: { kind: "nats", options: {}, codec: json, ...over } });

  it("give their source's system, contract, codecs and kept headers to the broker's inlet", async () => {
    const { edges, made } = world();
    await createInlet(parts(edges), route, on({ avro, options: { headers: ["case"] } }))?.start(accept);
    expect(made.sources[0]).toMatchObject({ system: "a/b", contract: "x.y.v1", codecs: { json, avro }, headers: ["case"] });
    await createInlet(parts(edges), route, on({ replyCodec: json }))?.start(accept);
    expect(made.sources[1]).toMatchObject({ codecs: { json }, replies: { json } });
    expect(made.sources[1]).not.toHaveProperty("headers");
    await edges.close();
  });

  it("write what leaves as JSON, or as Avro where they say so", async () => {
    const { edges, made, clock } = world();
    const branch = (options: object) => branchOf({ system: "a/b", binding: { kind: "amqp", options: { ...options }, codec: json, avro } });
    const outlets = [...createOutlets(parts(edges), route, branch({})), ...createOutlets(parts(edges), route, branch({ format: "avro" }))];
    await clock.settle();
    expect(made.targets.map(({ codec: written }) => written)).toEqual([json, avro]);
    expect(outlets.map(({ endpoint }) => endpoint)).toEqual(["amqp:to.a/b.x.y.v1", "amqp:to.a/b.x.y.v1"]);
    await edges.close();
  });

  it("without a system, or without a codec, do not start", () => {
    const { edges } = world();
    const nobody = sourceOf({ system: undefined, binding: { kind: "nats", options: {}, codec: json } });
    expect(() => createInlet(parts(edges), route, nobody)).toThrow(/has no system/u);
    const bare = branchOf({ system: "a/b", binding: { kind: "amqp", options: { format: "avro" }, codec: json } });
    expect(() => createOutlets(parts(edges), route, bare)).toThrow(/has no codec/u);
  });
});
