/** OpenAPI 3.1 of the administrators' face, made from the table that also serves it. */
import type { Endpoint } from "./call.ts";

export function openapi(endpoints: readonly Endpoint[]): unknown {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const { method, path, title, body } of endpoints) {
    const names = [...path.matchAll(/\{(\w+)\}/gu)].map((found) => found[1] ?? "");
    paths[`/api/v1${path}`] = {
      ...paths[`/api/v1${path}`],
      [method.toLowerCase()]: {
        summary: title,
        parameters: names.map((name) => ({ name, in: "path", required: true, schema: { type: "string" } })),
        ...(body === undefined
          ? undefined
          : { requestBody: { required: true, content: { "application/json": { schema: { type: "object", properties: body } } } } }),
        responses: {
          200: { description: "done", content: { "application/json": { schema: { type: "object" } } } },
          default: { description: "problem", content: { "application/problem+json": { schema: { type: "object" } } } },
        },
      },
    };
  }
  return {
    openapi: "3.1.0",
    jsonSchemaDialect: "https://json-schema.org/draft/2020-12/schema",
    info: { title: "MConnect Bus administration", version: "1", license: { name: "EUPL-1.2", identifier: "EUPL-1.2" } },
    security: [{ token: [] }],
    components: { securitySchemes: { token: { type: "http", scheme: "bearer" } } },
    paths,
  };
}
