/** Files of authorities: their certificates, read once at the start, and their revocation lists, read again when they change. */
import { X509Certificate } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { BusError } from "#bus/errors.ts";
import { readCrl, type Crl } from "#bus/identity/crl.ts";

/** Bytes of one file (a state's revocation list can be long), and files of one folder. */
const MOST_BYTES = 64 * 1024 * 1024;
const MOST_FILES = 1000;

/** A file, or the files of a folder (without what begins with a dot), sorted. */
function pathsOf(path: string): readonly string[] {
  if (!statSync(path).isDirectory()) return [path];
  const names = readdirSync(path).filter((name) => !name.startsWith("."));
  if (names.length > MOST_FILES) throw new Error(`the folder has more than ${MOST_FILES} files`);
  return names.toSorted().flatMap((name) => (statSync(join(path, name)).isFile() ? [join(path, name)] : []));
}

function read(path: string): Buffer {
  if (statSync(path).size > MOST_BYTES) throw new Error(`the file has more than ${MOST_BYTES} bytes`);
  return readFileSync(path);
}

const PEM = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/g;

/** Authorities of a file or folder, PEM (also many in one file) or DER. Throws `configuration` naming the file. */
export function readAuthorities(path: string | undefined, setting: string): readonly X509Certificate[] {
  if (path === undefined) return [];
  const fault = (file: string, why: string, cause?: unknown): BusError =>
    new BusError("configuration", `${setting}: ${file}: ${why}`, { cause });
  let paths: readonly string[];
  try {
    paths = pathsOf(path);
  } catch (error) {
    throw fault(path, "it cannot be read; name a file or folder of certificates", error);
  }
  const all = paths.flatMap((file) => {
    try {
      const content = read(file);
      const pems: readonly (string | Buffer)[] = content.toString("latin1").match(PEM) ?? [content];
      return pems.map((one) => ({ file, certificate: new X509Certificate(one) }));
    } catch (error) {
      throw fault(file, "it is no X.509 certificate, PEM or DER", error);
    }
  });
  const other = all.find(({ certificate }) => !certificate.ca);
  if (other)
    throw fault(other.file, `\`${other.certificate.subject.replaceAll("\n", ", ")}\` is the certificate of no authority (CA:TRUE)`);
  if (all.length === 0) throw fault(path, "there is no certificate in it");
  return all.map(({ certificate }) => certificate);
}

export interface CrlFiles {
  /** The same array as long as nothing changed. */
  lists(): readonly Crl[];
  /** Looks for changes. A list that cannot be read leaves the one before it in force, until that one ends. */
  look(): void;
}

export function openCrlFiles(path: string | undefined, onFault: (file: string, why: string) => void): CrlFiles {
  let known = new Map<string, Readonly<{ stamp: string; crl: Crl | undefined }>>();
  let lists: readonly Crl[] = [];
  const look = (): void => {
    if (path === undefined) return;
    const next = new Map<string, Readonly<{ stamp: string; crl: Crl | undefined }>>();
    let changed = false;
    try {
      for (const file of pathsOf(path)) {
        const { size, mtimeMs, ino } = statSync(file);
        const stamp = `${size} ${mtimeMs} ${ino}`;
        const before = known.get(file);
        if (before?.stamp === stamp) {
          next.set(file, before);
          continue;
        }
        const now = readCrl(read(file));
        if ("fault" in now) onFault(file, now.fault);
        next.set(file, { stamp, crl: "crl" in now ? now.crl : before?.crl });
        changed = true;
      }
    } catch (error) {
      return onFault(path, error instanceof Error ? error.message : String(error));
    }
    if (!changed && next.size === known.size) return;
    known = next;
    lists = [...known.values()].flatMap(({ crl }) => crl ?? []);
  };
  look();
  return { lists: () => lists, look };
}
