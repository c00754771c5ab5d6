/** Writes systems and their certificates into the administrator's files. What would not lint is not written. */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { BusError } from "#bus/errors.ts";
import { fingerprintOf, readCertificate } from "#bus/identity/certificate.ts";
import type { SystemDoc } from "#bus/route/documents.ts";
import { formatFinding, type Finding } from "#bus/route/findings.ts";
import { readFiles } from "./files.ts";

type Env = Readonly<Record<string, string | undefined>>;
export type Place = Readonly<{ root: string; env: Env }>;
export type NewSystem = Readonly<{
  id: string;
  idno: string;
  title: string;
  /** Name of the institution; undefined = as another system of the same IDNO says. */
  institution: string | undefined;
  /** File of its certificate, PEM or DER. */
  certificate: string | undefined;
  /** File that it is written into, from the root. */
  file: string;
}>;

/** Files that were written, from the root. */
export type Written = Readonly<{ file: string; certificate?: string }>;

const refuse = (text: string): BusError => new BusError("configuration", text);

/** Adds a `bus: system/v1` document at the end of a file. Throws `configuration`. */
export async function addSystem(at: Place, wanted: NewSystem): Promise<Written> {
  const { documents, findings } = await readFiles([at.root], at.env);
  if (documents.systems.has(wanted.id))
    throw refuse(`system \`${wanted.id}\` is registered already; \`mbus system import\` adds a certificate to it`);
  if (!/^routes\/.+\.ya?ml$/.test(wanted.file) || wanted.file.includes(".."))
    throw refuse(`${wanted.file}: name a YAML file below routes/`);
  const institution =
    wanted.institution ?? [...documents.systems.values()].find((one) => one.institution.idno === wanted.idno)?.institution.name;
  if (institution === undefined) throw refuse("no system of this institution is registered yet; say its name with --institution");
  const certificate = wanted.certificate === undefined ? undefined : certificateFile(wanted.id, wanted.file, wanted.certificate);
  const path = join(at.root, wanted.file);
  const before = existsSync(path) ? readFileSync(path, "utf8") : undefined;
  const quoted = (text: string): string => JSON.stringify(text);
  const lines = [
    "bus: system/v1",
    `id: ${quoted(wanted.id)}`,
    `title: ${quoted(wanted.title)}`,
    `institution: { idno: ${quoted(wanted.idno)}, name: ${quoted(institution)} }`,
    ...(certificate === undefined ? [] : [`certificates: [${quoted(certificate.reference)}]`]),
  ];
  const text = before === undefined || before.trim() === "" ? "" : `${before.trimEnd()}\n---\n`;
  await write(at, findings, [{ path: wanted.file, text: `${text}${lines.join("\n")}\n` }, ...(certificate ? [certificate] : [])]);
  return { file: wanted.file, ...(certificate && { certificate: certificate.path }) };
}

/** Adds a certificate to a system that is registered. Throws `configuration`. */
export async function importCertificate(at: Place, id: string, source: string): Promise<Written> {
  const { documents, findings } = await readFiles([at.root], at.env);
  const system = documents.systems.get(id);
  if (system === undefined) throw refuse(`no system \`${id}\` is registered; there are ${[...documents.systems.keys()].join(", ")}`);
  const { file } = system.source;
  const certificate = certificateFile(id, file, source);
  const text = withCertificate(readFileSync(join(at.root, file), "utf8"), system, certificate.reference);
  await write(at, findings, [{ path: file, text }, certificate]);
  return { file, certificate: certificate.path };
}

type NewFile = Readonly<{ path: string; text: string }>;

/** Beside the file that names it, as PEM, under a name that two certificates never share. */
function certificateFile(id: string, file: string, source: string): NewFile & Readonly<{ reference: string }> {
  let content: Buffer;
  try {
    content = readFileSync(source);
  } catch (error) {
    throw new BusError("configuration", `${source} cannot be read; name the file of a certificate`, { cause: error });
  }
  const read = readCertificate(content.includes("-----BEGIN") ? content.toString("latin1") : content);
  if ("fault" in read) throw refuse(`${source}: ${read.fault}`);
  const name = `keys/${id.replace("/", "-")}-${fingerprintOf(read.certificate).slice(0, 12)}.pem`;
  return { path: `${dirname(file)}/${name}`, reference: `./${name}`, text: read.certificate.toString() };
}

/** A list in brackets takes one more; where there is none, a line is added below the id. Nothing else of the file changes. */
function withCertificate(text: string, system: SystemDoc, reference: string): string {
  const lines = text.split("\n");
  const entry = JSON.stringify(reference);
  if (system.certificates.length === 0 && !lines[system.source.place(["certificates"]).line - 1]?.startsWith("certificates:")) {
    lines.splice(system.source.place(["id"]).line, 0, `certificates: [${entry}]`);
    return lines.join("\n");
  }
  const at = system.source.place(["certificates"]).line - 1;
  const changed =
    lines[at]?.startsWith("certificates:") === false
      ? undefined
      : lines[at]?.replace(/\[(.*)\]/, (_, inner: string) => `[${inner.trim() === "" ? "" : `${inner.trim()}, `}${entry}]`);
  if (changed === undefined || changed === lines[at])
    throw refuse(`add it to the list yourself: \`- ${reference}\` under \`certificates:\` of ${system.source.file}:${at + 1}`);
  lines[at] = changed;
  return lines.join("\n");
}

/** All files or none: where they make a new error, everything is as before. */
async function write(at: Place, known: readonly Finding[], files: readonly NewFile[]): Promise<void> {
  const before = files.map(({ path }) => ({
    path: join(at.root, path),
    text: existsSync(join(at.root, path)) ? readFileSync(join(at.root, path), "utf8") : undefined,
  }));
  for (const { path, text } of files) {
    mkdirSync(dirname(join(at.root, path)), { recursive: true });
    writeFileSync(join(at.root, path), text);
  }
  const errors = (findings: readonly Finding[]) => findings.filter(({ severity }) => severity === "error");
  const old = new Set(errors(known).map(({ rule, text }) => `${rule} ${text}`));
  const after = errors((await readFiles([at.root], at.env)).findings).filter(({ rule, text }) => !old.has(`${rule} ${text}`));
  if (after.length === 0) return;
  for (const { path, text } of before) {
    if (text === undefined) rmSync(path);
    else writeFileSync(path, text);
  }
  throw refuse(`nothing was written, for it would be wrong: ${after.map(formatFinding).join("; ")}`);
}
