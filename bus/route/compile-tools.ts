/** What compiling a document needs at hand: files (and which of them were used), maps, contract types, and places for faults. */
import { createHash } from "node:crypto";
import type { CompiledType } from "../contract/avro.ts";
import type { CompiledContract } from "../contract/compile.ts";
import type { RecordShape } from "../contract/shape.ts";
import { asBusError, BusError } from "../errors.ts";
import { resolvePath, type Located, type Path, type Spot } from "./documents.ts";
import type { Files, Finding } from "./findings.ts";
import { checkMap } from "./map-check.ts";
import type { MapFile } from "./map-document.ts";
import { parseMap } from "./map-read.ts";
import { compileMap } from "./map.ts";
import type { Mapper } from "./runtime.ts";

/** A fault that has its finding already. */
export class CompileFault extends Error {
  override readonly name = "CompileFault";
  readonly findings: readonly Finding[];
  constructor(findings: readonly Finding[]) {
    super(findings.map((finding) => finding.text).join("; "));
    this.findings = findings;
  }
}

export type Shapes = Readonly<{ from: RecordShape | undefined; to: RecordShape | undefined }>;

/** The tools of one document. */
export interface Tools {
  readonly findings: Finding[];
  /** Text of a file; remembers that the document depends on it. Throws CompileFault at `path` of the document. */
  file(name: string, path: Path): string;
  /** Text of a file that another file names, if it is there; remembered as well. */
  text(name: string): string | undefined;
  /** A file that the options at `path` name, as a path from the root: relative to the file they stand in, maybe a template's. */
  reference(written: string, path: Path): string;
  /** `file:line` of a node. */
  place(path: Path): string;
  /** Compiles a map between shapes, as far as they are known. Throws CompileFault. */
  map(name: string, path: Path, shapes: Shapes): Mapper;
  /** Runs `work`; what it throws becomes a CompileFault at `path`, or at the place its message begins with. */
  at<T>(path: Path, work: () => T): T;
  /** Throws a CompileFault at `path`. */
  fail(path: Path, rule: string, text: string): never;
  /** Hash of `effective` and of every file used so far. */
  revision(effective: unknown): string;
}

/** Maps already read, over all documents of a set. */
export type MapCache = Map<string, Readonly<{ map: MapFile | undefined; findings: readonly Finding[] }>>;

export function createTools(document: Located, files: Files, maps: MapCache): Tools {
  const used = new Map<string, string>();
  const findings: Finding[] = [];
  const spot = (path: Path): Spot => document.source.place(path);
  const finding = (at: Spot, rule: string, text: string): Finding => ({ ...at, severity: "error", rule, text });

  const tools: Tools = {
    findings,
    file(name, path) {
      const text = files.text(name);
      if (text === undefined) return tools.fail(path, "file-missing", `there is no file \`${name}\``);
      used.set(name, text);
      return text;
    },
    reference: (written, path) => resolvePath(spot(path).file, written),
    text(name) {
      const text = files.text(name);
      if (text !== undefined) used.set(name, text);
      return text;
    },
    place(path) {
      const { file, line } = spot(path);
      return `${file}:${line}`;
    },
    map(name, path, shapes) {
      const text = tools.file(name, path);
      const read = maps.get(name) ?? parseMap(name, text);
      maps.set(name, read);
      const checked = read.map === undefined ? read.findings : checkMap(read.map, shapes.from, shapes.to);
      findings.push(...checked.filter(({ severity }) => severity === "warn"));
      const errors = checked.filter(({ severity }) => severity === "error");
      if (read.map === undefined || errors.length > 0) throw new CompileFault(errors);
      const { map } = read;
      return tools.at(path, () => compileMap(map, shapes.to));
    },
    at(path, work) {
      try {
        return work();
      } catch (error) {
        if (error instanceof CompileFault) throw error;
        throw new CompileFault([faultOf(error, spot(path))]);
      }
    },
    fail(path, rule, text) {
      throw new CompileFault([finding(spot(path), rule, text)]);
    },
    revision: (effective) => revisionOf(effective, used),
  };
  return tools;
}

/** Builders begin their messages with `file:line: `; that place is more exact than the caller's. */
function faultOf(error: unknown, spot: Spot): Finding {
  const known = asBusError(error);
  const [, file, line, rest] = /^([^\s:]+):(\d+): ([\s\S]*)$/.exec(known.message) ?? [];
  const rule = known.code === "unexpected" ? "compile" : known.code;
  if (file === undefined || line === undefined || rest === undefined) return { ...spot, severity: "error", rule, text: known.message };
  const column = file === spot.file && Number(line) === spot.line ? spot.column : 1;
  return { file, line: Number(line), column, severity: "error", rule, text: rest };
}

/** Names that say where a document stands, not what it says: a route that only moved is the same route. */
const PLACES = new Set(["source", "path"]);

function revisionOf(effective: unknown, used: ReadonlyMap<string, string>): string {
  const hash = createHash("sha256");
  hash.update(
    JSON.stringify(effective, (name, value: unknown) =>
      PLACES.has(name) && Array.isArray(value) ? undefined : name === "source" ? undefined : value,
    ) ?? "",
  );
  for (const [name, text] of [...used].sort(([a], [b]) => (a < b ? -1 : 1))) hash.update(`\n${name}\n${text}`);
  return hash.digest("hex").slice(0, 16);
}

/** Contracts by id, and every record type (requests and replies) by its own id. */
export type Contracts = Readonly<{ contracts: ReadonlyMap<string, CompiledContract>; types: ReadonlyMap<string, CompiledType> }>;

export function unknownContract(id: string): BusError {
  return new BusError("contract-unknown", `no sound contract has the id \`${id}\``);
}
