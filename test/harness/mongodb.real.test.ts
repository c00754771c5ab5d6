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
});
