/** The checks that every request passes before its handler is looked at, handshakes too: Host and target, mount, caller. */
import type { IncomingMessage } from "node:http";
import { isIP } from "node:net";
import { TLSSocket } from "node:tls";
import { isProblem, type Problem } from "./answer.ts";
import { isLoopback, type Caller, type createCallers } from "./caller.ts";
import type { Face, Mounts } from "./mounts.ts";
import { readTarget, type HostCheck, type Target } from "./target.ts";

export type AdmitParts<H> = Readonly<{
  samples: boolean;
  mounts: Mounts<H>;
  allowed: HostCheck;
  callerOf: ReturnType<typeof createCallers>;
}>;

export type Admitted<H> = Readonly<{ handler: H; path: string; query: string; origin: string; system: string | undefined }>;

const SYSTEMS: readonly Face[] = ["systems"];
const ADMIN: readonly Face[] = ["admin"];
const BOTH: readonly Face[] = ["admin", "systems"];

export async function admit<H>(parts: AdmitParts<H>, request: IncomingMessage, secure: boolean): Promise<Admitted<H> | Problem> {
  const { mounts } = parts;
  const target = readTarget(request, parts.allowed);
  if (isProblem(target)) return target;
  if (secure && isMisdirected(request.socket, target.name)) return misdirected(target.name);
  const faces = secure ? SYSTEMS : parts.samples && isLoopback(request.socket.remoteAddress) ? BOTH : ADMIN;
  const path = pathOf(target, faces, mounts);
  const mount = mounts.find(path, faces);
  if (mount === undefined) return notFound(path, mounts.near(path, faces));
  // most callers are known at once, and then nothing waits
  const asked = mount.face === "systems" ? parts.callerOf(request) : { system: undefined };
  const caller: Caller = asked instanceof Promise ? await asked : asked;
  if (caller.refused) return caller.refused;
  const origin = `${secure ? "https" : "http"}://${target.host}`;
  return { handler: mount.handler, path, query: target.query, origin, system: caller.system };
}

/** `mlog.localhost/register` is `/mlog/register`, where a service is mounted at `/mlog`. */
function pathOf<H>(target: Target, faces: readonly Face[], mounts: Mounts<H>): string {
  const dot = target.name.indexOf(".");
  if (dot <= 0 || faces === ADMIN) return target.path;
  const prefix = `/${target.name.slice(0, dot)}`;
  if (target.path === prefix || target.path.startsWith(`${prefix}/`) || !mounts.has(prefix, "systems")) return target.path;
  return prefix + target.path;
}

function notFound(path: string, near: readonly string[]): Problem {
  const hint = near.length === 0 ? "" : ` Near it: ${near.join(", ")}.`;
  return { status: 404, title: "Nothing is served here", detail: `No service has the path ${path.slice(0, 200)}.${hint}` };
}

/**
 * The name a caller gave in the handshake is the one it must ask for; what checks the one must not be passed by with the other. No
 * handshake carries an IP address, so a request for one goes with any name.
 */
function isMisdirected(socket: unknown, name: string): boolean {
  const servername = socket instanceof TLSSocket ? (socket as TLSSocket & { servername?: string | false | null }).servername : undefined;
  if (isIP(name.replace(/^\[|\]$/g, "")) !== 0) return false;
  return typeof servername === "string" && servername !== "" && servername.toLowerCase() !== name;
}

function misdirected(name: string): Problem {
  return {
    status: 421,
    title: "Another name was asked for",
    detail: `The connection was made for another name than ${name}; make one for each host name.`,
    close: true,
  };
}
