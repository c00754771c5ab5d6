/** Revisions on MongoDB: all processes of a cluster see one line of them, and of two that write at once one is refused. */
import { afterAll, describe, expect, it } from "vitest";
import { mongoWorld } from "#test/harness/mongo-world.ts";
import { mongoServer } from "#test/harness/mongodb.ts";
import { filesOf } from "#test/harness/route-world.ts";
import { openArchive } from "./archive.ts";

const server = await mongoServer();
afterAll(() => server?.close());

describe.skipIf(!server)("the archive on MongoDB", () => {
  it("is one line for all processes, and of two that write at once one is refused", async () => {
    const world = await mongoWorld(server?.url ?? "", (engine) => engine.store);
    try {
      const [a, b] = [await openArchive(world.port), await openArchive((await world.node()).store)];
      const files = (text: string) => filesOf({ "routes/a.yaml": text, "contracts/ă.avsc": "{}" });
      const facts = (who: string) => ({ act: "apply", who, because: "at once", time: 5, approvedBy: "ion" }) as const;
      await a.append(0, files("0"), facts("root"));
      for (let base = 1; base < 6; base++) {
        const both = await Promise.allSettled([
          a.append(base, files(`a${base}`), facts("ana")),
          b.append(base, files(`b${base}`), facts("maria")),
        ]);
        expect(both.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
        const [lost] = both.flatMap((one) => (one.status === "rejected" ? [one.reason as unknown] : []));
        expect(lost).toMatchObject({ code: "store-conflict" });
      }
      const [line, same] = [await a.list(10), await b.list(10)];
      expect(line.map(({ number }) => number)).toEqual([6, 5, 4, 3, 2, 1]);
      expect(same).toEqual(line);
      const [head] = line;
      if (!head) throw new Error("no revision");
      expect((await b.files(head)).text("routes/a.yaml")).toBe(head.who === "ana" ? "a5" : "b5");
    } finally {
      await world.close();
    }
  });
});
