/**
 * An institution's WSDL becomes files of an administrator: its description in one document, Avro schemas, contracts, a route and a
 * grant for each operation, and a test that passes. Pure and reproducible: the same input gives the same bytes.
 */
import { BusError } from "../../errors.ts";
import { serviceOf } from "../xml/soap.ts";
import type { OperationSchemas } from "../xml/soap.ts";
import type { XNode } from "../xml/tree.ts";
import { loadWsdl } from "../xml/wsdl.ts";
import type { Wsdl } from "../xml/wsdl.ts";
import { compileWsdl } from "../xml/wsdl-write.ts";
import { contractNames, kebab, routeId } from "./names.ts";
import type { ImportOptions, Layout } from "./options.ts";
import { importOperation } from "./operation.ts";
import type { ImportedOperation } from "./operation.ts";
import { indented } from "./indent.ts";
import { writeContracts, writeGrants, writeRoute, writeSystem, writeTest } from "./write.ts";

/** `left-out`: an operation is not there. `weaker`: Avro says less than the XSD. `to-do`: somebody must decide. */
export type ImportNote = Readonly<{ kind: "left-out" | "weaker" | "to-do"; place: string; operation: string; text: string }>;

export type Imported = Readonly<{
  /** Path below the root of the files → text. */
  files: ReadonlyMap<string, string>;
  operations: readonly Readonly<{ operation: string; contract: string; route: string; pattern: "query" | "command" }>[];
  notes: readonly ImportNote[];
}>;

/** Throws `configuration` where nothing can be imported: each fault with file, line and what to do. */
export function importWsdl(options: ImportOptions): Imported {
  const notes: ImportNote[] = [];
  const leave = (operation: string, error: BusError): void => void notes.push(leftOut(operation, error));
  const loaded = loadWsdl({ ...options, refuse: leave });
  const wanted = options.operations;
  const missing = wanted?.find(
    (name) => !loaded.operations.some((one) => one.name === name) && !notes.some((one) => one.operation === name),
  );
  if (missing !== undefined)
    throw new BusError(
      "configuration",
      `${options.wsdl}: no operation ${missing}; it has ${loaded.operations.map(({ name }) => name).join(", ")}`,
    );
  const kept = importOperations(loaded, options, notes, leave);
  const first = kept[0];
  if (first === undefined) {
    const reasons = notes.map((note) => `  ${note.operation}: ${note.place} ${note.text}`).join("\n");
    throw new BusError("configuration", `no operation of ${options.wsdl} can be imported:\n${reasons}`);
  }
  const wsdl: Wsdl = { ...loaded, operations: kept.map(({ operation }) => operation) };
  const files = write(wsdl, kept, options);
  return {
    files: new Map([...files].toSorted(([a], [b]) => (a < b ? -1 : 1))),
    operations: kept.map(({ operation, request, reply }) => ({
      operation: operation.name,
      contract: request.id,
      route: routeId(options.system, operation.name),
      pattern: reply === undefined ? ("command" as const) : ("query" as const),
    })),
    notes,
  };
}

function leftOut(operation: string, error: BusError): ImportNote {
  const place = error.places[0];
  const where = place?.path === undefined ? "" : `${place.path}:${place.line ?? 1}:${place.column ?? 1}`;
  const text = error.message.startsWith(where) ? error.message.slice(where.length).trim() : error.message;
  return { kind: "left-out", operation, place: where, text };
}

function importOperations(
  wsdl: Wsdl,
  options: ImportOptions,
  notes: ImportNote[],
  leave: (operation: string, error: BusError) => void,
): readonly ImportedOperation[] {
  const taken = new Map<string, string>();
  return wsdl.operations.flatMap((operation) => {
    const { name } = operation;
    if (options.operations !== undefined && !options.operations.includes(name)) return [];
    const other = taken.get(kebab(name));
    const weaker: ImportNote[] = [];
    const tell = (node: XNode, text: string): void => {
      const place = `${node.file}:${node.line}:${node.column}`;
      if (!weaker.some((note) => note.place === place)) weaker.push({ kind: "weaker", operation: name, place, text });
    };
    try {
      if (other !== undefined)
        throw new BusError("configuration", `its contract would be named as that of ${other}; rename one of the two`);
      const imported = importOperation(wsdl, operation, contractNames(options.system, name), tell);
      taken.set(kebab(name), name);
      notes.push(...weaker, ...toDo(wsdl, imported));
      return [imported];
    } catch (error) {
      if (!(error instanceof BusError)) throw error;
      leave(name, error);
      return [];
    }
  });
}

/** What nobody but a person can say. */
function toDo(wsdl: Wsdl, { operation, request, reply }: ImportedOperation): readonly ImportNote[] {
  const { name } = operation;
  const details = wsdl.details?.get(name);
  const place = details === undefined ? "" : `${details.at.file}:${details.at.line}:${details.at.column}`;
  const note = (text: string): ImportNote => ({ kind: "to-do", operation: name, place, text });
  const headers = details?.headers ?? [];
  const untested = request.sample === undefined || (reply !== undefined && reply.sample === undefined);
  return [
    ...(headers.length === 0
      ? []
      : [note(`the WSDL declares the header blocks ${headers.join(", ")}; the bus sends its own call context instead`)]),
    ...(untested ? [note("no sample message was found for its types, so it has no test; write one")] : []),
  ];
}

function write(wsdl: Wsdl, kept: readonly ImportedOperation[], options: ImportOptions): Map<string, string> {
  const [institution = "", ...rest] = options.system.split("/").map(kebab);
  const system = rest.join("-");
  const layout: Layout = {
    contracts: `contracts/${institution}/${system}`,
    routes: `routes/${institution}/${system}`,
    wsdl: `contracts/${institution}/${system}/${system}.wsdl`,
  };
  const port = wsdl.ports?.find(({ version }) => version === "1.1") ?? wsdl.ports?.[0];
  const url = URL.canParse(port?.address ?? "") ? new URL(port?.address ?? "") : undefined;
  const text = indented(compileWsdl(wsdl)(url?.href ?? "http://service.example/"));
  const schemas = new Map<string, OperationSchemas>(
    kept.map(({ operation, request, reply }) => [
      operation.name,
      { request: request.schema, ...(reply === undefined ? {} : { reply: reply.schema }) },
    ]),
  );
  // What is written must be what was read: the one document compiles again, with these schemas.
  const again = loadWsdl({ wsdl: layout.wsdl, resolve: (location) => (location === layout.wsdl ? text : undefined) });
  const service = serviceOf(again, schemas);
  const target = { path: url === undefined ? "/" : url.pathname + url.search, version: port?.version ?? "1.1" } as const;
  const files = new Map<string, string>([[layout.wsdl, text]]);
  for (const imported of kept) {
    const { request, reply, operation } = imported;
    files.set(`${layout.contracts}/${request.id}.avsc`, `${JSON.stringify(request.schema, undefined, 2)}\n`);
    if (reply !== undefined) files.set(`${layout.contracts}/${reply.id}.avsc`, `${JSON.stringify(reply.schema, undefined, 2)}\n`);
    const name = kebab(operation.name);
    const test = writeTest(imported, options);
    files.set(`${layout.routes}/${name}.yaml`, writeRoute(imported, options, layout, target, test !== undefined));
    if (test !== undefined) files.set(`${layout.routes}/tests/${name}.test.yaml`, test);
    if (test !== undefined && reply?.sample !== undefined) {
      const envelope = Buffer.from(service.writeReply(target.version, operation.name, reply.sample)).toString();
      files.set(`${layout.routes}/tests/mock/${name}.xml`, indented(envelope));
    }
  }
  files.set(`${layout.routes}/contracts.yaml`, writeContracts(kept, options, layout));
  files.set(`${layout.routes}/grants.yaml`, writeGrants(kept, options));
  if (options.register !== undefined) files.set(`${layout.routes}/system.yaml`, writeSystem(options, options.register, url?.origin));
  return files;
}
