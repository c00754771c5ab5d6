/** Options of the `nats` adapter as a route file writes them: `nats: { format: avro }`. */
import type { AdapterSpec, OptionsSchema } from "#bus/wire.ts";

const inlet: OptionsSchema = {
  type: "object",
  description:
    "A topic of a modern system on NATS: events and commands under from.<system>.<contract>, queries under ask.<system>.<contract>. JSON, Confluent-framed Avro and structured CloudEvents are taken, by their content type.",
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
    "A topic of a modern system on NATS: to.<system>.<contract>, as CloudEvents in binary mode. Where the contract has a reply it is a request to call.<system>.<contract>, which the system answers.",
  additionalProperties: false,
  properties: {
    format: { enum: ["json", "avro"], description: "How the body is written: JSON, or Avro in Confluent framing. Default: json." },
  },
};

export const nats: AdapterSpec = { name: "nats", title: "Topics on NATS", inlet, outlet, format: "json" };
