/** A folder on an SFTP server as a place of files. Names come from that server: none may lead out of the folder. */
import { posix } from "node:path";
import { errorLine, type ErrorLog, type Folder, type Found } from "#bus/edge/drop/folder.ts";
import { faultOfName } from "#bus/edge/drop/look.ts";
import { BusError } from "#bus/errors.ts";
import type { SftpLink } from "./link.ts";
import type { Remote, RemoteFile } from "./remote.ts";

export type RemotePlaces = Readonly<{ directory: string; done: string; failed: string }>;

/** Entries of one look, names of one move, bytes of one read and of one list of bad records. */
const MOST_ENTRIES = 10_000;
const MOST_NAMES = 1_000;
const CHUNK = 256 * 1024;
const MOST_ERRORS = 4 * 1024 * 1024;

/** What a mode says of an entry (stat.h). */
const KIND = 0o170000;
const DIRECTORY = 0o040000;
const REGULAR = 0o100000;

export function remoteFolder(link: SftpLink, remote: Remote, places: RemotePlaces, name: string): Folder {
  const inside = (path: string): string =>
    posix.normalize(path.startsWith("/") ? path : `${places.directory}/${path}`).replace(/(?<=.)\/$/u, "");
  const aside = { done: inside(places.done), failed: inside(places.failed) };
  const pathOf = (file: Found): string => `${places.directory}/${file.name}`;
  let prepared = false;
  return {
    name,
    async prepare() {
      const own = inside(".");
      if (aside.done === own || aside.failed === own)
        throw new BusError("configuration", `files of ${name} must be moved to another folder, or they would be read for ever`);
    },
    async look(wanted) {
      if (!prepared)
        for (const path of [aside.done, aside.failed]) if ((await remote.lookAt(path)) === undefined) await remote.makeFolder(path);
      prepared = true;
      const files: Found[] = [];
      const refused: { name: string; why: string }[] = [];
      for (const { filename, attrs } of await remote.list(places.directory, MOST_ENTRIES)) {
        const kind = attrs.mode & KIND;
        if (!wanted(filename) || kind === DIRECTORY) continue;
        const fault = kind === REGULAR ? faultOf(filename) : "is no regular file";
        if (fault === undefined) files.push({ name: filename, size: attrs.size, mtimeMs: attrs.mtime * 1000 });
        else refused.push({ name: filename, why: fault });
      }
      return { files, refused };
    },
    async open(file) {
      const opened = await remote.open(pathOf(file), "r");
      const unchanged = async (): Promise<boolean> => isStill(file, await opened.stat());
      if (await unchanged()) return { chunks: () => chunksOf(opened, file.size), unchanged, close: () => opened.close() };
      await opened.close();
      throw new BusError("not-found", `${file.name} changed before it was read`);
    },
    async move(file, to) {
      for (let number = 0; number < MOST_NAMES; number++) {
        const target = `${aside[to]}/${file.name}${number === 0 ? "" : `.${number}`}`;
        if ((await remote.lookAt(target)) === undefined) return remote.rename(pathOf(file), target);
      }
      throw new BusError("endpoint-unavailable", `${aside[to]} holds ${MOST_NAMES} files of this name; clear it`);
    },
    errors: (file) => remoteErrors(remote, `${aside.failed}/${file.name}.errors.jsonl`),
    rest() {
      link.drop();
      return Promise.resolve();
    },
  };
}

function faultOf(name: string): string | undefined {
  if (/[/\0]/u.test(name)) return "has a name that is a path; the server should not give it";
  return name.includes("\ufffd") ? "has a name that is not UTF-8; rename it" : faultOfName(name);
}

const isStill = (file: Found, facts: { isFile(): boolean; size: number; mtime: number }): boolean =>
  facts.isFile() && facts.size === file.size && facts.mtime * 1000 === file.mtimeMs;

/** What is written behind the end that was found belongs to the next run. */
async function* chunksOf(file: RemoteFile, size: number): AsyncGenerator<Uint8Array> {
  for (let position = 0; position < size;) {
    const bytes = await file.read(position, Math.min(CHUNK, size - position));
    if (bytes.byteLength === 0) return;
    position += bytes.byteLength;
    yield bytes;
  }
}

/** Kept here and written at the end, so that a good file leaves none; a repeated run writes it anew. */
function remoteErrors(remote: Remote, path: string): ErrorLog {
  let text = "";
  return {
    add(error, at) {
      if (text.length < MOST_ERRORS) text += errorLine(error, at);
      return Promise.resolve();
    },
    async close() {
      if (text === "") return;
      const file = await remote.open(path, "w");
      try {
        await file.write(Buffer.from(text));
        await file.sync();
      } finally {
        await file.close();
      }
    },
  };
}
