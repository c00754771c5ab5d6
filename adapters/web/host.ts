/**
 * The bus's one HTTP server: the face to systems (TLS, client certificates) and the face to administrators (plain port).
 * HTTP/1.1 on node:http without a framework; serve.ts checks each request before its handler sees it.
 */
import type { X509Certificate } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { Duplex } from "node:stream";
import type { SocketHandler, SocketHost, WebHandler, WebHost } from "#bus/wire.ts";
import { refuseBody } from "./body.ts";
import { createCallers, type Identify } from "./caller.ts";
import { limitHandshakes, type HandshakeLimits, type HandshakeRefused } from "./handshakes.ts";
import { closeServers, listen } from "./listen.ts";
import { createMounts } from "./mounts.ts";
import { createServe } from "./serve.ts";
import { createSockets, wantsSocket, type Sockets } from "./sockets.ts";
import { hostCheck } from "./target.ts";

export type WebHostSettings = Readonly<{
  /** The plain port: console, admin API; with `samples` also the face to systems, for callers on this machine. */
  http: Readonly<{ host: string; port: number }>;
  /** The face to systems. `ca` are the certificates that client certificates must chain to. All PEM. */
  https?: Readonly<{ host: string; port: number; cert: string; key: string; ca: string | readonly string[] }>;
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
  /** Milliseconds between pings of a WebSocket; one that did not answer the last is ended. Default 30 s. */
  pingEvery?: number;
  /** Bounds on TLS handshakes, and who is told of those that came to nothing. */
  handshakes?: HandshakeLimits;
  /** Why a client certificate did not verify, where OpenSSL's code has no name. */
  explain?: (certificate: X509Certificate, above: readonly X509Certificate[]) => string | undefined;
  onHandshakeRefused?: (refused: HandshakeRefused) => void;
  /** A handler threw: the caller sees a bare 500, the operator this. */
  onError?: (error: unknown, path: string) => void;
}>;

export type RunningWebHost = WebHost &
  SocketHost &
  Readonly<{
    /** `http://host:port` as taken. */
    address: Readonly<{ http: string; https?: string }>;
    /** Takes no new connections, waits for running requests, ends the rest. Idempotent. */
    close(): Promise<void>;
  }>;

export async function createWebHost(settings: WebHostSettings): Promise<RunningWebHost> {
  const mounts = createMounts<WebHandler>();
  const socketMounts = createMounts<SocketHandler>();
  const running = { count: 0, draining: false, idle: () => {} };
  const checks = {
    samples: settings.samples,
    allowed: hostCheck(settings.names ?? []),
    callerOf: createCallers(settings.identify, { explain: settings.explain, onRefused: settings.onHandshakeRefused }),
  };
  const serve = createServe(settings, { ...checks, mounts }, running);
  const sockets = createSockets({ ...checks, mounts: socketMounts, onError: settings.onError, pingEvery: settings.pingEvery ?? 30_000 });
  const options = serverOptions(settings);
  const plain = createServer(options, (request, response) => serve(request, response, false));
  prepare(plain, settings, (request, response) => serve(request, response, false));
  upgrades(plain, sockets, false);

  const { https } = settings;
  let secure: Server | undefined;
  if (https !== undefined) {
    const { cert, key, ca } = https;
    secure = createTlsServer({ ...options, ...TLS, cert, key, ca: [ca].flat() }, (request, response) => serve(request, response, true));
    limitHandshakes(secure, settings.handshakes ?? {}, (refused) => settings.onHandshakeRefused?.(refused));
    prepare(secure, settings, (request, response) => serve(request, response, true));
    upgrades(secure, sockets, true);
  }
  const http = await listen(plain, "http", settings.http);
  const tls = secure === undefined || https === undefined ? undefined : await listen(secure, "https", https).catch(closingFirst(plain));
  const closeAll = async (servers: readonly Server[]): Promise<void> => {
    const ended = sockets.close();
    await closeServers(servers, running, settings.drainTimeout ?? 10_000);
    await ended;
  };
  let closed: Promise<void> | undefined;
  return {
    address: tls === undefined ? { http } : { http, https: tls },
    mount: (face, prefix, handler) => mounts.add({ face, prefix, handler }),
    mountSocket: (face, prefix, handler) => socketMounts.add({ face, prefix, handler }),
    close: () => (closed ??= closeAll(secure === undefined ? [plain] : [plain, secure])),
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
    // any other Upgrade is answered as if it had not been asked for
    shouldUpgradeCallback: wantsSocket,
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

function upgrades(server: Server, sockets: Sockets, secure: boolean): void {
  server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => void sockets.handshake(request, socket, head, secure));
}

function closingFirst(server: Server): (error: unknown) => Promise<never> {
  return (error) => new Promise((_, reject) => server.close(() => reject(error)));
}
