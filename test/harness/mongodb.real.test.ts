import { createServer } from "node:net";
import { MongoClient } from "mongodb";
import { afterAll, describe, expect, it } from "vitest";
import { mongoServer } from "./mongodb.ts";

const server = await mongoServer();
afterAll(() => server?.close());

describe.skipIf(server?.kill === undefined || server.revive === undefined)("the MongoDB server of the tests", () => {
  it("keeps what it acknowledged when it is killed", async () => {
    const client = new MongoClient(server?.url ?? "");
    const database = `mbus-test-${process.pid}`;
    const docs = Array.from({ length: 500 }, (_, n) => ({ n }));
    await client
      .db(database)
      .collection("a")
      .insertMany(docs, { writeConcern: { w: "majority", j: true } });
    await server?.kill?.();
    await server?.revive?.();
    expect(await client.db(database).collection("a").countDocuments()).toBe(500);
    await client.db(database).dropDatabase();
    await client.close();
  });

  it("that cannot start again says why at once, and starts when it can", async () => {
    const port = Number(new URL(server?.url ?? "").port);
    await server?.kill?.();
    const other = createServer((socket) => socket.destroy());
    await new Promise<void>((resolve) => other.listen(port, "127.0.0.1", resolve));
    await expect(server?.revive?.()).rejects.toThrow(/address already in use/u);
    await new Promise((resolve) => other.close(resolve));
    await server?.revive?.();
    const client = new MongoClient(server?.url ?? "");
    expect(await client.db("admin").command({ ping: 1 })).toMatchObject({ ok: 1 });
    await client.close();
  });
});
