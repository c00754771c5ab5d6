/** Calls out: one undici pool per origin, keep-alive, no pipelining; the attempt's signal is the only clock. */
import { Pool } from "undici";
import { asBusError, BusError } from "#bus/errors.ts";
import type { WebClient } from "#bus/wire.ts";
import { exchange, type Target } from "./exchange.ts";
import type { Guard } from "./outbound.ts";

export type WebClientSettings = Readonly<{
  /** Connections per origin; default 64. */
  connections?: number;
  /** PEM: who the bus is to providers, and whom it trusts besides the system's own list. */
  tls?: Readonly<{ cert?: string; key?: string; ca?: string }>;
  /** Judges every address before it is called; without it any http: and https: address is. */
  guard?: Guard;
}>;

export function createWebClient(settings: WebClientSettings = {}): WebClient {
  const pools = new Map<string, Pool>();
  const poolOf = (origin: string): Pool => {
    let pool = pools.get(origin);
    if (pool === undefined) pools.set(origin, (pool = openPool(origin, settings)));
    return pool;
  };
  const targets = new Map<string, Target>();
  const targetOf = (url: string): Target => {
    let target = targets.get(url);
    if (target === undefined) {
      const { origin, pathname, search } = parseAddress(url, settings.guard);
      target = { pool: poolOf(origin), origin, path: pathname + search };
      if (targets.size < 10_000) targets.set(url, target);
    }
    return target;
  };
  return {
    request(call, signal) {
      try {
        return exchange(targetOf(call.url), call, signal);
      } catch (error) {
        return Promise.reject(asBusError(error));
      }
    },
    async close() {
      await Promise.all([...pools.values()].map((pool) => pool.destroy()));
    },
  };
}

function parseAddress(url: string, guard: Guard | undefined): URL {
  const target = URL.canParse(url) ? new URL(url) : undefined;
  if (target === undefined || (target.protocol !== "http:" && target.protocol !== "https:") || target.username !== "")
    throw new BusError("configuration", "an endpoint's address must be http://… or https://… without user and password");
  guard?.check(target);
  return target;
}

function openPool(origin: string, settings: WebClientSettings): Pool {
  return new Pool(origin, {
    connections: settings.connections ?? 64,
    pipelining: 1,
    headersTimeout: 0,
    bodyTimeout: 0,
    keepAliveTimeout: 30_000,
    connect: {
      timeout: 10_000,
      ALPNProtocols: ["http/1.1"],
      ...settings.tls,
      ...(settings.guard && { lookup: settings.guard.lookup }),
    },
  });
}
