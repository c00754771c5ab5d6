/** Options of the `sftp` adapter as a route file writes them: `sftp: { server: …, user: …, key: …, hostKey: …, directory: … }`. */
import { dropOptions } from "#bus/edge/drop/options.ts";
import type { AdapterSpec, OptionsSchema } from "#bus/wire.ts";

const server = {
  server: { type: "string", pattern: "^[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?$", description: "Server, with its port where it is not 22." },
  user: { type: "string", "x-secret": true, description: "Account there, for example ${secret:transport/user}." },
  password: {
    type: "string",
    "x-secret": true,
    description: "Its password, where it has no key. Only a reference: ${secret:transport/password}.",
  },
  key: { type: "string", "x-secret": true, description: "Private key of the account, PEM or OpenSSH's form: ${secret:transport/key}." },
  passphrase: { type: "string", "x-secret": true, description: "What the key is locked with: ${secret:transport/passphrase}." },
  hostKey: {
    type: "string",
    pattern: "^SHA256:[A-Za-z0-9+/]{43}(, *SHA256:[A-Za-z0-9+/]{43}){0,3}$",
    description: "Host key of the server as `ssh-keygen -l` prints it; several with commas while it changes. Another one is refused.",
  },
  directory: { type: "string", pattern: "^/", description: "Folder there, from the root that the server shows." },
};
const needed = ["server", "user", "hostKey", "directory"];

const inlet: OptionsSchema = {
  type: "object",
  description: "A folder on an SFTP server: every record of every finished file becomes one message.",
  additionalProperties: false,
  required: [...needed, "match", "format"],
  properties: { ...server, ...dropOptions },
};

const outlet: OptionsSchema = {
  type: "object",
  description: "A folder on an SFTP server that receives one JSON file per message, named by the message's id.",
  additionalProperties: false,
  required: needed,
  properties: {
    ...server,
    suffix: { type: "string", pattern: "^\\.[a-z0-9.]{1,16}$", description: "End of the file's name; default .json." },
  },
};

export const sftp: AdapterSpec = { name: "sftp", title: "Files on an SFTP server", inlet, outlet, format: "xml-or-csv" };
