import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server } from "node:https";
import { connect, type AddressInfo, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { openKeys, type Keys } from "#adapters/keys/ca.ts";
import { callTls, handshake } from "#test/harness/mtls.ts";
import { eventually } from "#test/harness/receiver.ts";
import { limitHandshakes, type HandshakeLimits, type HandshakeRefused } from "./handshakes.ts";

const PATIENCE = 20_000;
let dataDir: string;
let keys: Keys;
const servers: Server[] = [];
const sockets: Socket[] = [];
beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "handshakes-"));
  keys = await openKeys(dataDir);
});
afterAll(() => rm(dataDir, { recursive: true }));
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

async function open(limits: HandshakeLimits) {
  const refused: HandshakeRefused[] = [];
  const server = createServer({ ...keys.server, handshakeTimeout: 60_000 }, (_, response) => response.end("served"));
  limitHandshakes(server, limits, (one) => refused.push(one));
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  /** A connection that says nothing; `closed` once the server ended it. */
  const silent = (): { closed: boolean } => {
    const state = { closed: false };
    const socket = connect(port, "127.0.0.1");
    socket.on("error", () => undefined);
    socket.resume().once("close", () => (state.closed = true));
    sockets.push(socket);
    return state;
  };
  return { refused, silent, base: `https://127.0.0.1:${port}` };
}

describe("handshakes of one address", () => {
  it("are no more at once than they may be; what is above is ended, the others stay", async () => {
    const { refused, silent } = await open({ atOnce: 3 });
    const states = [silent(), silent(), silent(), silent(), silent()];
    const closed = (): number => states.filter((state) => state.closed).length;
    await eventually(
      async () => closed() === 2,
      () => `${closed()} were ended`,
      PATIENCE,
    );
    expect(refused).toEqual(
      Array.from({ length: 2 }, () => ({ reason: "limit", address: "127.0.0.1", why: "more than 3 unfinished handshakes" })),
    );
  });

  it("make room when they are finished, given up or broken", async () => {
    const { base, silent, refused } = await open({ atOnce: 1 });
    for (let count = 0; count < 3; count += 1) expect((await callTls(base, "/", {})).body).toBe("served");
    silent();
    await eventually(
      async () => (await handshake(base, {})).protocol === undefined,
      () => "the one that is silent holds no place",
      PATIENCE,
    );
    for (const socket of sockets.splice(0)) socket.destroy();
    await eventually(
      async () => (await handshake(base, {})).protocol !== undefined,
      () => "its place was not given back",
      PATIENCE,
    );
    const breakOne = async (): Promise<boolean> => {
      const broken = connect(Number(new URL(base).port), "127.0.0.1");
      broken.on("error", () => undefined);
      broken.resume().end("no TLS at all, and long enough to be seen as that");
      await new Promise((resolve) => broken.once("close", resolve));
      return refused.some(({ reason }) => reason === "failed");
    };
    await eventually(breakOne, () => "what is no TLS was not told", PATIENCE);
    await eventually(
      async () => (await handshake(base, {})).protocol !== undefined,
      () => "the place of the broken one was not given back",
      PATIENCE,
    );
  });

  it("are no more in a moment than may come at once, whether they end well or not", async () => {
    const { base, refused } = await open({ burst: 4, perSecond: 0.001 });
    for (let count = 0; count < 4; count += 1) expect(await handshake(base, {})).toHaveProperty("protocol");
    expect(await handshake(base, {})).not.toHaveProperty("protocol");
    expect(refused).toEqual([{ reason: "limit", address: "127.0.0.1", why: "more than 0.001 handshakes a second" }]);
  });

  it("may come again as time passes", async () => {
    const { base } = await open({ burst: 1, perSecond: 20 });
    await handshake(base, {});
    await eventually(
      async () => (await handshake(base, {})).protocol !== undefined,
      () => "nobody is let in any more",
      PATIENCE,
    );
  });
});
