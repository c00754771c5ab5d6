/**
 * Ports of loopback for servers that die and come back. They lie below those that the system lends to anybody who connects or asks for
 * any port: such a one, free while its server is down, would soon belong to another program, or to the connection of a client that tries
 * it again and again and meets itself.
 */
import { randomInt } from "node:crypto";
import { createServer } from "node:net";

const FIRST = 15_000;
/** Linux lends from 32768 on, others from 49152 on. */
const END = 32_000;
const TRIES = 100;

/** A port that nobody listens on now. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < TRIES; tries += 1) {
    const port = randomInt(FIRST, END);
    if (await isFree(port)) return port;
  }
  throw new Error(`no free port between ${FIRST} and ${END} in ${TRIES} tries`);
}

/** So many ports that differ. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const ports = new Set<number>();
  while (ports.size < count) ports.add(await freePort());
  return [...ports];
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
