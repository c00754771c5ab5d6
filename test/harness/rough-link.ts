/**
 * A TCP link in front of a server that is as bad as networks can be: it resets connections in the middle of a frame, at bytes that a seed
 * decides, or loses what the server says while the server hears everything.
 */
import { connect, createServer, type AddressInfo, type Socket } from "node:net";

export type RoughLink = Readonly<{
  port: number;
  /** Connections that it reset. */
  cuts(): number;
  /** Bytes of the server that were lost. */
  lost(): number;
  /** From now on each connection is reset after at most so many bytes, of both ways together. */
  reset(seed: number, mostBytes: number): void;
  /** From now on what the server says is lost. */
  swallow(): void;
  /** Resets every connection, and lets all through from now on. */
  calm(): void;
  close(): Promise<void>;
}>;

type Pair = { readonly client: Socket; readonly far: Socket; left: number };

export async function roughLink(host: string, port: number): Promise<RoughLink> {
  const pairs = new Set<Pair>();
  let budget = (): number => Number.POSITIVE_INFINITY;
  let swallowing = false;
  let cuts = 0;
  let lost = 0;

  const cut = (pair: Pair): void => {
    if (!pairs.delete(pair)) return;
    cuts++;
    pair.client.resetAndDestroy();
    pair.far.resetAndDestroy();
  };
  const pass = (pair: Pair, to: Socket, piece: Buffer): void => {
    if (!pairs.has(pair)) return;
    const part = piece.subarray(0, pair.left);
    pair.left -= piece.length;
    if (pair.left > 0) to.write(part);
    else to.write(part, () => cut(pair)); // the half of a frame arrives, and then nothing
  };
  const server = createServer((client) => {
    const far = connect(port, host);
    const pair: Pair = { client, far, left: budget() };
    pairs.add(pair);
    for (const socket of [client, far]) {
      socket.setNoDelay(true);
      socket.on("error", () => undefined);
      socket.on("close", () => {
        pairs.delete(pair);
        client.destroy();
        far.destroy();
      });
    }
    client.on("data", (piece: Buffer) => pass(pair, far, piece));
    far.on("data", (piece: Buffer) => {
      if (swallowing) lost += piece.length;
      else pass(pair, client, piece);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    cuts: () => cuts,
    lost: () => lost,
    reset(seed, mostBytes) {
      const random = randomOf(seed);
      budget = () => 1 + Math.floor(random() * mostBytes);
      for (const pair of pairs) pair.left = budget();
    },
    swallow() {
      swallowing = true;
    },
    calm() {
      swallowing = false;
      budget = () => Number.POSITIVE_INFINITY;
      for (const pair of pairs) cut(pair);
    },
    async close() {
      for (const { client, far } of pairs) {
        client.destroy();
        far.destroy();
      }
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** The same numbers from 0 to 1 for the same seed (mulberry32). */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
