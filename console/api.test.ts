/** The administrators' face over a bus in memory: who gets in, what bad input is told, and what each act leaves in the journal. */
import { afterEach, describe, expect, it } from "vitest";
import { createAdmin } from "#bus/admin-bus.ts";
import type { Admin } from "#bus/admin.ts";
import { BusError, CODES, type ErrorCode } from "#bus/errors.ts";
import { sampleCatalogue } from "#test/harness/catalogue.ts";
import { evidenceFor, testKeys } from "#test/harness/evidence-admin.ts";
import { openTestChanges } from "#test/harness/changes.ts";
import { branchOf } from "#test/harness/route.ts";
import { changed, GRANTS, inboundOf, lookup, openBusWorld, setOf, type BusWorld, type BusWorldOptions } from "#test/harness/bus-world.ts";
import type { WebHandler, WebRequest } from "#bus/wire.ts";
import { verifyEvidence } from "#verifier/evidence.ts";
import { checkCheckpoint, checkConsistency, readLogKey } from "#verifier/log.ts";
import { adminApi } from "./api.ts";

const TOKEN = "the-token-of-this-test";
const open: BusWorld[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map(({ bus }) => bus.close()));
});

type Answer = Readonly<{ status: number; headers: Readonly<Record<string, string>>; json: Record<string, unknown> }>;
type Asked = Readonly<{ query?: string; body?: unknown; raw?: Uint8Array | string; authorization?: string | undefined }>;

const requestOf = (method: string, path: string, asked: Asked): WebRequest => ({
  method,
  path: `/api/v1${path}`,
  query: new URLSearchParams(asked.query ?? ""),
  headers: { authorization: "authorization" in asked ? asked.authorization : `Bearer ${TOKEN}` },
  system: undefined,
  origin: "http://127.0.0.1:8080",
  body:
    asked.raw === undefined
      ? new TextEncoder().encode(asked.body === undefined ? "" : JSON.stringify(asked.body))
      : typeof asked.raw === "string"
        ? new TextEncoder().encode(asked.raw)
        : asked.raw,
  signal: new AbortController().signal,
});

async function askOf(handler: WebHandler, method: string, path: string, asked: Asked): Promise<Answer> {
  const { status, headers = {}, body = "" } = await handler(requestOf(method, path, asked));
  return { status, headers, json: JSON.parse(String(body)) as Record<string, unknown> };
}

async function setup(options: BusWorldOptions = {}) {
  const world = await openBusWorld(options);
  open.push(world);
  const { bus, journal, clock } = world;
  const admin = createAdmin({
    bus,
    journal,
    evidence: await evidenceFor(world),
    clock,
    version: "9.9.9",
    pid: 4711,
    startedAt: clock.now(),
    memory: () => ({ rss: 1, heapUsed: 2 }),
    unclaimed: () => Promise.resolve([]),
    drift: () => ({ drift: false, findings: [] }),
    changes: (await openTestChanges(world)).changes,
    catalogue: await sampleCatalogue(),
    faces: (route) => ({ wsdl: route.id === "lookup" ? "/mconnect/soap/x/Y" : undefined, rest: `/mconnect/rest/${route.contract.id}` }),
  });
  const handler = adminApi(admin, TOKEN);
  const get = (path: string, asked: Asked = {}): Promise<Answer> => askOf(handler, "GET", path, asked);
  const post = (path: string, body: unknown, asked: Asked = {}): Promise<Answer> => askOf(handler, "POST", path, { body, ...asked });
  const items = async (answer: Promise<Answer>): Promise<readonly Record<string, unknown>[]> =>
    (await answer).json["items"] as readonly Record<string, unknown>[];
  return { ...world, handler, get, post, items };
}

/** An Admin whose every member throws this. */
function failing(error: unknown): Admin {
  const fail = (): never => {
    throw error;
  };
  return new Proxy({}, { get: () => fail }) as Admin;
}

const BY = { operator: "ana", reason: "planned work" };

describe("the token", () => {
  it.each([
    ["none", undefined],
    ["an empty one", ""],
    ["the bare token", TOKEN],
    ["another scheme", `Basic ${TOKEN}`],
    ["the scheme alone", "Bearer "],
    ["a prefix of it", `Bearer ${TOKEN.slice(0, -1)}`],
    ["one with more behind it", `Bearer ${TOKEN}x`],
    ["one of the same length", `Bearer ${"x".repeat(TOKEN.length)}`],
    ["one in other letters", `Bearer ${TOKEN.toUpperCase()}`],
    ["the scheme in small letters", `bearer ${TOKEN}`],
    ["two spaces", `Bearer  ${TOKEN}`],
    ["letters of more bytes", `Bearer ${"é".repeat(TOKEN.length)}`],
  ])("%s opens nothing, and the answer says where the right one lies", async (_, authorization) => {
    const { get } = await setup();
    const { status, headers, json } = await get("/status", { authorization });
    expect(status).toBe(401);
    expect(headers["content-type"]).toBe("application/problem+json; charset=utf-8");
    expect(json).toEqual({
      type: "urn:mconnect-bus:error:admin-denied",
      title: "admin-denied",
      status: 401,
      detail: "the administration API needs `Authorization: Bearer` with the token in <data folder>/admin.token",
      instance: "/api/v1/status",
      errors: {},
    });
  });

  it("is asked for before anything is looked at: an unknown address tells a stranger nothing", async () => {
    const { get, post } = await setup();
    expect((await get("/no/such/thing", { authorization: undefined })).status).toBe(401);
    expect((await post("/replays", undefined, { raw: "{", authorization: undefined })).status).toBe(401);
  });

  it("is not needed to read how the face is called", async () => {
    const { get } = await setup();
    const { status, json } = await get("/openapi.json", { authorization: undefined });
    expect([status, json["openapi"]]).toEqual([200, "3.1.0"]);
  });

  it("opens with the right one, and no cache may keep what it shows", async () => {
    const { get } = await setup();
    const { status, headers } = await get("/status");
    expect([status, headers["cache-control"]]).toEqual([200, "no-store"]);
    expect(headers["content-type"]).toBe("application/json; charset=utf-8");
  });
});

describe("addresses", () => {
  it("that are not served name the document that lists what is", async () => {
    const { get } = await setup();
    for (const path of ["", "/", "/nothing", "/status/more", "/journal", "/routes/lookup", "/messages//trace"]) {
      const { status, json } = await get(path);
      expect([status, json["detail"]], path).toEqual([404, `nothing is served at /api/v1${path}; /api/v1/openapi.json lists what is`]);
    }
  });

  it.each([
    ["POST", "/status"],
    ["DELETE", "/contracts"],
    ["GET", "/journal/searches/"],
    ["PUT", "/replays"],
    ["GET", "/routes/lookup/pauses"],
    ["POST", "/messages/m-1/trace"],
  ])("%s %s is another method than the one that is served", async (method, path) => {
    const { handler } = await setup();
    const { status, json } = await askOf(handler, method, path, {});
    if (path === "/journal/searches/") {
      // a position that is no number: read as the address of one record
      expect([status, json["title"]]).toEqual([400, "json-violation"]);
      return;
    }
    expect([status, json["detail"]]).toEqual([404, `${method} is not served at /api/v1${path}`]);
  });

  it("may end with a slash", async () => {
    const { get } = await setup();
    expect((await get("/status/")).status).toBe(200);
  });

  it.each(["a/b", "https://register.example/messages/1", "100%", "50%25", "ă î", "a?b", "..x", "trace"])(
    "hold any message id: %s",
    async (id) => {
      const { bus, get, items } = await setup();
      await bus.accept(inboundOf("lookup", "asker/one", { n: 1 }, { id }));
      // the web host has decoded the path once
      const rows = await items(get(`/messages/${id}/trace`));
      expect(rows.map((row) => [row["id"], row["step"]])).toEqual([
        [id, "accepted"],
        [id, "replied"],
      ]);
    },
  );
});

describe("bodies", () => {
  const bad: readonly (readonly [string, string | Uint8Array, string, string])[] = [
    ["is no JSON", "{", "json-malformed", "the body is not JSON in UTF-8"],
    ["is not UTF-8", Uint8Array.of(0x7b, 0xff, 0x7d), "json-malformed", "the body is not JSON in UTF-8"],
    ["is a list", "[]", "json-violation", "the body is not a JSON object"],
    ["is null", "null", "json-violation", "the body is not a JSON object"],
    ["is text", '"x"', "json-violation", "the body is not a JSON object"],
    ["is a number", "7", "json-violation", "the body is not a JSON object"],
  ];
  it.each(bad)("one that %s is refused with 400", async (_, raw, title, detail) => {
    const { post } = await setup();
    for (const path of ["/replays", "/journal/searches", "/dead-letters/replays", "/routes/lookup/pauses"]) {
      const { status, json } = await post(path, undefined, { raw });
      expect([status, json["title"], json["detail"]], path).toEqual([400, title, detail]);
    }
  });

  it("an absent one is an empty object", async () => {
    const { post } = await setup();
    expect((await post("/journal/searches", undefined)).status).toBe(200);
    const { json } = await post("/replays", undefined);
    expect(json["detail"]).toBe("`route` is missing: give it as text");
  });
});

describe("status, contracts, systems, endpoints", () => {
  it("say what runs with every member of the documented shape", async () => {
    const { get } = await setup();
    const { json } = await get("/status");
    expect(json).toMatchObject({ version: "9.9.9", pid: 4711, drift: false, findings: [], deadletters: 0, openBreakers: 0 });
    const routes = json["routes"] as readonly Record<string, unknown>[];
    expect(routes.map(({ id, pattern, state }) => [id, pattern, state])).toEqual([
      ["lookup", "query", "active"],
      ["changed", "event", "active"],
      ["register", "command", "active"],
    ]);
    expect(Object.keys(routes[1] ?? {})).toEqual(["id", "title", "owner", "pattern", "contract", "state", "revision", "place", "branches"]);
    expect(routes[0]?.["branches"]).toEqual([]);
    expect(routes[1]?.["branches"]).toMatchObject([
      { name: "a", system: "taker/a", paused: false, lag: 0, inFlight: 0, waiting: 0, blockedKeys: 0, delivered: 0, failed: 0, dead: 0 },
      { name: "b", system: "taker/b" },
    ]);
  });

  it("list contracts by their full name with the addresses of their faces", async () => {
    const { get, items } = await setup();
    expect(await items(get("/contracts"))).toEqual([
      expect.objectContaining({ id: "person.request.v1", name: "person.request", version: 1, wsdl: "/mconnect/soap/x/Y" }),
      expect.objectContaining({ id: "person.changed.v1", pattern: "event", rest: "/mconnect/rest/person.changed.v1" }),
      expect.objectContaining({ id: "benefit.register.v1", pattern: "command" }),
    ]);
  });

  it("list systems without their contacts", async () => {
    const { get, items } = await setup();
    const [first] = await items(get("/systems"));
    expect(first).toEqual({
      id: "asker/one",
      title: "System asker/one",
      institution: { idno: "1004600030235", name: "asker" },
      addresses: ["http://asker-one.example"],
    });
  });

  it("list an endpoint once it was called", async () => {
    const { get, items, bus } = await setup();
    expect(await items(get("/endpoints"))).toEqual([]);
    await bus.accept(inboundOf("lookup", "asker/one", { n: 1 }));
    expect((await items(get("/endpoints"))).map(({ endpoint }) => endpoint)).toEqual(["http://to"]);
  });
});

describe("pausing a route", () => {
  it("keeps who and why in the journal before it holds, and resuming too", async () => {
    const { post, bus, journal } = await setup();
    expect(await post("/routes/lookup/pauses", { paused: true, ...BY })).toMatchObject({ status: 200, json: {} });
    expect(journal.records).toMatchObject([{ step: "act", outcome: "ok", route: "lookup", detail: "pause by ana: planned work" }]);
    await expect(bus.accept(inboundOf("lookup", "asker/one", { n: 1 }))).rejects.toMatchObject({ code: "route-paused" });
    await post("/routes/lookup/pauses", { paused: false, operator: "ion", reason: "done" });
    expect(journal.records.at(-1)?.detail).toBe("resume by ion: done");
    await expect(bus.accept(inboundOf("lookup", "asker/one", { n: 1 }))).resolves.toMatchObject({ kind: "reply" });
  });

  it("is meant where `paused` is left out", async () => {
    const { post, bus } = await setup();
    await post("/routes/changed/pauses", BY);
    expect((await bus.view().routes.get("changed")?.branches[0]?.state())?.paused).toBe(true);
  });

  it.each([["false"], [0], [null], ["yes"], [{}]])("refuses paused: %j, which might mean the other", async (paused) => {
    const { post, journal } = await setup();
    const { status, json } = await post("/routes/lookup/pauses", { paused, ...BY });
    expect([status, json["detail"]]).toEqual([400, "`paused` is neither true nor false"]);
    expect(journal.records).toEqual([]);
  });

  it.each([
    [{}, "`operator` is missing: give it as text"],
    [{ operator: "ana" }, "`reason` is missing: give it as text"],
    [{ operator: "", reason: "x" }, "`operator` is missing: give it as text"],
    [{ operator: "ana", reason: "   " }, "`reason` is missing: give it as text"],
    [{ operator: 7, reason: "x" }, "`operator` is missing: give it as text"],
    [{ operator: "ana", reason: ["x"] }, "`reason` is missing: give it as text"],
  ])("by nobody or for no reason changes nothing: %j", async (body, detail) => {
    const { post, bus, journal } = await setup();
    const { status, json } = await post("/routes/changed/pauses", body);
    expect([status, json["title"], json["detail"]]).toEqual([400, "json-violation", detail]);
    expect(journal.records).toEqual([]);
    expect((await bus.view().routes.get("changed")?.branches[0]?.state())?.paused).toBe(false);
  });

  it("of a route that does not run is 404 and leaves no act", async () => {
    const { post, journal } = await setup();
    const { status, json } = await post("/routes/nobody/pauses", BY);
    expect([status, json["detail"], journal.records]).toEqual([404, "no route `nobody` runs", []]);
  });

  it("does not happen when its act cannot be made durable", async () => {
    const { post, journal, bus } = await setup();
    journal.failWith(new Error("disk full"));
    const { status, json } = await post("/routes/lookup/pauses", BY);
    expect([status, json["title"]]).toEqual([500, "journal-failed"]);
    expect(bus.view().routes.get("lookup")?.paused()).toBe(false);
  });
});

describe("searching the journal", () => {
  async function filled() {
    const world = await setup();
    for (const id of ["q-1", "q-2", "q-3"]) await world.bus.accept(inboundOf("lookup", "asker/one", { n: 1, id }, { id }));
    await world.bus.accept(inboundOf("lookup", "maker/one", { n: 1 }, { id: "q-4" })).catch(() => undefined);
    await world.bus.accept(inboundOf("changed", "maker/one", { n: 1 }, { id: "e-1", correlationId: "case-9" }));
    await world.clock.advance(1000);
    const search = (body: unknown) => world.items(world.post("/journal/searches", body));
    return { ...world, search };
  }

  it("shows what happened, newest first, and never what was in it", async () => {
    const { search } = await filled();
    const rows = await search({ id: "q-2" });
    expect(rows.map(({ step }) => step)).toEqual(["replied", "accepted"]);
    for (const row of rows) expect(Object.keys(row)).not.toContain("envelope");
    const [refused] = await search({ id: "q-4" });
    expect(refused).toMatchObject({ step: "refused", outcome: "denied", errorCode: "grant-missing" });
    expect(refused).not.toHaveProperty("original");
  });

  it.each([
    [{ route: "lookup", step: "accepted" }, 3],
    [{ outcome: "denied" }, 1],
    [{ system: "maker/one" }, 4],
    [{ contract: "person.changed.v1" }, 3],
    [{ correlationId: "case-9" }, 3],
    [{ branch: "a" }, 1],
    [{ id: "never" }, 0],
    [{ id: "q-1", step: "refused" }, 0],
  ])("narrows by %j", async (body, count) => {
    const { search } = await filled();
    expect(await search(body)).toHaveLength(count);
  });

  it("goes on from the cursor of a page until there is none", async () => {
    const { post } = await filled();
    const seen: unknown[] = [];
    let cursor: unknown;
    do {
      const { json } = await post("/journal/searches", { limit: 2, ...(cursor === undefined ? {} : { cursor }) });
      const page = json["items"] as readonly Record<string, unknown>[];
      expect(page.length).toBeLessThanOrEqual(2);
      seen.push(...page.map(({ position }) => position));
      cursor = json["nextCursor"];
    } while (cursor !== null);
    expect(seen).toEqual(Array.from({ length: 10 }, (_, i) => 10 - i));
  });

  it.each([
    [0, 1],
    [-5, 1],
    [2.9, 2],
    [1e9, 10],
  ])("with limit %d gives %d rows", async (limit, count) => {
    const { search } = await filled();
    expect(await search({ limit })).toHaveLength(count);
  });

  it.each([
    [{ limit: "10" }, "`limit` is no number"],
    [{ from: "yesterday" }, "`from` is no number"],
    [{ to: null }, "`to` is no number"],
    [{ cursor: {} }, "`cursor` is no number"],
    [{ id: 7 }, "`id` is missing: give it as text"],
    [{ route: "" }, "`route` is missing: give it as text"],
    [{ index: [] }, "`index` is no object of texts: write the name of each search field with its value"],
    [{ index: { idnp: 2004 } }, "`index` is no object of texts: write the name of each search field with its value"],
    [{ index: "idnp" }, "`index` is no object of texts: write the name of each search field with its value"],
    [{ index: null }, "`index` is no object of texts: write the name of each search field with its value"],
  ])("refuses %j and says which member is wrong", async (body, detail) => {
    const { post } = await setup();
    const { status, json } = await post("/journal/searches", body);
    expect([status, json["title"], json["detail"]]).toEqual([400, "json-violation", detail]);
  });

  it("finds by the route's own search fields", async () => {
    const journal = {
      payload: "full",
      keep: 1,
      index: ({ value }: { value: Record<string, unknown> }) => ({ n: String(value["n"]) }),
    } as const;
    const { bus, post, items } = await setup({ set: setOf([lookup({ journal })], GRANTS) });
    for (const n of [1, 2]) await bus.accept(inboundOf("lookup", "asker/one", { n }, { id: `q-${n}` }));
    expect((await items(post("/journal/searches", { index: { n: "2" } }))).map(({ id }) => id)).toEqual(["q-2"]);
  });
});

describe("one record of the journal", () => {
  it("is shown without its payload", async () => {
    const { bus, get, journal } = await setup();
    await bus.accept(inboundOf("lookup", "asker/one", { secret: "x" }));
    expect(journal.records[0]?.envelope).toBeDefined();
    const { json } = await get("/journal/1");
    expect(json["record"]).toMatchObject({ position: 1, step: "accepted" });
    expect(JSON.stringify(json)).not.toContain("envelope");
  });

  it.each(["3", "999999999999999"])("that is not there is 404: %s", async (position) => {
    const { bus, get } = await setup();
    await bus.accept(inboundOf("lookup", "asker/one", {}));
    const { status, json } = await get(`/journal/${position}`);
    expect([status, json["detail"]]).toEqual([404, `the journal has no record at position ${position}`]);
  });

  it.each(["abc", "0", "-1", "1.5", "1e3", "NaN", "9999999999999999"])(
    "has a position that is a whole number, not %s",
    async (position) => {
      const { get } = await setup();
      const { status, json } = await get(`/journal/${position}`);
      expect([status, json["detail"]]).toEqual([400, `a position is a whole number from 1; \`${position}\` is none`]);
    },
  );
});

describe("a trace", () => {
  it("holds every record of the exchange, oldest first, by message or correlation id", async () => {
    const { bus, clock, get, items } = await setup();
    await bus.accept(inboundOf("changed", "maker/one", { n: 1 }, { id: "e-1", correlationId: "case-9" }));
    await bus.accept(inboundOf("lookup", "asker/one", { n: 1 }, { id: "q-1", correlationId: "case-9" }));
    await clock.advance(1000);
    for (const id of ["e-1", "q-1", "case-9"]) {
      const rows = await items(get(`/messages/${id}/trace`));
      expect(rows, id).toHaveLength(5);
      expect(rows.map(({ position }) => position)).toEqual([1, 2, 3, 4, 5]);
    }
  });

  it("of nothing is an empty list", async () => {
    const { get, items } = await setup();
    expect(await items(get("/messages/never/trace"))).toEqual([]);
  });
});

describe("dead letters", () => {
  async function withDead(fails = true) {
    const state = { fails };
    const world = await setup({
      set: setOf([changed({ branches: [branchOf({ name: "a", system: "taker/a" })] })], GRANTS),
      send: () => {
        if (state.fails) throw new BusError("provider-fault", "no such person", { providerCode: "NoPerson" });
        return undefined;
      },
    });
    for (const id of ["e-1", "e-2"]) await world.bus.accept(inboundOf("changed", "maker/one", { n: 1 }, { id }));
    await world.clock.advance(1000);
    const ids = (await world.items(world.get("/dead-letters"))).map(({ id }) => String(id));
    return { ...world, state, ids };
  }

  it("are listed, grouped and shown with the documented members", async () => {
    const { get, items, ids } = await withDead();
    const rows = await items(get("/dead-letters"));
    expect(rows).toHaveLength(2);
    expect(rows[0]).toMatchObject({ route: "changed", branch: "a", state: "open", errorCode: "provider-fault", attempts: 1 });
    expect(await items(get("/dead-letters/groups"))).toMatchObject([
      { count: 2, route: "changed", branch: "a", errorClass: "provider-fault" },
    ]);
    const { json } = await get(`/dead-letters/${ids[0]}`);
    expect(json).toMatchObject({ deadLetter: { id: ids[0] }, record: { step: "deadletter" } });
  });

  it.each([
    ["route=changed", 2],
    ["route=other", 0],
    ["branch=a", 2],
    ["messageId=e-2", 1],
    ["state=open", 2],
    ["state=replayed", 0],
    ["state=discarded", 0],
    ["fingerprint=x", 0],
  ])("are narrowed by %s", async (query, count) => {
    const { get, items } = await withDead();
    expect(await items(get("/dead-letters", { query }))).toHaveLength(count);
  });

  it("of a state that does not exist are a fault of the question, not an empty list", async () => {
    const { get } = await withDead();
    const { status, json } = await get("/dead-letters", { query: "state=opne" });
    expect([status, json["detail"]]).toEqual([400, "`opne` is no state of a dead letter: write open, replayed, discarded"]);
  });

  it("that are not there are 404", async () => {
    const { get } = await setup();
    const { status, json } = await get("/dead-letters/none");
    expect([status, json["detail"]]).toEqual([404, "no dead letter has the id `none`; `mbus deadletters list` shows them"]);
  });

  it("replayed reach their branch again, and the journal says who sent them", async () => {
    const { post, ids, state, sent, journal } = await withDead();
    state.fails = false;
    const before = sent.length;
    expect((await post("/dead-letters/replays", { ids, ...BY })).json).toEqual({ done: 2, failed: [], remaining: 0 });
    expect(
      sent
        .slice(before)
        .map(({ message }) => message.envelope.id)
        .toSorted(),
    ).toEqual(["e-1", "e-2"]);
    expect(journal.records.filter(({ detail }) => detail?.includes("planned work") === true).length).toBeGreaterThanOrEqual(2);
  });

  it("discarded are sent nowhere and leave the open list", async () => {
    const { post, get, items, ids, sent } = await withDead();
    const before = sent.length;
    expect((await post("/dead-letters/discards", { ids: ids.slice(0, 1), ...BY })).json).toMatchObject({ done: 1 });
    expect(sent).toHaveLength(before);
    expect(await items(get("/dead-letters"))).toHaveLength(1);
    expect(await items(get("/dead-letters", { query: "state=discarded" }))).toHaveLength(1);
  });

  it("of one fingerprint are acted on together", async () => {
    const { post, get, items } = await withDead();
    const [group] = await items(get("/dead-letters/groups"));
    expect((await post("/dead-letters/discards", { group: group?.["fingerprint"], ...BY })).json).toMatchObject({ done: 2 });
  });

  it("that were acted on already are told one by one, and the rest is done", async () => {
    const { post, ids } = await withDead();
    await post("/dead-letters/discards", { ids: [ids[0]], ...BY });
    const { status, json } = await post("/dead-letters/discards", { ids: [...ids, "none"], ...BY });
    expect(status).toBe(200);
    expect(json).toMatchObject({ done: 1, remaining: 0 });
    expect((json["failed"] as { id: string; code: string }[]).map(({ id, code }) => [id, code])).toEqual([
      [ids[0], "store-conflict"],
      ["none", "not-found"],
    ]);
  });

  it.each([[{}], [{ ids: [] }], [{ ids: "x" }], [{ ids: [1] }], [{ group: 7 }], [{ ids: ["a", null] }]])(
    "need to be named: %j",
    async (body) => {
      const { post } = await setup();
      for (const act of ["replays", "discards"]) {
        const { status, json } = await post(`/dead-letters/${act}`, { ...body, ...BY });
        expect([status, json["detail"]]).toEqual([400, "name what to act on: `ids` (a list) or `group` (a fingerprint)"]);
      }
    },
  );

  it.each(["operator", "reason"])("are touched by nobody without %s", async (missing) => {
    const { post, ids, get, items } = await withDead();
    const { [missing as "operator"]: _, ...by } = BY;
    for (const act of ["replays", "discards"])
      expect((await post(`/dead-letters/${act}`, { ids, ...by })).json["detail"]).toBe(`\`${missing}\` is missing: give it as text`);
    expect(await items(get("/dead-letters"))).toHaveLength(2);
  });
});

describe("replays", () => {
  async function withEvents() {
    const world = await setup();
    for (const id of ["e-1", "e-2", "e-3"]) await world.bus.accept(inboundOf("changed", "maker/one", { n: 1 }, { id }));
    await world.clock.advance(1000);
    return world;
  }
  const ROUTE = { route: "changed" };

  it("counted with dryRun send nothing and write nothing", async () => {
    const { post, sent, journal, get, items } = await withEvents();
    const [before, rows] = [sent.length, journal.records.length];
    const { json } = await post("/replays", { ...ROUTE, dryRun: true });
    expect(json).toEqual({ dryRun: true, total: 3, withoutPayload: 0, first: 1, last: expect.any(Number) });
    expect([sent.length, journal.records.length]).toEqual([before, rows]);
    expect(await items(get("/replays"))).toEqual([]);
  });

  it.each([["true"], [1], [null]])("with dryRun: %j are refused: a count must never become a replay", async (dryRun) => {
    const { post, sent } = await withEvents();
    const before = sent.length;
    const { status, json } = await post("/replays", { ...ROUTE, ...BY, dryRun });
    expect([status, json["detail"]]).toEqual([400, "`dryRun` is neither true nor false"]);
    expect(sent).toHaveLength(before);
  });

  it("run to their end, are listed and shown", async () => {
    const { post, clock, sent, get, items } = await withEvents();
    const before = sent.length;
    const { status, json } = await post("/replays", { ...ROUTE, ...BY, branch: "a", rate: 1000 });
    expect([status, json["state"], json["total"], json["remaining"]]).toEqual([200, "running", 3, 3]);
    await clock.advance(10_000);
    expect(sent.slice(before).map(({ branch, message }) => `${branch} ${message.envelope.id}`)).toEqual(["a e-1", "a e-2", "a e-3"]);
    expect((await get(`/replays/${String(json["id"])}`)).json).toMatchObject({ state: "done", done: 3, failed: 0, remaining: 0 });
    expect((await items(get("/replays"))).map(({ id }) => id)).toEqual([json["id"]]);
  });

  it("can be paused and go on where they were", async () => {
    const { post, clock, get } = await withEvents();
    const { json } = await post("/replays", { ...ROUTE, ...BY, branch: "a", rate: 0.1 });
    const at = `/replays/${String(json["id"])}`;
    const paused = post(`${at}/pauses`, BY);
    await clock.advance(60_000);
    expect((await paused).json).toMatchObject({ state: "paused" });
    await clock.advance(600_000);
    expect((await get(at)).json).toMatchObject({ state: "paused" });
    expect((await post(`${at}/resumptions`, BY)).json).toMatchObject({ state: "running" });
    await clock.advance(600_000);
    expect((await get(at)).json).toMatchObject({ state: "done", done: 3 });
  });

  it("that ended can be neither paused nor resumed: 409", async () => {
    const { post, clock } = await withEvents();
    const { json } = await post("/replays", { ...ROUTE, ...BY });
    await clock.advance(60_000);
    for (const act of ["pauses", "resumptions"]) {
      const late = await post(`/replays/${String(json["id"])}/${act}`, BY);
      expect([late.status, late.json["title"]]).toEqual([409, "store-conflict"]);
    }
  });

  it.each([
    [{}, 400, "json-violation", "`route` is missing: give it as text"],
    [{ route: "nobody" }, 404, "not-found", "no route `nobody` runs"],
    [{ route: "lookup" }, 403, "replay-refused", "route `lookup` carries queries: their callers have gone, so they are evidence, not work"],
    [{ ...ROUTE, branch: "c" }, 404, "not-found", "route `changed` has no branch `c`; it has `a`, `b`"],
    [{ ...ROUTE, from: 5, to: 5 }, 400, "configuration", "a replay needs a time from and a later time to"],
    [{ ...ROUTE, rate: 0 }, 400, "configuration", "rate 0: write messages per second, from 0.1 to 1000"],
    [{ ...ROUTE, rate: 1001 }, 400, "configuration", "rate 1001: write messages per second, from 0.1 to 1000"],
    [{ ...ROUTE, rate: "20" }, 400, "json-violation", "`rate` is no number"],
    [{ ...ROUTE, from: "1" }, 400, "json-violation", "`from` is no number"],
    [{ ...ROUTE, fromPosition: "1" }, 400, "json-violation", "`fromPosition` is no number"],
    [{ ...ROUTE, stopOnFailure: "no" }, 400, "json-violation", "`stopOnFailure` is neither true nor false"],
    [{ ...ROUTE, where: 7 }, 400, "json-violation", "`where` is missing: give it as text"],
  ] as const)("refuse %j with its reason and start nothing", async (body, status, title, detail) => {
    const { post, get, items } = await withEvents();
    const answer = await post("/replays", { ...BY, ...body });
    expect([answer.status, answer.json["title"], answer.json["detail"]]).toEqual([status, title, detail]);
    expect(await items(get("/replays"))).toEqual([]);
  });

  it("of an unknown id are 404 for every act", async () => {
    const { post, get } = await setup();
    for (const answer of [await get("/replays/none"), await post("/replays/none/pauses", BY), await post("/replays/none/resumptions", BY)])
      expect([answer.status, answer.json["detail"]]).toEqual([404, "no replay has the id `none`"]);
  });
});

describe("problems", () => {
  const handler = (error: unknown): WebHandler => adminApi(failing(error), TOKEN);

  it.each([
    ["not-found", 404],
    ["store-conflict", 409],
    ["configuration", 400],
    ["json-violation", 400],
    ["replay-refused", 403],
    ["journal-failed", 500],
    ["queue-full", 429],
    ["bus-stopping", 503],
    ["id-reused", 409],
    ["expression-failed", 422],
  ] as const)("of the code %s have the status %d, in head and body", async (code, status) => {
    const answer = await askOf(handler(new BusError(code, "the text")), "GET", "/status", {});
    expect([answer.status, answer.json["status"], answer.json["title"], answer.json["detail"]]).toEqual([status, status, code, "the text"]);
    expect(answer.json["type"]).toBe(`urn:mconnect-bus:error:${code}`);
  });

  it("of every code there is are problems with a status from 400 on", async () => {
    for (const code of Object.keys(CODES) as ErrorCode[]) {
      const { status, headers } = await askOf(handler(new BusError(code, "x")), "GET", "/status", {});
      expect(status, code).toBeGreaterThanOrEqual(400);
      expect(headers["content-type"]).toBe("application/problem+json; charset=utf-8");
    }
  });

  it("say when to come again where the bus knows it", async () => {
    const answer = await askOf(handler(new BusError("queue-full", "x", { retryAfter: 1500 })), "GET", "/status", {});
    expect(answer.headers["retry-after"]).toBe("2");
    expect((await askOf(handler(new BusError("queue-full", "x")), "GET", "/status", {})).headers).not.toHaveProperty("retry-after");
  });

  it("tell places by path", async () => {
    const places = [{ path: "a.b", text: "is missing" }, { text: "is long" }];
    const answer = await askOf(handler(new BusError("json-violation", "x", { places })), "GET", "/status", {});
    expect(answer.json["errors"]).toEqual({ "a.b": ["is missing"], "": ["is long"] });
  });

  it("of what nobody foresaw say so without a stack", async () => {
    const answer = await askOf(handler(new TypeError("x is undefined")), "GET", "/status", {});
    expect([answer.status, answer.json["title"]]).toEqual([500, "unexpected"]);
    expect(JSON.stringify(answer.json)).not.toMatch(/\.ts:\d+/u);
  });

  it("never come of whole numbers beyond 2^53 or bytes in an answer", async () => {
    const admin = { contracts: () => [{ big: 2n ** 60n, bytes: Uint8Array.of(1, 2, 3) }] } as unknown as Admin;
    const answer = await askOf(adminApi(admin, TOKEN), "GET", "/contracts", {});
    expect(answer.json["items"]).toEqual([{ big: "1152921504606846976", bytes: "AQID" }]);
  });
});

describe("evidence", () => {
  const ask = (handler: WebHandler, path: string) => handler(requestOf("GET", path, {}));

  it("is a container of bytes that verifies, for one message", async () => {
    const { bus, handler } = await setup();
    const { id } = await bus.accept(inboundOf("lookup", "asker/one", { idnp: "2000000000007" }, { id: "q-1" }));
    const answer = await ask(handler, `/messages/${id}/evidence`);
    expect(answer).toMatchObject({
      status: 200,
      headers: { "content-type": "application/vnd.etsi.asic-e+zip", "cache-control": "no-store" },
    });
    const verdict = verifyEvidence(Buffer.from(answer.body as Uint8Array), (await testKeys()).ca);
    expect(verdict.entries.map((entry) => entry.id)).toEqual(["q-1", "q-1"]);
    expect(verdict.entries.map((entry) => entry.step)).toEqual(["accepted", "replied"]);
  });

  it("of a message that never was is not found, and of one that was changed is refused as such", async () => {
    const { bus, handler, get, disk } = await setup();
    expect(await get("/messages/none/evidence")).toMatchObject({ status: 404 });
    await bus.accept(inboundOf("lookup", "asker/one", { idnp: "2000000000007" }, { id: "q-1" }));
    expect((await ask(handler, "/messages/q-1/evidence")).status).toBe(200);
    const row = disk.records[0];
    if (row) disk.records[0] = { ...row, outcome: "denied" };
    const refused = await get("/messages/q-1/evidence");
    expect(refused).toMatchObject({ status: 409, json: { title: "evidence-broken" } });
    expect(refused.json["detail"]).toContain("position 1");
  });

  it("has a log whose state and differences can be asked for", async () => {
    const { bus, get, disk } = await setup();
    await bus.accept(inboundOf("lookup", "asker/one", { idnp: "2000000000007" }, { id: "q-1" }));
    expect(await get("/evidence-log/differences")).toMatchObject({ status: 200, json: { items: [], size: 2, position: 2 } });
    const { json } = await get("/evidence-log");
    expect(json["checkpoint"]).toContain(`${String(json["verifierKey"]).split("+")[0]}\n2\n`);
    await bus.accept(inboundOf("lookup", "asker/one", { idnp: "2000000000007" }, { id: "q-2" }));
    await get("/evidence-log/differences");
    const grown = (await get("/evidence-log/consistency/2")).json as { checkpoint: string; proof: string[] };
    const key = readLogKey(`${String(json["verifierKey"])}\n`);
    const proof = grown.proof.map((each) => Buffer.from(each, "base64"));
    checkConsistency(checkCheckpoint(String(json["checkpoint"]), key), checkCheckpoint(grown.checkpoint, key), proof);
    for (const size of ["0", "5", "x"]) expect((await get(`/evidence-log/consistency/${size}`)).status).toBe(404);
    expect((await get("/evidence-log/differences", { query: "from=x" })).status).toBe(400);
    disk.records.splice(1, 1);
    expect((await get("/evidence-log/differences", { query: "from=1&limit=5" })).json["items"]).toEqual([
      "the row at position 2 is missing in the journal",
    ]);
  });
});

describe("the catalogue", () => {
  it("comes in pages, is searched, and gives one entry by its kind and id", async () => {
    const { get } = await setup();
    const page = await get("/catalogue", { query: "kind=contract&limit=1" });
    expect(page).toMatchObject({ status: 200, json: { items: [{ kind: "contract" }] } });
    const { items, nextCursor } = page.json as { items: { id: string }[]; nextCursor: string };
    const next = await get("/catalogue", { query: `kind=contract&limit=50&cursor=${encodeURIComponent(nextCursor)}` });
    const others = (next.json as { items: { id: string }[] }).items.map(({ id }) => id);
    expect(others).not.toContain(items[0]?.id);
    const first = "benefit.register.v1";
    expect(others).toContain(first);
    expect(await get(`/catalogue/contract/${first}`)).toMatchObject({
      status: 200,
      json: { id: first, types: [{ role: "command" }, { role: "reply" }] },
    });
    expect(await get("/catalogue", { query: `text=${first}&limit=5` })).toMatchObject({
      json: { items: expect.arrayContaining([expect.objectContaining({ id: first })]) as unknown },
    });
    expect(await get("/catalogue", { query: "text=words-that-stand-nowhere" })).toMatchObject({ json: { items: [], nextCursor: null } });
  });

  it("has the descriptions that systems get", async () => {
    const { get } = await setup();
    expect(await get("/catalogue/openapi")).toMatchObject({ json: { openapi: "3.1.0" } });
    expect(await get("/catalogue/asyncapi")).toMatchObject({ json: { asyncapi: "3.0.0" } });
    expect(await get("/catalogue/dcat")).toMatchObject({ json: { "@graph": expect.any(Array) as unknown } });
  });

  it("says what was asked wrongly", async () => {
    const { get } = await setup();
    expect(await get("/catalogue", { query: "kind=thing" })).toMatchObject({
      status: 400,
      json: { detail: expect.stringContaining("contract, classifier, system") as unknown },
    });
    expect(await get("/catalogue", { query: "limit=0" })).toMatchObject({ status: 400 });
    expect(await get("/catalogue/contract/none.v1")).toMatchObject({ status: 404 });
    expect(await get("/catalogue/openapi", { query: "system=no/system" })).toMatchObject({ status: 404 });
  });
});
