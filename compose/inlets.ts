/** Makes the inlets of routes: one per source, keyed so that a reload restarts only those whose route changed. */
import { Cron } from "croner";
import { createFileInlet } from "#adapters/file/inlet.ts";
import { createHttpInlet } from "#adapters/http/inlet.ts";
import { createSoapInlet } from "#adapters/soap/inlet.ts";
import type { Signatures } from "#bus/edge/signatures.ts";
import { BusError } from "#bus/errors.ts";
import type { Inlet } from "#bus/ports.ts";
import type { Route, Source } from "#bus/route/runtime.ts";
import type { Codec, EdgeLimits, SourceBinding, TopicCodecs, WebHost } from "#bus/wire.ts";
import { pathOf } from "./addresses.ts";
import { onOneNode, type OneNodeParts } from "./one-node.ts";
import { below } from "./outlets.ts";
import type { TopicEdges } from "./topics.ts";

const LIMITS: EdgeLimits = { maxBytes: 10 * 1024 * 1024, maxInFlight: 512 };

export type InletParts = OneNodeParts & Readonly<{ host: WebHost; dataDir: string; topics: TopicEdges; signatures: Signatures }>;

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
      return onOneNode(parts, `inlet ${route.id}/${source.name}`, () => fileInlet(parts, route, source, binding));
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

function fileInlet(parts: InletParts, route: Route, source: Source, binding: SourceBinding): Inlet {
  const { options } = source.binding;
  const directory = below(parts.dataDir, String(options["directory"]));
  const moved = (name: string, fallback: string): string => {
    const target = (options[name] as { move?: string } | undefined)?.move;
    return target === undefined ? `${directory}/${fallback}` : below(parts.dataDir, target);
  };
  const { schedule } = source;
  const every = duration(options["every"]);
  const inlet = createFileInlet({
    directory,
    match: String(options["match"]),
    stableFor: duration(options["stableFor"]) ?? 5000,
    order: options["order"] === "mtime" ? "mtime" : "name",
    done: moved("then", "done"),
    failed: moved("onFailure", "failed"),
    every: every ?? (schedule ? undefined : 5000),
    splitter: need(source.binding.splitter, route, source, "splitter"),
    binding,
    stopAfter: route.stopAfter?.failedRecords ?? (typeof options["stopAfter"] === "number" ? options["stopAfter"] : 100),
    limits: LIMITS,
    clock: parts.clock,
  });
  return schedule ? scheduled(parts, route, inlet, schedule) : inlet;
}

/** Runs the inlet at its times; a run that is still going when the next is due is let finish first. */
function scheduled(
  parts: InletParts,
  route: Route,
  inlet: ReturnType<typeof createFileInlet>,
  schedule: NonNullable<Source["schedule"]>,
): Inlet {
  let cron: Cron | undefined;
  return {
    async start(accept) {
      await inlet.start(accept);
      const options = {
        protect: schedule.overlap === "skip",
        catch: (error: unknown) => parts.onError(error, `schedule of route ${route.id}`),
      };
      cron = new Cron(
        schedule.cron,
        { ...options, ...(schedule.timezone === undefined ? undefined : { timezone: schedule.timezone }) },
        async () => {
          await inlet.run();
        },
      );
      // a drop folder keeps what a missed run would have taken: looking once at the start is that run
      if (schedule.missed === "run-once") inlet.run().catch((error: unknown) => parts.onError(error, `missed run of route ${route.id}`));
    },
    async close() {
      cron?.stop();
      await inlet.close();
    },
  };
}

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

function duration(value: unknown): number | undefined {
  const match = typeof value === "string" ? /^(\d+)(ms|s|m|h|d)$/u.exec(value) : undefined;
  return match ? Number(match[1]) * (UNITS[match[2] ?? ""] ?? 1) : undefined;
}

function need<T>(value: T | undefined, route: Route, source: Source, what: string): T {
  if (value === undefined) throw new BusError("configuration", `source \`${source.name}\` of route \`${route.id}\` has no ${what}`);
  return value;
}
