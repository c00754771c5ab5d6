/** Imports a WSDL into a folder of administrator's files: nothing there is written over unless it is asked for, and the result is linted. */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { importWsdl, type Imported } from "#bus/contract/import/import.ts";
import { BusError } from "#bus/errors.ts";
import type { Finding } from "#bus/route/findings.ts";
import { readFiles } from "./files.ts";
import { readWsdl } from "./wsdl-source.ts";

export type ImportRequest = Readonly<{
  /** File or web address. */
  wsdl: string;
  root: string;
  owner: string;
  system: string;
  consumer?: string;
  operations?: readonly string[];
  service?: string;
  idno?: string;
  institution?: string;
  /** First day of the trial's grants. */
  from: string;
  force: boolean;
}>;

export type ImportedFiles = Readonly<{
  /** Paths below the root. */
  files: readonly string[];
  operations: Imported["operations"];
  notes: Imported["notes"];
  findings: readonly Finding[];
}>;

/** A system id as system/v1 has it. */
const SYSTEM = /^[a-z][a-z0-9-]*\/[a-z][a-z0-9-]*$/u;
const TRIAL = 30 * 86_400_000;
/** Stands where nobody named the institution: 13 digits with a right check digit that no register gives out. */
const NO_IDNO = "0000000000000";

export async function importInto(request: ImportRequest): Promise<ImportedFiles> {
  const { root, system, consumer = system } = request;
  for (const id of [system, consumer])
    if (!SYSTEM.test(id)) throw new BusError("configuration", `\`${id}\` is no system id; write institution/system in lower case`);
  const { documents } = await readFiles([root], process.env);
  if (consumer !== system && !documents.systems.has(consumer))
    throw new BusError("configuration", `the system \`${consumer}\` is not registered in ${root}; register it, or leave --consumer out`);
  const own = `routes/${system}/system.yaml`;
  const registered = documents.systems.get(system);
  const { idno = NO_IDNO, institution = "to be named" } = request;
  const caller = documents.systems.get(consumer);
  const entity = caller === undefined || caller.source.file === own ? idno : caller.institution.idno;
  const imported = await readWsdl(request.wsdl, (source) =>
    importWsdl({
      ...source,
      owner: request.owner,
      system,
      consumer,
      entity,
      ...(request.operations && { operations: request.operations }),
      ...(request.service !== undefined && { service: request.service }),
      valid: { from: request.from, until: new Date(Date.parse(request.from) + TRIAL).toISOString().slice(0, 10) },
      ...((registered === undefined || registered.source.file === own) && { register: { idno, institution } }),
    }),
  );
  await write(root, imported.files, request.force);
  const named = registered !== undefined || request.idno !== undefined;
  const { findings } = await readFiles([root], process.env);
  return {
    files: [...imported.files.keys()],
    operations: imported.operations,
    notes: named ? imported.notes : [...imported.notes, placeholder(own)],
    findings: findings.filter((finding) => imported.files.has(finding.file)),
  };
}

const placeholder = (place: string): Imported["notes"][number] => ({
  kind: "to-do",
  operation: "",
  place: `${place}:5:1`,
  text: "the IDNO is a placeholder: write that of the institution, or import again with --idno and --institution",
});

/** All or none: first what stands there is compared. */
async function write(root: string, files: ReadonlyMap<string, string>, force: boolean): Promise<void> {
  const before = await Promise.all(
    [...files].map(async ([path, text]) => ({ path, text, there: await readFile(join(root, path), "utf8").catch(() => undefined) })),
  );
  const other = before.filter(({ text, there }) => there !== undefined && there !== text);
  if (other.length > 0 && !force) {
    const list = other.map(({ path }) => `  ${path}`).join("\n");
    throw new BusError("configuration", `these files stand there and differ; --force writes over them, and nothing was written:\n${list}`);
  }
  for (const { path, text, there } of before) {
    if (there === text) continue;
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
  }
}
