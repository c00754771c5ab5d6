/** Routes, branches and envelopes for tests: a contract of one JSON-like record, and nothing that the test does not name. */
import type { Contract, ContractType, Pattern } from "#bus/contract/contract.ts";
import type { AvroRecord, Envelope } from "#bus/envelope.ts";
import { BusError } from "#bus/errors.ts";
import type { Branch, Route } from "#bus/route/runtime.ts";
import { policyOf } from "./policy.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Encodes as JSON: enough to see that bodies are read, refused and kept byte by byte. */
export function typeOf(id: string): ContractType {
  return {
    id,
    schema: {},
    schemaText: "{}",
    schemaId: 1,
    marks: new Map(),
    encode: (value) => encoder.encode(JSON.stringify(value)),
    decode(body) {
      try {
        return JSON.parse(decoder.decode(body)) as AvroRecord;
      } catch (cause) {
        throw new BusError("avro-malformed", `the bytes are no message of \`${id}\``, { cause });
      }
    },
    check: () => [],
    keyOf: (value) => (typeof value["key"] === "string" ? value["key"] : undefined),
  };
}

export function contractOf(pattern: Pattern, id = "person.changed.v1"): Contract {
  const request = typeOf(id);
  const soap = { namespace: "urn:test", service: "Test", operation: "Test" };
  const reply = pattern === "event" ? undefined : typeOf(id.replace(".v", "-reply.v"));
  return { id, name: id, version: 1, title: id, owner: "tests", pattern, request, reply, requires: [], subject: undefined, soap };
}

export function branchOf(parts: Partial<Branch> = {}): Branch {
  return {
    name: "to",
    system: "benefits/core",
    when: undefined,
    steps: [],
    binding: { kind: "http", options: {} },
    addresses: ["http://a.example"],
    in: undefined,
    out: undefined,
    deliver: policyOf({}),
    order: undefined,
    failures: [{ on: undefined, do: "deadletter" }],
    ...parts,
  };
}

export function routeOf(parts: Partial<Route> & Readonly<{ pattern?: Pattern }> = {}): Route {
  const contract = parts.contract ?? contractOf(parts.pattern ?? "event");
  return {
    id: "person-changed",
    title: "Tell that a person's data changed",
    owner: "population-registry-team",
    state: "active",
    place: "routes/test.yaml:1",
    revision: "r1",
    contract,
    reply: contract.reply,
    sources: [],
    access: { grants: [], require: [] },
    steps: [],
    branches: [branchOf()],
    failures: [],
    deadletter: { keep: 90 * 24 * 3_600_000, replay: "manual" },
    journal: { payload: "full", keep: 365 * 24 * 3_600_000, index: () => ({}) },
    stopAfter: undefined,
    ...parts,
  };
}

export function envelopeOf(parts: Partial<Envelope> = {}, value: AvroRecord = { n: 1 }): Envelope {
  return {
    id: "m-1",
    source: "registry/population",
    type: "mbus.person.changed.v1",
    time: Date.UTC(2026, 0, 5, 9),
    correlationId: `c-${parts.id ?? "m-1"}`,
    contract: "person.changed.v1",
    call: {},
    headers: {},
    body: encoder.encode(JSON.stringify(value)),
    ...parts,
  };
}
