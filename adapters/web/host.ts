/**
 * The bus's one HTTP server: the face to systems (TLS, client certificates) and the face to administrators (plain port).
 * HTTP/1.1 on node:http without a framework; serve.ts checks each request before its handler sees it.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { WebHost } from "#bus/wire.ts";
import { refuseBody } from "./body.ts";
import type { Identify } from "./caller.ts";
import { closeServers, listen } from "./listen.ts";
import { createMounts } from "./mounts.ts";
import { createServe } from "./serve.ts";

export type WebHostSettings = Readonly<{
  /** The plain port: console, admin API; with `samples` also the face to systems, for callers on this machine. */
  http: Readonly<{ host: string; port: number }>;
  /** The face to systems. `ca` are the certificates that client certificates must chain to. All PEM. */
  https?: Readonly<{ host: string; port: number; cert: string; key: string; ca: string }>;
  samples: boolean;
  identify: Identify;
  /** Bytes of one body. */
  maxBytes: number;
  /** Host names served besides localhost; `*.gov.md` stands for all below. */
  names?: readonly string[];
  /** Open connections per port; default 4096. */
  maxSockets?: number;
  /** Milliseconds for the headers (default 10 s), a whole request (30 s), and running requests at close (10 s). */
  headersTimeout?: number;
  requestTimeout?: number;
  drainTimeout?: number;
  /** A handler threw: the caller sees a bare 500, the operator this. */
  onError?: (error: unknown, path: string) => void;
}>;

export type RunningWebHost = WebHost &
  Readonly<{
    /** `http://host:port` as taken. */
    address: Readonly<{ http: string; https?: string }>;
    /** Takes no new connections, waits for running requests, ends the rest. Idempotent. */
    close(): Promise<void>;
  }>;

export async function createWebHost(settings: WebHostSettings): Promise<RunningWebHost> {
  const mounts = createMounts();
  const running = { count: 0, draining: false, idle: () => {} };
  const serve = createServe(settings, mounts, running);
  const options = serverOptions(settings);
  const plain = createServer(options, (request, response) => serve(request, response, false));
  prepare(plain, settings, (request, response) => serve(request, response, false));

  const { https } = settings;
  let secure: Server | undefined;
  if (https !== undefined) {
    const { cert, key, ca } = https;
    secure = createTlsServer({ ...options, ...TLS, cert, key, ca }, (request, response) => serve(request, response, true));
    prepare(secure, settings, (request, response) => serve(request, response, true));
  }
  const http = await listen(plain, "http", settings.http);
  const tls = secure === undefined || https === undefined ? undefined : await listen(secure, "https", https).catch(closingFirst(plain));
  let closed: Promise<void> | undefined;
  return {
    address: tls === undefined ? { http } : { http, https: tls },
    mount: (face, prefix, handler) => mounts.add({ face, prefix, handler }),
    close: () => (closed ??= closeServers(secure === undefined ? [plain] : [plain, secure], running, settings.drainTimeout ?? 10_000)),
  };
}

/** No HTTP/2: one protocol less to defend. Certificates are verified, but a missing one is the bus's refusal to make. */
const TLS = {
  minVersion: "TLSv1.2",
  ALPNProtocols: ["http/1.1"],
  requestCert: true,
  rejectUnauthorized: false,
  handshakeTimeout: 10_000,
} as const;

function serverOptions(settings: WebHostSettings) {
  const headersTimeout = settings.headersTimeout ?? 10_000;
  return {
    headersTimeout,
    requestTimeout: settings.requestTimeout ?? 30_000,
    connectionsCheckingInterval: Math.min(1000, headersTimeout),
    maxHeaderSize: 16_384,
    keepAliveTimeout: 65_000,
    noDelay: true,
    insecureHTTPParser: false,
  };
}

function prepare(server: Server, settings: WebHostSettings, serve: (request: IncomingMessage, response: ServerResponse) => void): void {
  server.maxConnections = settings.maxSockets ?? 4096;
  server.setTimeout(120_000);
  // With this listener Node leaves the 100 Continue to us, so a body that is too large is never asked for.
  server.on("checkContinue", (request: IncomingMessage, response: ServerResponse) => {
    if (refuseBody(request, settings.maxBytes) === undefined) response.writeContinue();
    serve(request, response);
  });
}

function closingFirst(server: Server): (error: unknown) => Promise<never> {
  return (error) => new Promise((_, reject) => server.close(() => reject(error)));
}
