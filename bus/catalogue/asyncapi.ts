/** AsyncAPI 3.0 of all topics and events: what the bus receives and sends, or, turned round, what one system sends and receives. */
import type { Contract, ContractType } from "../contract/contract.ts";
import type { Route } from "../route/runtime.ts";
import { topicToken } from "../edge/topic.ts";
import { topicOfBranch, topicOfSource } from "./described.ts";
import type { Described, TopicEnd } from "./described.ts";
import { PROBLEM, restFaces } from "./openapi.ts";

type Json = Readonly<Record<string, unknown>>;

export type Servers = Readonly<{
  /** Address of the systems' face, for events that are posted. */
  origin: string;
  /** Brokers of the modern systems, as they are reached from outside; without user and password. */
  nats?: string | undefined;
  amqp?: string | undefined;
}>;

type Making = Readonly<{
  messages: Record<string, unknown>;
  channels: Record<string, unknown>;
  operations: Record<string, unknown>;
  servers: ReadonlySet<string>;
  /** Seen from a system: what the bus receives, the system sends. */
  turned: boolean;
}>;

const AVRO = "application/vnd.apache.avro;version=1.9.0";

/** `system`: the document of that system; undefined = the bus's own. */
export function asyncapiOf(described: Described, addresses: Servers, system?: string): Json {
  const servers = serversOf(addresses);
  const making: Making = {
    messages: {},
    channels: {},
    operations: {},
    servers: new Set(Object.keys(servers)),
    turned: system !== undefined,
  };
  for (const route of described.routes) {
    for (const source of route.sources) {
      const end = topicOfSource(route, source);
      if (end !== undefined && (system === undefined || end.system === system)) putTopic(making, end, "receive");
    }
    for (const branch of route.branches) {
      const end = topicOfBranch(route, branch);
      if (end !== undefined && (system === undefined || end.system === system)) putTopic(making, end, "send");
    }
  }
  for (const { route, path } of restFaces(described, system)) if (route.contract.pattern === "event") putPosted(making, route, path);
  return {
    asyncapi: "3.0.0",
    info: {
      title: system === undefined ? "Topics and events of the bus" : `Topics and events of ${system}`,
      version: described.version,
      description: "Who may send or receive what is said by grants; subscribers get events cut to the fields of their grant.",
    },
    defaultContentType: "application/json",
    servers,
    channels: making.channels,
    operations: making.operations,
    components: {
      messages: making.messages,
      correlationIds: {
        exchange: { description: "All messages of one exchange.", location: "$message.header#/ce-correlationid" },
        amqp: { description: "All messages of one exchange, on RabbitMQ.", location: "$message.header#/cloudEvents_correlationid" },
      },
      securitySchemes: {
        systemCertificate: { type: "X509", description: "The certificate of a registered system, by mutual TLS." },
        brokerUser: { type: "userPassword", description: "The system's own user of the broker; its permissions fix who speaks." },
      },
    },
  };
}

function serversOf({ origin, nats, amqp }: Servers): Record<string, unknown> {
  const at = (address: string, protocol: string, security: string): Json => {
    const { host, pathname } = new URL(address);
    return {
      host,
      protocol,
      ...(pathname.length > 1 ? { pathname } : {}),
      security: [{ $ref: `#/components/securitySchemes/${security}` }],
    };
  };
  return {
    face: at(origin, origin.startsWith("https") ? "https" : "http", "systemCertificate"),
    ...(nats === undefined ? {} : { nats: at(nats, "nats", "brokerUser") }),
    ...(amqp === undefined ? {} : { amqp: at(amqp, amqp.startsWith("amqps") ? "amqps" : "amqp", "brokerUser") }),
  };
}

/** Keys of AsyncAPI maps are letters, digits, `.`, `-` and `_`. */
const keyOf = (text: string): string => text.replace(/[^A-Za-z0-9._-]/g, "-");

function putTopic(making: Making, end: TopicEnd, direction: "send" | "receive"): void {
  const { contract } = end.route;
  const channel = keyOf(`${end.broker}.${end.topic}`);
  const message = putMessage(making, contract, contract.request, end);
  const reply = contract.pattern === "event" ? undefined : (end.route.reply ?? contract.reply);
  putChannel(making, channel, end.broker, end.topic, message);
  const answered = reply !== undefined && (contract.pattern === "query" || direction === "send");
  if (direction === "receive" && contract.pattern !== "query") putRefusals(making, end);
  const answer = answered ? putMessage(making, contract, reply, end) : undefined;
  if (answer !== undefined) putReplies(making, `${channel}.reply`, end.broker, answer);
  put(
    making,
    `${end.route.id}.${direction}.${channel}`,
    direction,
    channel,
    contract,
    answer === undefined ? undefined : `${channel}.reply`,
  );
}

function putPosted(making: Making, route: Route, path: string): void {
  const channel = keyOf(`face.${path.replace(/^\//, "").replaceAll("/", ".")}`);
  const message = putMessage(making, route.contract, route.contract.request, { broker: "face", avro: false });
  putChannel(making, channel, "face", path, message);
  put(making, `${route.id}.receive.${channel}`, "receive", channel, route.contract, undefined);
}

function putChannel(making: Making, key: string, server: string, address: string, message: string): void {
  making.channels[key] = {
    address,
    ...(making.servers.has(server) ? { servers: [{ $ref: `#/servers/${server}` }] } : {}),
    messages: { [message]: { $ref: `#/components/messages/${message}` } },
  };
}

/** Why a message was refused, told to the system that sent it. */
function putRefusals(making: Making, { broker, system }: TopicEnd): void {
  const topic = `to.${topicToken(system)}.mbus.refused.v1`;
  const channel = keyOf(`${broker}.${topic}`);
  making.messages["mbus.refused.v1"] = {
    name: "mbus.refused.v1",
    title: "A message was refused",
    contentType: "application/problem+json",
    payload: PROBLEM,
  };
  putChannel(making, channel, broker, topic, "mbus.refused.v1");
  making.operations[`send.${channel}`] = {
    action: making.turned ? "receive" : "send",
    channel: { $ref: `#/channels/${channel}` },
    title: "Why a message was refused",
  };
}

/** Answers go to the address that the question names. */
function putReplies(making: Making, key: string, server: string, message: string): void {
  making.channels[key] = {
    address: null,
    ...(making.servers.has(server) ? { servers: [{ $ref: `#/servers/${server}` }] } : {}),
    messages: { [message]: { $ref: `#/components/messages/${message}` } },
  };
}

function put(
  making: Making,
  key: string,
  direction: "send" | "receive",
  channel: string,
  contract: Contract,
  replies: string | undefined,
): void {
  const other = direction === "send" ? "receive" : "send";
  making.operations[keyOf(key)] = {
    action: making.turned ? other : direction,
    channel: { $ref: `#/channels/${channel}` },
    title: contract.title,
    tags: [{ name: contract.owner }],
    ...(replies === undefined ? {} : { reply: { channel: { $ref: `#/channels/${replies}` } } }),
  };
}

/** A message as it stands on one kind of broker: the attributes of its event are named as that broker's binding of CloudEvents has it. */
function putMessage(making: Making, contract: Contract, type: ContractType, on: Readonly<{ broker: string; avro: boolean }>): string {
  const amqp = on.broker === "amqp";
  const key = keyOf([type.id, ...(amqp ? ["amqp"] : []), ...(on.avro ? ["avro"] : [])].join("."));
  making.messages[key] = {
    name: type.id,
    title: contract.title,
    contentType: on.avro ? "application/vnd.confluent.avro" : "application/json",
    correlationId: { $ref: `#/components/correlationIds/${amqp ? "amqp" : "exchange"}` },
    headers: amqp ? headersOf("cloudEvents_") : headersOf("ce-"),
    payload: { schemaFormat: AVRO, schema: type.schema },
  };
  return key;
}

const text = (description: string): Json => ({ type: "string", description });
const headersOf = (prefix: string): Json => ({
  type: "object",
  properties: {
    [`${prefix}id`]: text("Id of the message; what comes again under it has no second effect."),
    [`${prefix}source`]: text("Who says that it sent it; what counts is the sender's identity."),
    [`${prefix}type`]: text("The contract."),
    [`${prefix}time`]: { type: "string", format: "date-time" },
    [`${prefix}correlationid`]: text("Id that all messages of one exchange share."),
    [`${prefix}subject`]: text("What or whom it is about."),
    CallingUser: text("IDNP of the person who asks."),
    CallingEntity: text("IDNO of the institution that asks."),
    CallBasis: text("Legal basis of the call."),
    CallReason: text("Purpose of the call."),
    traceparent: text("W3C Trace Context."),
  },
});
