/**
 * A tour of the sample world, for a bus that is ready: each main job once, over the wire, one JSON line for each thing carried:
 * {"what", "who", "ok", "ms", "detail"}. Exit 0 when all went well, 1 when something did not.
 *
 * SAMPLE_WORLD holds the systems' addresses as JSON, by system: {"rsp/population": "http://127.0.0.1:…", …}.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { idnpOf } from "./population-register/persons.ts";

type Line = Readonly<{ what: string; who: string; ok: boolean; ms: number; detail: string }>;
type Answer = Readonly<{ status: number; value: Readonly<Record<string, unknown>> }>;
type Ledger = Readonly<{ effects: number; duplicates: number; kinds: Readonly<Record<string, number>> }>;

const addresses = JSON.parse(process.env["SAMPLE_WORLD"] ?? "{}") as Readonly<Record<string, string>>;
/** How long an event may take to reach everybody. */
const PATIENCE = 15_000;
const PERSON = idnpOf(42);
let failed = false;

async function ask(system: string, path: string, body?: object): Promise<Answer> {
  const base = addresses[system];
  if (base === undefined) throw new Error(`SAMPLE_WORLD names no address of ${system}`);
  const post = body === undefined ? {} : { method: "POST", body: JSON.stringify(body) };
  const response = await fetch(base + path, { ...post, signal: AbortSignal.timeout(PATIENCE) });
  return { status: response.status, value: (await response.json()) as Readonly<Record<string, unknown>> };
}

/** A member by its name, whatever its capitals: XML and JSON write them differently. */
function member({ value }: Answer, name: string): unknown {
  return Object.entries(value).find(([own]) => own.toLowerCase() === name.toLowerCase())?.[1];
}

const nameOf = (answer: Answer): string => `${String(member(answer, "givenName"))} ${String(member(answer, "familyName"))}`;

const ledgerOf = async (system: string): Promise<Ledger> => (await ask(system, "/ui/ledger")).value as unknown as Ledger;

/** Runs one stop of the tour; `run` gives a sentence or throws one. */
async function stop(what: string, who: string, run: () => Promise<string>): Promise<void> {
  const begun = performance.now();
  let line: Pick<Line, "ok" | "detail">;
  try {
    line = { ok: true, detail: await run() };
  } catch (error) {
    failed = true;
    line = { ok: false, detail: error instanceof Error ? error.message : String(error) };
  }
  const whole: Line = { what, who, ok: line.ok, ms: Math.round(performance.now() - begun), detail: line.detail };
  process.stdout.write(`${JSON.stringify(whole)}\n`);
}

function expect(fulfilled: boolean, answer: Answer): void {
  if (!fulfilled) throw new Error(`unexpected answer ${answer.status}: ${JSON.stringify(answer.value).slice(0, 300)}`);
}

/** Waits until each system's ledger has grown by `more` effects; gives the milliseconds of each. */
async function grown(before: ReadonlyMap<string, Ledger>, more: number): Promise<string> {
  const begun = performance.now();
  const done = new Map<string, number>();
  while (done.size < before.size) {
    for (const [system, { effects }] of before) {
      if (!done.has(system) && (await ledgerOf(system)).effects >= effects + more) done.set(system, Math.round(performance.now() - begun));
    }
    if (done.size === before.size) break;
    const missing = [...before.keys()].filter((system) => !done.has(system));
    if (performance.now() - begun > PATIENCE) throw new Error(`nothing came within ${PATIENCE / 1000} s to ${missing.join(", ")}`);
    await sleep(20);
  }
  return [...done].map(([system, ms]) => `${system} after ${ms} ms`).join(", ");
}

async function ledgers(...systems: readonly string[]): Promise<ReadonlyMap<string, Ledger>> {
  return new Map(await Promise.all(systems.map(async (system) => [system, await ledgerOf(system)] as const)));
}

/** Number of the case, once the answer to the command is there. */
async function caseOf(application: string): Promise<string> {
  const begun = performance.now();
  for (;;) {
    const ticket = await ask("primaria/registry", `/ui/benefits/${application}`);
    if (ticket.value["state"] !== "pending") {
      expect(ticket.value["state"] === "done", ticket);
      return String((ticket.value["reply"] as Readonly<Record<string, unknown>>)["caseNumber"]);
    }
    if (performance.now() - begun > PATIENCE) throw new Error(`no answer to ${application} within ${PATIENCE / 1000} s`);
    await sleep(50);
  }
}

await stop("person lookup by SOAP", "cnas/pensions asks rsp/population", async () => {
  const answer = await ask("cnas/pensions", "/ui/persons/ask", { idnp: PERSON, reason: "tour: pension payment" });
  expect(answer.status === 200 && member(answer, "status") === "found", answer);
  expect(!JSON.stringify(answer.value).toLowerCase().includes("issuedby"), answer);
  return `${nameOf(answer)} came back, without the fields that the grant does not allow`;
});

await stop("person lookup by REST", "primaria/registry asks rsp/population", async () => {
  const answer = await ask("primaria/registry", "/ui/persons/ask", { idnp: PERSON, reason: "tour: citizen at the counter" });
  expect(answer.status === 200 && member(answer, "idnp") === PERSON, answer);
  return `${nameOf(answer)}, as JSON, from the same SOAP register`;
});

await stop("person changed", "rsp/population tells cnas/pensions, primaria/registry and bns/lake", async () => {
  const before = await ledgers("cnas/pensions", "primaria/registry", "bns/lake");
  const moved = await ask("rsp/population", `/ui/persons/${PERSON}/move`, {});
  expect(moved.status === 200, moved);
  return `${await grown(before, 1)}: SOAP to the old system, a CloudEvent to the new one, no personal data to statistics`;
});

await stop("benefit application", "primaria/registry sends a command to cnas/pensions", async () => {
  const [before] = [...(await ledgers("cnas/pensions")).values()];
  const application = {
    applicationId: `ORH-${Date.now()}`,
    idnp: PERSON,
    kind: "coldSeasonAid",
    amount: "800.00",
    from: "2026-11-01",
    iban: "MD24AG000225100013104168",
    townHall: "Primăria Orhei",
  };
  const first = await ask("primaria/registry", "/ui/benefits", application);
  expect(first.status === 200 || first.status === 202, first);
  const again = await ask("primaria/registry", "/ui/benefits", application);
  expect(again.status === 200 || again.status === 202, again);
  await grown(new Map([["cnas/pensions", before ?? { effects: 0, duplicates: 0, kinds: {} }]]), 1);
  const after = await ledgerOf("cnas/pensions");
  const effects = (after.kinds["RegisterBenefit"] ?? 0) - (before?.kinds["RegisterBenefit"] ?? 0);
  if (effects !== 1) throw new Error(`the command was sent twice and had ${effects} effects`);
  return `sent twice, one effect: case ${await caseOf(application.applicationId)}`;
});

if (addresses["asp/vehicles"] !== undefined) {
  await stop("nightly vehicle file", "asp/vehicles drops a file for primaria/registry and bns/lake", async () => {
    const before = await ledgers("bns/lake");
    const written = await ask("asp/vehicles", "/ui/nightly", { first: (Math.floor(Date.now() / 1000) * 25) % 80_000, count: 25 });
    expect(written.status === 200, written);
    return `25 vehicles of ${String(written.value["file"]).split("/").at(-1)}: ${await grown(before, 25)}`;
  });
}

process.exitCode = failed ? 1 : 0;
