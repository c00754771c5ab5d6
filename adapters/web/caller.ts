/** Who calls: by the client certificate of the connection, or by name where the samples run. */
import type { X509Certificate } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { TLSSocket } from "node:tls";
import type { Problem } from "./answer.ts";

/** What is known of a caller. Exactly one is set: a verified certificate, or the header `X-System` of the samples. */
export type CallerFacts = Readonly<{ certificate?: X509Certificate; header?: string }>;
/** System id (`institution/system`) of a caller, undefined when no registered system fits. */
export type Identify = (facts: CallerFacts) => string | undefined;

export type Caller = Readonly<{ system: string | undefined; refused?: Problem }>;

const NOBODY: Caller = { system: undefined };

/** Reads each connection's certificate once; a certificate that does not verify is refused, none at all is `undefined`. */
export function createCallers(identify: Identify): (request: IncomingMessage) => Caller {
  const known = new WeakMap<TLSSocket, Caller>();
  return (request) => {
    const socket = request.socket;
    if (!(socket instanceof TLSSocket)) {
      const header = request.headers["x-system"];
      return typeof header === "string" ? { system: identify({ header }) } : NOBODY;
    }
    let caller = known.get(socket);
    if (caller === undefined) known.set(socket, (caller = fromCertificate(socket, identify)));
    return caller;
  };
}

function fromCertificate(socket: TLSSocket, identify: Identify): Caller {
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return NOBODY;
  if (socket.authorized) return { system: identify({ certificate }) };
  // Node types this as Error, but gives OpenSSL's code as text.
  const why = String(socket.authorizationError ?? "it does not verify");
  return {
    system: undefined,
    refused: {
      status: 403,
      title: "Client certificate is not accepted",
      detail: `The client certificate was refused: ${why}.`,
      close: true,
    },
  };
}

/** Plain HTTP names its caller by a mere header, so it counts on this machine only. */
export function isLoopback(address: string | undefined): boolean {
  return address !== undefined && (address === "::1" || address.startsWith("127.") || address.startsWith("::ffff:127."));
}
