/** Change control from outside, over one bus: what is edited does not run, what is applied does, also after it was killed; the way back is whole. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createSite, type BusProcess, type Site } from "#test/harness/bus-process.ts";
import { eventually } from "#test/harness/receiver.ts";

type Status = Readonly<{
  drift: boolean;
  changes: string;
  revision: Readonly<{ number: number; act: string; who: string; because: string }>;
  routes: readonly Readonly<{ id: string; revision: string }>[];
}>;
type Plan = Readonly<{
  verdict: string;
  because: readonly string[];
  grants: readonly Readonly<{ grant: string; loses: readonly string[]; gains: readonly string[] }>[];
}>;
type Applied = Readonly<{
  state: string;
  revision: Readonly<{ number: number; restores?: number; approvedBy?: string }>;
  proposal: Readonly<{ id: string }>;
  plan: Plan;
}>;

const GRANTS = "routes/rsp/grants.yaml";
const LOOKUP = "routes/rsp/person-lookup.yaml";

describe("a bus under change control", () => {
  let site: Site;
  let bus: BusProcess;
  let before = "";
  beforeAll(async () => {
    site = createSite({ MBUS_CHANGES: "applied" });
    before = readFileSync(join(site.root, GRANTS), "utf8");
    bus = await site.start();
  }, 120_000);
  afterAll(() => site.remove());

  async function mbus<T>(code: number, ...args: readonly string[]): Promise<T> {
    const result = await site.mbus(...args, "--json");
    expect(result.code, `mbus ${args.join(" ")}: ${result.err}${result.out}`).toBe(code);
    return JSON.parse(result.out) as T;
  }
  async function status(): Promise<Status> {
    const authorization = `Bearer ${readFileSync(join(site.dataDir, "admin.token"), "utf8").trim()}`;
    return (await (await fetch(`${bus.http}/api/v1/status`, { headers: { authorization } })).json()) as Status;
  }
  const drift = (wanted: boolean): Promise<void> =>
    eventually(
      async () => (await status()).drift === wanted,
      () => `drift is not ${wanted}`,
      60_000,
    );
  const lookup = async (): Promise<string | undefined> => (await status()).routes.find(({ id }) => id === "person-lookup")?.revision;

  it("runs its first files as revision 1, and an edit of them is drift, not a change", async () => {
    const first = await lookup();
    expect(await status()).toMatchObject({ changes: "applied", drift: false, revision: { number: 1, act: "start" } });
    site.edit(LOOKUP, (text) => text.replace(/^title: .*$/mu, "title: Another title"));
    site.edit(GRANTS, (text) => text.replace("givenName, dateOfBirth, registrations", "givenName, registrations"));
    await drift(true);
    expect((await site.mbus("status")).code).toBe(1);
    expect(await lookup()).toBe(first);
  });

  it("shows in its plan who loses what, and applies it with a name and a reason", async () => {
    const plan = await mbus<Plan>(0, "plan");
    expect(plan).toMatchObject({ verdict: "sound", grants: [{ grant: "primaria-person-2026", loses: ["dateOfBirth"], gains: [] }] });
    const first = await lookup();
    const applied = await mbus<Applied>(0, "apply", "--because", "less is enough", "--operator", "ana");
    expect(applied).toMatchObject({ state: "applied", revision: { number: 2 } });
    await drift(false);
    expect(await status()).toMatchObject({ revision: { number: 2, who: "ana", because: "less is enough" } });
    expect(await lookup()).not.toBe(first);
  });

  it("refuses faulty files, says where, and runs on", async () => {
    const sound = readFileSync(join(site.root, LOOKUP), "utf8");
    site.edit(LOOKUP, (text) => text.replace("title:", "titel:"));
    expect(await mbus<Plan>(1, "plan")).toMatchObject({ verdict: "faulty" });
    const { code, err } = await site.mbus("apply", "--because", "x");
    expect([code, err]).toEqual([1, expect.stringContaining("change-refused") as string]);
    site.edit(LOOKUP, () => sound);
  });

  it("takes after a kill what was applied, whatever the disk says", async () => {
    const running = await lookup();
    await bus.end("SIGKILL");
    site.edit(LOOKUP, (text) => `${text}\nnonsense: [\n`);
    bus = await site.start();
    expect(await lookup()).toBe(running);
    await drift(true);
    expect(await status()).toMatchObject({ revision: { number: 2 } });
    site.edit(LOOKUP, (text) => text.replace("\nnonsense: [\n", ""));
  });

  it("goes back to revision 1 as revision 3, whole, and tells what the two say differently", async () => {
    const back = await mbus<Applied>(0, "rollback", "1", "--because", "too early", "--operator", "ion");
    expect(back).toMatchObject({ revision: { number: 3, restores: 1 }, plan: { grants: [{ gains: ["dateOfBirth"] }] } });
    expect(await mbus<Readonly<{ files: unknown[] }>>(0, "revisions", "diff", "1", "3")).toMatchObject({ files: [] });
    const { files } = await mbus<Readonly<{ files: readonly Readonly<{ path: string; lines: readonly string[] }>[] }>>(
      1,
      "revisions",
      "diff",
      "2",
    );
    expect(files.map(({ path }) => path)).toEqual([GRANTS, LOOKUP]);
    const line = before.split("\n").find((each) => each.includes("givenName, dateOfBirth, registrations"));
    expect(files[0]?.lines).toContain(`+${line ?? ""}`);
    const { revisions } = await mbus<Readonly<{ revisions: readonly Readonly<{ number: number; act: string; who: string }>[] }>>(
      0,
      "revisions",
      "list",
    );
    expect(revisions.map(({ number, act, who }) => `${number} ${act} ${who}`).slice(0, 2)).toEqual(["3 rollback ion", "2 apply ana"]);
  });
});
