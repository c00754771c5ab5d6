/** What a route file may say of a drop folder, wherever the folder is. */
import type { OptionsSchema } from "../../wire.ts";

const duration = (description: string) => ({ type: "string", pattern: "^[0-9]+(ms|s|m|h|d)$", description });

const move = (description: string) => ({
  type: "object",
  additionalProperties: false,
  required: ["move"],
  properties: { move: { type: "string", description: "Directory the file is moved to; it must be on the same disk of that machine." } },
  description,
});

const record = {
  type: "object",
  additionalProperties: false,
  description: "How one record is found in the file.",
  properties: {
    xpath: {
      type: "string",
      pattern: "^/",
      description: "XML only: path of the record's element from the root, for example /v:Vehicles/v:Vehicle.",
    },
    namespaces: {
      type: "object",
      additionalProperties: { type: "string" },
      description: "XML only: prefixes of `xpath`, for example { v: urn:transport:vehicles:2 }.",
    },
    xsd: { type: "string", description: "XML only: XSD file that each record is checked against, relative to this file." },
    separator: { type: "string", minLength: 1, maxLength: 1, description: "CSV only: character between columns; default a comma." },
    header: { type: "boolean", description: "CSV only: the first line names the columns; default true." },
    encoding: { enum: ["utf-8"], description: "Encoding of the file; only UTF-8 is taken." },
  },
};

export const dropOptions: OptionsSchema["properties"] = {
  match: {
    type: "string",
    pattern: "^[^/\\\\]+$",
    description: "File names to take; * stands for any characters and ? for one, for example vehicles-*.xml.gz.",
  },
  format: { enum: ["xml", "csv"], description: "Format of the files." },
  record,
  unpack: { enum: ["gzip", "none"], description: "`gzip` unpacks; default: gzip where the name ends in .gz, else none." },
  stableFor: duration("How long size and time of change must stay the same before a file counts as finished; default 5s."),
  order: { enum: ["name", "mtime"], description: "Which file goes first; default name." },
  every: duration("How often to look. Without it, only the route's schedule looks."),
  // oxlint-disable-next-line unicorn/no-thenable -- the route file's own word
  then: move("What happens to a file whose records were all taken. Default: done beside the folder's files."),
  onFailure: move("What happens to a file that could not be read, or that had too many bad records. Default: failed."),
  stopAfter: { type: "integer", minimum: 1, description: "Bad records after which the file is given up as a whole; default 100." },
  maxRecord: { type: "string", pattern: "^[0-9]+(B|KiB|MiB)$", description: "Size limit of one record; default 1MiB." },
};
