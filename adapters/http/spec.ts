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

const secret = (description: string) => ({ type: "string", "x-secret": true, description });

/** Those that have a meaning of their own, and kinds; 429, 502, 503 and 504 are the client's. */
const STATUSES = [
  "4xx",
  "5xx",
  ...[400, 401, 402, 403, 404, 405, 406, 408, 409, 410, 412, 413, 415, 422, 423, 424, 428, 451, 500, 501].map(String),
];
const meaning = { enum: ["delivered", "provider-fault", "provider-unavailable", "throttled", "timeout", "contract-violation"] };

const oauth = {
  type: "object",
  additionalProperties: false,
  required: ["token", "client", "secret"],
  description: "OAuth 2.0 client credentials: the bus gets a token, keeps it until shortly before its end, and a new one after a 401.",
  properties: {
    token: { type: "string", description: "Address of the token endpoint." },
    client: secret("Client id."),
    secret: secret("Client secret. Only a reference: ${secret:statistics/oauth}."),
    scope: { type: "string", description: "Scopes with spaces between them." },
    audience: { type: "string", description: "Whom the token is for, where the server asks for it." },
    credentials: { enum: ["basic", "body"], description: "Where id and secret stand: the Authorization header (default) or the form." },
  },
};

const tls = {
  type: "object",
  additionalProperties: false,
  description: "The bus's own certificate for this address, and whom it trusts there. PEM, as secrets: ${secret:statistics/cert}.",
  properties: {
    cert: secret("Certificate that the bus shows, with those above it."),
    key: secret("Its private key."),
    ca: secret("Authority that the provider's certificate is of, where it is no public one."),
  },
};

const outlet: OptionsSchema = {
  type: "object",
  description: "A JSON address that the bus calls. Events leave as CloudEvents in binary mode.",
  additionalProperties: false,
  properties: {
    url: {
      type: "string",
      description: "Full address to call. Default: the system's address and `path`. `{field}` may stand in its path.",
    },
    path: { type: "string", pattern: "^/", description: "Path below the system's address, for example /api/v1/cases/{number}." },
    query: {
      type: "object",
      additionalProperties: { type: "string", maxLength: 1000 },
      maxProperties: 32,
      description: "Parameters behind the question mark, with `{field}` in them; one whose field is null is left out.",
    },
    method: { enum: ["GET", "POST", "PUT", "PATCH", "DELETE"], description: "HTTP method; default POST. GET and DELETE have no body." },
    auth: secret("Value of the Authorization header, for example Bearer ${secret:statistics/token}."),
    basic: {
      type: "object",
      additionalProperties: false,
      required: ["user", "password"],
      description: "User and password (RFC 7617).",
      properties: { user: secret("User."), password: secret("Password. Only a reference: ${secret:statistics/password}.") },
    },
    oauth,
    tls,
    headers: {
      type: "object",
      additionalProperties: { type: "string", "x-secret": true },
      description: "HTTP headers added to each call, for example an API key; values may use ${var:…} and ${secret:…}.",
    },
    status: {
      type: "object",
      additionalProperties: false,
      properties: Object.fromEntries(STATUSES.map((status) => [status, { ...meaning, description: `Answers with status ${status}.` }])),
      description: "What an answer means, by status (`404`) or kind of status (`5xx`). 429, 502, 503 and 504 always mean: not now.",
    },
  },
};

export const http: AdapterSpec = { name: "http", title: "JSON and CloudEvents over HTTP", inlet, outlet, format: "json" };
