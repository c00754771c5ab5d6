/** Calls over mutual TLS as no well-behaved client makes them: any certificate, server name, Host, TLS version, one connection kept. */
import { Agent, request as httpsRequest } from "node:https";
import { connect, type ConnectionOptions } from "node:tls";

export type Caller = Readonly<{ cert?: string; key?: string }>;
export type CallOptions = Readonly<{
  /** Host header and server name in the handshake; both default to localhost. */
  host?: string;
  servername?: string;
  headers?: Readonly<Record<string, string | readonly string[]>>;
  method?: string;
  body?: string;
  agent?: Agent;
  tls?: ConnectionOptions;
}>;
export type Answer = Readonly<{ status: number; type: string; body: string }>;

/** Weak keys and old digests are the server's to refuse: the client's own library must not do it first. */
const WILLING = { ciphers: "DEFAULT@SECLEVEL=0", rejectUnauthorized: false } as const;

export function callTls(base: string, path: string, caller: Caller, options: CallOptions = {}): Promise<Answer> {
  const { host = "localhost", servername = "localhost", headers, method = "GET", body, agent, tls } = options;
  const { hostname, port } = new URL(base);
  return new Promise((resolve, reject) => {
    const all = { ...headers, host } as Record<string, string>;
    const whole = { ...WILLING, ...tls, ...caller, host: hostname, port, path, method, servername, headers: all, agent: agent ?? false };
    const request = httpsRequest(whole, (response) => {
      let text = "";
      response.on("data", (chunk: Buffer) => (text += chunk.toString()));
      response.on("end", () => resolve({ status: response.statusCode ?? 0, type: response.headers["content-type"] ?? "", body: text }));
      response.on("error", reject);
    });
    request.on("error", reject);
    request.end(body);
  });
}

/** One connection for all calls that use it. */
export const keptAgent = (): Agent => new Agent({ keepAlive: true, maxSockets: 1 });

/** Does a handshake with these options end well? Its protocol, or why it did not. */
export function handshake(base: string, options: ConnectionOptions): Promise<Readonly<{ protocol?: string; why?: string }>> {
  const { hostname, port } = new URL(base);
  return new Promise((resolve) => {
    const socket = connect({ ...WILLING, host: hostname, port: Number(port), servername: "localhost", ...options });
    socket.once("secureConnect", () => {
      const protocol = socket.getProtocol() ?? "";
      socket.destroy();
      resolve({ protocol });
    });
    socket.once("error", (error: NodeJS.ErrnoException) => resolve({ why: error.code ?? error.message }));
    socket.once("close", () => resolve({ why: "closed" }));
  });
}
