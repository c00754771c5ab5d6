/** The verbs of the command line in process, against the administrators' face of a bus in memory: shapes, exit codes, messages. */
import { createServer, type Server } from "node:http";
import { chmodSync, existsSync, mkdtempSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { adminApi } from "#console/api.ts";
import type { Status } from "#bus/admin.ts";
import { createAdmin } from "#bus/admin-bus.ts";
import { BusError } from "#bus/errors.ts";
import { sampleCatalogue } from "#test/harness/catalogue.ts";
import { evidenceFor, testKeys } from "#test/harness/evidence-admin.ts";
import { openTestChanges } from "#test/harness/changes.ts";
import { branchOf } from "#test/harness/route.ts";
import {
  changed,
  GRANTS,
  inboundOf,
  lookup,
  openBusWorld,
  register,
  setOf,
  type BusWorld,
  type BusWorldOptions,
} from "#test/harness/bus-world.ts";
import { openTestHost } from "#test/harness/web-world.ts";
import { run } from "./main.ts";
import { tail } from "./journal.ts";

const TOKEN = "token-of-the-verbs";
const closers: (() => unknown)[] = [];
let folder = "";
let out: string[] = [];
let err: string[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "mbus-verbs-"));
  vi.stubEnv("MBUS_DATA_DIR", folder);
  vi.stubEnv("MBUS_HTTP_PORT", "");
  out = [];
  err = [];
  vi.spyOn(console, "log").mockImplementation((text: string) => void out.push(text));
  vi.spyOn(console, "error").mockImplementation((text: string) => void err.push(text));
  vi.spyOn(process.stderr, "write").mockImplementation((text) => {
    err.push(String(text).trimEnd());
    return true;
  });
  vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    out.push(String(text).trimEnd());
    return true;
  });
});
afterEach(async () => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  for (const close of closers.splice(0).toReversed()) await close();
  rmSync(folder, { recursive: true, force: true });
});

type Printed = Readonly<{ code: number; out: string; err: string }>;

async function mbus(...args: readonly string[]): Promise<Printed> {
  out = [];
  err = [];
  await run(args);
  const code = Number(process.exitCode ?? 0);
  process.exitCode = undefined;
  return { code, out: out.join("\n"), err: err.join("\n") };
}

async function json<T = Record<string, unknown>>(...args: readonly string[]): Promise<T> {
  const printed = await mbus(...args, "--json");
  expect([printed.code, printed.err]).toEqual([0, ""]);
  return JSON.parse(printed.out) as T;
}

const REVISION = {
  number: 7,
  id: "a1",
  parent: "a0",
  tree: "b1",
  act: "watch",
  who: "file watch",
  because: "files changed on disk",
  time: Date.UTC(2026, 4, 4, 9),
} as const;

/** A bus in memory behind a real web host, and a data folder that leads to it. */
async function bus(options: BusWorldOptions = {}, drift = false, unclaimed: Status["unclaimed"] = []): Promise<BusWorld> {
  const world = await openBusWorld(options);
  closers.push(() => world.bus.close());
  const host = await openTestHost();
  closers.push(() => host.close());
  const finding = {
    file: "routes/x.yaml",
    line: 4,
    column: 3,
    severity: "error",
    rule: "unknown-field",
    text: "unknown field `frm`",
  } as const;
  const admin = createAdmin({
    bus: world.bus,
    journal: world.journal,
    evidence: await evidenceFor(world),
    clock: world.clock,
    version: "9.9.9",
    pid: 4711,
    startedAt: world.clock.now(),
    memory: () => ({ rss: 104_857_600, heapUsed: 1 }),
    unclaimed: () => Promise.resolve(unclaimed),
    cluster: () => ({ node: "one", partitions: [0, 2], of: 4 }),
    drift: () => ({ drift, findings: drift ? [finding] : [], revision: REVISION }),
    changes: (await openTestChanges(world)).changes,
    catalogue: await sampleCatalogue(),
    faces: (route) => ({ wsdl: undefined, rest: route.id === "lookup" ? "/mconnect/rest/person.request.v1" : undefined }),
  });
  host.mount("admin", "/api/v1", adminApi(admin, TOKEN));
  leadTo(host.address.http);
  return world;
}

function leadTo(http: string, registry = "http://127.0.0.1:9"): void {
  writeFileSync(join(folder, "admin.token"), `${TOKEN}\n`);
  writeFileSync(join(folder, "run.json"), JSON.stringify({ http, registry, pid: process.pid }));
}

/** Another program at a bus's address. */
async function stranger(status: number, body: string): Promise<string> {
  const server: Server = createServer((_request, response) => response.writeHead(status, { "content-type": "text/html" }).end(body));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closers.push(() => new Promise((resolve) => server.close(resolve)));
  const address = server.address();
  return `http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`;
}

/** The JSON blocks of the documentation, parsed, in order. */
const DOCUMENTED = [...readFileSync(new URL("../docs/cli.md", import.meta.url), "utf8").matchAll(/```json\n([\s\S]*?)```/gu)].map(
  ([, text = ""]) => JSON.parse(text) as unknown,
);
function documented(has: string): unknown {
  const found = DOCUMENTED.find((block) => {
    const first: unknown = Array.isArray(block) ? block[0] : block;
    return typeof first === "object" && first !== null && has in first;
  });
  if (found === undefined) throw new Error(`no documented shape has ${has}`);
  return found;
}

/** Members that the documentation does not know, or whose kind it tells otherwise. `{}` and `[]` stand for anything. */
function strange(actual: unknown, shape: unknown, path = "$"): string[] {
  if (Array.isArray(shape)) {
    if (!Array.isArray(actual)) return [`${path} is no list`];
    return shape.length === 0 ? [] : actual.flatMap((item, at) => strange(item, shape[0], `${path}[${at}]`));
  }
  if (typeof shape === "object" && shape !== null) {
    if (typeof actual !== "object" || actual === null) return [`${path} is no object`];
    if (Object.keys(shape).length === 0) return [];
    return Object.entries(actual).flatMap(([name, value]) =>
      name in shape ? strange(value, shape[name as keyof typeof shape], `${path}.${name}`) : [`${path}.${name} is not documented`],
    );
  }
  return typeof actual === typeof shape ? [] : [`${path} is ${typeof actual}`];
}
function missing(actual: object, shape: object): string[] {
  return Object.keys(shape).filter((name) => !(name in actual));
}

const REASON = ["--reason", "planned", "--operator", "ana"] as const;

describe("without a bus", () => {
  const verbs: readonly (readonly string[])[] = [
    ["status"],
    ["breakers"],
    ["grants"],
    ["explain-access", "--system", "a/b", "--contract", "x.y.v1"],
    ["contract", "list"],
    ["contract", "show", "x.y.v1"],
    ["contract", "openapi"],
    ["system", "list"],
    ["journal", "find"],
    ["journal", "show", "1"],
    ["trace", "m-1"],
    ["pause", "r", ...REASON],
    ["resume", "r", ...REASON],
    ["deadletters", "list"],
    ["deadletters", "list", "--groups"],
    ["deadletters", "show", "d"],
    ["deadletters", "replay", "d", ...REASON],
    ["deadletters", "discard", "d", ...REASON],
    ["replay", "--route", "r", "--dry-run"],
    ["replay", "--route", "r", ...REASON],
  ];

  it.each(verbs.map((args) => [args.join(" "), args] as const))("mbus %s says that none ever ran here, with exit 1", async (_, args) => {
    for (const more of [[], ["--json"]]) {
      const printed = await mbus(...args, ...more);
      expect(printed).toEqual({
        code: 1,
        out: "",
        err: `no bus has run with the data folder \`${folder}\`: start one with \`mbus start\`, or name its folder in MBUS_DATA_DIR`,
      });
    }
  });

  it.each(verbs.map((args) => [args.join(" "), args] as const))(
    "mbus %s says that it does not answer, with the address",
    async (_, args) => {
      leadTo("http://127.0.0.1:9");
      const { code, out: printed, err: said } = await mbus(...args);
      expect([code, printed]).toEqual([1, ""]);
      expect(said).toMatch(/^no bus answers at http:\/\/127\.0\.0\.1:9: is it running\? \(.+\)$/u);
    },
  );

  it("but with another program at its address, says that this is none", async () => {
    leadTo(await stranger(200, "<html>hello</html>"));
    const { code, err: said } = await mbus("status");
    expect(code).toBe(1);
    expect(said).toMatch(/^what answers at http:\/\/127\.0\.0\.1:\d+ is no bus; MBUS_DATA_DIR or MBUS_HTTP_PORT names another place$/u);
  });

  it("and names the consumer groups that no process has, with the time that is left", async () => {
    const group = { topic: "mbus.person.changed.v1", group: "gone/pensions", unclaimedFor: 86_400_000 };
    await bus({}, false, [
      { ...group, forgottenIn: 6 * 86_400_000 },
      { ...group, group: "gone/townhall", forgottenIn: 7_200_000 },
    ]);
    const { out: said } = await mbus("status");
    expect(said.split("\n").slice(-3)).toEqual([
      "consumer groups of routes that no process runs:",
      "  gone/pensions of mbus.person.changed.v1, forgotten in 6 days",
      "  gone/townhall of mbus.person.changed.v1, forgotten in 2 hours",
    ]);
    expect((await json<Status>("status")).unclaimed).toHaveLength(2);
  });

  it("but with another program that refuses, gives its status and words", async () => {
    leadTo(await stranger(418, "short and stout"));
    expect(await mbus("status")).toMatchObject({ code: 1, err: "418: short and stout" });
  });

  it("and a damaged run.json, says which file to look at", async () => {
    leadTo("http://127.0.0.1:9");
    writeFileSync(join(folder, "run.json"), '{"http":');
    expect(await mbus("status")).toMatchObject({ code: 1, err: `${join(folder, "run.json")} is damaged: start the bus again` });
  });

  it("and a port in the environment, asks there", async () => {
    leadTo("http://127.0.0.1:9");
    vi.stubEnv("MBUS_HTTP_PORT", "19");
    expect((await mbus("status")).err).toContain("no bus answers at http://127.0.0.1:19");
    vi.stubEnv("MBUS_HTTP_PORT", "0");
    expect((await mbus("status")).err).toContain("no bus answers at http://127.0.0.1:9:");
  });

  it("but its folder with the token of another, says that it is denied", async () => {
    await bus();
    writeFileSync(join(folder, "admin.token"), "another\n");
    const { code, err: said } = await mbus("status");
    expect([code, said]).toEqual([1, expect.stringMatching(/^admin-denied: the administration API needs/u)]);
  });
});

describe("bad usage", () => {
  const cases: readonly (readonly [readonly string[], string | RegExp])[] = [
    [["fly"], /unknown command 'fly'/u],
    [["statsu"], /unknown command 'statsu'[\s\S]*Did you mean status/u],
    [["status", "--loud"], /unknown option '--loud'/u],
    [["show"], /missing required argument 'route'/u],
    [["explain"], /missing required argument 'route'/u],
    [["trace"], /missing required argument 'id'/u],
    [["journal"], /Usage: mbus journal/u],
    [["journal", "show"], /missing required argument 'position'/u],
    [["journal", "show", "x"], "position x is no whole number from 1"],
    [["journal", "show", "0"], "position 0 is no whole number from 1"],
    [["journal", "find", "--limit", "many"], "--limit many is no whole number from 1"],
    [["journal", "find", "--limit", "-1"], "--limit -1 is no whole number from 1"],
    [["journal", "find", "--limit", "1e3"], "--limit 1e3 is no whole number from 1"],
    [["journal", "find", "--from", "soon"], "--from soon is no time: write 2026-11-23T09:00:00Z, or 10m, 2h, 3d for that long ago"],
    [["journal", "find", "--to", "10 m"], "--to 10 m is no time: write 2026-11-23T09:00:00Z, or 10m, 2h, 3d for that long ago"],
    [["journal", "find", "--field", "idnp"], "--field idnp is not NAME=VALUE"],
    [["journal", "find", "--field", "=x"], "--field =x is not NAME=VALUE"],
    [["pause", "r"], /required option '--reason <text>' not specified/u],
    [["resume", "r"], /required option '--reason <text>' not specified/u],
    [["deadletters", "replay", ...REASON], "name the dead letters, or give --group or --all"],
    [["deadletters", "discard", ...REASON], "name the dead letters, or give --group or --all"],
    [["deadletters", "replay", "d"], /required option '--reason <text>' not specified/u],
    [["replay"], /required option '--route <route>' not specified/u],
    [["replay", "--route", "r"], "a replay needs --reason: say why, it is kept in the journal"],
    [["replay", "--route", "r", "--position", "x", "--dry-run"], "--position x is no whole number from 1"],
    [["replay", "--route", "r", "--rate", "fast", ...REASON], "--rate fast is no rate: write 20 or 20/s"],
    [["replay", "--route", "r", "--rate", "0", ...REASON], "--rate 0 is no rate: write 20 or 20/s"],
    [["replay", "--route", "r", "--rate", "-5/s", ...REASON], "--rate -5/s is no rate: write 20 or 20/s"],
    [["replay", "--route", "r", "--from", "x", "--dry-run"], /^--from x is no time/u],
    [["call", "c"], /required option '--as <system>' not specified/u],
    [["call", "c", "--as", "a/b"], /required option '--data <file>' not specified/u],
    [["publish", "c", "--as", "a/b", "--data", "/no/such/file"], /^cannot read --data \/no\/such\/file: ENOENT/u],
    [["system", "cert", "a/b"], /required option '-o, --out <dir>' not specified/u],
    [["start", "--samples", "all"], "--samples all: write --samples, or --samples faces"],
  ];
  it.each(cases.map(([args, said]) => [args.join(" "), args, said] as const))(
    "mbus %s exits 2, says why on stderr, and shows no stack",
    async (_, args, said) => {
      leadTo("http://127.0.0.1:9");
      const printed = await mbus(...args);
      expect([printed.code, printed.out]).toEqual([2, ""]);
      if (typeof said === "string") expect(printed.err).toBe(said);
      else expect(printed.err).toMatch(said);
      expect(printed.err).not.toMatch(/\n\s+at |\.ts:\d+/u);
    },
  );

  it("--help of any verb exits 0 and names its options", async () => {
    const { code, out: printed } = await mbus("journal", "find", "--help");
    expect(code).toBe(0);
    for (const option of [
      "--id",
      "--correlation",
      "--route",
      "--branch",
      "--system",
      "--contract",
      "--step",
      "--outcome",
      "--from",
      "--to",
      "--field",
      "--limit",
    ])
      expect(printed).toContain(option);
  });
});

describe("grants", () => {
  const ask = (system: string, ...more: readonly string[]) => [
    "explain-access",
    "--system",
    system,
    "--contract",
    "person.request.v1",
    ...more,
  ];

  it("are explained rule after rule, in the documented shape, with exit 0 where they allow", async () => {
    await bus();
    const { code, out: printed } = await mbus(...ask("asker/one"));
    expect([code, printed.split("\n")[0]]).toEqual([0, "asker/one may use person.request.v1 at 2026-05-04 09:00:00.000 UTC"]);
    expect(printed).toMatch(/^ {2}yes grant +grant `asker\/one consumer person\.request\.v1` \(grants\.yaml:1\)/mu);
    expect(strange(await json(...ask("asker/one")), documented("allowed"))).toEqual([]);
  });

  it("are explained with the denial of a message and exit 1 where they do not", async () => {
    await bus();
    const none = await mbus(...ask("maker/one"));
    expect(none.code).toBe(1);
    expect(none.out).toMatch(/^ {2}NO {2}grant +no grant lets system `maker\/one` be a consumer/mu);
    const foreign = await mbus(...ask("asker/one", "--entity", "1007601008122"));
    expect([foreign.code, foreign.out.includes("NO  call")]).toEqual([1, true]);
    const machine = await mbus(...ask("maker/one"), "--json");
    expect([machine.code, (JSON.parse(machine.out) as { code: string }).code]).toEqual([1, "grant-missing"]);
  });

  it("are listed with their ends, and those that end soon stand in the status", async () => {
    const soon = Date.UTC(2026, 4, 14, 9);
    const grants = GRANTS.map((grant) =>
      grant.system === "asker/one" ? { ...grant, until: soon } : { ...grant, until: soon + 90 * 86_400_000 },
    );
    await bus({ set: setOf([lookup()], grants) });
    const rows = await json<{ id: string; left: number }[]>("grants");
    expect(
      rows
        .map(({ id }) => id)
        .slice(0, 2)
        .every((id) => id.startsWith("asker/one")),
    ).toBe(true);
    expect((await mbus("grants")).out).toMatch(/asker\/one +consumer +person\.request\.v1 +holds +2026-05-14 09:00:00\.000 +10 +dpo/u);
    const { out: printed } = await mbus("status");
    expect(printed).toContain("grants to renew:\n");
    expect(printed).toContain("  asker/one consumer person.request.v1 (grants.yaml:1) of dpo ends in 10 days");
    expect(strange(await json("status"), documented("startedAt"))).toEqual([]);
  });
});

describe("status", () => {
  it("prints the documented shape, no member more", async () => {
    await bus();
    const printed = await json("status");
    expect(strange(printed, documented("startedAt"))).toEqual([]);
    expect(missing(printed, documented("startedAt") as object)).toEqual([]);
  });

  it("is a table for people: head, the share of one of several processes, a row for each branch, a row for each query", async () => {
    const world = await bus();
    world.bus.view().routes.get("changed")?.pause(true);
    const { code, out: printed } = await mbus("status");
    const lines = printed.split("\n");
    expect([code, lines[0], lines[1], lines[2]]).toEqual([
      0,
      "mbus 9.9.9, pid 4711, up since 2026-05-04T09:00:00.000Z, 100 MB; 0 dead letters, 0 open breakers",
      "one works on 2 of 4 partitions: 0 2",
      "revision 7 of the files runs (applied): file watch, 2026-05-04T09:00:00.000Z, files changed on disk",
    ]);
    expect(lines.slice(4).map((line) => line.split(/ {2,}/u).slice(0, 4))).toEqual([
      ["route", "pattern", "state", "branch"],
      ["lookup", "query", "active"],
      ["changed", "event", "paused", "a"],
      ["changed", "event", "paused", "b"],
      ["register", "command", "active", "to"],
    ]);
  });

  it("exits 1 and shows the findings when disk and running set differ", async () => {
    await bus({}, true);
    const { code, out: printed } = await mbus("status");
    expect(code).toBe(1);
    expect(printed).toContain("the files on disk differ from what runs:");
    expect(printed).toMatch(/routes\/x\.yaml:4:3.*unknown field `frm`/u);
    const machine = await mbus("status", "--json");
    expect([machine.code, (JSON.parse(machine.out) as { drift: boolean }).drift]).toEqual([1, true]);
  });

  it("takes --json before the verb as well", async () => {
    await bus();
    const { out: printed } = await mbus("--json", "status");
    expect(JSON.parse(printed)).toMatchObject({ version: "9.9.9" });
  });
});

describe("lists", () => {
  it("of contracts, systems and endpoints print their documented shapes", async () => {
    const world = await bus();
    await world.bus.accept(inboundOf("lookup", "asker/one", { n: 1 }));
    for (const [args, has] of [
      [["contract", "list"], "pattern"],
      [["system", "list"], "institution"],
      [["breakers"], "breaker"],
    ] as const) {
      const printed = await json<readonly object[]>(...args);
      expect(printed.length).toBeGreaterThan(0);
      expect(strange(printed, documented(has)), args.join(" ")).toEqual([]);
    }
  });

  it("give full addresses where a contract is served, and none where it is not", async () => {
    await bus();
    const contracts = await json<readonly Record<string, unknown>[]>("contract", "list");
    expect(contracts[0]?.["rest"]).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/mconnect\/rest\/person\.request\.v1$/u);
    expect(contracts[1]).not.toHaveProperty("rest");
    expect(contracts[1]).not.toHaveProperty("wsdl");
  });

  it("show one contract with its fields, laws and providers", async () => {
    await bus();
    const shown = await mbus("contract", "show", "person.request.v1");
    expect(shown.code).toBe(0);
    expect(shown.out).toContain("provided by rsp/population of Public Services Agency (1002600024700)");
    expect(shown.out).toContain("used by Law 156/1998 on the public pension system, art. 33, for pension-payment");
    expect(shown.out).toMatch(/idnp +text +key, personal +Personal number/u);
    expect(await json("contract", "show", "person.request.v1")).toMatchObject({
      kind: "contract",
      types: [{ role: "request" }, { role: "reply" }],
    });
    expect(await mbus("contract", "show", "none.v1")).toMatchObject({ code: 1, err: "not-found: the catalogue has no contract `none.v1`" });
  });

  it("describe the faces for machines, of all systems or of one", async () => {
    await bus();
    const all = await json<{ openapi: string; paths: object }>("contract", "openapi");
    expect(all.openapi).toBe("3.1.0");
    expect(Object.keys(all.paths)).toContain("/mconnect/rest/person.request.v1");
    expect(await json("contract", "openapi", "--system", "bns/lake")).toMatchObject({ paths: {} });
    expect(JSON.parse((await mbus("contract", "asyncapi")).out)).toMatchObject({ asyncapi: "3.0.0" });
    expect((await mbus("contract", "asyncapi", "--system", "no/system")).code).toBe(1);
  });

  it("that are empty say so in words, and are [] for machines", async () => {
    await bus({ set: { ...setOf([], []), systems: new Map() } });
    for (const [args, words] of [
      [["contract", "list"], "no contracts"],
      [["system", "list"], "no systems"],
      [["breakers"], "no endpoint was called yet"],
      [["deadletters", "list"], "no dead letters"],
      [["deadletters", "list", "--groups"], "no dead letters"],
      [["journal", "find"], "no record fits"],
    ] as const) {
      expect((await mbus(...args)).out).toBe(words);
      expect(await json(...args)).toEqual([]);
    }
  });
});

describe("the journal", () => {
  async function filled(): Promise<BusWorld> {
    const world = await bus();
    await world.bus.accept(inboundOf("lookup", "asker/one", { n: 1 }, { id: "q-1" }));
    await world.bus.accept(inboundOf("lookup", "maker/one", { n: 1 }, { id: "q-2" })).catch(() => undefined);
    await world.bus.accept(inboundOf("changed", "maker/one", { n: 1 }, { id: "e-1", correlationId: "case/9" }));
    await world.clock.advance(1000);
    return world;
  }

  it("is found in rows of the documented shape, in its order of members", async () => {
    await filled();
    const rows = await json<readonly Record<string, unknown>[]>("journal", "find");
    expect(strange(rows, documented("position"))).toEqual([]);
    for (const row of rows) expect(Object.keys(row).slice(0, 3)).toEqual(["position", "id", "correlationId"]);
    expect(rows.map(({ position }) => position)).toEqual([6, 5, 4, 3, 2, 1]);
    expect(rows.at(-1)?.["time"]).toBe("2026-05-04T09:00:00.000Z");
  });

  it.each([
    [["--id", "q-1"], 2],
    [["--correlation", "case/9"], 3],
    [["--route", "changed"], 3],
    [["--branch", "a"], 1],
    [["--system", "maker/one"], 4],
    [["--contract", "person.request.v1"], 2],
    [["--step", "refused"], 1],
    [["--outcome", "denied"], 1],
    [["--limit", "2"], 2],
    [["--from", "2026-05-04T09:00:00Z"], 6],
    [["--to", "2026-05-04T09:00:00Z"], 0],
    [["--field", "idnp=2", "--field", "name=x"], 0],
  ] as const)("narrowed by %j has %d rows", async (args, count) => {
    await filled();
    expect(await json("journal", "find", ...args)).toHaveLength(count);
  });

  it("shows one row and one exchange; what is not there exits 1", async () => {
    await filled();
    expect(await json("journal", "show", "1")).toMatchObject({ position: 1, id: "q-1", step: "accepted" });
    const trace = await json<readonly { position: number }[]>("trace", "case/9");
    expect(trace.map(({ position }) => position)).toEqual([4, 5, 6]);
    expect(await mbus("journal", "show", "99")).toMatchObject({ code: 1, err: "not-found: the journal has no record at position 99" });
    expect(await mbus("trace", "never")).toMatchObject({ code: 1, err: "no message, correlation or ticket has the id `never`" });
  });

  it("in a table cuts the reason at a hundred characters and keeps the row on one line", async () => {
    const world = await bus({
      set: setOf([lookup()], GRANTS),
      send: () => {
        throw new BusError("provider-fault", `line one\nline two \u001b[31m${"x".repeat(300)}`);
      },
    });
    await world.bus.accept(inboundOf("lookup", "asker/one", { n: 1 })).catch(() => undefined);
    const lines = (await mbus("journal", "find")).out.split("\n");
    expect(lines).toHaveLength(4);
    expect(lines.join("")).not.toContain("\u001b");
    expect(lines[1]).toContain("line one\\u000aline two \\u001b[31m");
    expect(lines[1]).not.toContain("x".repeat(101));
  });

  it("followed prints each new row once, oldest first, one JSON object a line, until it is stopped", async () => {
    const world = await filled();
    const lines: string[] = [];
    const stop = new AbortController();
    const tailing = tail({ json: true, out: (line) => lines.push(line), err: () => undefined }, { system: "asker/one" }, stop.signal);
    await vi.waitFor(async () => {
      // it has looked once when a row of after that shows
      await world.bus.accept(inboundOf("lookup", "asker/one", { n: 1 }));
      expect(lines.length).toBeGreaterThan(3);
    }, 15_000);
    stop.abort();
    expect(await tailing).toBe(0);
    const positions = lines.map((line) => (JSON.parse(line) as { position: number }).position);
    expect(positions).toEqual([...new Set(positions)].toSorted((a, b) => a - b));
    expect(Math.min(...positions)).toBeGreaterThan(6);
  });
});

describe("acts", () => {
  it("pause and resume print the documented shape and words", async () => {
    const world = await bus();
    expect(await json("pause", "lookup", ...REASON)).toEqual({ route: "lookup", paused: true });
    expect(world.bus.view().routes.get("lookup")?.paused()).toBe(true);
    expect((await mbus("resume", "lookup", ...REASON)).out).toBe("route lookup goes on");
    expect((await mbus("pause", "lookup", ...REASON)).out).toBe("route lookup is paused");
    expect(world.journal.records.map(({ detail }) => detail)).toEqual([
      "pause by ana: planned",
      "resume by ana: planned",
      "pause by ana: planned",
    ]);
  });

  it("without --operator are done in the name of the login", async () => {
    const world = await bus();
    await json("pause", "lookup", "--reason", "x");
    expect(world.journal.records[0]?.detail).toMatch(/^pause by \S+: x$/u);
  });

  it("of a route that is none exit 1", async () => {
    await bus();
    expect(await mbus("pause", "no/where", ...REASON)).toEqual({ code: 1, out: "", err: "not-found: no route `no/where` runs" });
  });
});

describe("dead letters", () => {
  async function dead(): Promise<{ world: BusWorld; mend: () => void }> {
    const state = { fails: true };
    const world = await bus({
      set: setOf([changed({ branches: [branchOf({ name: "a", system: "taker/a" })] }), register()], GRANTS),
      send: () => {
        if (state.fails) throw new BusError("provider-fault", "no such person");
        return { ok: true };
      },
    });
    for (const id of ["e-1", "e-2"]) await world.bus.accept(inboundOf("changed", "maker/one", { n: 1 }, { id }));
    await world.clock.advance(1000);
    return { world, mend: () => void (state.fails = false) };
  }

  it("are listed in the documented shape", async () => {
    await dead();
    const rows = await json<readonly Record<string, unknown>[]>("deadletters", "list");
    expect(rows).toHaveLength(2);
    expect(strange(rows, documented("messageId"))).toEqual([]);
    expect((await mbus("deadletters", "list")).out).toMatch(/changed\/a +open +1 +e-[12] +provider-fault no such person/u);
    expect((await mbus("deadletters", "list", "--groups")).out).toMatch(/ 2 +changed\/a /u);
  });

  it("are narrowed, and a state that is none is refused", async () => {
    await dead();
    expect(await json("deadletters", "list", "--route", "register")).toEqual([]);
    expect(await json("deadletters", "list", "--branch", "a")).toHaveLength(2);
    expect(await mbus("deadletters", "list", "--state", "opne")).toMatchObject({
      code: 1,
      err: "json-violation: `opne` is no state of a dead letter: write open, replayed, discarded",
    });
  });

  it("replayed by id, by group or all print what was done", async () => {
    const { mend } = await dead();
    mend();
    const [first] = await json<readonly { id: string; fingerprint: string }[]>("deadletters", "list");
    expect(await json("deadletters", "replay", first?.id ?? "", ...REASON)).toEqual({ done: 1, failed: [], remaining: 0 });
    expect((await mbus("deadletters", "replay", "--all", "--route", "changed", ...REASON)).out).toBe("1 delivered, 0 failed, 0 left");
    expect(await mbus("deadletters", "discard", "--all", ...REASON)).toMatchObject({ code: 1, err: "no open dead letters" });
  });

  it("that fail again exit 1 and are named with code and reason", async () => {
    await dead();
    const { code, out: printed } = await mbus("deadletters", "replay", "--all", ...REASON);
    expect(code).toBe(1);
    expect(printed).toMatch(/^0 delivered, 2 failed, 0 left\n\S+ {2}provider-fault {2}no such person/u);
    const machine = await mbus("deadletters", "replay", "--all", ...REASON, "--json");
    expect(strange(JSON.parse(machine.out), documented("done"))).toEqual([]);
  });

  it("discarded by group leave the list", async () => {
    await dead();
    const [first] = await json<readonly { fingerprint: string }[]>("deadletters", "list");
    expect((await mbus("deadletters", "discard", "--group", first?.fingerprint ?? "", ...REASON)).out).toBe(
      "2 discarded, 0 failed, 0 left",
    );
    expect(await json("deadletters", "list")).toEqual([]);
  });

  it("are shown with their record; an unknown one exits 1", async () => {
    await dead();
    const [first] = await json<readonly { id: string }[]>("deadletters", "list");
    expect(await json("deadletters", "show", first?.id ?? "")).toMatchObject({
      deadLetter: { id: first?.id },
      record: { step: "deadletter" },
    });
    expect((await mbus("deadletters", "show", "none")).code).toBe(1);
  });
});

describe("replay", () => {
  async function told(): Promise<BusWorld> {
    const world = await bus();
    for (const id of ["e-1", "e-2", "e-3"]) await world.bus.accept(inboundOf("changed", "maker/one", { n: 1 }, { id }));
    await world.clock.advance(1000);
    return world;
  }

  it("counts without a reason and prints the documented shape", async () => {
    await told();
    const counted = await json("replay", "--route", "changed", "--dry-run");
    expect(counted).toMatchObject({ dryRun: true, total: 3 });
    expect(strange(counted, documented("dryRun"))).toEqual([]);
    expect((await mbus("replay", "--route", "changed", "--dry-run")).out).toBe("3 messages would be sent");
    expect(await json("replay", "--route", "changed", "--dry-run", "--id", "e-2")).toMatchObject({ total: 1 });
    expect(await json("replay", "--route", "changed", "--dry-run", "--position", "2")).toMatchObject({ total: 2 });
    expect(await json("replay", "--route", "changed", "--dry-run", "--to", "2026-05-04T09:00:00Z")).toMatchObject({ total: 0 });
  });

  it("waits for the end, and prints the job", async () => {
    const world = await told();
    const before = world.sent.length;
    const replayed = json("replay", "--route", "changed", "--branch", "b", "--rate", "1000/s", ...REASON);
    const state = { going: true };
    void replayed.finally(() => (state.going = false)).catch(() => undefined);
    while (state.going) {
      await world.clock.advance(1000);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const job = await replayed;
    expect(job).toMatchObject({ state: "done", done: 3, failed: 0, remaining: 0, operator: "ana", reason: "planned", branches: ["b"] });
    expect(strange(job, documented("stopOnFailure"))).toEqual([]);
    expect(world.sent.slice(before).map(({ branch }) => branch)).toEqual(["b", "b", "b"]);
  });

  it("of a query, a route or branch that is none exits 1 with the reason", async () => {
    await told();
    for (const [args, said] of [
      [["--route", "lookup"], "replay-refused: route `lookup` carries queries: their callers have gone, so they are evidence, not work"],
      [["--route", "none"], "not-found: no route `none` runs"],
      [["--route", "changed", "--branch", "c"], "not-found: route `changed` has no branch `c`; it has `a`, `b`"],
    ] as const)
      expect(await mbus("replay", ...args, "--dry-run")).toEqual({ code: 1, out: "", err: said });
  });
});

describe("reset", () => {
  const notThere = (): string => join(folder, "none");

  it("of no folder does nothing and says so", async () => {
    vi.stubEnv("MBUS_DATA_DIR", notThere());
    expect(await json("reset", "--yes")).toEqual({ removed: false, dataDir: notThere() });
  });

  it("leaves a folder alone that is no bus's", async () => {
    mkdirSync(notThere());
    writeFileSync(join(notThere(), "thesis.txt"), "years of work");
    vi.stubEnv("MBUS_DATA_DIR", notThere());
    expect(await mbus("reset", "--yes")).toEqual({ code: 1, out: "", err: `${notThere()} is no data folder of a bus: it is left alone` });
    expect(existsSync(join(notThere(), "thesis.txt"))).toBe(true);
  });

  it("does nothing without --yes, and says what it would do", async () => {
    writeFileSync(join(folder, "admin.token"), "t");
    const { code, err: said } = await mbus("reset");
    expect([code, said]).toEqual([2, `this removes ${folder} with journal, keys and dead letters for good: say --yes to do it`]);
    expect(existsSync(folder)).toBe(true);
  });

  it("leaves the folder of a running bus alone", async () => {
    leadTo("http://127.0.0.1:9");
    expect(await mbus("reset", "--yes")).toMatchObject({
      code: 1,
      err: `the bus with pid ${process.pid} runs on ${folder}: stop it first`,
    });
  });

  it("leaves the folder of a bus that another user runs alone", async () => {
    leadTo("http://127.0.0.1:9");
    vi.spyOn(process, "kill").mockImplementation(() => {
      throw Object.assign(new Error("kill EPERM"), { code: "EPERM" });
    });
    expect((await mbus("reset", "--yes")).err).toContain("stop it first");
    expect(existsSync(join(folder, "admin.token"))).toBe(true);
  });

  it("with a damaged run.json says to make sure first", async () => {
    leadTo("http://127.0.0.1:9");
    writeFileSync(join(folder, "run.json"), "{");
    expect(await mbus("reset", "--yes")).toMatchObject({
      code: 1,
      err: `${join(folder, "run.json")} is damaged: remove it once no bus runs on this folder`,
    });
  });

  it("removes what a bus that is gone left", async () => {
    leadTo("http://127.0.0.1:9");
    vi.spyOn(process, "kill").mockImplementation(() => {
      throw Object.assign(new Error("kill ESRCH"), { code: "ESRCH" });
    });
    expect(await json("reset", "--yes")).toEqual({ removed: true, dataDir: folder });
    expect(existsSync(folder)).toBe(false);
  });
});

describe("contract check", () => {
  it("says that no registry answers, or that what answers is none", async () => {
    leadTo("http://127.0.0.1:9", "http://127.0.0.1:9");
    vi.stubEnv("SCHEMA_REGISTRY_URL", "http://127.0.0.1:9");
    expect((await mbus("contract", "check")).err).toMatch(/^no schema registry answers at http:\/\/127\.0\.0\.1:9 /u);
    const html = await stranger(200, "<html>");
    vi.stubEnv("SCHEMA_REGISTRY_URL", html);
    expect(await mbus("contract", "check")).toMatchObject({ code: 1, err: `what answers at ${html} is no schema registry` });
    const broken = await stranger(503, "down for repair");
    vi.stubEnv("SCHEMA_REGISTRY_URL", broken);
    expect(await mbus("contract", "check")).toMatchObject({
      code: 1,
      err: `the schema registry at ${broken} answered 503: down for repair`,
    });
  });

  it("takes schemas that nobody registered for compatible", async () => {
    vi.stubEnv("SCHEMA_REGISTRY_URL", await stranger(404, "{}"));
    const verdicts = await json<readonly { type: string; role: string }[]>("contract", "check");
    const calm = { compatible: true, rules: [], backward: [], forward: [], affected: [] };
    for (const verdict of verdicts) expect(verdict).toEqual({ type: expect.any(String), role: expect.any(String), ...calm });
    const roles = Object.fromEntries(verdicts.map(({ type, role }) => [type, role]));
    expect(roles).toMatchObject({
      "person.request.v1": "request",
      "person.response.v1": "reply",
      "person.changed.v1": "event",
      "benefit.register.v1": "command",
    });
  });
});

describe("files and folders", () => {
  it("a token file that may not be read counts as none for whoever may not", async () => {
    leadTo("http://127.0.0.1:9");
    chmodSync(join(folder, "admin.token"), 0o000);
    const { code } = await mbus("status");
    expect(code).toBe(1);
  });

  it("an unknown route names those that are there", async () => {
    for (const verb of ["show", "explain"]) {
      const { code, err: said } = await mbus(verb, "nobody");
      expect([code, said]).toEqual([
        1,
        expect.stringMatching(/^no sound route is called `nobody`; there are .+ \(mbus lint tells of the others\)$/u),
      ]);
    }
  });

  it("lint, show, explain and schema print their documented members", async () => {
    const lint = await json("lint");
    expect(strange(lint, documented("errors"))).toEqual([]);
    expect(Object.keys(lint)).toEqual(["errors", "warnings", "routes", "findings"]);
    expect(Object.keys(await json("show", "person-lookup", "--effective"))).toEqual(["route", "yaml"]);
    expect(Object.keys(await json("explain", "person-lookup"))).toEqual(["route", "text"]);
    expect(await json("schema")).toHaveProperty("$schema");
  });
});

describe("evidence", () => {
  it("is written to a file of its own, which verifies without the bus", async () => {
    const world = await bus();
    await world.bus.accept(inboundOf("lookup", "asker/one", { idnp: "2000000000007" }, { id: "q-1" }));
    const file = join(folder, "q-1.asice");
    expect(await json("evidence", "q-1", "-o", file)).toMatchObject({ id: "q-1", file });
    const verdict = await json<{ verified: boolean; entries: readonly { step: string }[] }>("verify", file);
    expect(verdict).toMatchObject({ verified: true, authority: { trusted: false } });
    expect(verdict.entries.map(({ step }) => step)).toEqual(["accepted", "replied"]);
    const ca = join(folder, "trusted.pem");
    writeFileSync(ca, (await testKeys()).ca);
    const shown = await mbus("verify", file, "--ca", ca);
    expect(shown).toMatchObject({ code: 0, err: "" });
    expect(shown.out).toMatch(/replied[\s\S]*verified: every byte[\s\S]*the authority is the one you trust/u);
  });

  it("that was changed proves nothing and says why; a file that is not there is bad usage", async () => {
    const world = await bus();
    await world.bus.accept(inboundOf("lookup", "asker/one", { idnp: "2000000000007" }, { id: "q-1" }));
    const file = join(folder, "q-1.asice");
    await mbus("evidence", "q-1", "-o", file);
    const bytes = readFileSync(file);
    bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 8;
    writeFileSync(file, bytes);
    const changed = await mbus("verify", file);
    expect(changed.code).toBe(1);
    expect(changed.out).toContain("proves nothing");
    expect(await mbus("verify", join(folder, "none.asice"))).toMatchObject({ code: 2 });
    writeFileSync(join(folder, "ca.pem"), "no certificate");
    expect((await mbus("verify", file, "--ca", join(folder, "ca.pem"))).code).toBe(1);
  });

  it("of an unknown message is no file at all", async () => {
    await bus();
    const file = join(folder, "none.asice");
    const printed = await mbus("evidence", "nobody", "-o", file);
    expect(printed.code).toBe(1);
    expect(printed.err).toContain("no message, correlation or ticket has the id `nobody`");
    expect(existsSync(file)).toBe(false);
  });
});

describe("journal check", () => {
  it("says that the journal is what was sealed, or each row that is not", async () => {
    const world = await bus();
    await world.bus.accept(inboundOf("lookup", "asker/one", { idnp: "2000000000007" }, { id: "q-1" }));
    expect(await mbus("journal", "check")).toMatchObject({ code: 0, out: "the journal is what was sealed: 2 entries up to position 2" });
    world.disk.records.splice(1, 1);
    const broken = await mbus("journal", "check", "--from", "1");
    expect(broken).toMatchObject({ code: 1 });
    expect(broken.out).toBe("the row at position 2 is missing in the journal\none difference between the journal and its evidence log");
    expect((await mbus("journal", "check", "--from", "x")).code).toBe(2);
  });
});
