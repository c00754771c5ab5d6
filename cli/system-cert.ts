/** `mbus system cert|add|import|withdraw`: systems, and certificates of the development authority or of a file. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openKeys } from "#adapters/keys/ca.ts";
import { readFiles } from "#compose/files.ts";
import { addSystem, importCertificate } from "#compose/system-files.ts";
import { root } from "#main.ts";
import { CommandFailed, print, type Output } from "./output.ts";

const dataDir = (): string => process.env["MBUS_DATA_DIR"] ?? ".mbus";

/** `replace`: the certificates issued for it before are taken back. */
export async function cert(output: Output, name: string, options: Readonly<{ out: string; replace?: boolean }>): Promise<number> {
  const { documents } = await readFiles([root], process.env);
  const system = documents.systems.get(name);
  if (!system) throw new CommandFailed(`no system \`${name}\` is registered; there are ${[...documents.systems.keys()].join(", ")}`);
  const { files, withdrawn } = await issue(name, system.institution.idno, options.out, options.replace === true);
  const taken = withdrawn.length === 0 ? "" : `; ${withdrawn.length} earlier taken back`;
  print(output, { system: name, files, withdrawn }, `certificate of ${name} written to ${options.out}${taken}`);
  return 0;
}

async function issue(name: string, idno: string, directory: string, replace: boolean) {
  const keys = await openKeys(dataDir());
  const earlier = replace ? (await keys.issued()).filter((one) => one.system === name && !one.withdrawn) : [];
  const pair = await keys.issue(name, idno);
  mkdirSync(directory, { recursive: true });
  const files = { "cert.pem": pair.cert, "key.pem": pair.key, "ca.pem": keys.ca };
  for (const [file, text] of Object.entries(files))
    writeFileSync(join(directory, file), text, { mode: file === "key.pem" ? 0o600 : 0o644 });
  // only once the new one is where it is wanted
  for (const { fingerprint } of earlier) await keys.withdraw(fingerprint);
  return { files: Object.keys(files).map((file) => join(directory, file)), withdrawn: earlier.map(({ fingerprint }) => fingerprint) };
}

export type AddOptions = Readonly<{ idno: string; title: string; institution?: string; certificate?: string; file?: string; out?: string }>;

export async function add(output: Output, name: string, options: AddOptions): Promise<number> {
  const { idno, title, institution, certificate, file = "routes/systems.yaml", out } = options;
  const written = await addSystem({ root, env: process.env }, { id: name, idno, title, institution, certificate, file });
  const directory = out ?? (certificate === undefined ? join(dataDir(), "systems", name.replace("/", "-")) : undefined);
  const issued = directory === undefined ? undefined : await issue(name, idno, directory, false);
  const where = directory === undefined ? "" : `; its development certificate is in ${directory}`;
  print(output, { system: name, ...written, ...(issued && { files: issued.files }) }, `system ${name} written to ${written.file}${where}`);
  return 0;
}

export async function bring(output: Output, name: string, file: string): Promise<number> {
  const written = await importCertificate({ root, env: process.env }, name, file);
  print(
    output,
    { system: name, ...written },
    `certificate of ${name} written to ${written.certificate ?? ""} and named in ${written.file}`,
  );
  return 0;
}

export async function withdraw(output: Output, fingerprint: string): Promise<number> {
  const hex = fingerprint.replaceAll(":", "").toLowerCase();
  if (!/^[0-9a-f]{64}$/.test(hex)) throw new CommandFailed("write the SHA-256 fingerprint of the certificate, 64 hex digits", 2);
  const keys = await openKeys(dataDir());
  if (!(await keys.withdraw(hex)))
    throw new CommandFailed(
      `the development authority issued no certificate ${hex}; it knows ${(await keys.issued()).map((one) => one.fingerprint).join(", ") || "none"}`,
    );
  print(output, { withdrawn: hex }, `certificate ${hex} counts no more`);
  return 0;
}
