/** One request from its first check to its answer: Host and target, mount, caller, method, size, body, handler. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { WebHandler, WebResponse } from "#bus/wire.ts";
import { admit, type AdmitParts } from "./admit.ts";
import { isProblem, problemAnswer, writeAnswer, type Problem } from "./answer.ts";
import { Arrived } from "./arrived.ts";
import { readBody, refuseBody } from "./body.ts";
import type { Running } from "./listen.ts";
import { soapRefusal } from "./soap-refusal.ts";

type ServeSettings = Readonly<{
  maxBytes: number;
  onError?: (error: unknown, path: string) => void;
}>;

type Serve = (request: IncomingMessage, response: ServerResponse, secure: boolean) => void;

type Desk = AdmitParts<WebHandler> & Readonly<{ settings: ServeSettings }>;

const METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";
const KNOWN_METHODS = new Set(METHODS.split(", "));

export function createServe(settings: ServeSettings, admitting: AdmitParts<WebHandler>, running: Running): Serve {
  const desk: Desk = { ...admitting, settings };
  return (request, response, secure) => {
    running.count += 1;
    response.once("close", () => {
      running.count -= 1;
      if (running.count === 0) running.idle();
    });
    void serveOne(desk, running, request, response, secure);
  };
}

async function serveOne(desk: Desk, running: Running, request: IncomingMessage, response: ServerResponse, secure: boolean): Promise<void> {
  try {
    const answer = await answerOf(desk, request, response, secure);
    if (answer !== undefined) finish(request, response, answer, running.draining);
  } catch (error) {
    desk.settings.onError?.(error, request.url ?? "");
    response.destroy();
  }
}

function finish(request: IncomingMessage, response: ServerResponse, answer: WebResponse | Problem, draining: boolean): void {
  const problem = isProblem(answer) ? answer : undefined;
  const close = draining || problem?.close === true || !bodyRead(request);
  // A caller that still sends what nobody reads would hold the connection until the request timeout.
  if (close) response.once("finish", () => request.socket.destroySoon());
  writeAnswer(request, response, problem === undefined ? answer : refusalAnswer(problem, request), close);
}

/** Undefined when the caller is gone, so that nobody waits for an answer. */
async function answerOf(
  desk: Desk,
  request: IncomingMessage,
  response: ServerResponse,
  secure: boolean,
): Promise<WebResponse | Problem | undefined> {
  const { settings } = desk;
  const admitted = await admit(desk, request, secure);
  if (isProblem(admitted)) return admitted;
  const refused = refuseMethod(request) ?? refuseBody(request, settings.maxBytes);
  if (refused !== undefined) return refused;
  if (request.method === "OPTIONS") return { status: 204, headers: { allow: METHODS } };
  const body = await readBody(request, settings.maxBytes);
  if (body === undefined || isProblem(body)) return body;
  try {
    return await admitted.handler(new Arrived(request, response, { ...admitted, body }));
  } catch (error) {
    settings.onError?.(error, admitted.path);
    return { status: 500, title: "Internal error", detail: "The request could not be served; the operator's log holds the reason." };
  }
}

function refuseMethod(request: IncomingMessage): Problem | undefined {
  if (KNOWN_METHODS.has(request.method ?? "")) return undefined;
  return { status: 405, title: "Method is not known", detail: `Use one of ${METHODS}.`, headers: { allow: METHODS }, close: true };
}

/** Callers of SOAP services read faults; only who calls is told so, for the rest happens before anybody knows what is asked for. */
function refusalAnswer(problem: Problem, request: IncomingMessage): WebResponse {
  const fault = problem.code === "system-unknown" ? soapRefusal(problem, request.headers["content-type"]) : undefined;
  return fault ?? problemAnswer(problem, (request.url ?? "").split("?", 1)[0] ?? "");
}

function bodyRead(request: IncomingMessage): boolean {
  return request.complete || (request.headers["transfer-encoding"] === undefined && Number(request.headers["content-length"] ?? 0) === 0);
}
