/** Files out to an SFTP server: one file per message, named by the message's id, whole or not there at all. */
import { fileName } from "#bus/edge/drop/name.ts";
import { BusError } from "#bus/errors.ts";
import type { Outlet } from "#bus/ports.ts";
import type { Codec } from "#bus/wire.ts";
import { createLink, type SftpLink, type SftpServer } from "./link.ts";
import { createRemote, type Remote } from "./remote.ts";

export type SftpOutletSettings = Readonly<{
  server: SftpServer;
  directory: string;
  /** End of each file's name, for example `.json`. */
  suffix: string;
  codec: Codec;
}>;

/** Milliseconds without a message after which the connection ends. */
const IDLE = 30_000;

type Lane = Readonly<{ link: SftpLink; remote: Remote }>;

/** A repeated delivery writes the same file again. Each call has a connection of its own while it runs, so that an abort breaks off no other. */
export function createSftpOutlet({ server, directory, suffix, codec }: SftpOutletSettings): Outlet {
  const place = `${server.host}:${server.port}`;
  const free: Lane[] = [];
  let idle: NodeJS.Timeout | undefined;
  const lane = (): Lane => {
    const link = createLink(server);
    return free.pop() ?? { link, remote: createRemote(link, place) };
  };
  const hangUp = (): void => {
    for (const { link } of free.splice(0)) link.drop();
  };
  return {
    endpoint: `sftp://${place}${directory}`,
    async send(message, signal) {
      const bytes = codec.write(message.value);
      const name = fileName(message.envelope.id);
      const mine = lane();
      clearTimeout(idle);
      try {
        const [hidden, whole] = [`${directory}/.${name}.new`, `${directory}/${name}${suffix}`];
        await orAborted(mine.link, place, signal, () => deliver(mine.remote, bytes, hidden, whole, signal));
        return undefined;
      } finally {
        free.push(mine);
        idle = setTimeout(hangUp, IDLE).unref();
      }
    },
    close() {
      clearTimeout(idle);
      hangUp();
      return Promise.resolve();
    },
  };
}

async function deliver(remote: Remote, bytes: Uint8Array, hidden: string, whole: string, signal: AbortSignal): Promise<void> {
  const file = await remote.open(hidden, "w");
  try {
    await file.write(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
  signal.throwIfAborted();
  await remote.replace(hidden, whole);
}

async function orAborted(link: SftpLink, place: string, signal: AbortSignal, work: () => Promise<void>): Promise<void> {
  const given = Promise.withResolvers<never>();
  const abort = (): void => {
    link.drop();
    given.reject(
      signal.reason instanceof BusError ? signal.reason : new BusError("attempt-timeout", `${place} did not take the file in time`),
    );
  };
  if (signal.aborted) abort();
  signal.addEventListener("abort", abort, { once: true });
  try {
    await Promise.race(signal.aborted ? [given.promise] : [work(), given.promise]);
  } finally {
    signal.removeEventListener("abort", abort);
    given.promise.catch(() => undefined);
  }
}
