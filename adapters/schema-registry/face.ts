/** The registry's face: the Confluent REST API as a web handler, and as a server of its own on node:http. */
import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { asBusError, CLASSES } from "#bus/errors.ts";
import type { WebHandler, WebRequest, WebResponse } from "#bus/wire.ts";
import { notPermitted, RegistryFault } from "./faults.ts";
import type { SchemaRegistry } from "./model.ts";
import { PATHS, RawText } from "./paths.ts";

export const MEDIA_TYPE = "application/vnd.schemaregistry.v1+json";
const ACCEPTED = new Set([MEDIA_TYPE, "application/vnd.schemaregistry+json", "application/json", "application/octet-stream"]);
export const MAX_BODY = 1_048_576;

export type FaceOptions = Readonly<{
  /** May this caller write under the subject (undefined = the global settings)? A text says why not. Default: everybody may. */
  mayWrite?: (subject: string | undefined, system: string | undefined) => true | string;
}>;

function answer(status: number, value: unknown): WebResponse {
  const body = value instanceof RawText ? value.text : JSON.stringify(value);
  return { status, headers: { "content-type": MEDIA_TYPE }, body };
}

function fault(status: number, errorCode: number, message: string): WebResponse {
  return answer(status, { error_code: errorCode, message });
}

/** The JSON body of a request that has one. Clients send the media type on GET too, with nothing behind it. */
function bodyOf(request: WebRequest): Readonly<Record<string, unknown>> | WebResponse {
  if (request.method === "GET" || request.method === "DELETE" || request.body.length === 0) return {};
  if (request.body.length > MAX_BODY) return fault(413, 413, `The request body is larger than ${MAX_BODY} bytes`);
  const mediaType = (request.headers["content-type"] ?? MEDIA_TYPE).split(";", 1)[0]?.trim().toLowerCase() ?? "";
  if (!ACCEPTED.has(mediaType)) return fault(415, 415, `HTTP 415 Unsupported Media Type: send ${MEDIA_TYPE}`);
  try {
    const json: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(request.body));
    if (typeof json === "object" && json !== null && !Array.isArray(json)) return json as Readonly<Record<string, unknown>>;
  } catch {
    // Told below, as for JSON that is no object.
  }
  return fault(400, 400, "The request body is no JSON object");
}

function isAnswer(value: object): value is WebResponse {
  return "status" in value && "headers" in value;
}

/** HTTP answer of a failure: the registry's own codes, or what the error's class says. */
function failed(error: unknown): WebResponse {
  if (error instanceof RegistryFault) return fault(error.status, error.errorCode, error.message);
  const { class: kind, message } = asBusError(error);
  const { http } = CLASSES[kind];
  return http >= 500 ? fault(500, 50001, "Error in the backend data store") : fault(http, http, message);
}

/** The Confluent REST API. It never throws; the path must have had its prefix removed. */
export function registryFace(registry: SchemaRegistry, options: FaceOptions = {}): WebHandler {
  return async (request) => {
    const method = request.method === "HEAD" ? "GET" : request.method;
    const matching = PATHS.filter((path) => path.pattern.test(request.path));
    const path = matching.find((candidate) => candidate.method === method);
    if (path === undefined) {
      return matching.length === 0 ? fault(404, 404, "HTTP 404 Not Found") : fault(405, 405, "HTTP 405 Method Not Allowed");
    }
    const body = bodyOf(request);
    if (isAnswer(body)) return body;
    const parts = path.pattern.exec(request.path)?.slice(1) ?? [];
    try {
      const allowed = path.writes === true ? (options.mayWrite?.(parts[0], request.system) ?? true) : true;
      if (allowed !== true) throw notPermitted(allowed);
      return answer(200, await path.answer(registry, { parts, query: request.query, body }));
    } catch (error) {
      return failed(error);
    }
  };
}

/** Reads a bounded body; undefined = it is too large. */
async function readBody(message: IncomingMessage): Promise<Uint8Array | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of message as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function send(response: ServerResponse, { status, headers, body }: WebResponse, close: boolean): void {
  response.writeHead(status, { ...headers, ...(close ? { connection: "close" } : {}) });
  response.end(body);
}

async function serve(handler: WebHandler, message: IncomingMessage, response: ServerResponse): Promise<void> {
  const abort = new AbortController();
  response.once("close", () => abort.abort());
  const body = await readBody(message);
  if (body === undefined) return send(response, fault(413, 413, `The request body is larger than ${MAX_BODY} bytes`), true);
  const raw = message.url ?? "/";
  const mark = raw.indexOf("?");
  let path: string;
  try {
    path = decodeURIComponent(mark === -1 ? raw : raw.slice(0, mark));
  } catch {
    return send(response, fault(400, 400, "The path is not percent-encoded UTF-8"), false);
  }
  if (path.length > 1 && path.endsWith("/")) path = path.slice(0, -1);
  const request: WebRequest = {
    method: message.method ?? "GET",
    path,
    query: new URLSearchParams(mark === -1 ? "" : raw.slice(mark + 1)),
    headers: message.headers as WebRequest["headers"],
    system: undefined,
    origin: `http://${message.headers.host ?? "localhost"}`,
    body,
    signal: abort.signal,
  };
  send(response, await handler(request), false);
}

function listen(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => resolve((server.address() as AddressInfo).port));
  });
}

/** Serves the registry on a port of its own; port 0 takes any free one. `close` waits for running requests and is idempotent. */
export async function startRegistryServer(
  registry: SchemaRegistry,
  { host, port, ...options }: FaceOptions & Readonly<{ host: string; port: number }>,
): Promise<{ port: number; close(): Promise<void> }> {
  const handler = registryFace(registry, options);
  const server = createServer({ requestTimeout: 30_000, headersTimeout: 10_000, maxHeaderSize: 16_384 }, (message, response) => {
    serve(handler, message, response).catch((error: unknown) => {
      if (response.headersSent) response.destroy();
      else send(response, failed(error), true);
    });
  });
  server.maxConnections = 256;
  const taken = await listen(server, host, port);
  let closing: Promise<void> | undefined;
  return {
    port: taken,
    close() {
      closing ??= new Promise((resolve) => {
        server.close(() => resolve());
        server.closeIdleConnections();
      });
      return closing;
    },
  };
}
