/** `mbus contract show`, `openapi` and `asyncapi`: what the running bus says of its contracts. */
import type { CatalogueEntry } from "#bus/admin.ts";
import { admin } from "./client.ts";
import { plain, print, table, type Output } from "./output.ts";

type ContractEntry = Extract<CatalogueEntry, { kind: "contract" }>;
type Field = ContractEntry["types"][number]["fields"][number];

export async function show(output: Output, id: string): Promise<number> {
  const entry = await admin<ContractEntry>("GET", `/catalogue/contract/${encodeURIComponent(id)}`);
  const columns = [
    { title: "field", value: (row: Field) => row.path },
    { title: "type", value: (row: Field) => `${row.type}${row.optional ? ", optional" : ""}` },
    { title: "marks", value: (row: Field) => [row.key && "key", row.personal && "personal", row.sensitivity].filter(Boolean).join(", ") },
    { title: "meaning", value: (row: Field) => row.doc },
  ];
  const facts = [
    `${entry.id}  ${entry.title}`,
    `${entry.pattern}, ${entry.state}, owner ${entry.owner}, next versions ${entry.compatibility.toLowerCase()}`,
    ...(entry.requires.length > 0 ? [`brings ${entry.requires.join(", ")} of the call context`] : []),
    ...entry.providers.map(({ system, institution }) => `provided by ${system} of ${institution.name} (${institution.idno})`),
    ...entry.legalBases.map(({ act, section, purpose }) => `used by ${act}, ${section}, for ${purpose}`),
    ...entry.endpoints.map(({ kind, address }) => `${kind} ${address}`),
  ].map(plain);
  const types = entry.types.flatMap((type) => [
    "",
    `${type.role} ${type.id}, schema ${type.schemaId}`,
    table(type.fields, columns, "no fields"),
  ]);
  print(output, entry, [...facts, ...types].join("\n"));
  return 0;
}

/** Both are documents for machines: they are printed as they are, with `--json` or without. */
export async function description(output: Output, kind: "openapi" | "asyncapi", system: string | undefined): Promise<number> {
  const document = await admin<unknown>("GET", `/catalogue/${kind}${system === undefined ? "" : `?system=${encodeURIComponent(system)}`}`);
  print(output, document, JSON.stringify(document, undefined, 2));
  return 0;
}
