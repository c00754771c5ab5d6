/** The verbs of the command line that look into a running bus or act on it, on any engine, used from outside with the sample world. */
import { statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createSite, type BusProcess, type Site } from "#test/harness/bus-process.ts";
import type { FlowEngine } from "#test/harness/flow-engines.ts";
import { eventually } from "#test/harness/receiver.ts";

type Row = Readonly<Record<string, unknown>>;

export async function jsonOf<T>({ site }: Room, ...args: string[]): Promise<T> {
  const { out, err, code } = await site.mbus(...args, "--json");
  expect(code, `mbus ${args.join(" ")}: ${err}`).toBe(0);
  return JSON.parse(out) as T;
}

const CONTEXT = ["--user", "2004100010095", "--entity", "1007601008122", "--basis", "Law 436/2006 art. 29", "--reason", "certificate"];
/** What the cases of one bus share; filled before the first. */
export type Room = {
  site: Site;
  bus: BusProcess;
  person: string;
};

/** `beside`: what no engine could change, over the same bus, before it ends. */
export function cliFlows(engine: FlowEngine, beside: (room: Room) => void = () => undefined): void {
  const room = {} as Room;
  beforeAll(async () => {
    room.site = createSite((await engine.place()).env);
    room.bus = await room.site.start({ samples: true });
    room.person = (await import("#samples/population-register/persons.ts")).idnpOf(42);
    writeFileSync(join(room.site.root, "ask.json"), JSON.stringify({ idnp: room.person }));
  }, 120_000);
  afterAll(() => room.site.remove());

  const json = <T>(...args: string[]): Promise<T> => jsonOf(room, ...args);
  const call = (id: string, as = "primaria/registry", ...more: string[]) =>
    room.site.mbus("call", "person.request.v1", "--as", as, "--data", join(room.site.root, "ask.json"), "--id", id, ...CONTEXT, ...more);

  describe("looking at a running bus", () => {
    it("lists contracts with name, version, pattern, owner and addresses that answer", async () => {
      const contracts = await json<Row[]>("contract", "list");
      expect(contracts.map(({ id }) => id)).toHaveLength(5);
      expect(contracts.find(({ id }) => id === "audit.event.v1")).toMatchObject({ pattern: "event", owner: "mconnect" });
      const lookup = contracts.find((each) => each["id"] === "person.request.v1");
      expect(lookup).toMatchObject({
        name: "person.request",
        version: 1,
        pattern: "query",
        owner: "population-registry-team",
      });
      const wsdl = await fetch(String(lookup?.["wsdl"]));
      expect([wsdl.status, (await wsdl.text()).includes("GetPerson")]).toEqual([200, true]);
      expect(String(lookup?.["rest"])).toBe(`${room.bus.http}/mconnect/rest/person.request.v1`);
      const { out } = await room.site.mbus("contract", "list");
      expect(out).toMatch(/person\.request\.v1 +query +population-registry-team/u);
    });

    it("checks the schemas on disk against those that are registered", async () => {
      const verdicts = await json<{ type: string; compatible: boolean }[]>("contract", "check");
      expect(verdicts.map(({ type }) => type)).toContain("person.response.v1");
      expect(verdicts.every(({ compatible }) => compatible)).toBe(true);
    });

    it("lists systems with their institutions", async () => {
      const systems = await json<Row[]>("system", "list");
      const pensions = systems.find(({ id }) => id === "cnas/pensions");
      expect(pensions).toMatchObject({ institution: { idno: "1004600030235" }, addresses: [expect.stringMatching(/^http:/u)] });
      expect((await room.site.mbus("system", "list")).out).toContain("rsp/population");
    });

    it("says what runs, branch by branch", async () => {
      const status = await json<{ pid: number; drift: boolean; routes: { id: string; branches: { name: string }[] }[] }>("status");
      expect(status).toMatchObject({ pid: room.bus.pid, drift: false, findings: [] });
      const changed = status.routes.find(({ id }) => id === "person-changed");
      expect(changed?.branches.map(({ name }) => name)).toEqual(["pensions", "townhall", "statistics"]);
      const { out } = await room.site.mbus("status");
      expect(out).toContain(`pid ${room.bus.pid}`);
      expect(out).toMatch(/person-lookup +query +active/u);
    });
  });

  describe("a call and its traces", () => {
    it("prints the person, cut to the granted fields, and leaves rows of the fixed shape", async () => {
      const { out, code, err } = await call("cli-1", "primaria/registry", "--json");
      expect(code, err).toBe(0);
      expect(JSON.parse(out)).toMatchObject({ idnp: room.person });
      expect((JSON.parse(out) as Row)["patronymic"] ?? null).toBeNull();
      const rows = await json<Row[]>("journal", "find", "--id", "cli-1");
      expect(rows.map(({ step }) => step)).toEqual(["replied", "accepted"]);
      for (const row of rows) {
        expect(row).toMatchObject({
          id: "cli-1",
          route: "person-lookup",
          contract: expect.any(String),
          system: "primaria/registry",
          outcome: "ok",
        });
        expect(row["position"]).toEqual(expect.any(Number));
        expect(row["correlationId"]).toEqual(expect.any(String));
        expect(new Date(String(row["time"])).toISOString()).toBe(row["time"]);
        expect(Object.keys(row)).not.toContain("envelope");
      }
      const shown = await json<Row>("journal", "show", String(rows[0]?.["position"]));
      expect(shown).toEqual(rows[0]);
      const trace = await json<Row[]>("trace", "cli-1");
      expect(trace.map(({ position }) => position)).toEqual(rows.map(({ position }) => position).toReversed());
      expect((await room.site.mbus("trace", "cli-1")).out).toContain("replied");
    });

    it("refuses a system without a grant with exit 1, and journals who it was", async () => {
      const { code, err } = await call("cli-denied", "bns/lake");
      expect([code, /grant|system/iu.test(err)]).toEqual([1, true]);
      const [row] = await json<Row[]>("journal", "find", "--id", "cli-denied");
      expect(row).toMatchObject({ step: "refused", outcome: "denied", system: "bns/lake" });
    });

    it("narrows a search by step, outcome, time and limit", async () => {
      await call("cli-2");
      expect(await json<Row[]>("journal", "find", "--limit", "1")).toHaveLength(1);
      const replied = await json<Row[]>("journal", "find", "--step", "replied", "--outcome", "ok", "--from", "10m");
      expect(new Set(replied.map(({ step }) => step))).toEqual(new Set(["replied"]));
      expect(await json<Row[]>("journal", "find", "--to", "1d")).toEqual([]);
      expect((await room.site.mbus("journal", "find", "--id", "never-was")).out).toContain("no record fits");
    });

    it("lists the endpoints it called with their breakers", async () => {
      await call("cli-3");
      const endpoints = await json<{ breaker: { position: string; calls: number } }[]>("breakers");
      expect(endpoints.some(({ breaker }) => breaker?.position === "closed" && breaker.calls > 0)).toBe(true);
      expect((await room.site.mbus("breakers")).out).toContain("closed");
    });
  });

  describe("pause and resume", () => {
    it("refuse and let go, and stand in the journal with who and why", async () => {
      expect(await json("pause", "person-lookup", "--reason", "planned", "--operator", "ana")).toEqual({
        route: "person-lookup",
        paused: true,
      });
      const refused = await call("cli-paused");
      expect([refused.code, refused.err]).toEqual([1, expect.stringContaining("route `person-lookup` is paused by an operator")]);
      expect((await room.site.mbus("status")).out).toMatch(/person-lookup +query +paused/u);
      expect(await json("resume", "person-lookup", "--reason", "done")).toEqual({ route: "person-lookup", paused: false });
      expect((await call("cli-resumed")).code).toBe(0);
      const acts = await json<{ detail: string }[]>("journal", "find", "--step", "act", "--route", "person-lookup");
      expect(acts.map(({ detail }) => detail)).toContain("pause by ana: planned");
    });

    it("need a reason and a route that is there", async () => {
      expect((await room.site.mbus("pause", "person-lookup")).code).toBe(2);
      const unknown = await room.site.mbus("pause", "no-such", "--reason", "x");
      expect([unknown.code, unknown.err]).toEqual([1, expect.stringContaining("no route `no-such` runs")]);
    });
  });

  describe("the doctor", () => {
    it("tells Node, SQLite, folder and files apart", async () => {
      const { out } = await room.site.mbus("doctor", "--json");
      const checks = JSON.parse(out) as { what: string; ok: boolean; detail: string }[];
      expect(checks.find(({ what }) => what === "files")).toMatchObject({ ok: true });
      for (const what of ["Node", "SQLite", "data folder"]) expect(checks.map((check) => check.what)).toContain(what);
    });
  });

  describe("health", () => {
    it("and metrics in Prometheus text are told", async () => {
      for (const path of ["/livez", "/readyz"]) expect((await fetch(room.bus.http + path)).status, path).toBe(200);
      const response = await fetch(`${room.bus.http}/metrics`);
      const text = await response.text();
      expect(response.headers.get("content-type")).toContain("version=0.0.4");
      expect(text).toMatch(/^mbus_branch_lag_messages\{route="person-changed",branch="pensions"\} \d+$/mu);
      for (const line of text.trimEnd().split("\n")) expect(line).toMatch(/^(?:# (?:HELP|TYPE) \w+ .+|\w+(?:\{.*\})? [-+.\deNa]+)$/u);
    });
  });

  beside(room);

  describe("at the end", () => {
    it("a stopped bus is not there any more, and reset removes it only when it is told twice", async () => {
      await room.bus.end("SIGTERM");
      const { code, err } = await room.site.mbus("status");
      expect([code, err]).toEqual([1, expect.stringContaining("is it running?")]);
      const once = await room.site.mbus("reset");
      expect([once.code, once.err]).toEqual([2, expect.stringContaining("--yes")]);
      expect(await json("reset", "--yes")).toMatchObject({ removed: true });
      await eventually(
        () => statSync(room.site.dataDir, { throwIfNoEntry: false }) === undefined,
        () => "the data folder is still there",
      );
      expect(await json("reset", "--yes")).toMatchObject({ removed: false });
    });
  });
}
