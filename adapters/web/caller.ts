/** Who calls: by the client certificate of the connection, by a trusted proxy's headers, or by name where the samples run. */
import type { X509Certificate } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { TLSSocket } from "node:tls";
import type { Problem } from "./answer.ts";
import type { HandshakeRefused } from "./handshakes.ts";

/** What is known of a caller. Exactly one of the first two is set, or none; both never. */
export type CallerFacts = Readonly<{
  /** It verifies up to an authority that is trusted. */
  certificate?: X509Certificate;
  /** The header `X-System` of the samples' plain port. */
  header?: string;
  /** Whom a proxy in front names; whether this caller may name anybody is the identifier's to say. */
  ingress?: Readonly<{ id?: string; serial?: string }>;
  /** IP address of the other side; on TLS only. */
  address?: string;
}>;
export type CallerEars = Readonly<{
  /** Why a certificate did not verify, where OpenSSL's code has no name. */
  explain?: ((certificate: X509Certificate, above: readonly X509Certificate[]) => string | undefined) | undefined;
  onRefused?: ((refused: HandshakeRefused) => void) | undefined;
}>;
type Said = string | undefined | Readonly<{ refused: string }>;
/** System id (`institution/system`) of a caller; undefined when it did not say who it is; or in words why it counts for nobody. */
export type Identify = (facts: CallerFacts) => Said | Promise<Said>;

export type Caller = Readonly<{ system: string | undefined; refused?: Problem }>;

const NOBODY: Caller = { system: undefined };
type Connection = Readonly<{ facts: CallerFacts; refused?: Problem }>;

/** Reads each connection's certificate once, and asks at each request whom it stands for; one that does not verify is refused. */
export function createCallers(
  identify: Identify,
  { explain, onRefused }: CallerEars = {},
): (request: IncomingMessage) => Caller | Promise<Caller> {
  const known = new WeakMap<TLSSocket, Connection>();
  const ask = (facts: CallerFacts): Caller | Promise<Caller> => {
    const said = identify(facts);
    return said instanceof Promise ? said.then((late) => callerOf(late, facts)) : callerOf(said, facts);
  };
  return (request) => {
    const { socket, headers } = request;
    const ingress = ingressOf(headers["x-mpass-client-id"], headers["x-mpass-client-cert-serial"]);
    if (!(socket instanceof TLSSocket)) {
      if (ingress) return ask({ ingress });
      const header = headers["x-system"];
      return typeof header === "string" ? ask({ header }) : NOBODY;
    }
    let connection = known.get(socket);
    if (connection === undefined) {
      known.set(socket, (connection = connectionOf(socket, explain)));
      if (connection.refused)
        onRefused?.({ reason: "certificate", address: connection.facts.address ?? "unknown", why: connection.refused.detail });
    }
    if (connection.refused) return { system: undefined, refused: connection.refused };
    if (ingress) return ask({ ...connection.facts, ingress });
    return connection.facts.certificate === undefined ? NOBODY : ask(connection.facts);
  };
}

function callerOf(said: Said, facts: CallerFacts): Caller {
  if (typeof said !== "object") return { system: said };
  const whose = facts.ingress ? "The caller" : "The client certificate";
  // a proxy's connection carries others' requests too
  return { system: undefined, refused: refusal(`${whose} was refused: ${said.refused}.`, facts.ingress === undefined) };
}

function ingressOf(id: string | string[] | undefined, serial: string | string[] | undefined): CallerFacts["ingress"] {
  if (id === undefined && serial === undefined) return undefined;
  return { ...(id === undefined ? {} : { id: String(id) }), ...(serial === undefined ? {} : { serial: String(serial) }) };
}

function connectionOf(socket: TLSSocket, explain: CallerEars["explain"]): Connection {
  const certificate = socket.getPeerX509Certificate();
  const address = plainAddress(socket.remoteAddress);
  const facts = {
    ...(certificate === undefined ? {} : { certificate }),
    ...(address === undefined ? {} : { address }),
  };
  if (certificate === undefined || socket.authorized) return { facts };
  // Node types this as Error, but gives OpenSSL's code as text.
  const code = String(socket.authorizationError ?? "it does not verify");
  const words = explain?.(certificate, aboveOf(certificate));
  const why = words === undefined ? code : code === "UNSPECIFIED" ? words : `${code}, ${words}`;
  return { facts, refused: refusal(`The client certificate was refused: ${why}.`, true) };
}

const DEEPEST = 12;

/** Those that came with a certificate, the nearest first; Node has them only where it did not verify. */
function aboveOf(certificate: X509Certificate): readonly X509Certificate[] {
  const above: X509Certificate[] = [];
  for (let at = certificate.issuerCertificate; at !== undefined && above.length < DEEPEST; at = at.issuerCertificate) above.push(at);
  return above;
}

function refusal(detail: string, close: boolean): Problem {
  return { status: 403, title: "Client certificate is not accepted", detail, close, code: "system-unknown" };
}

/** An IPv4 address is the same, however the socket writes it. */
export function plainAddress(address: string | undefined): string | undefined {
  return address?.replace(/^::ffff:(?=\d+\.)/, "");
}

/** Plain HTTP names its caller by a mere header, so it counts on this machine only. */
export function isLoopback(address: string | undefined): boolean {
  return address !== undefined && (address === "::1" || address.startsWith("127.") || address.startsWith("::ffff:127."));
}
