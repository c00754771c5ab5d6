/** Certificates that the development authority issued, one small file each, so that the bus knows them and one can be taken back. */
import { createHash, X509Certificate } from "node:crypto";
import { mkdir, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { writeWhole } from "./files.ts";

export type Issued = Readonly<{
  system: string;
  certificate: X509Certificate;
  /** SHA-256 of the certificate, lower-case hex. */
  fingerprint: string;
  /** Replaced by a later one, or taken back. */
  withdrawn: boolean;
}>;

type Noted = Readonly<{ system: string; certificate: string; withdrawn?: string }>;

const fingerprintOf = (pem: string): string => createHash("sha256").update(new X509Certificate(pem).raw).digest("hex");

/** `directory` is the folder of the keys. */
export async function noteIssued(directory: string, system: string, certificate: string): Promise<void> {
  await mkdir(join(directory, "issued"), { recursive: true, mode: 0o700 });
  await write(directory, fingerprintOf(certificate), { system, certificate });
}

/** False when no such certificate was issued. */
export async function withdraw(directory: string, fingerprint: string): Promise<boolean> {
  const noted = await readOne(directory, `${fingerprint}.json`);
  if (noted === undefined) return false;
  await write(directory, fingerprint, { ...noted, withdrawn: noted.withdrawn ?? new Date().toISOString() });
  return true;
}

/** In order of fingerprint. A file that cannot be read stands for nobody; `onFault` is told. */
export async function readIssued(
  directory: string,
  onFault: (error: unknown, file: string) => void = () => {},
): Promise<readonly Issued[]> {
  const names = await readdir(join(directory, "issued")).catch(() => []);
  const found: Issued[] = [];
  for (const name of names.toSorted((a, b) => (a < b ? -1 : 1))) {
    if (!/^[0-9a-f]{64}\.json$/.test(name)) continue;
    try {
      const noted = await readOne(directory, name);
      if (noted === undefined) continue;
      const certificate = new X509Certificate(noted.certificate);
      found.push({ system: noted.system, certificate, fingerprint: name.slice(0, 64), withdrawn: noted.withdrawn !== undefined });
    } catch (error) {
      onFault(error, join(directory, "issued", name));
    }
  }
  return found;
}

async function readOne(directory: string, name: string): Promise<Noted | undefined> {
  try {
    return JSON.parse(await readFile(join(directory, "issued", name), "utf8")) as Noted;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

const write = (directory: string, fingerprint: string, noted: Noted): Promise<void> =>
  writeWhole(join(directory, "issued", `${fingerprint}.json`), `${JSON.stringify(noted)}\n`);
