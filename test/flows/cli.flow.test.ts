/** Every verb of the command line and every operator's address, used from outside against one running bus with the sample world. */
import { execFileSync } from "node:child_process";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createSite, type BusProcess } from "#test/harness/bus-process.ts";
import { eventually } from "#test/harness/receiver.ts";

type Row = Readonly<Record<string, unknown>>;

const site = createSite();
let bus: BusProcess;
let person: string;

beforeAll(async () => {
  bus = await site.start({ samples: true });
  person = (await import("#samples/population-register/persons.ts")).idnpOf(42);
  writeFileSync(join(site.root, "ask.json"), JSON.stringify({ idnp: person }));
});
afterAll(() => site.remove());

async function json<T>(...args: string[]): Promise<T> {
  const { out, err, code } = await site.mbus(...args, "--json");
  expect(code, `mbus ${args.join(" ")}: ${err}`).toBe(0);
  return JSON.parse(out) as T;
}

const CONTEXT = ["--user", "2004100010095", "--entity", "1007601008122", "--basis", "Law 436/2006 art. 29", "--reason", "certificate"];
const call = (id: string, as = "primaria/registry", ...more: string[]) =>
  site.mbus("call", "person.request.v1", "--as", as, "--data", join(site.root, "ask.json"), "--id", id, ...CONTEXT, ...more);

describe("looking at a running bus", () => {
  it("lists contracts with name, version, pattern, owner and addresses that answer", async () => {
    const contracts = await json<Row[]>("contract", "list");
    expect(contracts).toHaveLength(4);
    const lookup = contracts.find((each) => each["id"] === "person.request.v1");
    expect(lookup).toMatchObject({
      name: "person.request",
      version: 1,
      pattern: "query",
      owner: "population-registry-team",
    });
    const wsdl = await fetch(String(lookup?.["wsdl"]));
    expect([wsdl.status, (await wsdl.text()).includes("GetPerson")]).toEqual([200, true]);
    expect(String(lookup?.["rest"])).toBe(`${bus.http}/mconnect/rest/person.request.v1`);
    const { out } = await site.mbus("contract", "list");
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
    expect((await site.mbus("system", "list")).out).toContain("rsp/population");
  });

  it("says what runs, branch by branch", async () => {
    const status = await json<{ pid: number; drift: boolean; routes: { id: string; branches: { name: string }[] }[] }>("status");
    expect(status).toMatchObject({ pid: bus.pid, drift: false, findings: [] });
    const changed = status.routes.find(({ id }) => id === "person-changed");
    expect(changed?.branches.map(({ name }) => name)).toEqual(["pensions", "townhall", "statistics"]);
    const { out } = await site.mbus("status");
    expect(out).toContain(`pid ${bus.pid}`);
    expect(out).toMatch(/person-lookup +query +active/u);
  });
});

describe("a call and its traces", () => {
  it("prints the person, cut to the granted fields, and leaves rows of the fixed shape", async () => {
    const { out, code, err } = await call("cli-1", "primaria/registry", "--json");
    expect(code, err).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ idnp: person });
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
    expect((await site.mbus("trace", "cli-1")).out).toContain("replied");
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
    expect((await site.mbus("journal", "find", "--id", "never-was")).out).toContain("no record fits");
  });

  it("lists the endpoints it called with their breakers", async () => {
    await call("cli-3");
    const endpoints = await json<{ breaker: { position: string; calls: number } }[]>("breakers");
    expect(endpoints.some(({ breaker }) => breaker?.position === "closed" && breaker.calls > 0)).toBe(true);
    expect((await site.mbus("breakers")).out).toContain("closed");
  });

  it("publishes an event that the register sends, and refuses it with what is wrong from anybody's hand", async () => {
    writeFileSync(join(site.root, "event.json"), JSON.stringify({ idnp: person }));
    const event = ["publish", "person.changed.v1", "--data", join(site.root, "event.json")];
    const { code, err } = await site.mbus(...event, "--as", "rsp/population");
    expect([code, err.length > 0]).toEqual([1, true]); // this contract has no JSON face
    expect(err).not.toMatch(/at .*\.ts:\d+/u);
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
    expect((await site.mbus("status")).out).toMatch(/person-lookup +query +paused/u);
    expect(await json("resume", "person-lookup", "--reason", "done")).toEqual({ route: "person-lookup", paused: false });
    expect((await call("cli-resumed")).code).toBe(0);
    const acts = await json<{ detail: string }[]>("journal", "find", "--step", "act", "--route", "person-lookup");
    expect(acts.map(({ detail }) => detail)).toContain("pause by ana: planned");
  });

  it("need a reason and a route that is there", async () => {
    expect((await site.mbus("pause", "person-lookup")).code).toBe(2);
    const unknown = await site.mbus("pause", "no-such", "--reason", "x");
    expect([unknown.code, unknown.err]).toEqual([1, expect.stringContaining("no route `no-such` runs")]);
  });
});

describe("verbs over files", () => {
  it("show, explain, schema and lint print text for people and JSON for machines", async () => {
    expect(await json("show", "person-lookup", "--effective")).toMatchObject({
      route: "person-lookup",
      yaml: expect.stringContaining("deadline"),
    });
    expect((await site.mbus("show", "person-lookup")).out).toContain("minimumCalls");
    expect(await json("explain", "person-changed")).toMatchObject({ route: "person-changed", text: expect.stringContaining("12") });
    const schema = await json<Row>("schema");
    expect(schema["$schema"]).toEqual(expect.stringContaining("json-schema.org"));
    expect(await json("lint")).toMatchObject({ errors: 0, findings: expect.any(Array) });
    const unknown = await site.mbus("show", "nobody");
    expect([unknown.code, unknown.err]).toEqual([1, expect.stringContaining("person-lookup")]);
  });

  it("test runs the routes' own tests and tells failures by exit code", async () => {
    const report = await json<{ passed: number; failed: number }>("test");
    expect(report.failed).toBe(0);
    expect(report.passed).toBeGreaterThan(5);
  });

  it("doctor tells Node, SQLite, folder and files apart", async () => {
    const { out } = await site.mbus("doctor", "--json");
    const checks = JSON.parse(out) as { what: string; ok: boolean; detail: string }[];
    expect(checks.find(({ what }) => what === "files")).toMatchObject({ ok: true });
    for (const what of ["Node", "SQLite", "data folder"]) expect(checks.map((check) => check.what)).toContain(what);
  });
});

describe("bad usage", () => {
  const cases: readonly (readonly [readonly string[], number, RegExp])[] = [
    [["fly"], 2, /unknown command 'fly'/u],
    [["status", "--loud"], 2, /unknown option '--loud'/u],
    [["call", "person.request.v1"], 2, /required option/u],
    [["journal", "find", "--from", "yesterday-ish"], 2, /--from/u],
    [["journal", "find", "--field", "novalue"], 2, /NAME=VALUE/u],
    [["call", "person.request.v1", "--as", "x/y", "--data", "/no/such/file"], 2, /cannot read --data/u],
    [["trace", "never-was"], 1, /never-was/u],
    [["system", "cert", "no/body", "-o", "certs-x"], 1, /no system `no\/body` is registered; there are .*cnas\/pensions/u],
    [["deadletters", "replay", "--reason", "x"], 2, /name the dead letters/u],
    [["deadletters", "show", "nothing"], 1, /not-found/u],
    [["replay", "--route", "person-changed"], 2, /--reason/u],
    [["reset", "--yes"], 1, /runs on .*: stop it first/u],
  ];
  for (const [args, exit, text] of cases) {
    it(`mbus ${args.join(" ")} exits ${exit} and says why on stderr`, async () => {
      const { code, out, err } = await site.mbus(...args);
      expect([code, out]).toEqual([exit, ""]);
      expect(err).toMatch(text);
    });
  }
});

describe("the administrators' addresses", () => {
  const api = (path: string, init: RequestInit = {}) => fetch(`${bus.http}/api/v1${path}`, init);

  it("are closed without the token and with a wrong one, as problem+json", async () => {
    for (const authorization of [undefined, "Bearer wrong", `Bearer ${"0".repeat(64)}`, "Basic YTpi"]) {
      const response = await api("/status", authorization === undefined ? {} : { headers: { authorization } });
      expect(response.status).toBe(401);
      expect(response.headers.get("content-type")).toContain("application/problem+json");
      expect(await response.json()).toMatchObject({ status: 401, title: "admin-denied", instance: "/api/v1/status" });
    }
  });

  it("answer 404 and 400 as problems that say what to do", async () => {
    const authorization = `Bearer ${readFileSync(join(site.dataDir, "admin.token"), "utf8").trim()}`;
    const missing = await api("/nothing", { headers: { authorization } });
    expect([missing.status, await missing.json()]).toEqual([
      404,
      expect.objectContaining({ detail: expect.stringContaining("openapi.json") }),
    ]);
    const bad = await api("/replays", { method: "POST", headers: { authorization, "content-type": "application/json" }, body: "[1" });
    expect([bad.status, await bad.json()]).toEqual([400, expect.objectContaining({ title: "json-malformed" })]);
    expect(statSync(join(site.dataDir, "admin.token")).mode & 0o077).toBe(0);
  });

  it("describe themselves in OpenAPI without a token", async () => {
    const response = await api("/openapi.json");
    const document = (await response.json()) as { openapi: string; paths: Row };
    expect(document.openapi).toMatch(/^3\./u);
    expect(JSON.stringify(Object.keys(document.paths))).toContain("/dead-letters/{id}");
  });

  it("tell health and metrics in Prometheus text", async () => {
    for (const path of ["/livez", "/readyz"]) expect((await fetch(bus.http + path)).status, path).toBe(200);
    const response = await fetch(`${bus.http}/metrics`);
    const text = await response.text();
    expect(response.headers.get("content-type")).toContain("version=0.0.4");
    expect(text).toMatch(/^mbus_branch_lag_messages\{route="person-changed",branch="pensions"\} \d+$/mu);
    for (const line of text.trimEnd().split("\n")) expect(line).toMatch(/^(?:# (?:HELP|TYPE) \w+ .+|\w+(?:\{.*\})? [-+.\deNa]+)$/u);
  });
});

type Answer = Readonly<{ status: number; body: string }>;

function overTls(options: Readonly<{ cert?: Buffer; key?: Buffer; header?: string }>): Promise<Answer> {
  const { header, ...pair } = options;
  const { hostname, port } = new URL(bus.https);
  const headers = {
    "content-type": "application/json",
    CallingUser: "2004100010095",
    CallingEntity: "1007601008122",
    CallBasis: "Law 436/2006 art. 29",
    CallReason: "certificate",
    ...(header === undefined ? undefined : { "X-System": header }),
  };
  const ca = readFileSync(join(site.root, "certs/ca.pem"));
  return new Promise((resolve, reject) => {
    const sent = request(
      { hostname, port, path: "/mconnect/rest/person.request.v1", method: "POST", headers, ca, servername: "localhost", ...pair },
      (response) => {
        let body = "";
        response.on("data", (chunk: Buffer) => (body += chunk.toString()));
        response.on("end", () => resolve({ status: response.statusCode ?? 0, body }));
      },
    );
    sent.on("error", reject);
    sent.end(JSON.stringify({ idnp: person }));
  });
}

describe("certificates", () => {
  const file = (name: string): string => join(site.root, "certs", name);
  const openssl = (...args: string[]): string => execFileSync("openssl", args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });

  beforeAll(async () => {
    await json("system", "cert", "primaria/registry", "-o", join(site.root, "certs"));
  });

  it("are issued so that openssl verifies them, with the key closed to others", () => {
    expect(openssl("verify", "-CAfile", file("ca.pem"), file("cert.pem"))).toContain("OK");
    expect(statSync(file("key.pem")).mode & 0o077).toBe(0);
    expect(openssl("x509", "-in", file("cert.pem"), "-noout", "-pubkey")).toBe(openssl("pkey", "-in", file("key.pem"), "-pubout"));
  });

  it("name the caller: a person comes through without X-System", async () => {
    const { status, body } = await overTls({ cert: readFileSync(file("cert.pem")), key: readFileSync(file("key.pem")) });
    expect([status, body]).toEqual([200, expect.stringContaining(person)]);
  });

  it("are needed: without one nothing comes, and X-System counts for nothing over TLS", async () => {
    for (const header of [undefined, "primaria/registry"]) {
      const answer = await overTls(header === undefined ? {} : { header }).catch((error: Error) => ({ status: 0, body: error.message }));
      expect([0, 401, 403]).toContain(answer.status);
      expect(answer.body).not.toContain("familyName");
    }
  });

  it("of a foreign authority are refused, even with the right name in them", async () => {
    const subject = openssl("x509", "-in", file("cert.pem"), "-noout", "-subject", "-nameopt", "compat")
      .replace(/^subject=\s*/u, "")
      .trim();
    openssl(
      "req",
      "-x509",
      "-newkey",
      "ec",
      "-pkeyopt",
      "ec_paramgen_curve:P-256",
      "-nodes",
      "-days",
      "1",
      "-keyout",
      file("foreign.key"),
      "-out",
      file("foreign.pem"),
      "-subj",
      subject.startsWith("/") ? subject : `/${subject.replaceAll(", ", "/")}`,
    );
    const foreign = { cert: readFileSync(file("foreign.pem")), key: readFileSync(file("foreign.key")) };
    const answer = await overTls(foreign).catch((error: Error) => ({ status: 0, body: error.message }));
    expect([0, 401, 403]).toContain(answer.status);
    expect(answer.body).not.toContain("familyName");
  });
});

describe("at the end", () => {
  it("a stopped bus is not there any more, and reset removes it only when it is told twice", async () => {
    await bus.end("SIGTERM");
    const { code, err } = await site.mbus("status");
    expect([code, err]).toEqual([1, expect.stringContaining("is it running?")]);
    const once = await site.mbus("reset");
    expect([once.code, once.err]).toEqual([2, expect.stringContaining("--yes")]);
    expect(await json("reset", "--yes")).toMatchObject({ removed: true });
    await eventually(
      () => statSync(site.dataDir, { throwIfNoEntry: false }) === undefined,
      () => "the data folder is still there",
    );
    expect(await json("reset", "--yes")).toMatchObject({ removed: false });
  });
});
