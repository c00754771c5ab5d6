/** Files that come in: a splitter that gives one record after the other, in the contract's shape or in the file's own. */
import { csvSplitter } from "../contract/csv.ts";
import type { SourceWire, Wire } from "./compile-wire-types.ts";

type Options = Readonly<{
  format?: "xml" | "csv";
  record?: Readonly<{ xpath?: string; namespaces?: Readonly<Record<string, string>>; xsd?: string; separator?: string; header?: boolean }>;
  maxRecord?: string;
}>;

export function fileWire(wire: SourceWire): Wire {
  const { adapter } = wire.document;
  const options = adapter.options as Options;
  return options.format === "csv" ? csvWire(wire, options) : wire.tools.fail(adapter.path, "file-format", "write `format: csv`");
}

/** Columns are the contract's fields: by the names of the header, or in the schema's order where the file has none. */
function csvWire(wire: SourceWire, options: Options): Wire {
  const { document, contract, tools } = wire;
  if (wire.mapped)
    return tools.fail(document.adapter.path, "map-unneeded", "a CSV file is read by the contract's field names; leave the map out");
  const { separator, header } = options.record ?? {};
  const splitter = csvSplitter(contract.request, {
    header: header === false ? contract.request.shape.fields.map((field) => field.name) : true,
    ...(separator === undefined ? {} : { separator }),
    ...limitOf(options.maxRecord),
  });
  return { binding: { kind: "file", options: document.adapter.options, splitter }, request: undefined, reply: undefined };
}

const UNITS: Readonly<Record<string, number>> = { B: 1, KiB: 1024, MiB: 1024 * 1024 };

/** `256KiB` in bytes. The schema checked its form. */
function limitOf(written: string | undefined): { maxRecord?: number } {
  const [, count, unit] = /^([0-9]+)(B|KiB|MiB)$/.exec(written ?? "") ?? [];
  return count === undefined || unit === undefined ? {} : { maxRecord: Number(count) * (UNITS[unit] ?? 1) };
}
