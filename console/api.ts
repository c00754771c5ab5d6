/**
 * The administrators' HTTP face, /api/v1: JSON objects, lists as `{items, nextCursor}`, errors as application/problem+json
 * (RFC 9457). Everything needs the administration token of the data folder; what changes something needs an operator and a reason.
 */
import { timingSafeEqual } from "node:crypto";
import { asBusError, BusError, CLASSES, type ErrorCode } from "#bus/errors.ts";
import type { Admin } from "#bus/admin.ts";
import type { WebHandler, WebRequest, WebResponse } from "#bus/wire.ts";
import { endpoints } from "./endpoints.ts";
import { openapi } from "./openapi.ts";

const PREFIX = "/api/v1";

export function adminApi(admin: Admin, token: string): WebHandler {
  const expected = Buffer.from(`Bearer ${token}`);
  return async (request) => {
    try {
      if (request.path === `${PREFIX}/openapi.json`) return json(200, openapi(endpoints));
      allow(request, expected);
      return await answer(admin, request);
    } catch (thrown) {
      return problem(request, asBusError(thrown));
    }
  };
}

function allow(request: WebRequest, expected: Buffer): void {
  const given = Buffer.from(request.headers["authorization"] ?? "");
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
    throw new BusError("admin-denied", "the administration API needs `Authorization: Bearer` with the token in <data folder>/admin.token");
  }
}

async function answer(admin: Admin, request: WebRequest): Promise<WebResponse> {
  const path = request.path.slice(PREFIX.length).replace(/\/$/u, "");
  let nearby = false;
  for (const endpoint of endpoints) {
    const values = match(endpoint.path, path);
    if (!values) continue;
    nearby = true;
    if (endpoint.method !== request.method) continue;
    const result = await endpoint.run(admin, { values, query: request.query, body: body(request) });
    return endpoint.media === undefined ? json(200, result) : bytes(endpoint.media, result);
  }
  const text = nearby
    ? `${request.method} is not served at ${request.path}`
    : `nothing is served at ${request.path}; ${PREFIX}/openapi.json lists what is`;
  throw new BusError("not-found", text);
}

/** The value of `{name}` is all that stands between what is before and after it: the path is decoded, so an id may hold slashes. */
function match(pattern: string, path: string): Record<string, string> | undefined {
  const [before = "", name, after = ""] = pattern.split(/[{}]/u);
  if (name === undefined) return pattern === path ? {} : undefined;
  if (path.length <= before.length + after.length || !path.startsWith(before) || !path.endsWith(after)) return undefined;
  return { [name]: path.slice(before.length, path.length - after.length) };
}

function body(request: WebRequest): Readonly<Record<string, unknown>> {
  if (request.body.length === 0) return {};
  let parsed: unknown;
  try {
    parsed = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(request.body));
  } catch (cause) {
    throw new BusError("json-malformed", "the body is not JSON in UTF-8", { cause });
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed))
    throw new BusError("json-violation", "the body is not a JSON object");
  return parsed as Record<string, unknown>;
}

const json = (status: number, value: unknown): WebResponse => ({
  status,
  headers: { "content-type": "application/json; charset=utf-8", "cache-control": "no-store" },
  body: JSON.stringify(value, (_key, each: unknown) =>
    typeof each === "bigint" ? each.toString() : each instanceof Uint8Array ? Buffer.from(each).toString("base64") : each,
  ),
});

function bytes(media: string, result: unknown): WebResponse {
  if (!(result instanceof Uint8Array)) throw new BusError("unexpected", "an answer that should be bytes is none");
  return { status: 200, headers: { "content-type": media, "cache-control": "no-store" }, body: result };
}

/** What an administrator asked for wrongly, or too late, is no failure of the bus. */
const STATUS: Readonly<Partial<Record<ErrorCode, number>>> = {
  "not-found": 404,
  "admin-denied": 401,
  "store-conflict": 409,
  configuration: 400,
  "evidence-broken": 409,
  "evidence-pending": 503,
};

function problem(request: WebRequest, error: BusError): WebResponse {
  const status = STATUS[error.code] ?? CLASSES[error.class].http;
  const errors = Object.fromEntries(error.places.map((place) => [place.path ?? "", [place.text]]));
  return {
    ...json(status, {
      type: `urn:mconnect-bus:error:${error.code}`,
      title: error.code,
      status,
      detail: error.message,
      instance: request.path,
      errors,
    }),
    headers: {
      "content-type": "application/problem+json; charset=utf-8",
      ...(error.retryAfter === undefined ? undefined : { "retry-after": String(Math.ceil(error.retryAfter / 1000)) }),
    },
  };
}
