/** Files that come in: a splitter that gives one record after the other, in the contract's shape or in the file's own. */
import { csvSplitter } from "../contract/csv.ts";
import { parseShape } from "../contract/parse.ts";
import { compileXmlCodec } from "../contract/xml/codec.ts";
import { xsdToAvro } from "../contract/xml/derive.ts";
import { locate } from "../contract/xml/locate.ts";
import { joinPath, loadSchemas } from "../contract/xml/schema.ts";
import { xmlSplitter } from "../contract/xml/split.ts";
import type { SourceWire, Wire } from "./compile-wire-types.ts";

type Options = Readonly<{
  format?: "xml" | "csv";
  record?: Readonly<{ xpath?: string; namespaces?: Readonly<Record<string, string>>; xsd?: string; separator?: string; header?: boolean }>;
  maxRecord?: string;
}>;

export function fileWire(wire: SourceWire): Wire {
  const { adapter } = wire.document;
  const options = adapter.options as Options;
  return options.format === "csv" ? csvWire(wire, options) : xmlWire(wire, options);
}

/** Records by their path; the XSD types them. A map stands between their shape and the contract's, or they have the contract's. */
function xmlWire(wire: SourceWire, options: Options): Wire {
  const { document, contract, folded, tools } = wire;
  const { adapter } = document;
  const path = options.record?.xpath ?? folded.split?.by.text;
  const file = options.record?.xsd ?? folded.xsd;
  if (path === undefined)
    return tools.fail(adapter.path, "record-missing", "add `record: { xpath: … }`: where the records stand in the file");
  if (file === undefined) return tools.fail(adapter.path, "xsd-missing", "add `record: { xsd: … }`: what each record is checked against");
  const xsd = tools.reference(file, [...adapter.path, "record", "xsd"]);
  const text = tools.file(xsd, adapter.path);
  const { splitter, avro } = tools.at(adapter.path, () => {
    const all = loadSchemas([{ file: xsd, text }], { resolve: (location, base) => tools.text(joinPath(base, location)) });
    const namespaces = options.record?.namespaces ?? folded.split?.by.namespaces ?? {};
    const { schemas, element } = locate(all, path, namespaces);
    const record = wire.mapped ? xsdToAvro(schemas, element) : contract.request.schema;
    const codec = compileXmlCodec({ schemas, element, avro: record });
    return { avro: record, splitter: xmlSplitter({ path, namespaces, codec, ...limitOf(options.maxRecord) }) };
  });
  const shape = wire.mapped ? parseShape(avro) : undefined;
  return {
    binding: { kind: adapter.name, options: adapter.options, splitter },
    request: shape?.kind === "record" ? shape : undefined,
    reply: undefined,
  };
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
  return { binding: { kind: document.adapter.name, options: document.adapter.options, splitter }, request: undefined, reply: undefined };
}

const UNITS: Readonly<Record<string, number>> = { B: 1, KiB: 1024, MiB: 1024 * 1024 };

/** `256KiB` in bytes. The schema checked its form. */
function limitOf(written: string | undefined): { maxRecord?: number } {
  const [, count, unit] = /^([0-9]+)(B|KiB|MiB)$/.exec(written ?? "") ?? [];
  return count === undefined || unit === undefined ? {} : { maxRecord: Number(count) * (UNITS[unit] ?? 1) };
}
