/** The sample world as its files say it, with a modern system on each broker beside it: what descriptions are made of. */
import { adapters } from "#adapters/registry.ts";
import type { Described } from "#bus/catalogue/described.ts";
import { pathOf } from "#compose/addresses.ts";
import { compileRoutes } from "#bus/route/compile.ts";
import { formatFinding } from "#bus/route/findings.ts";
import { lintFiles } from "#bus/route/lint/lint.ts";
import { filesFrom, textsOf } from "../files-of.ts";

const grant = (id: string, who: string, contract: string): string =>
  `bus: grant/v1\nid: ${id}\nowner: data-protection-officer\n${who}\ncontract: ${contract}\nlegalBasis: { act: Law 142/2018, section: "art. 6", purpose: data-exchange }\nvalid: { from: 2026-01-01, until: 2030-12-31 }`;

const MODERN = `bus: system/v1
id: ministry/notes
title: Notes of a ministry
institution: { idno: "1002600024700", name: Public Services Agency }
contact: nobody.special@ministry.example
---
bus: contract/v1
id: note.sent.v1
title: A note was sent
owner: notes-team
pattern: event
schema: ../contracts/note.sent.v1.avsc
idempotent: true
state: deprecated
---
bus: route/v1
id: notes
title: Notes
owner: notes-team
contract: { event: note.sent.v1 }
from:
  - { name: nats, system: ministry/notes, nats: {} }
  - { name: rabbit, system: primaria/registry, amqp: {} }
  - { name: post, system: primaria/registry, http: {} }
access: { grant: [] }
to: { system: ministry/notes, amqp: { format: avro } }
---
bus: route/v1
id: person-topics
title: Persons over a broker
owner: notes-team
contract: { request: person.request.v1, reply: person.response.v1 }
from: [{ name: nats, system: ministry/notes, nats: {} }]
access: { grant: [] }
to: { system: bns/lake, nats: {} }
---
${grant("ministry-tells", "producer: ministry/notes", "note.sent.v1")}
---
${grant("ministry-hears", "consumer: ministry/notes", "note.sent.v1")}
---
${grant("primaria-tells", "producer: primaria/registry", "note.sent.v1")}
---
${grant("ministry-asks", "consumer: ministry/notes", "person.request.v1")}
`;

const NOTE = {
  type: "record",
  name: "NoteSent",
  namespace: "md.example",
  doc: "One note.",
  fields: [
    { name: "text", type: "string", doc: "What it says." },
    {
      name: "weight",
      type: { type: "enum", name: "Weight", doc: "How much it matters", symbols: ["light", "heavy"], meanings: { heavy: "Read it today" } },
      doc: "How much it matters.",
    },
    { name: "answers", type: ["null", { type: "array", items: "NoteSent" }], default: null, doc: "Notes below it." },
  ],
};

export async function describedWorld(): Promise<Described> {
  const addresses = Object.fromEntries(["rsp", "cnas", "primaria", "bns"].map((name) => [`${name}.url`, `http://127.0.0.1:1/${name}`]));
  const variables = { ...addresses, "vehicles.drop": "drop/vehicles" };
  const texts = {
    ...inFolder("routes"),
    ...inFolder("contracts"),
    "contracts/note.sent.v1.avsc": JSON.stringify(NOTE),
    "routes/modern.yaml": MODERN,
  };
  const files = filesFrom(texts);
  const { documents, findings } = lintFiles(files, adapters, variables, Date.parse("2026-11-25"));
  const compiled = await compileRoutes(documents, { files, schemaIds: idsOf() });
  const errors = [...findings, ...compiled.findings].filter(({ severity }) => severity === "error").map(formatFinding);
  if (errors.length > 0) throw new Error(errors.join("\n"));
  const { routes, contracts, systems, grants } = compiled.set;
  return { routes: [...routes.values()], contracts, systems, grants, pathOf, version: "1.2.3" };
}

const inFolder = (folder: string): Record<string, string> =>
  Object.fromEntries(Object.entries(textsOf(folder)).map(([path, text]) => [`${folder}/${path}`, text]));

function idsOf(): (subject: string) => Promise<number> {
  const ids = new Map<string, number>();
  return (subject) => {
    if (!ids.has(subject)) ids.set(subject, ids.size + 1);
    return Promise.resolve(ids.get(subject) ?? 0);
  };
}
