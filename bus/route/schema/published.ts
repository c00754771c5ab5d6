/** The one JSON Schema that editors complete and check with (`.bus/schema/v1.json`). */
import type { AdapterSpec } from "../../wire.ts";
import { KINDS, schemasFor } from "./kinds.ts";

/**
 * JSON Schema 2020-12 of all kinds. The kind is chosen by the document's first key through `if`/`then`, which unlike oneOf
 * gives only the messages of the one branch that applies. Routes with `template` follow their own, shorter shape.
 */
export function publishedSchema(specs: readonly AdapterSpec[]): object {
  const { kinds, instance, defs } = schemasFor(specs);
  const is = (kind: string) => ({ required: ["bus"], properties: { bus: { const: `${kind}/v1` } } });
  const branches = KINDS.filter((kind) => kind !== "route").map((kind) => choice(is(kind), kind));
  const route = is("route");
  const made = choice({ required: ["bus", "template"], properties: route.properties }, "route-from-template");
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    $id: "https://mconnect.gov.md/bus/schema/v1.json",
    title: "Files of MConnect Bus",
    description: "System, contract, route, grant, policy, template, environment and test documents.",
    type: "object",
    required: ["bus"],
    properties: {
      bus: { description: "Kind and version of the document; always its first key.", enum: KINDS.map((kind) => `${kind}/v1`) },
    },
    allOf: [...branches, { ...made, else: choice(route, "route") }],
    $defs: { ...kinds, "route-from-template": instance, ...defs },
  };
}

function choice(condition: object, kind: string): object {
  // oxlint-disable-next-line unicorn/no-thenable -- `then` is a keyword of JSON Schema here, nobody awaits it
  return { if: condition, then: { $ref: `#/$defs/${kind}` } };
}
