/**
 * A connection to an SFTP server, opened when it is needed and anew after it broke. The server is known by its host key and by nothing
 * else: one that shows another key is not spoken to.
 */
import { createHash } from "node:crypto";
import { createRequire } from "node:module";
import type { Client, ConnectConfig, SFTPWrapper } from "ssh2";
import { BusError } from "#bus/errors.ts";

export type SftpServer = Readonly<{
  host: string;
  port: number;
  user: string;
  password: string | undefined;
  /** Private key, PEM or OpenSSH's form. */
  key: string | undefined;
  passphrase: string | undefined;
  /** `SHA256:…` of each host key that the server may show, as `ssh-keygen -l` prints it. */
  hostKeys: readonly string[];
}>;

export type SftpLink = Readonly<{
  /** The session, opened when there is none. Throws endpoint-unreachable, attempt-timeout and configuration. */
  session(): Promise<SFTPWrapper>;
  /** Breaks the connection off: whatever runs on it fails. The next session is a new one. */
  drop(): void;
}>;

/** Loaded at its first use: a bus without such routes spends neither time nor memory on it. */
const library = (): Readonly<{ Client: new () => Client }> =>
  createRequire(import.meta.url)("ssh2") as Readonly<{ Client: new () => Client }>;

/** Milliseconds until the session stands, and between signs of life; three that stay without answer end it. */
const READY = 15_000;
const ALIVE = 10_000;

export const fingerprint = (key: Buffer): string => `SHA256:${createHash("sha256").update(key).digest("base64").replace(/=+$/u, "")}`;

export function createLink(server: SftpServer): SftpLink {
  let open: { client: Client; sftp: Promise<SFTPWrapper> } | undefined;
  return {
    session() {
      if (open) return open.sftp;
      const client = new (library().Client)();
      const mine = { client, sftp: connect(client, server) };
      open = mine;
      const gone = (): void => {
        if (open === mine) open = undefined;
      };
      client.on("close", gone);
      client.on("error", gone);
      mine.sftp.catch(() => {
        gone();
        client.destroy();
      });
      return mine.sftp;
    },
    drop() {
      const old = open;
      open = undefined;
      old?.client.destroy();
    },
  };
}

function connect(client: Client, server: SftpServer): Promise<SFTPWrapper> {
  const place = `${server.host}:${server.port}`;
  let shown: string | undefined;
  return new Promise((resolve, reject) => {
    const fail = (error: unknown): void => reject(failureOf(error, place, shown));
    client.on("error", fail);
    client.on("close", () => fail(new Error("the connection ended")));
    client.on("ready", () => client.sftp((error, sftp) => (error ? fail(error) : resolve(sftp))));
    const { password, key, passphrase } = server;
    const config: ConnectConfig = {
      host: server.host,
      port: server.port,
      username: server.user,
      ...(password !== undefined && { password }),
      ...(key !== undefined && { privateKey: key }),
      ...(passphrase !== undefined && { passphrase }),
      hostVerifier: (hostKey: Buffer) => {
        const known = server.hostKeys.includes(fingerprint(hostKey));
        if (!known) shown = fingerprint(hostKey);
        return known;
      },
      readyTimeout: READY,
      keepaliveInterval: ALIVE,
      keepaliveCountMax: 3,
    };
    try {
      client.connect(config);
      // a request is one small packet whose answer is waited for
      client.setNoDelay(true);
    } catch (error) {
      // a key that cannot be read is told at once; its text stays out
      reject(
        new BusError(
          "configuration",
          `the key for ${place} cannot be used; give a private key in PEM or OpenSSH's form, and its \`passphrase\``,
          { cause: error },
        ),
      );
    }
  });
}

function failureOf(error: unknown, place: string, shown: string | undefined): BusError {
  if (shown !== undefined)
    return new BusError(
      "configuration",
      `${place} shows another host key than \`hostKey\` names: ${shown}; ask its administrator which one is right`,
      { cause: error },
    );
  const { level, code = "" } = error as { level?: string; code?: string };
  if (level === "client-authentication")
    return new BusError("configuration", `${place} refuses the user; look at \`user\`, \`password\` and \`key\``, { cause: error });
  if (level === "client-timeout") return new BusError("attempt-timeout", `${place} did not answer in time`, { cause: error });
  return new BusError("endpoint-unreachable", `${place} could not be reached${code === "" ? "" : ` (${code})`}`, { cause: error });
}
