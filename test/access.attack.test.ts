/**
 * Attacks on what a message says and on who may see what, from outside against one bus: JSON that two readers understand differently,
 * ids that look like others, other systems' messages, the administration without its token, compression, paths, operators in searches.
 * Every one is refused by name, and nothing of it reaches a receiver.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createSite, type BusProcess, type Site } from "#test/harness/bus-process.ts";
import { rawHttp } from "#test/harness/raw-http.ts";
import { eventually } from "#test/harness/receiver.ts";
import { apply, openSubscribers, tell, type Subscribers } from "#test/harness/world.ts";

let site: Site;
let bus: BusProcess;
let subscribers: Subscribers;

beforeAll(async () => {
  site = createSite();
  site.hurry();
  subscribers = await openSubscribers();
  bus = await site.start({ variables: subscribers.variables });
});
afterAll(async () => {
  await site.remove();
  await subscribers.close();
});

type Said = Readonly<{ status: number; text: string; retryAfter: string | null }>;
const CALL = {
  CallingUser: "2004100010095",
  CallingEntity: "1007601008122",
  CallBasis: "Law 436/2006 art. 29",
  CallReason: "certificate",
} as const;

async function send(
  path: string,
  body: string | Uint8Array,
  headers: Readonly<Record<string, string>> = {},
  method = "POST",
): Promise<Said> {
  const response = await fetch(`${bus.http}${path}`, {
    method,
    headers: { "content-type": "application/json", "x-system": "primaria/registry", ...CALL, ...headers },
    ...(method === "GET" ? {} : { body: typeof body === "string" ? body : Buffer.from(body) }),
  });
  return { status: response.status, text: await response.text(), retryAfter: response.headers.get("retry-after") };
}
const LOOKUP = "/mconnect/rest/person.request.v1";
const ask = (body: string | Uint8Array, headers: Readonly<Record<string, string>> = {}): Promise<Said> => send(LOOKUP, body, headers);
const get = (path: string, headers: Readonly<Record<string, string>> = {}): Promise<Said> => send(path, "", headers, "GET");
/** Code of a problem document. */
const code = ({ text }: Said): string => /urn:mconnect-bus:error:([a-z-]+)/u.exec(text)?.[1] ?? text.slice(0, 200);
const token = (): string => readFileSync(join(site.dataDir, "admin.token"), "utf8").trim();
const admin = (path: string, body: unknown): Promise<Said> =>
  send(`/api/v1${path}`, JSON.stringify(body), { authorization: `Bearer ${token()}` });
const asked = (): number =>
  subscribers.pensions.received.length + subscribers.townhall.received.length + subscribers.statistics.received.length;

const IDNP = "2004100010095";
const utf8 = (text: string): Uint8Array => Buffer.from(text, "utf8");

describe("B13 JSON that two readers understand differently", () => {
  const deep = `${'{"idnp":'.repeat(20_000)}1${"}".repeat(20_000)}`;
  it.each([
    ["a member twice", `{"idnp":"1","idnp":"${IDNP}"}`, 400, "json-malformed"],
    ["a member twice, once written with an escape", `{"idnp":"1","\\u0069dnp":"${IDNP}"}`, 400, "json-malformed"],
    ["NaN", '{"idnp":NaN}', 400, "json-malformed"],
    ["Infinity", '{"idnp":-Infinity}', 400, "json-malformed"],
    ["a comma too many", `{"idnp":"${IDNP}",}`, 400, "json-malformed"],
    ["a comment", `{/* */"idnp":"${IDNP}"}`, 400, "json-malformed"],
    ["single quotes", `{'idnp':'${IDNP}'}`, 400, "json-malformed"],
    ["a second document behind the first", `{"idnp":"${IDNP}"}{"idnp":"1"}`, 400, "json-malformed"],
    ["a line break inside a text", '{"idnp":"2004\n100010095"}', 400, "json-malformed"],
    ["a member __proto__", `{"idnp":"${IDNP}","__proto__":{"admin":true}}`, 400, "json-violation"],
    ["a member constructor", `{"idnp":"${IDNP}","constructor":{"prototype":{}}}`, 400, "json-violation"],
    ["a number for an identifier", '{"idnp":2004100010095}', 400, "json-violation"],
    ["an operator for an identifier", '{"idnp":{"$gt":""}}', 400, "json-violation"],
    ["a list for a record", `[{"idnp":"${IDNP}"}]`, 400, "json-violation"],
    ["twenty thousand levels", deep, 413, "json-limit"],
    ["nothing at all", "", 400, "json-malformed"],
  ])("is refused: %s", async (_, body, status, expected) => {
    const before = asked();
    const said = await ask(body);
    expect([said.status, code(said)]).toEqual([status, expected]);
    expect(asked()).toBe(before);
  });

  it.each([
    ["bytes that are no UTF-8", Buffer.concat([utf8('{"idnp":"'), Buffer.of(0xc3, 0x28), utf8('"}')])],
    ["an overlong encoding of a quote", Buffer.concat([utf8('{"idnp":"'), Buffer.of(0xc0, 0xa2), utf8('"}')])],
    ["UTF-16", Buffer.from(`{"idnp":"${IDNP}"}`, "utf16le")],
  ])("is refused: %s", async (_, body) => {
    const said = await ask(body);
    expect([said.status, code(said)]).toEqual([400, "json-malformed"]);
  });

  it("keeps no digit of a number that does not fit: it is refused, not rounded", async () => {
    const body = `{"applicationId":"B13","idnp":"${IDNP}","kind":"coldSeasonAid","amount":9007199254740993,"from":"2026-12-01","iban":null,"townHall":"Orhei"}`;
    const said = await send("/mconnect/rest/benefit.register.v1", body);
    expect([said.status, code(said)]).toEqual([400, "json-violation"]);
  });
});

describe("B26 ids that look like others", () => {
  it.each([
    ["digits of another script", "２００４１０００１００９５"],
    ["a zero-width space", `2004100\u200b010095`],
    ["a space before", ` ${IDNP}`],
    ["a line break behind", `${IDNP}\n`],
    ["a right-to-left override", `\u202e${IDNP}`],
    ["a zero byte", `${IDNP}\u0000`],
    ["thirteen letters", "O".repeat(13)],
  ])("a person's number with %s asks nobody", async (_, idnp) => {
    const before = asked();
    const said = await ask(JSON.stringify({ idnp }));
    expect(said.status).toBe(400);
    expect(said.text).not.toContain(idnp);
    expect(asked()).toBe(before);
  });

  it.each([
    "Primaria/Registry",
    "primaria/registry/",
    "primaria//registry",
    "primaria/registry%20",
    "primaria\\registry",
    "../primaria/registry",
    "primaria/registry,cnas/pensions",
  ])("a system called %s is nobody", async (name) => {
    const said = await ask(JSON.stringify({ idnp: IDNP }), { "x-system": name });
    expect(said.status).toBe(403);
    // the source takes one system only, and that is another
    expect(["grant-missing", "system-unknown"]).toContain(code(said));
  });

  it.each(["PERSON.request.v1", "person.request.v01", "person.request.v1%00", "person%2Erequest.v2", "person.request.v1;x"])(
    "a contract called %s is not served",
    async (name) => {
      expect([400, 404]).toContain((await send(`/mconnect/rest/${name}`, JSON.stringify({ idnp: IDNP }))).status);
    },
  );

  it.each(["a b", "é", "x".repeat(201)])("a message id %j is refused", async (id) => {
    const said = await ask(JSON.stringify({ idnp: IDNP }), { "x-message-id": Buffer.from(id).toString("latin1") });
    expect([said.status, code(said)]).toEqual([400, "http-request"]);
  });

  it.each([
    ["another institution", { CallingEntity: "1004600030235" }, 400, "call-context-invalid"],
    [
      "digits of another script",
      { CallingEntity: Buffer.from("１００７６０１００８１２２").toString("latin1") },
      400,
      "call-context-invalid",
    ],
    ["twelve digits", { CallingUser: "200410001009" }, 400, "call-context-invalid"],
    ["no reason", { CallReason: "" }, 403, "call-context-missing"],
    ["a reason without end", { CallReason: "x".repeat(600) }, 400, "call-context-invalid"],
  ])("a call in the name of %s asks nobody", async (_, headers, status, expected) => {
    const before = asked();
    const said = await ask(JSON.stringify({ idnp: IDNP }), headers);
    expect([said.status, code(said)]).toEqual([status, expected]);
    expect(asked()).toBe(before);
  });
});

describe("B18 what belongs to another system", () => {
  it("a ticket of another system is as unknown as one that never was", async () => {
    await apply(bus, { id: "idor-1", application: "A-1" });
    const own = await get("/mconnect/commands/idor-1");
    expect([200, 202]).toContain(own.status);
    const foreign = await get("/mconnect/commands/idor-1", { "x-system": "cnas/pensions" });
    const never = await get("/mconnect/commands/idor-2", { "x-system": "cnas/pensions" });
    expect([foreign.status, never.status]).toEqual([404, 404]);
    expect(foreign.text.replaceAll("idor-1", "idor-2")).toBe(never.text);
  });

  it.each([
    ["the SOAP face of a source that is another's", "/mconnect/soap/rsp/population/PersonRegistry", "primaria/registry"],
    ["another register's events", "/mconnect/soap/rsp/population/PersonChanges", "cnas/pensions"],
  ])("%s takes nothing", async (_, path, system) => {
    const before = asked();
    const soap = `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body/></s:Envelope>`;
    const said = await send(path, soap, { "content-type": "text/xml", "x-system": system });
    expect(said.status).toBeGreaterThanOrEqual(400);
    expect(asked()).toBe(before);
  });

  it("a message id that another system used is still its own", async () => {
    const first = await tell(bus, { id: "shared-1", person: IDNP, revision: 1 });
    const second = await apply(bus, { id: "shared-1", application: "A-2" });
    expect([first.status, second.status < 300]).toEqual([200, true]);
  });

  it("a contract without a grant answers like the rule says, and tells nothing of the data", async () => {
    const said = await send("/mconnect/rest/benefit.register.v1", JSON.stringify({ idnp: IDNP }), { "x-system": "bns/lake" });
    expect([said.status, code(said)]).toEqual([403, "grant-missing"]);
    expect(said.text).not.toContain(IDNP);
  });

  it("the administration answers nothing without its token, whatever the address", async () => {
    const described = await send("/api/v1/openapi.json", "", { authorization: `Bearer ${token()}` }, "GET");
    const { paths } = JSON.parse(described.text) as { paths: Record<string, Record<string, unknown>> };
    const calls = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => [path, method.toUpperCase()] as const),
    );
    expect(calls.length).toBeGreaterThan(20);
    const wrong = [
      {},
      { authorization: "Bearer " },
      { authorization: `Bearer ${token().slice(1)}` },
      { authorization: `Basic ${token()}` },
      { cookie: token() },
    ];
    for (const [index, [path, method]] of calls.entries()) {
      const said = await send(path.replaceAll(/\{\w+\}/gu, "1"), "{}", wrong[index % wrong.length] ?? {}, method);
      expect([path, said.status]).toEqual([path, 401]);
    }
    expect((await get(`/api/v1/status?token=${token()}`)).status).toBe(401);
  });
});

describe("B06 bodies that grow", () => {
  const bomb = Buffer.alloc(8_000_000, " ");
  it.each([
    ["gzip", gzipSync(bomb)],
    ["br", brotliCompressSync(bomb)],
    ["gzip, gzip", gzipSync(gzipSync(bomb))],
    ["deflate", Buffer.of(0x78, 0x9c)],
    ["identity, gzip", gzipSync(bomb)],
  ])("a body in %s is refused unread", async (encoding, body) => {
    const said = await ask(body, { "content-encoding": encoding });
    expect([400, 413, 415]).toContain(said.status);
  });

  it("a body above ten megabytes is refused before it is read whole", async () => {
    const raw = await rawHttp(
      Number(new URL(bus.http).port),
      [
        `POST ${LOOKUP} HTTP/1.1\r\nHost: ${new URL(bus.http).host}\r\nX-System: primaria/registry\r\nContent-Type: application/json\r\nContent-Length: 99999999\r\n\r\n{`,
      ],
      { quiet: 3000 },
    );
    expect(raw.statuses).toEqual([413]);
  });
});

describe("B08, B09 addresses that lead elsewhere", () => {
  it.each([
    "/mconnect/commands/..%2f..%2fapi%2fv1%2fstatus",
    "/mconnect/commands/%2e%2e/%2e%2e/api/v1/status",
    "/mconnect/soap/rsp/population/..%5c..%5cetc",
    "/mconnect/rest/..%2f..%2fkeys%2fca.key.pem",
    "/mconnect/rest/%00",
    "/mconnect/commands/$where",
  ])("%s is nothing that is served", async (path) => {
    const port = Number(new URL(bus.http).port);
    const raw = await rawHttp(
      port,
      `GET ${path} HTTP/1.1\r\nHost: ${new URL(bus.http).host}\r\nX-System: primaria/registry\r\nConnection: close\r\n\r\n`,
      { quiet: 3000 },
    );
    expect([400, 401, 403, 404, 405]).toContain(raw.statuses[0]);
    expect(raw.text).not.toMatch(/BEGIN|"version"/u);
  });

  it.each(["evil.example", "169.254.169.254", "localhost.evil.example:80"])(
    "a caller that calls us %s learns no such address from a WSDL",
    async (host) => {
      const port = Number(new URL(bus.http).port);
      const raw = await rawHttp(
        port,
        `GET /mconnect/soap/rsp/population/PersonRegistry?wsdl HTTP/1.1\r\nHost: ${host}\r\nX-System: cnas/pensions\r\nConnection: close\r\n\r\n`,
        { quiet: 3000 },
      );
      expect(raw.statuses[0]).toBeGreaterThanOrEqual(400);
      expect(raw.text).not.toContain(`location="http://${host}`);
    },
  );
});

describe("B12 operators in what is searched", () => {
  it.each([
    ["an operator for an id", { id: { $ne: null } }],
    ["a list for a route", { route: ["person-lookup"] }],
    ["an operator in a search field", { index: { kind: { $gt: "" } } }],
    ["a list of search fields", { index: [{ kind: "x" }] }],
    ["a text for a limit", { limit: "1; drop" }],
    ["an operator for an entity", { entity: { $regex: ".*" } }],
  ])("%s is refused", async (_, body) => {
    const said = await admin("/journal/searches", body);
    expect([said.status, code(said)]).toEqual([400, "json-violation"]);
  });

  it.each(["$where", "a.b", "__proto__", "constructor", "index.kind"])(
    "a search field called %s finds nothing, and harms nothing",
    async (name) => {
      const said = await admin("/journal/searches", { index: JSON.parse(`{${JSON.stringify(name)}:"1"}`) as unknown });
      expect([said.status, (JSON.parse(said.text) as { items: unknown[] }).items]).toEqual([200, []]);
    },
  );
});

describe("B17 text that steers a terminal or a log", () => {
  it("comes out of the journal as marks, not as what it does", async () => {
    const evil = "case\u001b[2J\u202e\u2028gone";
    const soap = `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Header><m:CallReason xmlns:m="https://mconnect.gov.md">x\u202e\u2028y</m:CallReason></s:Header><s:Body><p:GetPerson xmlns:p="https://mconnect.gov.md/person/v1"><p:IDNP>${IDNP}</p:IDNP></p:GetPerson></s:Body></s:Envelope>`;
    await send("/mconnect/soap/rsp/population/PersonRegistry", soap, {
      "content-type": "text/xml",
      "x-system": "cnas/pensions",
      CallReason: "",
    });
    await ask(JSON.stringify({ idnp: evil }));
    const plain = await site.mbus("journal", "find", "--limit", "20");
    const json = await site.mbus("journal", "find", "--limit", "20", "--json");
    expect(plain.code).toBe(0);
    for (const printed of [plain.out, json.out]) expect(printed).not.toMatch(/[\u001b\u0085\u009b]/u);
    expect(plain.out).not.toMatch(/[\u202e\u2028]/u);
    expect(json.out.trim().split("\n")).toHaveLength(1);
  });
});

describe("B23 one system at a hundred times its share", () => {
  it("fills its own places: it is told to come again, and others are taken all the while", async () => {
    const open = Promise.withResolvers<void>();
    subscribers.pensions.answer(async ({ body }) => {
      if (body.includes("GetPerson")) await open.promise;
      return 200;
    });
    const flood = Array.from({ length: 700 }, () => ask(JSON.stringify({ idnp: IDNP })));
    const refused: Said[] = [];
    for (const each of flood) void each.then((said) => (said.status === 429 || said.status === 503) && refused.push(said));
    await eventually(
      async () => refused.length >= 100,
      () => `${refused.length} were told to come again`,
      120_000,
    );
    expect(refused.every(({ retryAfter }) => Number(retryAfter) >= 1)).toBe(true);
    // the flood is held where it is; meanwhile every one of others is taken
    const others = await Promise.all(Array.from({ length: 10 }, (_, n) => tell(bus, { id: `fair-${n}`, person: IDNP, revision: n + 10 })));
    expect(others.map(({ status }) => status)).toEqual(others.map(() => 200));
    expect((await apply(bus, { id: "fair-c", application: "A-fair" })).status).toBeLessThan(300);
    open.resolve();
    subscribers.pensions.answer(() => 200);
    await Promise.all(flood);
  });
});
