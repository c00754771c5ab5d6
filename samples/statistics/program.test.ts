import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startSample, temporaryFolder, type RunningSample } from "#test/harness/sample.ts";

const event = (id: string): Readonly<Record<string, string>> => ({
  "content-type": "application/json",
  "ce-specversion": "1.0",
  "ce-id": id,
  "ce-source": "rsp/population",
  "ce-type": "mbus.person.changed.v1",
});

describe("the data lake", () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let lake: RunningSample;
  beforeAll(async () => {
    folder = await temporaryFolder();
    lake = await startSample("samples/statistics/main.ts", { dir: folder.path });
  });
  afterAll(async () => {
    await lake.end();
    await folder.remove();
  });

  it("takes what names nobody, once", async () => {
    const data = JSON.stringify({ month: "2026-11", region: "Raionul Orhei", sex: "F", ageGroup: "50-59", street: null });
    expect((await lake.post("/events", data, event("a"))).status).toBe(202);
    expect((await lake.post("/events", data, event("a"))).status).toBe(200);
    expect((await lake.get("/ui/ledger")).json()).toMatchObject({ effects: 1, duplicates: 1, refused: 0 });
  });

  it.each([
    ["a personal number", { code: "2004100423789" }],
    ["a day of birth", { dateOfBirth: "1972-02-03" }],
    ["a street, however deep", { address: { street: "str. Păcii" } }],
    ["a plate", { plate: "YNR 163" }],
    ["an owner", { ownerIdno: "x" }],
  ])("refuses %s and keeps nothing of it", async (name, data) => {
    const answer = await lake.post("/events", JSON.stringify(data), event(name));
    expect(answer.status).toBe(422);
    expect(answer.text).not.toContain("2004100423789");
    expect((await lake.get("/ui/ledger")).json()).toMatchObject({ effects: 1 });
  });

  it("refuses a subject that is a personal number", async () => {
    expect((await lake.post("/events", "{}", { ...event("s"), "ce-subject": "2004100423789" })).status).toBe(422);
  });
});
