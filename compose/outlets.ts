/** Makes the outlets of a branch: one per address of the receiving system, first preferred. */
import { createFileOutlet } from "#adapters/file/outlet.ts";
import { createSoapOutlet } from "#adapters/soap/outlet.ts";
import type { Guard } from "#adapters/web/outbound.ts";
import { OASIS_STYLE, type Signatures } from "#bus/edge/signatures.ts";
import { BusError } from "#bus/errors.ts";
import type { Clock, Outlet } from "#bus/ports.ts";
import type { Branch, Route } from "#bus/route/runtime.ts";
import { fillSecrets } from "#bus/route/schema/fill.ts";
import type { SoapOutletSettings, SoapVersion, WebClient } from "#bus/wire.ts";
import { below } from "./addresses.ts";
import { checkAddress, httpOutlets } from "./http.ts";
import { mailOutlet } from "./mail.ts";
import { postgresOutlet } from "./postgres.ts";
import { sftpOutlet } from "./sftp.ts";
import type { TopicEdges } from "./topics.ts";

/** Bytes of one answer that an outlet reads. */
const MAX_BYTES = 10 * 1024 * 1024;

export type OutletParts = Readonly<{
  client: WebClient;
  dataDir: string;
  secret: (name: string) => string;
  topics: TopicEdges;
  signatures: Signatures;
  /** A developer's machine: connections may be without TLS. */
  development: boolean;
  guard: Guard;
  clock: Clock;
}>;

export function createOutlets(parts: OutletParts, route: Route, branch: Branch): readonly Outlet[] {
  const { kind, options } = branch.binding;
  switch (kind) {
    case "soap":
      return branch.addresses.map((address) => soap(parts, route, branch, address));
    case "http":
      return httpOutlets(parts, route, branch, {
        codec: need(branch.binding.codec, route, branch, "codec"),
        headers: headers(parts, options),
        maxBytes: MAX_BYTES,
      });
    case "file":
      return [
        createFileOutlet({
          directory: below(parts.dataDir, text(options, "directory") ?? "out"),
          suffix: text(options, "suffix") ?? ".json",
          codec: need(branch.binding.codec, route, branch, "codec"),
        }),
      ];
    case "sftp":
      return [sftpOutlet(options, parts.secret, need(branch.binding.codec, route, branch, "codec"))];
    case "postgres":
      return [postgresOutlet(parts, branch.binding)];
    case "mail":
      return [mailOutlet(parts, branch.binding.options, MAX_BYTES)];
    case "nats":
    case "amqp": {
      const { codec, avro, replyCodec, avroReply } = branch.binding;
      const avroWanted = options["format"] === "avro";
      return [
        parts.topics.outlet(kind, {
          system: need(branch.system, route, branch, "system"),
          contract: route.contract.id,
          codec: need(avroWanted ? avro : codec, route, branch, "codec"),
          ...(replyCodec && {
            asks: {
              replies: { json: replyCodec, ...(avroReply && { avro: avroReply }) },
              waits: branch.deliver.attemptTimeout,
              maxBytes: MAX_BYTES,
            },
          }),
        }),
      ];
    }
    default:
      throw new BusError("configuration", `no adapter \`${kind}\` can send (route \`${route.id}\`, branch \`${branch.name}\`)`);
  }
}

function soap(parts: OutletParts, route: Route, branch: Branch, address: string): Outlet {
  checkAddress(parts.guard, address);
  const { options } = branch.binding;
  return createSoapOutlet({
    client: parts.client,
    address,
    version: (text(options, "version") ?? "1.1") as SoapVersion,
    service: need(branch.binding.service, route, branch, "WSDL"),
    operation: need(branch.binding.operation, route, branch, "operation"),
    callContext: (text(options, "callContext") ?? "soap") as SoapOutletSettings["callContext"],
    headers: headers(parts, options),
    maxBytes: MAX_BYTES,
    ...(options["sign"] === true && { sign: (envelope) => parts.signatures.signEnvelope(envelope, OASIS_STYLE) }),
    ...(options["verify"] === true && { check: () => parts.signatures.check(branch.system) }),
    replies: route.replies?.some(({ name }) => name === branch.name) ?? false,
  });
}

function headers(parts: OutletParts, options: Readonly<Record<string, unknown>>): Record<string, string> {
  const given = { ...(options["headers"] as Record<string, string> | undefined) };
  const auth = text(options, "auth");
  if (auth !== undefined) given["authorization"] = auth;
  return Object.fromEntries(Object.entries(given).map(([name, value]) => [name.toLowerCase(), fillSecrets(value, parts.secret)]));
}

const text = (options: Readonly<Record<string, unknown>>, name: string): string | undefined => {
  const value = options[name];
  return typeof value === "string" ? value : undefined;
};

function need<T>(value: T | undefined, route: Route, branch: Branch, what: string): T {
  if (value === undefined) throw new BusError("configuration", `branch \`${branch.name}\` of route \`${route.id}\` has no ${what}`);
  return value;
}
