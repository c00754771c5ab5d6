/** `mbus system cert NAME -o DIR`: a system certificate of the development authority. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openKeys } from "#adapters/keys/ca.ts";
import { readFiles } from "#compose/files.ts";
import { root } from "#main.ts";
import { CommandFailed, print, type Output } from "./output.ts";

export async function cert(output: Output, name: string, directory: string): Promise<number> {
  const { documents } = await readFiles([root], process.env);
  const system = documents.systems.get(name);
  if (!system) throw new CommandFailed(`no system \`${name}\` is registered; there are ${[...documents.systems.keys()].join(", ")}`);
  const keys = await openKeys(process.env["MBUS_DATA_DIR"] ?? ".mbus");
  const pair = await keys.issue(name, system.institution.idno);
  mkdirSync(directory, { recursive: true });
  const files = { "cert.pem": pair.cert, "key.pem": pair.key, "ca.pem": keys.ca };
  for (const [file, text] of Object.entries(files))
    writeFileSync(join(directory, file), text, { mode: file === "key.pem" ? 0o600 : 0o644 });
  print(
    output,
    { system: name, files: Object.keys(files).map((file) => join(directory, file)) },
    `certificate of ${name} written to ${directory}`,
  );
  return 0;
}
