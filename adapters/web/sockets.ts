/**
 * WebSockets of the host: a handshake passes the checks of every request, then its handler takes or refuses it. No compression, text
 * frames only, bounded in size; a caller that does not answer pings is ended, and so is one who is not the same to the registry any more.
 */
import { ServerResponse, type IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { WebSocketServer, type WebSocket } from "ws";
import type { SocketHandler, SocketLink, SocketTaken, WebResponse } from "#bus/wire.ts";
import { admit, type AdmitParts } from "./admit.ts";
import { isProblem, problemAnswer, writeAnswer, type Problem } from "./answer.ts";
import { Arrived } from "./arrived.ts";

export type SocketParts = AdmitParts<SocketHandler> &
  Readonly<{
    pingEvery: number;
    onError: ((error: unknown, path: string) => void) | undefined;
  }>;

export interface Sockets {
  handshake(request: IncomingMessage, socket: Duplex, head: Buffer, secure: boolean): Promise<void>;
  /** Ends every link with 1001 (going away) and takes no new one. Idempotent. */
  close(): Promise<void>;
}

/** What a handler took, and for whom. */
type Chosen = Readonly<{ taken: SocketTaken; system: string | undefined }>;

/** Milliseconds in which a caller answers a close. */
const GOODBYE = 2_000;
const EMPTY = new Uint8Array(0);

/** Is this request a WebSocket handshake at all? A body has no place in one. */
export function wantsSocket(request: IncomingMessage): boolean {
  return request.method === "GET" && request.headers.upgrade?.toLowerCase() === "websocket";
}

export function createSockets(parts: SocketParts): Sockets {
  const servers = new Map<number, WebSocketServer>();
  const open = new Set<WebSocket>();
  let closed = false;

  /** One for each size of text: the library fixes it per server. */
  const serverOf = (maxPayload: number): WebSocketServer => {
    const known = servers.get(maxPayload);
    if (known) return known;
    // the handler chose the protocol already, and only that one is left on the request
    const server = new WebSocketServer({ noServer: true, clientTracking: false, perMessageDeflate: false, maxPayload });
    servers.set(maxPayload, server);
    return server;
  };

  const decide = async (request: IncomingMessage, response: ServerResponse, secure: boolean): Promise<Chosen | WebResponse | Problem> => {
    const { headers } = request;
    if (closed) return refusal(503, "The bus is stopping", "Come again in a moment.");
    if (headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) !== 0)
      return refusal(400, "Request is not accepted", "A WebSocket handshake has no body.");
    const admitted = await admit(parts, request, secure);
    if (isProblem(admitted)) return admitted;
    const named = (headers["sec-websocket-protocol"] ?? "").split(",").map((name) => name.trim());
    try {
      const taken = await admitted.handler(
        new Arrived(request, response, { ...admitted, body: EMPTY }),
        named.filter((name) => name !== ""),
      );
      return "open" in taken ? { taken, system: admitted.system } : taken;
    } catch (error) {
      parts.onError?.(error, admitted.path);
      return refusal(500, "Internal error", "The handshake could not be served; the operator's log holds the reason.");
    }
  };

  /** In words, why the caller of a standing link counts for nobody now; undefined = it is who it was. */
  const estranged = async (request: IncomingMessage, system: string | undefined): Promise<string | undefined> => {
    const caller = await parts.callerOf(request);
    if (caller.refused) return caller.refused.detail;
    return caller.system === system ? undefined : "The caller is not registered any more as the system that it was.";
  };

  const take = ({ taken, system }: Chosen, request: IncomingMessage, webSocket: WebSocket): void => {
    open.add(webSocket);
    const handlers = taken.open(linkOf(webSocket));
    const pinging = ping(webSocket, parts.pingEvery, () => {
      estranged(request, system).then(
        (why) => why === undefined || webSocket.close(1008, cut(why)),
        (error: unknown) => parts.onError?.(error, request.url ?? ""),
      );
    });
    webSocket.on("message", (data: Buffer, binary: boolean) => {
      if (binary) webSocket.close(1003, "only text frames are taken here");
      else handlers.text(data.toString("utf8"));
    });
    webSocket.on("error", () => undefined); // a frame that breaks the protocol; the library closes with the code for it
    webSocket.on("close", () => {
      clearInterval(pinging);
      open.delete(webSocket);
      handlers.ended();
    });
  };

  return {
    async handshake(request, socket, head, secure) {
      socket.on("error", () => socket.destroy());
      const response = new ServerResponse(request);
      const chosen = await decide(request, response, secure);
      if (socket.destroyed) return;
      if (!("taken" in chosen)) return refuse(request, response, socket, chosen);
      const { protocol, maxBytes } = chosen.taken;
      request.headers["sec-websocket-protocol"] = protocol;
      serverOf(maxBytes).handleUpgrade(request, socket, head, (webSocket) => take(chosen, request, webSocket));
    },
    async close() {
      closed = true;
      const gone = [...open].map(
        (webSocket) =>
          new Promise<void>((resolve) => {
            const timer = setTimeout(() => webSocket.terminate(), GOODBYE);
            webSocket.once("close", () => {
              clearTimeout(timer);
              resolve();
            });
            webSocket.close(1001, "the bus is stopping");
          }),
      );
      await Promise.all(gone);
    },
  };
}

function refusal(status: number, title: string, detail: string): Problem {
  return { status, title, detail, close: true };
}

function refuse(request: IncomingMessage, response: ServerResponse, socket: Duplex, taken: WebResponse | Problem): void {
  // the handshake's socket is a net.Socket or a TLSSocket: the server made it
  response.assignSocket(socket as Parameters<ServerResponse["assignSocket"]>[0]);
  response.once("finish", () => socket.end(() => socket.destroy()));
  const path = (request.url ?? "").split("?", 1)[0] ?? "";
  writeAnswer(request, response, isProblem(taken) ? problemAnswer(taken, path) : taken, true);
}

/** Ends the link when the answer to the last ping did not come; `beside` is done with each ping. */
function ping(webSocket: WebSocket, every: number, beside: () => void): NodeJS.Timeout {
  let answered = true;
  webSocket.on("pong", () => (answered = true));
  const timer = setInterval(() => {
    if (!answered) return webSocket.terminate();
    answered = false;
    webSocket.ping();
    beside();
  }, every);
  timer.unref();
  return timer;
}

function linkOf(webSocket: WebSocket): SocketLink {
  return {
    get waiting() {
      return webSocket.bufferedAmount;
    },
    send(text) {
      if (webSocket.readyState === webSocket.OPEN) webSocket.send(text);
    },
    drained: () =>
      new Promise((resolve) => {
        if (webSocket.readyState !== webSocket.OPEN) return resolve();
        // an empty pong behind everything else has left when all has
        webSocket.pong(undefined, false, () => resolve());
      }),
    close(code, reason) {
      webSocket.close(code, cut(reason));
    },
  };
}

/** At most 123 bytes of UTF-8, no character torn. */
function cut(reason: string): string {
  const bytes = Buffer.from(reason);
  if (bytes.length <= 123) return reason;
  let end = 120;
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return `${bytes.subarray(0, end).toString("utf8")}…`;
}
