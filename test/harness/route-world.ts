/** A small world of files in memory, linted and compiled as the bus does it. */
import { adapters } from "#adapters/registry.ts";
import { compileRoutes } from "#bus/route/compile.ts";
import type { ParsedSet } from "#bus/route/documents.ts";
import type { Files, Finding } from "#bus/route/findings.ts";
import { lintFiles } from "#bus/route/lint/lint.ts";
import type { RouteSet } from "#bus/route/runtime.ts";

export type RouteWorld = Readonly<{
  files: Files;
  set: RouteSet;
  documents: ParsedSet;
  findings: readonly Finding[];
  lint: readonly Finding[];
}>;

export const AT = Date.UTC(2026, 4, 4, 9);

export function filesOf(texts: Readonly<Record<string, string>>): Files {
  return { paths: Object.keys(texts).sort(), text: (path) => (Object.hasOwn(texts, path) ? texts[path] : undefined) };
}

const record = (name: string, fields: readonly unknown[]): string => JSON.stringify({ type: "record", name, namespace: "test", fields });
const optional = (name: string, type: unknown = "string") => ({ name, type: ["null", type], default: null });

export const SCHEMAS: Readonly<Record<string, string>> = {
  "contracts/request.avsc": record("Request", [{ name: "code", type: "string", key: true }]),
  "contracts/reply.avsc": record("Reply", [
    { name: "status", type: "string" },
    optional("name"),
    optional("born", { type: "int", logicalType: "date" }),
  ]),
  "contracts/changed.avsc": record("Changed", [
    { name: "code", type: "string", key: true },
    { name: "kind", type: "string" },
    optional("secret"),
    {
      name: "changes",
      type: { type: "array", items: { type: "record", name: "Change", fields: [{ name: "field", type: "string" }] } },
      default: [],
    },
  ]),
  "contracts/order.avsc": record("Order", [{ name: "code", type: "string", key: true }]),
  "contracts/done.avsc": record("Done", [{ name: "number", type: "int" }]),
};

export const BASE: Readonly<Record<string, string>> = {
  ...SCHEMAS,
  "routes/systems.yaml": `
bus: system/v1
id: office/erp
title: Caller
institution: { idno: "1004600030235", name: Office }
addresses: ["http://erp.test"]
---
bus: system/v1
id: register/main
title: Provider
institution: { idno: "1007601008122", name: Register }
addresses: ["http://register.test", "http://spare.test/"]
`,
  "routes/contracts.yaml": `
bus: contract/v1
id: person.request.v1
title: A person
owner: register
pattern: query
schema: ../contracts/request.avsc
reply: { id: person.reply.v1, schema: ../contracts/reply.avsc }
idempotent: true
---
bus: contract/v1
id: person.changed.v1
title: A person changed
owner: register
pattern: event
schema: ../contracts/changed.avsc
idempotent: true
---
bus: contract/v1
id: person.order.v1
title: An order
owner: register
pattern: command
schema: ../contracts/order.avsc
reply: { id: person.done.v1, schema: ../contracts/done.avsc }
idempotent: true
`,
  "routes/grants.yaml": `
bus: grant/v1
id: erp-person
owner: officer
consumer: office/erp
contract: person.request.v1
legalBasis: { act: Act, section: "art. 1", purpose: test }
reply: { allow: [status, name] }
valid: { from: 2026-01-01, until: 2026-12-31 }
---
bus: grant/v1
id: register-changed
owner: officer
producer: register/main
contract: person.changed.v1
legalBasis: { act: Act, section: "art. 2", purpose: test }
valid: { from: 2026-01-01, until: 2026-12-31 }
---
bus: grant/v1
id: erp-changed
owner: officer
consumer: office/erp
contract: person.changed.v1
legalBasis: { act: Act, section: "art. 3", purpose: test }
reply: { allow: [code, kind, changes] }
valid: { from: 2026-01-01, until: 2026-12-31 }
---
bus: grant/v1
id: erp-order
owner: officer
consumer: office/erp
contract: person.order.v1
legalBasis: { act: Act, section: "art. 4", purpose: test }
valid: { from: 2026-01-01, until: 2026-12-31 }
`,
};

/** Compiles BASE and `more`; `undefined` takes a file away. */
export async function routeWorld(
  more: Readonly<Record<string, string | undefined>>,
  onSchema: (subject: string) => void = () => undefined,
): Promise<RouteWorld> {
  const texts = Object.fromEntries(
    Object.entries({ ...BASE, ...more }).flatMap(([name, text]) => (text === undefined ? [] : [[name, text]])),
  );
  const files = filesOf(texts);
  const { documents, findings: lint } = lintFiles(files, adapters, {}, AT);
  let id = 0;
  const { set, findings } = await compileRoutes(documents, { files, schemaIds: async (subject) => (onSchema(subject), ++id) });
  return { files, set, documents, findings, lint };
}

export const LOOKUP = `
bus: route/v1
id: person-lookup
title: Lookup
owner: register
contract: { request: person.request.v1, reply: person.reply.v1 }
from:
  - { name: rest, system: office/erp, http: {} }
steps:
  - choose:
      - when: { field: code, matches: "[0-9]{3}" }
        steps: [{ tap: { topic: person.changed.v1, fields: [code, headers.case] } }]
      - otherwise: true
        steps: [{ reject: { code: bad-code, reason: A code has three digits } }]
to:
  system: register/main
  http: { path: /persons }
  in: { map: ./map/request.map.yaml }
  out: { map: ./map/reply.map.yaml }
deliver:
  deadline: 9s
  attempt: { timeout: 1s }
  retry: { on: [timeout, unreachable], attempts: 3, backoff: { first: 100ms, factor: 2, max: 1s, jitter: none } }
failures:
  - { on: [provider-fault], code: NotFound, do: reply, with: { status: unknown } }
  - { on: default, do: reject }
journal: { index: [headers.case, code] }
`;

export const MAPS: Readonly<Record<string, string>> = {
  "routes/map/request.map.yaml": "map:\n  Nr: code\n",
  "routes/map/reply.map.yaml": "map:\n  status: { value: found }\n  name: Name\n  born: { from: Born, convert: date(dd.mm.yyyy) }\n",
};

export const CHANGED = `
bus: route/v1
id: person-changed
title: Changes
owner: register
contract: { event: person.changed.v1 }
from:
  - { name: register, system: register/main, soap: {} }
order: { by: code }
fanOut:
  - { name: erp, system: office/erp, http: { path: /events }, order: { by: none } }
  - name: moves
    system: office/erp
    when: { jsonata: "$count(changes[field = 'residence']) > 0" }
    http: { url: "http://elsewhere.test/x" }
    deliver: { attempt: { timeout: 1s }, retry: { on: [unreachable], attempts: 2, backoff: { first: 10s, factor: 2, max: 1m, jitter: none } } }
`;

export const ORDER = `
bus: route/v1
id: person-order
title: Orders
owner: register
contract: { command: person.order.v1, reply: person.done.v1 }
from:
  - { name: rest, system: office/erp, http: {} }
to: { system: register/main, http: { path: /orders } }
failures: [{ on: default, do: deadletter }]
`;
