/** Evidence of a real exchange, from outside: taken from a running bus, checked without it, through kill -9 and a hand in the database. */
import { execFile } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createSite, type BusProcess, type Site } from "#test/harness/bus-process.ts";
import { eventually } from "#test/harness/receiver.ts";
import { checkCheckpoint, checkConsistency, readLogKey } from "#verifier/log.ts";

const VERIFIER = join(import.meta.dirname, "../../verifier/verify.ts");
const execute = promisify(execFile);

let site: Site;
let bus: BusProcess;

beforeAll(async () => {
  site = createSite();
  bus = await site.start({ samples: true });
});
afterAll(() => site.remove());

const verify = (file: string) => execute(process.execPath, [VERIFIER, file, join(site.dataDir, "keys/ca.cert.pem")]);

/** Asks until the register, a program of its own, is there to answer. */
async function ask(id: string): Promise<void> {
  let last = "";
  await eventually(
    async () => {
      const response = await question(id);
      last = `${response.status} ${await response.text()}`;
      return response.status === 200;
    },
    () => `the question was answered with ${last}`,
  );
}

function question(id: string): Promise<Response> {
  return fetch(`${bus.http}/mconnect/rest/person.request.v1`, {
    method: "POST",
    headers: {
      "X-System": "primaria/registry",
      CallingUser: "2004100010095",
      CallingEntity: "1007601008122",
      CallBasis: "Law 436/2006 art. 29",
      CallReason: "certificate",
      "Content-Type": "application/json",
      "X-Message-Id": id,
    },
    body: JSON.stringify({ idnp: "2004100010095" }),
  });
}

async function newest(): Promise<string> {
  const { out } = await site.mbus("journal", "find", "--step", "replied", "--system", "primaria/registry", "--limit", "1", "--json");
  return (JSON.parse(out) as { id: string }[])[0]?.id ?? "";
}

async function api<T>(path: string): Promise<T> {
  const token = readFileSync(join(site.dataDir, "admin.token"), "utf8").trim();
  const response = await fetch(`${bus.http}/api/v1${path}`, { headers: { authorization: `Bearer ${token}` } });
  return (await response.json()) as T;
}

describe("evidence of a query", () => {
  it("is taken from the bus, and stands by itself when the bus is gone", async () => {
    await ask("evidence-1");
    const id = await newest();
    const file = join(site.root, "exchange.asice");
    expect(await site.mbus("evidence", id, "-o", file)).toMatchObject({ code: 0 });
    await bus.end("SIGKILL");
    const { stdout } = await verify(file);
    const verdict = JSON.parse(stdout) as {
      entries: { step: string; system: string; digest: string }[];
      authority: { trusted: boolean };
      stamp: { at: string; authority: { trusted: boolean } };
    };
    expect(verdict.authority.trusted).toBe(true);
    expect(verdict.stamp.authority.trusted).toBe(true); // the development authority, asked over HTTP
    expect(Math.abs(Date.parse(verdict.stamp.at) - Date.now())).toBeLessThan(600_000);
    expect(verdict.entries.map(({ step }) => step)).toEqual(["accepted", "replied"]);
    for (const entry of verdict.entries)
      expect(entry).toMatchObject({ system: "primaria/registry", digest: expect.stringMatching(/^[0-9a-f]{64}$/u) as string });
    expect((await site.mbus("verify", file)).code).toBe(0);
    const bytes = readFileSync(file);
    for (let step = 1; step < 9; step++) {
      const changed = Buffer.from(bytes);
      const at = Math.floor((bytes.length * step) / 9);
      changed[at] = (changed[at] ?? 0) ^ 1;
      writeFileSync(`${file}.changed`, changed);
      await expect(verify(`${file}.changed`)).rejects.toMatchObject({ code: 1 });
    }
    bus = await site.start({ samples: true });
  });
});

describe("the evidence log of a bus", () => {
  it("goes on after kill -9 as the same log, with nothing of before rewritten", async () => {
    await ask("evidence-2");
    type State = Readonly<{ size: number; checkpoint: string; verifierKey: string }>;
    expect((await site.mbus("journal", "check")).code).toBe(0);
    const before = await api<State>("/evidence-log");
    await bus.end("SIGKILL");
    bus = await site.start({ samples: true });
    await ask("evidence-3");
    expect((await site.mbus("journal", "check")).code).toBe(0);
    const after = await api<State>("/evidence-log");
    expect(after.verifierKey).toBe(before.verifierKey);
    expect(after.size).toBeGreaterThan(before.size);
    const grown = await api<{ checkpoint: string; proof: string[] }>(`/evidence-log/consistency/${before.size}`);
    const key = readLogKey(`${after.verifierKey}\n`);
    const proof = grown.proof.map((each) => Buffer.from(each, "base64"));
    checkConsistency(checkCheckpoint(before.checkpoint, key), checkCheckpoint(grown.checkpoint, key), proof);
  });
});
