/**
 * One connection that comes back by itself, and what hangs on it: parts that are told of each new connection and of its loss.
 * Coming back is amqplib's own recovery, which reports each loss once; nothing here connects a second time.
 */
import { connect, type ChannelModel, type RecoveringChannelModel } from "amqplib";
import { BusError } from "#bus/errors.ts";

export type LinkOptions = Readonly<{
  url: string;
  /** Name that the server's own tools show for the connection. */
  name: string;
  /** Milliseconds that a call waits for the broker. */
  patience: number;
  onError: (error: Error) => void;
}>;

export interface Link {
  readonly options: LinkOptions;
  /** The living connection. */
  model(this: void): ChannelModel | undefined;
  /** Waits for it at most `patience`. Throws transport-unavailable, bus-stopping. */
  connected(): Promise<ChannelModel>;
  /** Told of each new connection (at once if there is one), and of each loss. */
  watch(up: (model: ChannelModel) => void, down: () => void): () => void;
  /** The server has too little memory or disk and takes no messages. */
  blocked(): boolean;
  onUnblocked(listener: () => void): void;
  away(this: void): BusError;
  close(): Promise<void>;
}

type Watcher = Readonly<{ up: (model: ChannelModel) => void; down: () => void }>;

export async function openLink(options: LinkOptions): Promise<Link> {
  const watchers = new Set<Watcher>();
  const unblocked: (() => void)[] = [];
  let model: ChannelModel | undefined;
  let blocked = false;
  let closed = false;
  let last: Error | undefined;
  let arrived = quiet<ChannelModel>();

  const recovery = { initialDelay: 100, maxDelay: 2_000, factor: 2, waitForConnect: false };
  const socket = { noDelay: true, timeout: 10_000, clientProperties: { connection_name: options.name }, recovery };
  const connection: RecoveringChannelModel = await connect(withHeartbeat(options.url), socket);
  connection.on("connect", (fresh) => {
    model = fresh;
    blocked = false;
    arrived.resolve(fresh);
    for (const watcher of watchers) watcher.up(fresh);
  });
  connection.on("disconnect", (reason) => {
    last = reason;
    model = undefined;
    arrived = quiet();
    for (const watcher of watchers) watcher.down();
  });
  connection.on("connect-failed", (error) => (last = error));
  // A loss is told by `disconnect`; this only keeps the process alive and the reason.
  connection.on("error", (error) => (last = error));
  connection.on("handler-error", (error: Error) => options.onError(error));
  connection.on("blocked", () => (blocked = true));
  connection.on("unblocked", () => {
    blocked = false;
    for (const listener of unblocked) listener();
  });

  const away = (): BusError => {
    if (closed) return new BusError("bus-stopping", "the connection to RabbitMQ is closed: the bus is stopping");
    const why = blocked ? "it is short of memory or disk and takes no messages" : (last?.message ?? "no connection came about");
    return new BusError("transport-unavailable", `RabbitMQ did not answer within ${options.patience} ms: ${why}`, { cause: last });
  };
  return {
    options,
    model: () => model,
    connected() {
      if (closed) return Promise.reject(away());
      return model ? Promise.resolve(model) : within(arrived.promise, options.patience, away);
    },
    watch(up, down) {
      const watcher = { up, down };
      watchers.add(watcher);
      if (model !== undefined) up(model);
      return () => watchers.delete(watcher);
    },
    blocked: () => blocked,
    onUnblocked: (listener) => void unblocked.push(listener),
    away,
    async close() {
      if (closed) return;
      closed = true;
      watchers.clear();
      arrived.reject(away());
      // A server that hangs must not hold up the end of the process.
      await within(connection.close(), 5_000, away).catch(() => undefined);
    },
  };
}

/** A heartbeat of ten seconds, unless the address names another: a server that hangs is noticed within twenty. */
function withHeartbeat(url: string): string {
  const address = new URL(url);
  if (!address.searchParams.has("heartbeat")) address.searchParams.set("heartbeat", "10");
  return address.href;
}

/** A promise whose failure nobody need hear of. */
export function quiet<T>(): PromiseWithResolvers<T> {
  const made = Promise.withResolvers<T>();
  made.promise.catch(() => undefined);
  return made;
}

/** The promise's result, or the error that `late` makes after `ms`. */
export async function within<T>(promise: Promise<T>, ms: number, late: () => Error): Promise<T> {
  const timeout = Promise.withResolvers<never>();
  const timer = setTimeout(() => timeout.reject(late()), ms);
  try {
    return await Promise.race([promise, timeout.promise]);
  } finally {
    clearTimeout(timer);
  }
}
