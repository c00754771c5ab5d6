/** `mbus contract check`: would the schemas on disk still fit those that a running bus has registered? */
import { verdictOf, type Role, type Verdict as Found } from "#bus/contract/verdict.ts";
import { readFiles } from "#compose/files.ts";
import { root } from "#main.ts";
import { json, place } from "./client.ts";
import { CommandFailed, print, type Output } from "./output.ts";

type Verdict = Readonly<{ type: string; role: Role }> & Found;

export async function check(output: Output, only: readonly string[]): Promise<number> {
  const registry = process.env["SCHEMA_REGISTRY_URL"] ?? place().registry;
  const { documents, files } = await readFiles([root], process.env);
  const verdicts: Verdict[] = [];
  for (const contract of documents.contracts.values()) {
    const role: Role = contract.pattern === "query" ? "request" : contract.pattern;
    const own = { id: contract.id, schema: contract.schema, role };
    const types = [own, ...(contract.reply ? [{ ...contract.reply, role: "reply" as const }] : [])];
    for (const { id, schema, role } of types) {
      if (only.length > 0 && !only.some((name) => schema.endsWith(name) || id === name)) continue;
      const history = await versions(registry, id);
      verdicts.push({ type: id, role, ...verdictOf(files.text(schema) ?? "", history, level(contract.compatibility), role) });
    }
  }
  const lines = verdicts.flatMap(({ type, compatible, backward, forward, affected }) => [
    `${type}  ${compatible ? "compatible" : "NOT COMPATIBLE"}`,
    ...[...backward, ...forward].map((rule) => `  ${rule}`),
    ...affected.map((who) => `  hits ${who}`),
  ]);
  print(output, verdicts, lines.join("\n"));
  return verdicts.every((verdict) => verdict.compatible) ? 0 : 1;
}

type Level = Parameters<typeof verdictOf>[2];
const level = (compatibility: string): Level => compatibility.toUpperCase() as Level;

/** Schemas of a subject, oldest first; none for one that is not registered. */
async function versions(registry: string, subject: string): Promise<readonly string[]> {
  const at = `${registry}/subjects/${encodeURIComponent(subject)}/versions`;
  const listed = await fetch(at).catch((cause: unknown) => {
    throw new CommandFailed(`no schema registry answers at ${registry} (${String(cause)})`);
  });
  if (listed.status === 404) return [];
  const numbers = (await answer(registry, listed)) as readonly number[];
  return Promise.all(
    numbers.map(async (number) => ((await answer(registry, await fetch(`${at}/${number}`))) as { schema: string }).schema),
  );
}

async function answer(registry: string, response: Response): Promise<unknown> {
  const text = await response.text();
  if (!response.ok) throw new CommandFailed(`the schema registry at ${registry} answered ${response.status}: ${text.slice(0, 500)}`);
  return json(text, `what answers at ${registry} is no schema registry`);
}
