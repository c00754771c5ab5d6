/** Reads an administrator's files from disk: `routes/**`, `contracts/**` and `config/*.yaml` below each root, within fixed bounds. */
import { readdir, readFile, realpath, stat } from "node:fs/promises";
import { join, sep } from "node:path";
import type { Files, Finding } from "#bus/route/findings.ts";
import { readVars } from "./environment.ts";

export type Loaded = Readonly<{
  files: Files;
  /** Values of `${var:…}`: the chosen stage's, overridden by MBUS_VAR_<NAME>. */
  environment: Readonly<Record<string, string>>;
  /** What could not be read. Faults inside the files are lint's to find. */
  findings: readonly Finding[];
}>;

export type LoadOptions = Readonly<{ roots: readonly string[]; env: Readonly<Record<string, string | undefined>> }>;

export const LIMITS = { fileBytes: 10 * 1024 * 1024, totalBytes: 128 * 1024 * 1024, files: 50_000, depth: 16 } as const;

/** Whole folders, and in `config` only its YAML files: programs stand there too. */
const FOLDERS: readonly Readonly<{ name: string; deep: boolean; takes: (name: string) => boolean }>[] = [
  { name: "routes", deep: true, takes: () => true },
  { name: "contracts", deep: true, takes: () => true },
  { name: "config", deep: false, takes: (name) => /\.ya?ml$/.test(name) },
];

/** Files whose bytes are kept where they are no text: certificates in DER. */
const CERTIFICATE = /\.(cer|crt|der|pem)$/i;

type State = {
  readonly root: string;
  readonly real: string;
  readonly texts: Map<string, string | undefined>;
  readonly bytes: Map<string, Uint8Array>;
  readonly findings: Finding[];
  readonly size: { bytes: number };
};

/** Never throws for what an administrator wrote; each fault is a finding. A file that is no UTF-8 text is listed without text. */
export async function loadFiles({ roots, env }: LoadOptions): Promise<Loaded> {
  const texts = new Map<string, string | undefined>();
  const bytes = new Map<string, Uint8Array>();
  const findings: Finding[] = [];
  const size = { bytes: 0 };
  for (const root of roots) {
    const real = await realpath(root).catch(() => undefined);
    if (real === undefined)
      findings.push(fault(root, "root-missing", "there is no such folder; name a folder that holds routes/, contracts/ and config/"));
    else for (const folder of FOLDERS) await readFolder({ root, real, texts, bytes, findings, size }, folder.name, folder, 0);
  }
  const files: Files = { paths: [...texts.keys()].toSorted(), text: (path) => texts.get(path), bytes: (path) => bytes.get(path) };
  const { vars, findings: more } = readVars(files, env);
  return { files, environment: vars, findings: [...findings, ...more] };
}

type Folder = Readonly<{ deep: boolean; takes: (name: string) => boolean }>;

async function readFolder(state: State, below: string, folder: Folder, depth: number): Promise<void> {
  if (depth > LIMITS.depth)
    return void state.findings.push(
      fault(below, "too-deep", `folders are nested deeper than ${LIMITS.depth} levels; is there a link in a ring?`),
    );
  const entries = await readdir(join(state.root, below), { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT")
      state.findings.push(fault(below, "unreadable", `cannot be read (${error.code ?? error.message}); check its permissions`));
    return [];
  });
  for (const entry of entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    if (entry.name.startsWith(".") || entry.name === "node_modules") continue;
    const path = `${below}/${entry.name}`;
    const real = entry.isSymbolicLink() ? await insideOf(state, path) : join(state.root, path);
    if (real === undefined) continue;
    const isFolder = entry.isSymbolicLink() ? (await stat(real)).isDirectory() : entry.isDirectory();
    if (isFolder && folder.deep) await readFolder(state, path, folder, depth + 1);
    else if (!isFolder && folder.takes(entry.name)) await readOne(state, path, real);
  }
}

/** Where a link leads, if that is below the root. */
async function insideOf(state: State, path: string): Promise<string | undefined> {
  const real = await realpath(join(state.root, path)).catch(() => undefined);
  if (real !== undefined && real.startsWith(state.real + sep)) return real;
  const where = real === undefined ? "leads nowhere" : "leads out of the folder of the files";
  state.findings.push(fault(path, "link-outside", `this link ${where}; copy the file here instead`));
  return undefined;
}

async function readOne(state: State, path: string, real: string): Promise<void> {
  const { texts, findings, size } = state;
  const told = (rule: string, text: string) => void findings.push(fault(path, rule, text));
  if (texts.has(path)) return told("file-twice", "this path stands below two of the given roots; keep one of the files");
  if (texts.size >= LIMITS.files) return told("too-many-files", `there are more than ${LIMITS.files} files; this one is not read`);
  try {
    const facts = await stat(real);
    if (!facts.isFile()) return told("no-file", "this is neither a file nor a folder; take it away");
    if (facts.size > LIMITS.fileBytes)
      return told("file-too-large", `the file has more than ${LIMITS.fileBytes / 1024 / 1024} MiB; split it`);
    size.bytes += facts.size;
    if (size.bytes > LIMITS.totalBytes)
      return told("file-too-large", `all files together have more than ${LIMITS.totalBytes / 1024 / 1024} MiB; this one is not read`);
    const content = await readFile(real);
    const text = utf8(content);
    if (text === undefined && /\.(ya?ml|avsc|json)$/.test(path)) return told("not-utf8", "the file is not UTF-8 text; save it as UTF-8");
    texts.set(path, text);
    if (text === undefined && CERTIFICATE.test(path)) state.bytes.set(path, content);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    told("unreadable", `cannot be read (${code ?? message}); check its permissions`);
  }
}

function utf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

function fault(file: string, rule: string, text: string): Finding {
  return { file, line: 1, column: 1, severity: "error", rule, text };
}
