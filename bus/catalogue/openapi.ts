/** OpenAPI 3.1 of the REST faces that run: one for all systems, or one system's. */
import type { CallContext } from "../envelope.ts";
import { CLASSES, CODES } from "../errors.ts";
import type { Route, Source } from "../route/runtime.ts";
import type { Described } from "./described.ts";
import { jsonSchemaOf } from "./json-schema.ts";
import type { Definitions, JsonSchema } from "./json-schema.ts";

type Json = Readonly<Record<string, unknown>>;
type Making = Readonly<{ described: Described; definitions: Definitions }>;

/** `system`: only what this system may call; undefined = every face. `origin`: address of the systems' face. */
export function openapiOf(described: Described, origin: string, system?: string): Json {
  const making: Making = { described, definitions: new Map() };
  const paths: Record<string, Record<string, unknown>> = {};
  let commands = false;
  for (const { route, source, path } of restFaces(described, system)) {
    const method = source.binding.options["method"] === "PUT" ? "put" : "post";
    paths[path] = { ...paths[path], [method]: operation(making, route, source) };
    commands ||= route.contract.pattern === "command";
  }
  if (commands) paths["/mconnect/commands/{ticket}"] = { get: TICKET };
  return {
    openapi: "3.1.0",
    jsonSchemaDialect: "https://json-schema.org/draft/2020-12/schema",
    info: {
      title: system === undefined ? "REST faces of the bus" : `REST faces of the bus for ${system}`,
      version: described.version,
      description: "Every call needs a grant. The call context (headers Calling… and Call…) says for whom, by which law and why.",
    },
    servers: [{ url: origin }],
    security: [{ systemCertificate: [] }],
    paths,
    components: {
      schemas: { ...Object.fromEntries(making.definitions), Accepted: ACCEPTED, Problem: PROBLEM },
      parameters: PARAMETERS,
      responses: {
        Problem: { description: "refused or failed", content: { "application/problem+json": { schema: ref("schemas/Problem") } } },
      },
      securitySchemes: {
        systemCertificate: { type: "mutualTLS", description: "The certificate of a registered system." },
      },
    },
  };
}

export type RestFace = Readonly<{ route: Route; source: Source; path: string }>;

/** REST faces in order of their paths. */
export function restFaces(described: Described, system?: string): readonly RestFace[] {
  const faces = described.routes.flatMap((route) =>
    route.sources.flatMap((source) => {
      const path = source.binding.kind === "http" ? described.pathOf(route, source) : undefined;
      const open = system === undefined || source.system === undefined || source.system === system;
      return path === undefined || !open ? [] : [{ route, source, path }];
    }),
  );
  return faces.toSorted((a, b) => (a.path < b.path ? -1 : 1));
}

const ref = (to: string): Json => ({ $ref: `#/components/${to}` });

/** A map stands between: what comes is the caller's own shape. */
const LOOSE: JsonSchema = { type: "object", description: "The caller's own form; a map of the route makes the contract's message of it." };

function operation({ definitions }: Making, route: Route, source: Source): Json {
  const { contract } = route;
  const body = source.in === undefined ? jsonSchemaOf(contract.request, definitions) : LOOSE;
  const reply = route.reply ?? contract.reply;
  const answer = reply === undefined ? undefined : source.out === undefined ? jsonSchemaOf(reply, definitions) : LOOSE;
  return {
    operationId: `${route.id}.${source.name}`,
    summary: contract.title,
    tags: [contract.owner],
    parameters: [...contextParameters(contract.requires), ...["MessageId", "CorrelationId", "Traceparent", "Prefer"].map(parameter)],
    requestBody: { required: true, content: { "application/json": { schema: body } } },
    responses: {
      ...(answer === undefined ? {} : { 200: { description: "the reply, cut to the granted fields", content: json(answer) } }),
      ...(contract.pattern === "query" ? {} : { 202: accepted(contract.pattern === "command") }),
      ...Object.fromEntries(STATUSES.map((status) => [status, ref("responses/Problem")])),
    },
    "x-contract": contract.id,
    "x-pattern": contract.pattern,
  };
}

const json = (schema: JsonSchema): Json => ({ "application/json": { schema } });
const parameter = (name: string): Json => ref(`parameters/${name}`);

/** Every HTTP status that a class of errors has, and those that the REST inlet gives besides. */
const STATUSES = [...new Set([...Object.values(CLASSES).map(({ http }) => http), 405, 415])].toSorted((a, b) => a - b);

const CONTEXT: Readonly<Record<keyof CallContext, Readonly<{ name: string; description: string; schema: JsonSchema }>>> = {
  user: { name: "CallingUser", description: "IDNP of the person who asks.", schema: { type: "string", pattern: "^[0-9]{13}$" } },
  entity: { name: "CallingEntity", description: "IDNO of the institution that asks.", schema: { type: "string", pattern: "^[0-9]{13}$" } },
  basis: { name: "CallBasis", description: "Legal basis of the call.", schema: { type: "string" } },
  reason: { name: "CallReason", description: "Purpose of the call.", schema: { type: "string" } },
};

function contextParameters(requires: readonly (keyof CallContext)[]): readonly Json[] {
  return Object.entries(CONTEXT).map(([key, context]) => ({
    ...context,
    in: "header",
    required: requires.some((one) => one === key),
  }));
}

const header = (name: string, description: string, schema: JsonSchema = { type: "string" }): Json => ({
  name,
  in: "header",
  description,
  schema,
});
const PARAMETERS: Json = {
  MessageId: header("X-Message-Id", "The caller's own id: what comes again under it has no second effect."),
  CorrelationId: header("X-Correlation-Id", "Id that all messages of one exchange share."),
  Traceparent: header("traceparent", "W3C Trace Context."),
  Prefer: header("Prefer", "`wait=<seconds>`: how long the caller waits.", { type: "string", pattern: "^wait=[0-9]+$" }),
};

function accepted(ticket: boolean): Json {
  return {
    description: "durably accepted",
    ...(ticket ? { headers: { Location: { description: "where the command's end can be asked for", schema: { type: "string" } } } } : {}),
    content: json(ref("schemas/Accepted")),
  };
}

const ACCEPTED: JsonSchema = {
  type: "object",
  properties: {
    id: { type: "string", description: "Id of the message." },
    correlationId: { type: "string", description: "Id that all messages of this exchange carry." },
    position: { type: "integer", description: "Place in the journal." },
  },
  required: ["id", "correlationId", "position"],
};

/** RFC 9457 as this bus writes it. */
export const PROBLEM: JsonSchema = {
  type: "object",
  properties: {
    type: { type: "string", enum: Object.keys(CODES).map((code) => `urn:mconnect-bus:error:${code}`) },
    title: { type: "string" },
    status: { type: "integer" },
    detail: { type: "string", description: "What is wrong, where, and what to do." },
    instance: { type: "string" },
    traceId: { type: "string" },
    providerCode: { type: "string", description: "The provider's own fault code." },
    errors: { type: "object", description: "Faults by field.", additionalProperties: { type: "array", items: { type: "string" } } },
  },
  required: ["type", "title", "status"],
};

const TICKET: Json = {
  operationId: "command-ticket",
  summary: "How a command ended, for the system that sent it",
  parameters: [{ name: "ticket", in: "path", required: true, schema: { type: "string" } }],
  responses: {
    200: { description: "it ended", content: json({ type: "object" }) },
    202: { description: "it is not done yet", content: json({ type: "object" }) },
    404: ref("responses/Problem"),
  },
};
