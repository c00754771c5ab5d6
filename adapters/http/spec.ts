/** Options of the `http` adapter as a route file writes them: `http: { url: …, method: POST }`. */
import type { AdapterSpec, OptionsSchema } from "#bus/wire.ts";

const method = { enum: ["POST", "PUT"], description: "HTTP method; default POST." };

const inlet: OptionsSchema = {
  type: "object",
  description: "A JSON address that the outside calls; events also as CloudEvents (binary or structured mode).",
  additionalProperties: false,
  properties: {
    path: {
      type: "string",
      pattern: "^/[A-Za-z0-9._~/-]*$",
      description: "Path below the systems' address. Default: /mconnect/rest/<contract>.",
    },
    method,
    headers: {
      type: "array",
      items: { type: "string", pattern: "^[a-z0-9-]+$" },
      maxItems: 32,
      description:
        "HTTP headers kept with the message, in lower case (headers.case-number). Default: every business header; credentials never.",
    },
  },
};

const outlet: OptionsSchema = {
  type: "object",
  description: "A JSON address that the bus calls. Events leave as CloudEvents in binary mode.",
  additionalProperties: false,
  properties: {
    url: { type: "string", description: "Full address to call. Default: the system's address and `path`." },
    path: { type: "string", pattern: "^/", description: "Path below the system's address, for example /api/v1/events." },
    method,
    auth: {
      type: "string",
      "x-secret": true,
      description: "Value of the Authorization header. Only a reference: ${secret:statistics/token}.",
    },
    headers: {
      type: "object",
      additionalProperties: { type: "string", "x-secret": true },
      description: "HTTP headers added to each call; values may use ${var:…} and ${secret:…}.",
    },
  },
};

export const http: AdapterSpec = { name: "http", title: "JSON and CloudEvents over HTTP", inlet, outlet, format: "json" };
