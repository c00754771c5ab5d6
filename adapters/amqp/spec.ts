/** Options of the `amqp` adapter as a route file writes them: `amqp: { format: avro }`; and what RabbitMQ promises as a broker. */
import type { AdapterSpec, OptionsSchema } from "#bus/wire.ts";

/** Beyond what every broker must; the conformance suite reads it. */
export const FEATURES = { broker: ["depth"] } as const;

const inlet: OptionsSchema = {
  type: "object",
  description:
    "A topic of a modern system on RabbitMQ: events and commands with the routing key from.<system>.<contract>, queries with ask.<system>.<contract>. JSON, Confluent-framed Avro and structured CloudEvents are taken, by their content type.",
  additionalProperties: false,
  properties: {
    headers: {
      type: "array",
      items: { type: "string", pattern: "^[a-z0-9-]+$" },
      maxItems: 32,
      description: "Headers kept with the message, in lower case (headers.case-number). Default: every business header; credentials never.",
    },
  },
};

const outlet: OptionsSchema = {
  type: "object",
  description:
    "The queue of a modern system on RabbitMQ: to.<system>, with the routing key to.<system>.<contract>, as CloudEvents in headers. Where the contract has a reply it is a question in the queue call.<system>, with the routing key call.<system>.<contract>, which the system answers.",
  additionalProperties: false,
  properties: {
    format: { enum: ["json", "avro"], description: "How the body is written: JSON, or Avro in Confluent framing. Default: json." },
  },
};

export const amqp: AdapterSpec = { name: "amqp", title: "Topics on RabbitMQ", inlet, outlet, format: "json" };
