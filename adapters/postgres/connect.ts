/** Where a database is and how it is spoken to: over TLS with a verified certificate, with bounds on every wait. */
import { createRequire } from "node:module";
import type pg from "pg";
import type { ClientConfig } from "pg";
import { BusError } from "#bus/errors.ts";

export type Database = Readonly<{ config: ClientConfig; /** Host, port and name; no account. */ name: string }>;

/** Loaded at its first use: a bus without such routes spends neither time nor memory on it. */
const library = (): typeof pg => createRequire(import.meta.url)("pg") as typeof pg;

/** Milliseconds: of connecting, of one statement, and of a transaction that waits for the bus. */
const CONNECT = 10_000;
const STATEMENT = 60_000;
const IDLE = 600_000;

export type DatabaseSettings = Readonly<{
  /** `postgres://user:password@host:5432/database`. */
  url: string;
  security: "tls" | "none";
  /** PEM of a private authority. */
  ca: string | undefined;
}>;

/** Throws `configuration`; the address, which holds a password, is not repeated. */
export function databaseOf({ url, security, ca }: DatabaseSettings): Database {
  const at = URL.canParse(url) ? new URL(url) : undefined;
  if (
    !at ||
    !/^postgres(?:ql)?:$/u.test(at.protocol) ||
    at.hostname === "" ||
    at.username === "" ||
    at.pathname.length < 2 ||
    at.search !== ""
  )
    throw new BusError("configuration", "a database's address must be postgres://user:password@host:5432/database, without parameters");
  const host = at.hostname.replace(/^\[|\]$/gu, "");
  const port = at.port === "" ? 5432 : Number(at.port);
  const database = decodeURIComponent(at.pathname.slice(1));
  return {
    name: `${host}:${port}/${database}`,
    config: {
      host,
      port,
      database,
      user: decodeURIComponent(at.username),
      password: decodeURIComponent(at.password),
      ssl: security === "none" ? false : { rejectUnauthorized: true, minVersion: "TLSv1.2", ...(ca !== undefined && { ca }) },
      application_name: "mconnect-bus",
      connectionTimeoutMillis: CONNECT,
      statement_timeout: STATEMENT,
      lock_timeout: STATEMENT,
      idle_in_transaction_session_timeout: IDLE,
      keepAlive: true,
      options: "-c TimeZone=UTC -c DateStyle=ISO -c IntervalStyle=iso_8601 -c standard_conforming_strings=on",
    },
  };
}

/** An open connection; what breaks it later fails the statement that comes next. */
export async function connect({ config }: Database): Promise<pg.Client> {
  const client = new (library().Client)(config);
  client.on("error", () => undefined);
  await client.connect();
  return client;
}

export function openPool({ config }: Database, max: number): pg.Pool {
  const pool = new (library().Pool)({ ...config, max, idleTimeoutMillis: 30_000, allowExitOnIdle: true });
  pool.on("error", () => undefined);
  return pool;
}
