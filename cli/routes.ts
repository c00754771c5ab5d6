/** `mbus show ROUTE --effective`, `mbus explain ROUTE`, `mbus schema`: what a route's files mean. */
import { adapters } from "#adapters/registry.ts";
import { effectiveRoute } from "#bus/route/effective.ts";
import { explainRoute } from "#bus/route/explain.ts";
import { publishedSchema } from "#bus/route/schema/published.ts";
import { readFiles } from "#compose/files.ts";
import { root } from "#main.ts";
import { CommandFailed, print, type Output } from "./output.ts";

export async function show(output: Output, id: string): Promise<number> {
  const { documents } = await readFiles([root], process.env);
  const found = effectiveRoute(documents, id);
  if (!found) throw new CommandFailed(unknown(id, [...documents.routes.keys()]));
  print(output, { route: id, yaml: found.yaml }, found.yaml.trimEnd());
  return 0;
}

export async function explain(output: Output, id: string): Promise<number> {
  const { documents } = await readFiles([root], process.env);
  const text = explainRoute(documents, id);
  if (text === undefined) throw new CommandFailed(unknown(id, [...documents.routes.keys()]));
  print(output, { route: id, text }, text.trimEnd());
  return 0;
}

/** The JSON Schema of the administrator's files, for editors. */
export function schema(output: Output): number {
  output.out(JSON.stringify(publishedSchema(adapters), null, output.json ? 0 : 2));
  return 0;
}

const unknown = (id: string, known: readonly string[]): string =>
  `no sound route is called \`${id}\`; there are ${known.join(", ")} (mbus lint tells of the others)`;
