/** Options of the `file` adapter as a route file writes them: `file: { directory: …, match: "*.xml" }`. */
import { dropOptions } from "#bus/edge/drop/options.ts";
import type { AdapterSpec, OptionsSchema } from "#bus/wire.ts";

const inlet: OptionsSchema = {
  type: "object",
  description: "A drop folder: every record of every finished file becomes one message.",
  additionalProperties: false,
  required: ["directory", "match", "format"],
  properties: {
    directory: { type: "string", description: "Folder that is watched, relative to the data directory unless absolute." },
    ...dropOptions,
  },
};

const outlet: OptionsSchema = {
  type: "object",
  description: "A folder that receives one JSON file per message, named by the message's id.",
  additionalProperties: false,
  required: ["directory"],
  properties: {
    directory: { type: "string", description: "Folder to write to, relative to the data directory unless absolute." },
    suffix: { type: "string", pattern: "^\\.[a-z0-9.]{1,16}$", description: "End of the file's name; default .json." },
  },
};

export const file: AdapterSpec = { name: "file", title: "Files in a drop folder", inlet, outlet, format: "xml-or-csv" };
