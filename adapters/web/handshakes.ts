/**
 * Bounds on TLS handshakes of one remote address: how many at once and how many a second. A handshake costs the server far more than
 * the caller, so one address must not use up everybody's; what passes a bound is ended before any of that cost.
 */
import type { Server, Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { plainAddress } from "./caller.ts";

export type HandshakeLimits = Readonly<{
  /** Handshakes of one address that may be unfinished; default 256. */
  atOnce?: number;
  /** Handshakes a second of one address over time (default 200), and how many may come in one moment (1000). */
  perSecond?: number;
  burst?: number;
}>;

/** A handshake that came to nothing. `limit`: it was ended at a bound; `failed`: it was no TLS that is taken here; `certificate`: the client's does not verify. */
export type HandshakeRefused = Readonly<{ reason: "limit" | "failed" | "certificate"; address: string; why: string }>;

type State = { open: number; tokens: number; at: number };
/** Addresses that are remembered; one without open handshakes gives way. */
const MOST = 10_000;

/** Puts the bounds in front of a server's own work. Call it before the server listens. */
export function limitHandshakes(server: Server, limits: HandshakeLimits, onRefused: (refused: HandshakeRefused) => void): void {
  const { atOnce = 256, perSecond = 200, burst = 1000 } = limits;
  const states = new Map<string, State>();
  const stateOf = (address: string, now: number): State => {
    let state = states.get(address);
    if (state === undefined) {
      makeRoom(states);
      states.set(address, (state = { open: 0, tokens: burst, at: now }));
    }
    state.tokens = Math.min(burst, state.tokens + ((now - state.at) / 1000) * perSecond);
    state.at = now;
    return state;
  };

  const own = server.listeners("connection") as ((socket: Socket) => void)[];
  server.removeAllListeners("connection");
  server.on("connection", (socket: Socket) => {
    const address = plainAddress(socket.remoteAddress) ?? "unknown";
    const state = stateOf(address, performance.now());
    const why =
      state.open >= atOnce
        ? `more than ${atOnce} unfinished handshakes`
        : state.tokens < 1
          ? `more than ${perSecond} handshakes a second`
          : undefined;
    if (why !== undefined) {
      socket.destroy();
      onRefused({ reason: "limit", address, why });
      return;
    }
    state.tokens -= 1;
    state.open += 1;
    let over = false;
    const finished = (): void => {
      if (over) return;
      over = true;
      state.open -= 1;
      finish.delete(keyOf(socket));
    };
    finish.set(keyOf(socket), finished);
    socket.once("close", finished);
    for (const listener of own) listener.call(server, socket);
  });

  const finish = new Map<string, () => void>();
  server.on("secureConnection", (socket: TLSSocket) => finish.get(keyOf(socket))?.());
  server.on("tlsClientError", (error: NodeJS.ErrnoException, socket: TLSSocket) => {
    finish.get(keyOf(socket))?.();
    const why = error.code ?? error.message;
    // the other side went away: nothing was refused
    if (why !== "ECONNRESET") onRefused({ reason: "failed", address: plainAddress(socket.remoteAddress) ?? "unknown", why });
    socket.destroy();
  });
}

const keyOf = (socket: Socket): string => `${socket.remoteAddress ?? ""}|${socket.remotePort ?? ""}`;

function makeRoom(states: Map<string, State>): void {
  if (states.size < MOST) return;
  for (const [address, { open }] of states) {
    if (open === 0) {
      states.delete(address);
      return;
    }
  }
}
