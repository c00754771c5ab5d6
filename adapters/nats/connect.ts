/** The connection to NATS: comes back for ever, says when it is down and when it is a new one, and knows how long a call may wait. */
import { connect, wsconnect, type ConnectionOptions, type NatsConnection } from "@nats-io/transport-node";
import { BusError } from "#bus/errors.ts";

export type NatsSettings = Readonly<{
  /** `nats://` or `tls://`, or `ws://` or `wss://` through a web proxy, with user and password where there are; several, of one cluster, with commas. */
  url: string;
  /** Name of this process among the bus's. */
  node: string;
  /** Name of the stream; in small letters the first token of its subjects. One for all nodes of a bus; default `MBUS`. */
  deployment?: string;
  /** The administrator's word that the server has `sync_interval: always`; a server does not tell it. */
  sync?: "always";
  /** Copies of the stream in a cluster; default 1 for a single server, 3 for a cluster. */
  replicas?: number;
  /** Bytes that the stream may hold; default 4 GiB. Above it, senders wait. */
  maxBytes?: number;
  /** Milliseconds that a call waits for a broker that is away; default 30,000. */
  patience?: number;
  tls?: Readonly<{ caFile?: string; certFile?: string; keyFile?: string }>;
  /** What no caller can be told: a message that is not ours, a handler that throws. */
  onError?: (error: BusError) => void;
  /** Told of each message of a lane that the server gave up after its last delivery; without it `onError` is. */
  onDead?: (lane: string) => void;
}>;

export type Link = Readonly<{
  nc: NatsConnection;
  settings: NatsSettings;
  patience: number;
  up(): boolean;
  closed(): boolean;
  /** Throws bus-stopping after `close`. */
  guard(): void;
  report(error: BusError): void;
  /** Resolves early when the link closes. */
  sleep(ms: number): Promise<void>;
  /** Sends what is buffered, then ends. Idempotent. */
  close(): Promise<void>;
}>;

const PATIENCE = 30_000;
/** Between two attempts to connect again. */
const PAUSE = 250;

export const stopping = (): BusError => new BusError("bus-stopping", "the connection to NATS is closed: the bus is stopping");

/** Throws transport-unavailable when no server answers within the patience. `renewed` is called after each new connection. */
export async function openLink(settings: NatsSettings, renewed: () => void): Promise<Link> {
  const patience = settings.patience ?? PATIENCE;
  const options = optionsOf(settings);
  const nc = await first(() => (options.web ? wsconnect(options) : connect(options)), patience);
  const done = Promise.withResolvers<void>();
  let up = true;
  let closing: Promise<void> | undefined;
  void (async () => {
    for await (const status of nc.status()) {
      if (status.type === "disconnect") up = false;
      if (status.type === "reconnect") {
        up = true;
        renewed();
      }
    }
  })();
  return {
    nc,
    settings,
    patience,
    up: () => up && closing === undefined,
    closed: () => closing !== undefined,
    guard() {
      if (closing) throw stopping();
    },
    report: (error) => settings.onError?.(error),
    sleep: (ms) => raced(done.promise, ms),
    close() {
      closing ??= (async () => {
        done.resolve();
        if (up)
          await raced(
            nc.flush().catch(() => undefined),
            2_000,
          );
        await nc.close();
      })();
      return closing;
    },
  };
}

/** The promise, or `ms` milliseconds, whichever is first. */
export async function raced(promise: Promise<unknown>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  await Promise.race([promise, new Promise<void>((resolve) => (timer = setTimeout(resolve, ms)))]);
  clearTimeout(timer);
}

async function first(open: () => Promise<NatsConnection>, patience: number): Promise<NatsConnection> {
  const until = performance.now() + patience;
  for (;;) {
    try {
      return await open();
    } catch (cause) {
      if (performance.now() + PAUSE > until) {
        const why = cause instanceof Error ? cause.message : String(cause);
        throw new BusError("transport-unavailable", `NATS does not take a connection (${why}): check NATS_URL and that the server runs`, {
          cause,
        });
      }
      await new Promise((resolve) => setTimeout(resolve, PAUSE));
    }
  }
}

/** `web`: over WebSocket, where trust in certificates is the platform's own. Throws configuration. */
export function optionsOf(settings: NatsSettings): ConnectionOptions & Readonly<{ web: boolean }> {
  const urls = settings.url.split(",").map((text) => parsed(text.trim()));
  const web = urls.some((url) => url.protocol.startsWith("ws"));
  if (web && urls.some((url) => url.protocol !== urls[0]?.protocol))
    throw new BusError(
      "configuration",
      "the addresses of NATS are of several kinds: write all as ws://, all as wss://, or all as nats:// and tls://",
    );
  if (web && settings.tls !== undefined)
    throw new BusError(
      "configuration",
      "certificates cannot be given for NATS over WebSocket: use tls://, or NODE_EXTRA_CA_CERTS for an authority",
    );
  const one = urls.find((url) => url.username !== "");
  const secure = settings.tls !== undefined || urls.some((url) => url.protocol === "tls:");
  return {
    web,
    servers: urls.map((url) => (web ? `${url.protocol}//${url.host}${url.pathname}` : url.host)),
    // what servers tell of each other are addresses without WebSocket
    ...(web && { ignoreClusterUpdates: true }),
    name: `mbus ${settings.node}`,
    ...(one && { user: decodeURIComponent(one.username), pass: decodeURIComponent(one.password) }),
    ...(secure && { tls: { ...settings.tls } }),
    maxReconnectAttempts: -1,
    reconnectTimeWait: PAUSE,
    ignoreAuthErrorAbort: true,
    timeout: 5_000,
    pingInterval: 5_000,
    maxPingOut: 2,
    noAsyncTraces: true,
  };
}

function parsed(text: string): URL {
  if (!/^(?:nats|tls|wss?):\/\/[^/]/u.test(text) || !URL.canParse(text))
    throw new BusError(
      "configuration",
      "the address of NATS is none: write nats://host:4222, tls://host:4222, ws://host:8080 or wss://host, several with commas between",
    );
  return new URL(text);
}
