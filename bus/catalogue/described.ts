/** What descriptions are made of: the routes, contracts and systems that run, and where their faces are. Nothing here is a message. */
import type { Contract } from "../contract/contract.ts";
import { topicToken } from "../edge/topic.ts";
import type { View } from "../passage.ts";
import type { Branch, Grant, Route, Source, System } from "../route/runtime.ts";

export type Described = Readonly<{
  routes: readonly Route[];
  contracts: ReadonlyMap<string, Contract>;
  systems: ReadonlyMap<string, System>;
  /** Only their legal bases are told, never who holds them. */
  grants: readonly Grant[];
  /** Path of a source's face below the systems' address; undefined = it is not asked over HTTP. */
  pathOf: (route: Route, source: Source) => string | undefined;
  /** Version of the bus. */
  version: string;
}>;

export type TopicEnd = Readonly<{ broker: "nats" | "amqp"; system: string; topic: string; route: Route; avro: boolean }>;

const isBroker = (kind: string): kind is TopicEnd["broker"] => kind === "nats" || kind === "amqp";

/** The topic that a system sends to, where its source is one on a broker. */
export function topicOfSource(route: Route, { binding, system }: Source): TopicEnd | undefined {
  if (!isBroker(binding.kind) || system === undefined) return undefined;
  const first = route.contract.pattern === "query" ? "ask" : "from";
  const topic = `${first}.${topicToken(system)}.${route.contract.id}`;
  return { broker: binding.kind, system, topic, route, avro: false };
}

/** The topic that a system receives from or is asked on. */
export function topicOfBranch(route: Route, { binding, system }: Branch): TopicEnd | undefined {
  if (!isBroker(binding.kind) || system === undefined) return undefined;
  const topic = `${route.contract.reply === undefined ? "to" : "call"}.${topicToken(system)}.${route.contract.id}`;
  return { broker: binding.kind, system, topic, route, avro: binding.options["format"] === "avro" };
}

/** What runs at this moment, from the bus's own view of it. */
export function describe(view: View, version: string, pathOf: Described["pathOf"]): Described {
  const held = [view.grants.consumer, view.grants.producer].flatMap((byContract) => [...byContract.values()]);
  return {
    routes: [...view.routes.values()].map(({ route }) => route),
    contracts: view.contracts,
    systems: view.systems,
    grants: held.flatMap((bySystem) => [...bySystem.values()].flat()),
    pathOf,
    version,
  };
}

/** Systems that answer a contract, or publish its events. */
export function providersOf(described: Described, contract: string): readonly string[] {
  const routes = described.routes.filter((route) => route.contract.id === contract);
  const found = routes.flatMap((route) =>
    route.contract.pattern === "event" ? route.sources.map(({ system }) => system) : route.branches.map(({ system }) => system),
  );
  return [...new Set(found.filter((system) => system !== undefined))].toSorted();
}
