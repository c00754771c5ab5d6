/**
 * Grants at work, from outside: three fields are three fields wherever they come out, quotas and bases are told with what would help, and
 * the audit journal hears of all of it. One bus with the sample world.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createSite, type BusProcess, type Site } from "#test/harness/bus-process.ts";
import { eventually, openReceiver, type Receiver } from "#test/harness/receiver.ts";

let site: Site;
let bus: BusProcess;
let mlog: Receiver;

const MLOG = (url: string): string => `bus: system/v1
id: mlog/journal
title: Audit journal
institution: { idno: "1010600034203", name: e-Governance Agency }
addresses: ["${url}"]
---
bus: grant/v1
id: mlog-audit
owner: data-protection-officer
consumer: mlog/journal
contract: audit.event.v1
legalBasis: { act: Decision 708/2014 on the audit journal, section: "point 1", purpose: audit }
valid: { from: 2026-01-01, until: 2030-12-31 }
---
bus: route/v1
id: audit-out
title: Audit events to the audit journal
owner: mconnect
contract: { event: audit.event.v1 }
from:
  - name: bus
    topic: { name: audit.event.v1 }
to:
  system: mlog/journal
  http: { path: /register }
`;

beforeAll(async () => {
  site = createSite();
  mlog = await openReceiver();
  site.edit("routes/systems.yaml", (text) => `${text}---\n${MLOG(mlog.url)}`);
  // the town hall sees three fields of a person, five times an hour, under its act and for its service
  site.edit("routes/rsp/grants.yaml", (text) =>
    text
      .replace(
        `consumer: primaria/registry
contract: person.request.v1
legalBasis: { act: Law 436/2006 on local public administration, section: "art. 29", purpose: citizen-service }
reply: { allow: [status, idnp, familyName, givenName, dateOfBirth, registrations] }`,
        `consumer: primaria/registry
contract: person.request.v1
legalBasis: { act: Law 436/2006, section: "art. 29", purpose: citizen-service, check: prefix, reasons: [certificate] }
reply: { allow: [status, idnp, familyName] }`,
      )
      .replace(
        "valid: { from: 2026-01-01, until: 2030-12-31 }\nquota: 5000000/day\n---\nbus: grant/v1\nid: rsp-person",
        "valid: { from: 2026-01-01, until: 2030-12-31 }\nquota: 5/d\n---\nbus: grant/v1\nid: rsp-person",
      ),
  );
  // kept whole, so that what was cut would be found
  site.edit("routes/rsp/person-lookup.yaml", (text) => text.replace("journal: { payload: hash", "journal: { payload: full"));
  bus = await site.start({ samples: true });
});
afterAll(async () => {
  await site.remove();
  await mlog.close();
});

const IDNP = "2004100010095";
const TOWN = {
  CallingUser: IDNP,
  CallingEntity: "1007601008122",
  CallBasis: "Law 436/2006, art. 29",
  CallReason: "certificate of residence",
};

async function json(id: string, over: Readonly<Record<string, string>> = {}) {
  const response = await fetch(`${bus.http}/mconnect/rest/person.request.v1`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-system": "primaria/registry", ...TOWN, "x-message-id": id, ...over },
    body: JSON.stringify({ idnp: IDNP }),
  });
  const text = await response.text();
  return {
    status: response.status,
    body: JSON.parse(text) as Record<string, unknown>,
    text,
    retryAfter: response.headers.get("retry-after"),
  };
}

async function soap(id: string, reason = "pension file") {
  const call = `<m:CallingUser>${IDNP}</m:CallingUser><m:CallingEntity>1004600030235</m:CallingEntity><m:CallBasis>Law 156/1998 art. 33</m:CallBasis><m:CallReason>${reason}</m:CallReason>`;
  const response = await fetch(`${bus.http}/mconnect/soap/rsp/population/PersonRegistry`, {
    method: "POST",
    headers: { "content-type": "text/xml; charset=utf-8", "x-system": "cnas/pensions", "x-message-id": id },
    body: `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Header xmlns:m="https://mconnect.gov.md">${call}</s:Header><s:Body><p:GetPerson xmlns:p="https://mconnect.gov.md/person/v1"><p:IDNP>${IDNP}</p:IDNP></p:GetPerson></s:Body></s:Envelope>`,
  });
  return { status: response.status, text: await response.text(), retryAfter: response.headers.get("retry-after") };
}

const field = (xml: string, name: string): string | undefined => new RegExp(`<[^>]*${name}[^>]*>([^<]+)<`, "u").exec(xml)?.[1];
const audits = (): readonly Record<string, unknown>[] => mlog.received.map(({ body }) => JSON.parse(body) as Record<string, unknown>);

describe("a grant of three fields", () => {
  it("gives those three and no more, as JSON, where another system's grant gives more, as SOAP", async () => {
    let full = await soap("full-0");
    await eventually(
      async () => (full = await soap(`full-${Date.now()}`)).status === 200,
      () => `the register answered ${full.status} ${full.text}`,
      120_000,
    );
    const [given, family] = [field(full.text, "GivenName"), field(full.text, "FamilyName")];
    expect([typeof given, typeof family]).toEqual(["string", "string"]);

    const cut = await json("cut-1");
    expect(cut.status).toBe(200);
    const there = Object.entries(cut.body).filter(([, value]) => value !== null && !(Array.isArray(value) && value.length === 0));
    expect(Object.fromEntries(there)).toEqual({ status: "found", idnp: IDNP, familyName: family });
    expect(cut.text).not.toContain(String(given));
  });

  it("is what the evidence of the exchange holds: what was kept, and nothing of what was cut", async () => {
    const given = field((await soap(`full-${Date.now()}`)).text, "GivenName");
    const family = field((await soap(`full-${Date.now()}`)).text, "FamilyName");
    const file = join(site.root, "cut.asice");
    expect(await site.mbus("evidence", "cut-1", "-o", file)).toMatchObject({ code: 0 });
    const held = readFileSync(file);
    expect(held.includes(Buffer.from(String(family)))).toBe(true);
    expect(held.includes(Buffer.from(String(given)))).toBe(false);
    expect(held.includes(Buffer.from("certificate of residence"))).toBe(true);
  });
});

describe("what a grant does not allow", () => {
  it.each([
    ["another basis", { CallBasis: "Law 93/2017" }, 403, "legal-basis-mismatch", "begin it with `Law 436/2006`"],
    ["another reason", { CallReason: "curiosity" }, 403, "purpose-mismatch", "begin it with `certificate`"],
    ["another institution", { CallingEntity: "1004600030235" }, 400, "call-context-invalid", "write 1007601008122"],
  ])("is refused with the rule, the file and what to write: %s", async (_, over, status, code, write) => {
    const said = await json(`denied-${code}`, over);
    expect([said.status, String(said.body["type"])]).toEqual([status, `urn:mconnect-bus:error:${code}`]);
    const detail = String(said.body["detail"]);
    expect(detail).toContain(write);
    expect(detail).toMatch(/\((?:\S*\/)?routes\/\S+\.yaml:\d+\)/u);
  });

  it("is told in an explanation as well, before anybody tries", async () => {
    const ask = (...more: readonly string[]) =>
      site.mbus("explain-access", "--system", "primaria/registry", "--contract", "person.request.v1", ...more);
    expect((await ask()).code).toBe(0);
    const ended = await ask("--at", "2031-02-01T00:00:00Z");
    expect([ended.code, /NO +time .*ended on 2031-01-01/u.test(ended.out)]).toEqual([1, true]);
  });
});

describe("a quota", () => {
  it("that is used up is told with the time to come again, as 429 and as a fault", async () => {
    let last = await json("quota-0");
    for (let n = 1; n < 7 && last.status === 200; n++) last = await json(`quota-${n}`);
    expect([last.status, last.body["type"]]).toEqual([429, "urn:mconnect-bus:error:quota-exceeded"]);
    expect(Number(last.retryAfter)).toBeGreaterThan(0);
    site.edit("routes/rsp/grants.yaml", (text) => text.replace("quota: 5000000/day", "quota: 1/d"));
    let fault = await soap(`q-${Date.now()}`);
    await eventually(
      async () => (fault = await soap(`q-${Date.now()}`)).status !== 200,
      () => `still ${fault.status}`,
      120_000,
    );
    expect(fault.text).toMatch(/Fault[\s\S]*quota-exceeded/u);
    expect(Number(fault.retryAfter)).toBeGreaterThan(0);
  });
});

describe("the audit journal", () => {
  it("hears of every exchange and denial once, as a consumer of the topic, with who, for whom, why and about whom", async () => {
    await eventually(
      async () => audits().some((event) => event["message_id"] === "denied-call-context-invalid"),
      () =>
        `heard of ${audits()
          .map((event) => String(event["message_id"]))
          .join(", ")}`,
      120_000,
    );
    expect(audits().filter((event) => event["message_id"] === "cut-1")).toMatchObject([
      {
        event_type: "MConnect.PersonalData.Access",
        user: IDNP,
        legal_entity: TOWN.CallingEntity,
        legal_basis: TOWN.CallBasis,
        legal_reason: TOWN.CallReason,
        subject: IDNP,
        system: "primaria/registry",
        target: "rsp/population",
        grant: "primaria-person-2026",
      },
    ]);
    for (const code of ["legal-basis-mismatch", "purpose-mismatch", "call-context-invalid"])
      expect(audits().filter((event) => event["message_id"] === `denied-${code}`)).toMatchObject([{ outcome: "denied", error: code }]);
    const acts = async (): Promise<boolean> => audits().some((event) => event["event_type"] === "MConnect.Administration.Pause");
    expect((await site.mbus("pause", "person-lookup", "--reason", "planned", "--operator", "ana")).code).toBe(0);
    await eventually(acts, () => "the pause was not heard of", 120_000);
  });

  it("hears of nothing twice, also through kill -9", async () => {
    await bus.end("SIGKILL");
    bus = await site.start({ samples: true });
    expect((await site.mbus("resume", "person-lookup", "--reason", "done", "--operator", "ana")).code).toBe(0);
    await eventually(
      async () => audits().some((event) => event["event_type"] === "MConnect.Administration.Resume"),
      () => "the resumption was not heard of",
      120_000,
    );
    const ids = [...new Map(mlog.received.map((one) => [one.id, one])).values()].map(
      ({ body }) => (JSON.parse(body) as { event_id: string }).event_id,
    );
    expect(new Set(ids).size).toBe(ids.length);
  });
});
