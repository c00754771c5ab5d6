/** Topics of modern systems on a broker (`nats`, `amqp`): what the body is read and written with. */
import type { ContractType } from "../contract/contract.ts";
import { jsonCodec } from "../contract/json.ts";
import { AVRO_TYPE } from "../edge/topic.ts";
import type { Codec } from "../wire.ts";
import { looseJson } from "./compile-json.ts";
import type { Both, Wire } from "./compile-wire-types.ts";
import type { AdapterDoc } from "./documents.ts";

/** Adapters whose edge is a broker's topic: the topic names the system. */
const BROKERS: ReadonlySet<string> = new Set(["nats", "amqp"]);
export const isTopicEdge = (adapter: string): boolean => BROKERS.has(adapter);

/**
 * JSON always; Avro in Confluent framing where the wire has the contract's shape, since with a map nothing describes the bytes. Content
 * types choose on the way in; on the way out the option `format`. Throws CompileFault.
 */
export function topicWire(wire: Both, { name: kind, options, path }: AdapterDoc): Wire {
  const { contract, reply, mapped, answered, tools } = wire;
  if (mapped && options["format"] === "avro")
    return tools.fail([...path, "format"], "format-map", "what a map makes has no Avro schema; write `format: json`, or leave the map out");
  const avro = mapped ? undefined : avroCodec(contract.request);
  const codec = mapped ? looseJson : jsonCodec(contract.request);
  const replyCodec = reply === undefined ? undefined : answered ? looseJson : jsonCodec(reply);
  const avroReply = reply === undefined || answered ? undefined : avroCodec(reply);
  return {
    binding: {
      kind,
      options,
      codec,
      ...(avro === undefined ? {} : { avro }),
      ...(replyCodec === undefined ? {} : { replyCodec }),
      ...(avroReply === undefined ? {} : { avroReply }),
    },
    request: undefined,
    reply: undefined,
  };
}

function avroCodec(type: ContractType): Codec {
  return { mediaType: AVRO_TYPE, read: (bytes) => type.decode(bytes), write: (value) => type.encode(value) };
}
