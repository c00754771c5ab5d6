/** Inlets and outlets on PostgreSQL from the options of a route. */
import { databaseOf, type Database } from "#adapters/postgres/connect.ts";
import type { Place } from "#adapters/postgres/cursor.ts";
import { createPostgresInlet, type PostgresInletSettings, type TableReport } from "#adapters/postgres/inlet.ts";
import { createPostgresOutlet } from "#adapters/postgres/outlet.ts";
import { BusError } from "#bus/errors.ts";
import type { Inlet, Outlet, Store } from "#bus/ports.ts";
import type { Branch, Route, Source } from "#bus/route/runtime.ts";
import { fillSecrets } from "#bus/route/schema/fill.ts";
import type { EdgeLimits, SourceBinding } from "#bus/wire.ts";
import { durationOf, timed, type DropParts } from "./drop.ts";

type Options = Readonly<Record<string, unknown>>;
type Secrets = Readonly<{ secret: (name: string) => string; development: boolean }>;

/** As the spec of the adapter says. */
type TableOptions = Readonly<{
  table: string;
  key: string;
  columns: readonly string[];
  done?: string;
  failed?: string;
  cursor?: string;
  settle?: string;
  batch?: number;
}>;

export type PostgresParts = DropParts & Secrets & Readonly<{ store: Store }>;

/** Throws `configuration`: no or two ways to know what is new, a missing secret, a connection without TLS outside development. */
export function postgresInlet(parts: PostgresParts, route: Route, source: Source, binding: SourceBinding, limits: EdgeLimits): Inlet {
  const { options, codec } = source.binding;
  const where = `source \`${source.name}\` of route \`${route.id}\``;
  if (codec === undefined) throw new BusError("configuration", `${where} has no codec`);
  const inlet = createPostgresInlet(
    {
      database: databaseOfOptions(options, parts),
      source: sourceOf(parts, options as TableOptions, `${route.id}/${source.name}`, where),
      codec,
      binding,
      every: durationOf(options["every"]) ?? (source.schedule ? undefined : 5_000),
      limits,
      clock: parts.clock,
    },
    { onReport: (report) => parts.onError(new BusError("endpoint-unavailable", textOf(report)), where) },
  );
  return timed(parts, route, source.schedule, inlet);
}

function sourceOf({ store }: PostgresParts, options: TableOptions, id: string, where: string): PostgresInletSettings["source"] {
  const { table, key, columns, done, failed, cursor, settle, batch = 100 } = options;
  if (failed !== undefined && cursor === undefined) return { kind: "outbox", table: { table, key, columns, done, failed, batch } };
  if (cursor === undefined || failed !== undefined || done !== undefined)
    throw new BusError(
      "configuration",
      `${where} needs \`failed\` (and maybe \`done\`) for an outbox, or \`cursor\` for a table that is only read`,
    );
  const places = async () => ({ places: await store.collection<Place>("postgres-places"), id });
  return { kind: "cursor", table: { table, key, columns, cursor, settle: durationOf(settle), batch }, places };
}

const textOf = ({ text, failed }: TableReport): string => text ?? `${failed} rows were refused; the journal says why`;

export function postgresOutlet(parts: Secrets, { options, replyCodec }: Branch["binding"]): Outlet {
  const { statement, once, connections = 4 } = options as { statement: string; once?: string; connections?: number };
  return createPostgresOutlet({ database: databaseOfOptions(options, parts), statement, once, replyCodec, connections });
}

function databaseOfOptions(options: Options, { secret, development }: Secrets): Database {
  const { url, security = "tls", ca } = options as { url: string; security?: "tls" | "none"; ca?: string };
  if (security === "none" && !development)
    throw new BusError("configuration", "`security: none` of a database is for development only; leave it out");
  return databaseOf({ url: fillSecrets(url, secret), security, ca: ca === undefined ? undefined : fillSecrets(ca, secret) });
}
