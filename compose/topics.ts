/**
 * Topics of modern systems: one connection to each broker that a route names, opened with the first such route, whatever moves the bus's
 * own messages. A broker that is away holds up nothing else: its sources begin, and its receivers get their messages, when it is there.
 */
import { BusError } from "#bus/errors.ts";
import type { Clock, Inlet, Outlet } from "#bus/ports.ts";
import type { TopicSource, TopicTarget } from "#bus/wire.ts";
import type { Settings } from "#config/settings.ts";
import { lateEdge, lateInlet, lateOutlet, type LateEdge } from "./late.ts";

/** A connection that inlets and outlets share. */
export type TopicEdge = Readonly<{
  up(): boolean;
  inlet(source: TopicSource): Inlet;
  outlet(target: TopicTarget): Outlet;
  close(): Promise<void>;
}>;

export type TopicBroker = "nats" | "amqp";

export type TopicParts = Readonly<{
  settings: Pick<Settings, "natsUrl" | "amqpUrl" | "node">;
  clock: Clock;
  onError: (error: unknown, where: string) => void;
}>;

/** How each edge is opened; throws transport-unavailable after some seconds where the broker does not answer. */
export type TopicOpeners = Readonly<Record<TopicBroker, (url: string, parts: TopicParts) => Promise<TopicEdge>>>;

export type BrokerState = Readonly<{ broker: TopicBroker; up: boolean; /** Sources that do not receive yet. */ waiting: number }>;

export interface TopicEdges {
  /** Throws configuration where the broker has no address. */
  inlet(broker: TopicBroker, source: TopicSource): Inlet;
  outlet(broker: TopicBroker, target: TopicTarget): Outlet;
  /** Of the brokers that a route named since the start. */
  states(): readonly BrokerState[];
  close(): Promise<void>;
}

const URLS = { nats: "NATS_URL", amqp: "AMQP_URL" } as const;
const NAMES = { nats: "NATS", amqp: "RabbitMQ" } as const;

export function createTopicEdges(parts: TopicParts, openers: TopicOpeners = OPENERS): TopicEdges {
  const { clock, onError } = parts;
  const edges = new Map<TopicBroker, LateEdge>();
  const edgeOf = (broker: TopicBroker): LateEdge => {
    const known = edges.get(broker);
    if (known) return known;
    const url = broker === "nats" ? parts.settings.natsUrl : parts.settings.amqpUrl;
    if (url === undefined) {
      const text = `a route names \`${broker}\`, and ${URLS[broker]} is not set: give the address of the broker that the system is on`;
      throw new BusError("configuration", text);
    }
    const edge = lateEdge({ name: NAMES[broker], open: () => openers[broker](url, parts), clock, onError });
    edges.set(broker, edge);
    return edge;
  };
  return {
    inlet: (broker, source) => lateInlet({ edge: edgeOf(broker), source, clock, onError }),
    outlet: (broker, target) =>
      lateOutlet(edgeOf(broker), `${broker}:${target.asks ? "call" : "to"}.${target.system}.${target.contract}`, target),
    states: () => [...edges].map(([broker, edge]) => ({ broker, up: edge.up(), waiting: edge.waiting.size })),
    close: async () => void (await Promise.all([...edges.values()].map((edge) => edge.close()))),
  };
}

/** Milliseconds that one call waits for a broker that is away: shorter than a stop of the process may take. */
const PATIENCE = 10_000;

const OPENERS: TopicOpeners = {
  async nats(url, { settings: { node }, onError }) {
    const { openTopics } = await import("#adapters/nats/topics.ts");
    const { createNatsInlet } = await import("#adapters/nats/inlet.ts");
    const { createNatsOutlet } = await import("#adapters/nats/outlet.ts");
    const { createNatsQuestions } = await import("#adapters/nats/question.ts");
    const topics = await openTopics({ url, node, patience: PATIENCE, onError: (error) => onError(error, "topics on NATS") });
    return {
      up: () => topics.link.up(),
      inlet: (source) => createNatsInlet({ ...source, topics }),
      outlet: ({ asks, ...target }) => (asks ? createNatsQuestions({ ...target, topics, asks }) : createNatsOutlet({ ...target, topics })),
      close: () => topics.close(),
    };
  },
  async amqp(url, { settings: { node }, onError }) {
    const { openAmqpEdge } = await import("#adapters/amqp/edge.ts");
    const { createAmqpInlet } = await import("#adapters/amqp/inlet.ts");
    const { createAmqpOutlet } = await import("#adapters/amqp/outlet.ts");
    const { createAmqpQuestions } = await import("#adapters/amqp/question.ts");
    const edge = await openAmqpEdge({ url, node, patience: PATIENCE, onError: (error) => onError(error, "topics on RabbitMQ") });
    return {
      up: () => edge.link.model() !== undefined,
      inlet: (source) => createAmqpInlet({ ...source, edge }),
      outlet: ({ asks, ...target }) => (asks ? createAmqpQuestions({ ...target, edge, asks }) : createAmqpOutlet({ ...target, edge })),
      close: () => edge.close(),
    };
  },
};
