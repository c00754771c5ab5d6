/** The few acts on remote files that an inlet and an outlet need, each with the bus's errors. */
import type { FileEntry, SFTPWrapper, Stats } from "ssh2";
import { BusError } from "#bus/errors.ts";
import type { SftpLink } from "./link.ts";

export type RemoteFile = Readonly<{
  stat(): Promise<Stats>;
  /** At most `size` bytes from `position`; none at the end. */
  read(position: number, size: number): Promise<Buffer>;
  write(bytes: Uint8Array): Promise<void>;
  /** On the server's disk, where the server can say so. */
  sync(): Promise<void>;
  close(): Promise<void>;
}>;

export type Remote = Readonly<{
  list(path: string, most: number): Promise<readonly FileEntry[]>;
  /** Undefined = nothing is there. A link is not followed. */
  lookAt(path: string): Promise<Stats | undefined>;
  makeFolder(path: string): Promise<void>;
  open(path: string, flags: "r" | "w"): Promise<RemoteFile>;
  /** Fails where the new name is taken. */
  rename(from: string, to: string): Promise<void>;
  /** Takes the place of what has the new name. */
  replace(from: string, to: string): Promise<void>;
  remove(path: string): Promise<void>;
}>;

/** Status codes of the protocol (draft-ietf-secsh-filexfer-02 §7). */
const END = 1;
const MISSING = 2;
const DENIED = 3;
const UNSUPPORTED = 8;

type Done<T> = (error: (Error & { code?: number }) | null | undefined, value?: T) => void;

export function createRemote(link: SftpLink, place: string): Remote {
  /** One request; also fails when the connection goes while it waits. */
  async function ask<T>(act: (sftp: SFTPWrapper, done: Done<T>) => void): Promise<T> {
    const sftp = await link.session();
    return new Promise<T>((resolve, reject) => {
      const broken = (): void => reject(new BusError("endpoint-unreachable", `the connection to ${place} broke`));
      sftp.once("close", broken);
      const done: Done<T> = (error, value) => {
        sftp.off("close", broken);
        if (error) reject(error);
        else resolve(value as T);
      };
      try {
        act(sftp, done);
      } catch (error) {
        done(error as Error);
      }
    });
  }
  const told = async <T>(what: string, work: Promise<T>): Promise<T> => {
    try {
      return await work;
    } catch (error) {
      throw failureOf(error, what, place);
    }
  };
  const statusOf = (error: unknown): unknown => (error as { code?: unknown }).code;

  async function openFile(path: string, flags: "r" | "w"): Promise<RemoteFile> {
    const handle = await ask<Buffer>((sftp, done) => sftp.open(path, flags, 0o640, done));
    return {
      stat: () =>
        told(
          "looking at a file",
          ask((sftp, done) => sftp.fstat(handle, done)),
        ),
      async read(position, size) {
        const buffer = Buffer.allocUnsafe(size);
        const count = await ask<number>((sftp, done) => sftp.read(handle, buffer, 0, size, position, done)).catch((error: unknown) => {
          if (statusOf(error) === END) return 0;
          throw failureOf(error, "reading a file", place);
        });
        return buffer.subarray(0, count);
      },
      write: (bytes) =>
        told(
          "writing a file",
          ask<void>((sftp, done) => sftp.write(handle, Buffer.from(bytes), 0, bytes.byteLength, 0, done)),
        ),
      sync: () =>
        ask<void>((sftp, done) => sftp.ext_openssh_fsync(handle, done)).catch((error: unknown) => {
          // a server without this extension writes when it likes
          if (!unsupported(error)) throw failureOf(error, "writing a file", place);
        }),
      close: () => ask<void>((sftp, done) => sftp.close(handle, done)).catch(() => undefined),
    };
  }

  return {
    async list(path, most) {
      const handle = await told(
        "opening the folder",
        ask<Buffer>((sftp, done) => sftp.opendir(path, done)),
      );
      const found: FileEntry[] = [];
      try {
        while (found.length < most) {
          const some = await ask<FileEntry[]>((sftp, done) => sftp.readdir(handle, done)).catch((error: unknown) => {
            if (statusOf(error) === END) return [];
            throw failureOf(error, "reading the folder", place);
          });
          if (some.length === 0) break;
          found.push(...some);
        }
      } finally {
        await ask<void>((sftp, done) => sftp.close(handle, done)).catch(() => undefined);
      }
      return found.slice(0, most);
    },
    lookAt: (path) =>
      ask<Stats>((sftp, done) => sftp.lstat(path, done)).catch((error: unknown) => {
        if (statusOf(error) === MISSING) return undefined;
        throw failureOf(error, "looking at a file", place);
      }),
    makeFolder: (path) =>
      told(
        "making a folder",
        ask<void>((sftp, done) => sftp.mkdir(path, done)),
      ),
    open: (path, flags) => told("opening a file", openFile(path, flags)),
    rename: (from, to) =>
      told(
        "moving a file",
        ask<void>((sftp, done) => sftp.rename(from, to, done)),
      ),
    async replace(from, to) {
      try {
        await ask<void>((sftp, done) => sftp.ext_openssh_rename(from, to, done));
      } catch (error) {
        if (!unsupported(error)) throw failureOf(error, "moving a file", place);
        await ask<void>((sftp, done) => sftp.unlink(to, done)).catch(() => undefined);
        await told(
          "moving a file",
          ask<void>((sftp, done) => sftp.rename(from, to, done)),
        );
      }
    },
    remove: (path) =>
      told(
        "removing a file",
        ask<void>((sftp, done) => sftp.unlink(path, done)),
      ),
  };
}

const unsupported = (error: unknown): boolean =>
  (error as { code?: unknown }).code === UNSUPPORTED || (error instanceof Error && /does not support/iu.test(error.message));

function failureOf(error: unknown, what: string, place: string): BusError {
  if (error instanceof BusError) return error;
  const { code } = error as { code?: unknown };
  const cause = { cause: error };
  if (code === MISSING)
    return new BusError("provider-fault", `${place}: ${what}: it is not there`, { providerCode: "no-such-file", ...cause });
  if (code === DENIED)
    return new BusError("provider-fault", `${place}: ${what}: it is not allowed`, { providerCode: "permission-denied", ...cause });
  if (typeof code === "number")
    return new BusError("endpoint-unavailable", `${place}: ${what} failed (status ${code})`, { providerCode: String(code), ...cause });
  return new BusError("endpoint-unreachable", `${place}: ${what}: the connection broke`, cause);
}
