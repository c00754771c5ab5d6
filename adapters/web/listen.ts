/** Opening and closing of listening sockets. */
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { BusError } from "#bus/errors.ts";

/** Starts to listen and gives the address as a URL; port 0 takes any free one. Throws `configuration`. */
export function listen(server: Server, scheme: "http" | "https", at: Readonly<{ host: string; port: number }>): Promise<string> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      const why = error.code === "EADDRINUSE" ? "another program has this port; choose another, or 0 for any free one" : error.message;
      reject(new BusError("configuration", `cannot listen on ${at.host}:${at.port}: ${why}`, { cause: error }));
    });
    server.listen({ host: at.host, port: at.port, backlog: 1024 }, () => {
      const { port } = server.address() as AddressInfo;
      const any = at.host === "0.0.0.0" || at.host === "::";
      const name = any ? "localhost" : at.host.includes(":") ? `[${at.host}]` : at.host;
      resolve(`${scheme}://${name}:${port}`);
    });
  });
}

/** Requests that run now. `idle` is called each time the last one ends. */
export type Running = { count: number; draining: boolean; idle: () => void };

/** Stops listening, waits for running requests at most `timeout` milliseconds, then ends every connection. */
export async function closeServers(servers: readonly Server[], running: Running, timeout: number): Promise<void> {
  running.draining = true;
  const closed = servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve())));
  if (running.count > 0) {
    const idle = Promise.withResolvers<void>();
    running.idle = idle.resolve;
    const timer = setTimeout(idle.resolve, timeout);
    await idle.promise;
    clearTimeout(timer);
  }
  for (const server of servers) server.closeAllConnections();
  await Promise.all(closed);
}
