/** The event types of what runs now: found by name, each with its codecs compiled once for as long as its contract stays. */
import type { Contract } from "../contract/contract.ts";
import type { EventType } from "../contract/event-type.ts";
import { jsonCodec } from "../contract/json.ts";
import { topicOf, type AvroRecord, type Message } from "../envelope.ts";
import type { Place } from "../errors.ts";
import type { View } from "../passage.ts";
import { createReduction, type Reduce } from "../reduction.ts";
import { compilePath, type Getter } from "../route/field-path.ts";
import type { Codec } from "../wire.ts";

/** Checks `data` (parsed) against a JSON Schema; empty = fits. */
export type CheckJson = (data: unknown) => readonly Place[];
export type CompileJsonSchema = (text: string) => CheckJson;

export type KnownType = Readonly<{
  contract: Contract;
  event: EventType;
  topic: string;
  codec: Codec;
  reduce: Reduce;
  check: CheckJson | undefined;
  /** Value that keeps events in order. */
  keyOf(value: AvroRecord): string | undefined;
  field(path: string): Getter;
}>;

export type KnownTypes = Readonly<{
  byName: ReadonlyMap<string, KnownType>;
  byTopic: ReadonlyMap<string, KnownType>;
  /** The order that a route of the contract declares goes before the schema's key. */
  orderOf(contract: string): ((message: Message) => string | undefined) | undefined;
}>;

/** Gives the types of a view; made anew only when the view changed. */
export function createTypes(compile: CompileJsonSchema): (view: View) => KnownTypes {
  const compiled = new WeakMap<Contract, KnownType>();
  let last: Readonly<{ view: View; types: KnownTypes }> | undefined;
  return (view) => {
    if (last?.view === view) return last.types;
    const all: KnownType[] = [];
    for (const contract of view.contracts.values()) {
      if (!contract.events) continue;
      const known = compiled.get(contract) ?? typeOf(contract, contract.events, compile);
      compiled.set(contract, known);
      all.push(known);
    }
    last = { view, types: typesOf(view, all) };
    return last.types;
  };
}

function typesOf(view: View, all: readonly KnownType[]): KnownTypes {
  const orders = new Map<string, (message: Message) => string | undefined>();
  for (const { route } of view.routes.values()) {
    const order = route.branches.find((branch) => branch.order)?.order;
    if (order) orders.set(route.contract.id, order);
  }
  return {
    byName: new Map(all.map((known) => [known.event.type, known])),
    byTopic: new Map(all.map((known) => [known.topic, known])),
    orderOf: (contract) => orders.get(contract),
  };
}

function typeOf(contract: Contract, event: EventType, compile: CompileJsonSchema): KnownType {
  const paths = new Map<string, Getter>();
  const field = (path: string): Getter => {
    const known = paths.get(path) ?? compilePath(path);
    paths.set(path, known);
    return known;
  };
  const key = event.partitionKey === undefined ? undefined : field(event.partitionKey);
  return {
    contract,
    event,
    topic: topicOf(contract.id),
    codec: jsonCodec(contract.request),
    reduce: createReduction(contract.request),
    check: event.schemaText === undefined ? undefined : compile(event.schemaText),
    keyOf: (value) => (key ? textOf(key(value)) : contract.request.keyOf(value)),
    field,
  };
}

/** A value as text where it is one thing. */
export function textOf(value: unknown): string | undefined {
  return typeof value === "string" || typeof value === "number" || typeof value === "bigint" ? String(value) : undefined;
}
