/** One request from its first check to its answer: Host and target, mount, caller, method, size, body, handler. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { WebResponse } from "#bus/wire.ts";
import { isProblem, problemAnswer, writeAnswer, type Problem } from "./answer.ts";
import { Arrived } from "./arrived.ts";
import { readBody, refuseBody } from "./body.ts";
import { createCallers, isLoopback, type Identify } from "./caller.ts";
import type { Running } from "./listen.ts";
import type { Face, Mounts } from "./mounts.ts";
import { hostCheck, readTarget, type Target } from "./target.ts";

type ServeSettings = Readonly<{
  samples: boolean;
  identify: Identify;
  maxBytes: number;
  names?: readonly string[];
  onError?: (error: unknown, path: string) => void;
}>;

type Serve = (request: IncomingMessage, response: ServerResponse, secure: boolean) => void;

/** The parts every request shares. */
type Desk = Readonly<{
  settings: ServeSettings;
  mounts: Mounts;
  allowed: (name: string) => boolean;
  callerOf: ReturnType<typeof createCallers>;
}>;

const SYSTEMS: readonly Face[] = ["systems"];
const ADMIN: readonly Face[] = ["admin"];
const BOTH: readonly Face[] = ["admin", "systems"];
const METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";
const KNOWN_METHODS = new Set(METHODS.split(", "));

export function createServe(settings: ServeSettings, mounts: Mounts, running: Running): Serve {
  const desk: Desk = { settings, mounts, allowed: hostCheck(settings.names ?? []), callerOf: createCallers(settings.identify) };
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
  writeAnswer(
    request,
    response,
    problem === undefined ? answer : problemAnswer(problem, (request.url ?? "").split("?", 1)[0] ?? ""),
    close,
  );
}

/** Undefined when the caller is gone, so that nobody waits for an answer. */
async function answerOf(
  desk: Desk,
  request: IncomingMessage,
  response: ServerResponse,
  secure: boolean,
): Promise<WebResponse | Problem | undefined> {
  const { settings, mounts } = desk;
  const target = readTarget(request, desk.allowed);
  if (isProblem(target)) return target;
  const faces = secure ? SYSTEMS : settings.samples && isLoopback(request.socket.remoteAddress) ? BOTH : ADMIN;
  const path = pathOf(target, faces, mounts);
  const mount = mounts.find(path, faces);
  if (mount === undefined) return notFound(path, mounts.near(path, faces));
  const caller = mount.face === "systems" ? desk.callerOf(request) : { system: undefined };
  const refused = caller.refused ?? refuseMethod(request) ?? refuseBody(request, settings.maxBytes);
  if (refused !== undefined) return refused;
  if (request.method === "OPTIONS") return { status: 204, headers: { allow: METHODS } };
  const body = await readBody(request, settings.maxBytes);
  if (body === undefined || isProblem(body)) return body;
  const origin = `${secure ? "https" : "http"}://${target.host}`;
  try {
    return await mount.handler(new Arrived(request, response, { path, query: target.query, origin, body, system: caller.system }));
  } catch (error) {
    settings.onError?.(error, path);
    return { status: 500, title: "Internal error", detail: "The request could not be served; the operator's log holds the reason." };
  }
}

/** `mlog.localhost/register` is `/mlog/register`, where a service is mounted at `/mlog`. */
function pathOf(target: Target, faces: readonly Face[], mounts: Mounts): string {
  const dot = target.name.indexOf(".");
  if (dot <= 0 || faces === ADMIN) return target.path;
  const prefix = `/${target.name.slice(0, dot)}`;
  if (target.path === prefix || target.path.startsWith(`${prefix}/`) || !mounts.has(prefix, "systems")) return target.path;
  return prefix + target.path;
}

function refuseMethod(request: IncomingMessage): Problem | undefined {
  if (KNOWN_METHODS.has(request.method ?? "")) return undefined;
  return { status: 405, title: "Method is not known", detail: `Use one of ${METHODS}.`, headers: { allow: METHODS }, close: true };
}

function notFound(path: string, near: readonly string[]): Problem {
  const hint = near.length === 0 ? "" : ` Near it: ${near.join(", ")}.`;
  return { status: 404, title: "Nothing is served here", detail: `No service has the path ${path.slice(0, 200)}.${hint}` };
}

function bodyRead(request: IncomingMessage): boolean {
  return request.complete || (request.headers["transfer-encoding"] === undefined && Number(request.headers["content-length"] ?? 0) === 0);
}
