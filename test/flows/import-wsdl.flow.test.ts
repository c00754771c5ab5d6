/** From a toolkit's WSDL to a call through a running bus: imported by the command, linted, tested, asked by REST and by SOAP. */
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { importInto } from "#compose/import-wsdl.ts";
import { createSite, type BusProcess } from "#test/harness/bus-process.ts";
import { listen } from "#test/harness/sample.ts";
import { wsdlJudge } from "#test/harness/wsdl-judge.ts";
import { bodyOf, callHeaders, envelopeOf, mediaOf, toolkits, type Toolkit } from "./toolkits.ts";

const FIXTURES = "test/fixtures/wsdl";
/** Of the institution that calls and that every provider belongs to. */
const IDNO = callHeaders["CallingEntity"] ?? "";
const TODAY = new Date().toISOString().slice(0, 10);
const site = createSite();
const work = mkdtempSync(join(tmpdir(), "mbus-wsdl-"));
let bus: BusProcess;
let provider: Awaited<ReturnType<typeof listen>>;

/** The fixtures with the provider's address instead of the published one. */
function publish(url: string): void {
  cpSync(FIXTURES, work, { recursive: true });
  for (const file of readdirSync(work, { recursive: true }).map(String)) {
    if (!file.endsWith(".wsdl")) continue;
    const text = toolkits.reduce(
      (all, { address }) => all.replaceAll(`location="${address}`, `location="${url}`),
      readFileSync(join(work, file), "utf8"),
    );
    writeFileSync(join(work, file), text);
  }
}

/** Each toolkit's provider knows its own request by the name of the element. */
function answer(body: string): Readonly<{ status: number; type: string; body: string }> {
  const found = toolkits.find(({ operation }) => new RegExp(`<(?:[\\w-]+:)?${operation}[ >]`, "u").test(bodyOf(body)));
  if (found === undefined) return { status: 202, type: "text/plain", body: "" };
  return { status: 200, type: mediaOf(found), body: found.answer };
}

beforeAll(async () => {
  provider = await listen((heard) => answer(heard.body));
  publish(provider.url);
  for (const { folder, wsdl, system } of toolkits.slice(1))
    await importInto({
      wsdl: join(work, folder, wsdl),
      root: site.root,
      owner: "register-team",
      system,
      idno: IDNO,
      from: TODAY,
      force: false,
    });
  const [first] = toolkits;
  if (first === undefined) throw new Error("no toolkit");
  const file = join(work, first.folder, first.wsdl);
  const { err } = await site.mbus(
    "contract",
    "import-wsdl",
    file,
    "--owner",
    "register-team",
    "--system",
    first.system,
    "--idno",
    IDNO,
    "-o",
    site.root,
  );
  expect(err).toBe("");
  bus = await site.start();
});
afterAll(async () => {
  await site.remove();
  await provider?.close();
  rmSync(work, { recursive: true, force: true });
});

it("what was imported lints clean and passes its own tests", async () => {
  const linted = await site.mbus("lint", site.root, "--json");
  expect(JSON.parse(linted.out)).toMatchObject({ errors: 0, warnings: 0 });
  const tested = await site.mbus("test", site.root, "--json");
  const cases = (JSON.parse(tested.out) as { cases: { file: string; ok: boolean; problems: unknown }[] }).cases;
  const own = cases.filter(({ file }) => toolkits.some(({ system }) => file.startsWith(`routes/${system}/`)));
  expect(own.filter(({ ok }) => !ok)).toEqual([]);
  expect(own).toHaveLength(toolkits.length + 1);
});

describe.each(toolkits)("$name", (toolkit) => {
  const heard = (): string => provider.heard.at(-1)?.body ?? "";

  it("is asked by REST, and hears what its own schema allows", async () => {
    const response = await fetch(`${bus.http}/mconnect/rest/${toolkit.contract}`, {
      method: "POST",
      headers: { "content-type": "application/json", "x-system": toolkit.system, ...callHeaders },
      body: JSON.stringify(toolkit.json),
    });
    expect(await response.json()).toEqual(toolkit.reply);
    judge(toolkit, bodyOf(heard()));
  });

  it("is asked by a caller that knows nothing but the old service", async () => {
    const url = `${bus.http}/mconnect/soap/${toolkit.system}/${toolkit.operation}`;
    const headers = { "content-type": mediaOf(toolkit), "x-system": toolkit.system };
    const response = await fetch(url, { method: "POST", headers, body: envelopeOf(toolkit) });
    const text = await response.text();
    expect([response.status, text]).toEqual([200, text]);
    judge(toolkit, bodyOf(text));
    judge(toolkit, bodyOf(heard()));
    const wsdl = await (await fetch(`${url}?wsdl`, { headers })).text();
    expect(wsdl).toContain(`location="${url}"`);
  });
});

it("is described for others at once: in OpenAPI, and in the catalogue with its provider", async () => {
  const document = (await (await fetch(`${bus.http}/mconnect/openapi.json?system=asp/land`)).json()) as { paths: Record<string, unknown> };
  expect(Object.keys(document.paths)).toContain("/mconnect/rest/asp.land.get-parcel.request.v1");
  const { out } = await site.mbus("contract", "show", "asp.land.get-parcel.request.v1", "--json");
  expect(JSON.parse(out)).toMatchObject({
    pattern: "query",
    providers: [{ system: "asp/land" }],
    types: [{ role: "request" }, { role: "reply" }],
  });
});

it("a one-way operation is delivered durably", async () => {
  const before = provider.heard.length;
  const response = await fetch(`${bus.http}/mconnect/rest/asp.civil.touch.request.v1`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-system": "asp/civil", ...callHeaders },
    body: JSON.stringify({ actId: "6f9619ff-8b86-d011-b42d-00c04fc964ff", at: null }),
  });
  expect(response.status).toBe(202);
  await expect.poll(() => provider.heard.slice(before).map(({ body }) => bodyOf(body)), { timeout: 20_000 }).toHaveLength(1);
  expect(provider.heard.at(-1)?.headers["soapaction"]).toBe('"urn:civilstatus:services:2016/ICivilStatus/Touch"');
  const [civil] = toolkits;
  if (civil !== undefined) judge(civil, bodyOf(heardLast()));
});

const heardLast = (): string => provider.heard.at(-1)?.body ?? "";

/** By the schemas as the toolkit published them; rpc/literal has none for its wrapper, there the shape is fixed by the style. */
function judge(toolkit: Toolkit, element: string): void {
  if (toolkit.name === "PHP") {
    expect(element).toMatch(
      /^<(\w+):getPupils(?:Response)?(?: xmlns:\1="urn:school")?>(?:<school_code>LT-12<\/school_code><year>2026<\/year>|<return>(?:<item>.*<\/item>){2}<\/return>)<\/\1:/u,
    );
    return;
  }
  using schema = wsdlJudge(join(FIXTURES, toolkit.folder), toolkit.wsdl);
  expect([element, schema.problems(element)]).toEqual([element, []]);
}
