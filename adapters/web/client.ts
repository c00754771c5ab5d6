/** Calls out: one undici pool per origin, keep-alive, no pipelining; the attempt's signal is the only clock. */
import { Pool, type Dispatcher } from "undici";
import { BusError } from "#bus/errors.ts";
import type { WebCall, WebClient, WebReply } from "#bus/wire.ts";
import { failureOf, statusFailure } from "./client-failure.ts";

export type WebClientSettings = Readonly<{
  /** Connections per origin; default 64. */
  connections?: number;
  /** PEM: who the bus is to providers, and whom it trusts besides the system's own list. */
  tls?: Readonly<{ cert?: string; key?: string; ca?: string }>;
}>;

export function createWebClient(settings: WebClientSettings = {}): WebClient {
  const pools = new Map<string, Pool>();
  const poolOf = (origin: string): Pool => {
    let pool = pools.get(origin);
    if (pool === undefined) pools.set(origin, (pool = openPool(origin, settings)));
    return pool;
  };
  const targets = new Map<string, URL>();
  const targetOf = (url: string): URL => {
    let target = targets.get(url);
    if (target === undefined) {
      target = parseAddress(url);
      if (targets.size < 10_000) targets.set(url, target);
    }
    return target;
  };
  return {
    async request(call, signal) {
      const target = targetOf(call.url);
      try {
        return await exchange(poolOf(target.origin), target, call, signal);
      } catch (error) {
        throw error instanceof BusError ? error : failureOf(error, target.origin, signal);
      }
    },
    async close() {
      await Promise.all([...pools.values()].map((pool) => pool.destroy()));
    },
  };
}

function parseAddress(url: string): URL {
  const target = URL.canParse(url) ? new URL(url) : undefined;
  if (target === undefined || (target.protocol !== "http:" && target.protocol !== "https:") || target.username !== "")
    throw new BusError("configuration", "an endpoint's address must be http://… or https://… without user and password");
  return target;
}

function openPool(origin: string, settings: WebClientSettings): Pool {
  return new Pool(origin, {
    connections: settings.connections ?? 64,
    pipelining: 1,
    headersTimeout: 0,
    bodyTimeout: 0,
    keepAliveTimeout: 30_000,
    connect: { timeout: 10_000, ALPNProtocols: ["http/1.1"], ...settings.tls },
  });
}

async function exchange(pool: Pool, target: URL, call: WebCall, signal: AbortSignal): Promise<WebReply> {
  signal.throwIfAborted();
  const response = await pool.request({
    path: target.pathname + target.search,
    method: call.method,
    headers: call.headers,
    body: call.body,
    signal,
  });
  const headers = flatten(response.headers);
  const unavailable = statusFailure(response.statusCode, headers["retry-after"], target.origin);
  if (unavailable !== undefined) {
    // The refusal's text helps nobody here; reading it keeps the connection usable, and a long one costs only the connection.
    await response.body.dump({ limit: 65_536, signal }).catch(() => undefined);
    throw unavailable;
  }
  return {
    status: response.statusCode,
    headers,
    body: await readBounded(response.body, Number(headers["content-length"]), call.maxBytes, target.origin),
  };
}

/** `declared` is the Content-Length, NaN without one. */
async function readBounded(body: Dispatcher.ResponseData["body"], declared: number, maxBytes: number, origin: string): Promise<Uint8Array> {
  if (declared <= maxBytes) return body.bytes();
  const chunks: Buffer[] = [];
  let size = 0;
  if (Number.isNaN(declared)) {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      size += chunk.byteLength;
      if (size > maxBytes) break;
      chunks.push(chunk);
    }
    if (size <= maxBytes) return Buffer.concat(chunks, size);
  }
  body.on("error", () => undefined).destroy();
  throw new BusError("provider-reply-invalid", `${origin} answered with more than ${maxBytes} bytes`, { providerCode: "too-large" });
}

function flatten(headers: Readonly<Record<string, string | string[] | undefined>>): Record<string, string> {
  const flat: Record<string, string> = {};
  for (const name in headers) {
    const value = headers[name];
    if (value !== undefined) flat[name] = typeof value === "string" ? value : value.join(", ");
  }
  return flat;
}
