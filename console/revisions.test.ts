/** Change control over the administrators' face: what is asked wrongly is told, what is refused keeps its status. */
import { describe, expect, it } from "vitest";
import type { Admin } from "#bus/admin.ts";
import { openTestChanges } from "#test/harness/changes.ts";
import { createMemoryJournal, createMemoryStore } from "#test/harness/memory.ts";
import { BASE, CHANGED, filesOf } from "#test/harness/route-world.ts";
import { createVirtualClock } from "#test/harness/virtual-clock.ts";
import { adminApi } from "./api.ts";

const GRANTS = BASE["routes/grants.yaml"] ?? "";
const NARROW = { "routes/grants.yaml": GRANTS.replace("[status, name]", "[status]") };
const ACT = { operator: "ana", reason: "less is enough" };

type Answer = Readonly<{ status: number; json: Readonly<Record<string, unknown>> }>;

async function setup() {
  const made = await openTestChanges({ store: createMemoryStore(), journal: createMemoryJournal(), clock: createVirtualClock(0) });
  await made.archive.append(0, filesOf({ ...BASE, "routes/changed.yaml": CHANGED }), {
    act: "start",
    who: "root",
    because: "first",
    time: 0,
  });
  const handler = adminApi({ changes: made.changes } as Admin, "t");
  const ask = async (method: string, path: string, body?: unknown): Promise<Answer> => {
    const [bare = "", query = ""] = path.split("?");
    const { status, body: answer } = await handler({
      method,
      path: `/api/v1${bare}`,
      query: new URLSearchParams(query),
      headers: { authorization: "Bearer t" },
      system: undefined,
      origin: "http://127.0.0.1",
      body: new TextEncoder().encode(body === undefined ? "" : JSON.stringify(body)),
      signal: new AbortController().signal,
    });
    return { status, json: JSON.parse(String(answer)) as Record<string, unknown> };
  };
  return { ...made, ask };
}

describe("revisions over HTTP", () => {
  it("are planned without a name, and applied with one", async () => {
    const { ask } = await setup();
    const planned = await ask("POST", "/revisions", { base: 1, put: NARROW, dryRun: true });
    expect(planned).toMatchObject({ status: 200, json: { state: "planned", plan: { verdict: "sound" } } });
    const nameless = await ask("POST", "/revisions", { base: 1, put: NARROW });
    expect([nameless.status, nameless.json["detail"]]).toEqual([400, "`operator` is missing: give it as text"]);
    expect(await ask("POST", "/revisions", { base: 1, put: NARROW, ...ACT })).toMatchObject({
      status: 200,
      json: { revision: { number: 2 } },
    });
    expect((await ask("GET", "/revisions/head")).json).toMatchObject({ revision: { number: 2, who: "ana" } });
  });

  it("are listed in pages, newest first", async () => {
    const { ask } = await setup();
    await ask("POST", "/revisions", { base: 1, put: NARROW, ...ACT });
    const first = await ask("GET", "/revisions?limit=1");
    expect(first.json).toMatchObject({ mode: "applied", items: [{ number: 2 }], nextCursor: 2 });
    expect((await ask("GET", "/revisions?limit=1&before=2")).json).toMatchObject({ items: [{ number: 1 }], nextCursor: null });
  });

  it("go back, first as a plan", async () => {
    const { ask } = await setup();
    await ask("POST", "/revisions", { base: 1, put: NARROW, ...ACT });
    expect((await ask("POST", "/revisions/1/rollbacks", { dryRun: true })).json).toMatchObject({ plan: { grants: [{ gains: ["name"] }] } });
    expect((await ask("POST", "/revisions/1/rollbacks", ACT)).json).toMatchObject({ revision: { number: 3, restores: 1 } });
  });

  it("say 409 when somebody else came first, 403 when a change is refused, 404 for what is not there", async () => {
    const { ask } = await setup();
    await ask("POST", "/revisions", { base: 1, put: NARROW, ...ACT });
    expect((await ask("POST", "/revisions", { base: 1, put: {}, ...ACT })).status).toBe(409);
    expect((await ask("POST", "/revisions", { base: 2, put: {}, ...ACT })).status).toBe(403);
    expect((await ask("GET", "/revisions/9")).status).toBe(404);
    expect((await ask("GET", "/revision-texts/00")).status).toBe(404);
    expect((await ask("POST", "/revision-proposals/none/approvals", ACT)).status).toBe(404);
  });

  it.each([
    [{ base: 1, put: ["x"] }, "`put` is no object of texts"],
    [{ base: 1, put: { "routes/x.yaml": 5 } }, "`put` is no object of texts"],
    [{ base: 1, remove: "routes/x.yaml" }, "`remove` is no list of paths"],
    [{ base: "1" }, "`base` is no number"],
    [{ base: 1, anyway: "yes" }, "`anyway` is neither true nor false"],
    [{ base: 1, put: { "../x.yaml": "" } }, "is no file of an administrator"],
  ])("refuse %j", async (body, text) => {
    const { ask } = await setup();
    const { status, json } = await ask("POST", "/revisions", { ...body, ...ACT });
    expect([status, json["detail"]]).toEqual([400, expect.stringContaining(text) as string]);
  });

  it.each(["/revisions/0", "/revisions/x", "/revisions/1e3", "/revisions?limit=x", "/revisions?before=-1"])(
    "refuse GET %s",
    async (path) => {
      const { ask } = await setup();
      expect((await ask("GET", path)).status).toBe(400);
    },
  );
});
