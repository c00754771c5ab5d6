import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { listen, startSample, temporaryFolder, type RunningSample } from "#test/harness/sample.ts";

const event = (id: string, more: Readonly<Record<string, string>> = {}): Readonly<Record<string, string>> => ({
  "content-type": "application/json",
  "ce-specversion": "1.0",
  "ce-id": id,
  "ce-source": "rsp/population",
  "ce-type": "mbus.person.changed.v1",
  ...more,
});

describe("the town hall", () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let bus: Awaited<ReturnType<typeof listen>>;
  let hall: RunningSample;
  beforeAll(async () => {
    folder = await temporaryFolder();
    bus = await listen(({ url }) => ({
      status: url.endsWith("benefit.register.v1") ? 202 : 200,
      type: "application/json",
      body: '{"status":"found"}',
    }));
    hall = await startSample("samples/town-hall/main.ts", { dir: folder.path, bus: bus.url });
  });
  afterAll(async () => {
    await hall.end();
    await bus.close();
    await folder.remove();
  });

  it("takes an event once: 202, then 200 for the same id of the same source", async () => {
    expect((await hall.post("/events", '{"idnp":"2004100423789"}', event("e-1"))).status).toBe(202);
    expect((await hall.post("/events", '{"idnp":"2004100423789"}', event("e-1"))).status).toBe(200);
    expect((await hall.post("/events", "{}", event("e-1", { "ce-source": "asp/vehicles" }))).status).toBe(202);
    expect((await hall.get("/ui/ledger")).json()).toMatchObject({ effects: 2, duplicates: 1, kinds: { "mbus.person.changed.v1": 2 } });
  });

  it.each([
    ["without an id", event("e-9", { "ce-id": "" }), "{}"],
    ["of another version", event("e-9", { "ce-specversion": "0.3" }), "{}"],
    ["that is no JSON", event("e-9"), "{"],
    ["that is a list", event("e-9"), "[]"],
    ["of another media type", event("e-9", { "content-type": "text/plain" }), "{}"],
  ])("refuses an event %s", async (_, headers, body) => {
    const before = (await hall.get("/ui/ledger")).json()["effects"];
    expect((await hall.post("/events", body, headers)).status).toBe(400);
    expect((await hall.get("/ui/ledger")).json()["effects"]).toBe(before);
  });

  it("asks by REST with the call context in HTTP headers", async () => {
    const answer = await hall.post("/ui/persons/ask", JSON.stringify({ idnp: "2004100423789", reason: "certificate" }));
    expect([answer.status, answer.json()]).toEqual([200, { status: "found" }]);
    const asked = bus.heard.at(-1);
    expect(asked?.url).toBe("/mconnect/rest/person.request.v1");
    expect(JSON.parse(asked?.body ?? "")).toEqual({ idnp: "2004100423789" });
    expect(asked?.headers).toMatchObject({ "x-system": "primaria/registry", callreason: "certificate", callbasis: "art. 29" });
    expect(asked?.headers["callinguser"]).toMatch(/^\d{13}$/u);
  });

  it("sends an application under its own number as message id", async () => {
    const application = { applicationId: "ORH-7", idnp: "2004100423789", amount: "1.00" };
    expect((await hall.post("/ui/benefits", JSON.stringify(application))).status).toBe(202);
    const sent = bus.heard.at(-1);
    expect(sent?.url).toBe("/mconnect/rest/benefit.register.v1");
    expect(sent?.headers).toMatchObject({ "x-message-id": "ORH-7", "case-number": "ORH-7" });
    expect(JSON.parse(sent?.body ?? "")).toEqual(application);
  });

  it("fetches the answer of an application by its ticket, as itself", async () => {
    const answer = await hall.get("/ui/benefits/ORH-7");
    expect([answer.status, answer.json()]).toEqual([200, { status: "found" }]);
    expect(bus.heard.at(-1)).toMatchObject({ method: "GET", url: "/mconnect/commands/ORH-7" });
    expect(bus.heard.at(-1)?.headers["x-system"]).toBe("primaria/registry");
  });
});
