/** Makes the inlets of routes: one per source, keyed so that a reload restarts only those whose route changed. */
import { createHttpInlet } from "#adapters/http/inlet.ts";
import { createSoapInlet } from "#adapters/soap/inlet.ts";
import type { Signatures } from "#bus/edge/signatures.ts";
import { BusError } from "#bus/errors.ts";
import type { Inlet } from "#bus/ports.ts";
import type { Route, Source } from "#bus/route/runtime.ts";
import type { Codec, EdgeLimits, SourceBinding, TopicCodecs, WebHost } from "#bus/wire.ts";
import { pathOf } from "./addresses.ts";
import { dropInlet } from "./drop.ts";
import { onOneNode, type OneNodeParts } from "./one-node.ts";
import { postgresInlet, type PostgresParts } from "./postgres.ts";
import type { TopicEdges } from "./topics.ts";

const LIMITS: EdgeLimits = { maxBytes: 10 * 1024 * 1024, maxInFlight: 512 };

export type InletParts = OneNodeParts &
  Readonly<
    { host: WebHost; dataDir: string; topics: TopicEdges; signatures: Signatures } & Pick<PostgresParts, "secret" | "development" | "store">
  >;

/** The inlet of one source; undefined where the source is a topic, which branches read by themselves. */
export function createInlet(parts: InletParts, route: Route, source: Source): Inlet | undefined {
  const { kind } = source.binding;
  const binding: SourceBinding = { route: route.id, from: source.name, system: source.system, pattern: route.contract.pattern };
  switch (kind) {
    case "soap": {
      const service = need(source.binding.service, route, source, "WSDL");
      const operation = source.binding.operation ?? service.operations[0] ?? "";
      return createSoapInlet({
        host: parts.host,
        path: pathOf(route, source) ?? "",
        service,
        bindings: new Map([[operation, binding]]),
        signatures: parts.signatures,
        limits: LIMITS,
      });
    }
    case "http": {
      const codec = need(source.binding.codec, route, source, "codec");
      const method = source.binding.options["method"] === "PUT" ? "PUT" : "POST";
      return createHttpInlet({
        host: parts.host,
        path: pathOf(route, source) ?? "",
        method,
        codec,
        replyCodec: source.binding.replyCodec,
        binding,
        signatures: parts.signatures,
        limits: LIMITS,
      });
    }
    case "file":
    case "sftp":
      return onOneNode(parts, `inlet ${route.id}/${source.name}`, () => dropInlet(parts, route, source, binding, LIMITS));
    case "postgres":
      return onOneNode(parts, `inlet ${route.id}/${source.name}`, () => postgresInlet(parts, route, source, binding, LIMITS));
    case "nats":
    case "amqp": {
      const { options, codec, avro, replyCodec, avroReply } = source.binding;
      return parts.topics.inlet(kind, {
        system: need(source.system, route, source, "system"),
        contract: route.contract.id,
        binding,
        codecs: codecsOf(need(codec, route, source, "codec"), avro),
        replies: replyCodec && codecsOf(replyCodec, avroReply),
        ...(Array.isArray(options["headers"]) && { headers: options["headers"] as string[] }),
        limits: LIMITS,
      });
    }
    case "topic":
      return undefined;
    default:
      throw new BusError("configuration", `no adapter \`${kind}\` can receive (route \`${route.id}\`, source \`${source.name}\`)`);
  }
}

const codecsOf = (json: Codec, avro: Codec | undefined): TopicCodecs => ({ json, ...(avro && { avro }) });

function need<T>(value: T | undefined, route: Route, source: Source, what: string): T {
  if (value === undefined) throw new BusError("configuration", `source \`${source.name}\` of route \`${route.id}\` has no ${what}`);
  return value;
}
