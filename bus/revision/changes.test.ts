/** Acts of change control: who may, on what, and what is refused with which words. */
import { describe, expect, it } from "vitest";
import { openTestChanges } from "#test/harness/changes.ts";
import { createMemoryDisk, createMemoryJournal, createMemoryStore } from "#test/harness/memory.ts";
import { BASE, CHANGED, filesOf } from "#test/harness/route-world.ts";
import { createVirtualClock } from "#test/harness/virtual-clock.ts";
import type { Mode } from "./changes.ts";
import type { Waiting } from "./plan-routes.ts";

const FILES: Readonly<Record<string, string>> = { ...BASE, "routes/changed.yaml": CHANGED };
const GRANTS = FILES["routes/grants.yaml"] ?? "";
const narrow = { "routes/grants.yaml": GRANTS.replace("[status, name]", "[status]") };
const ANA = { who: "ana", because: "less is enough", anyway: false };
const ION = { who: "ion", because: "too early", anyway: false };

async function setup(mode: Mode = "applied", waiting: readonly Waiting[] = []) {
  const disk = createMemoryDisk();
  const journal = createMemoryJournal({ disk });
  const clock = createVirtualClock(Date.UTC(2026, 10, 25));
  const made = await openTestChanges({ store: createMemoryStore(disk), journal, clock, mode, waiting: () => waiting });
  const first = await made.archive.append(0, filesOf(FILES), { act: "start", who: "root", because: "first", time: clock.now() });
  const acts = (): readonly (string | undefined)[] => journal.records.filter(({ step }) => step === "act").map(({ detail }) => detail);
  return { ...made, journal, clock, first, acts };
}

describe("apply", () => {
  it("makes a revision with who, when, why, its parent and its plan, runs it, and leaves a row", async () => {
    const { changes, first, taken, acts, clock } = await setup();
    const applied = await changes.apply({ base: 1, put: narrow, remove: [] }, ANA);
    const { revision, files, plan } = await changes.show(2);
    expect(applied).toMatchObject({ state: "applied", revision });
    expect(revision).toMatchObject({ number: 2, parent: first.id, act: "apply", who: "ana", because: "less is enough", time: clock.now() });
    expect(plan).toMatchObject({ verdict: "sound", grants: [{ grant: "erp-person", loses: ["name"] }] });
    expect(await changes.text(files["routes/grants.yaml"] ?? "")).toBe(narrow["routes/grants.yaml"]);
    expect([taken(), acts()]).toEqual([1, [`revision 2 applied by ana: less is enough (${revision.id})`]]);
  });

  it("planned on a revision that is not the newest any more is refused and says who came first", async () => {
    const { changes, taken } = await setup();
    await changes.apply({ base: 1, put: narrow, remove: [] }, ANA);
    const late = changes.apply({ base: 1, put: { "routes/extra.yaml": "" }, remove: [] }, ION);
    await expect(late).rejects.toMatchObject({
      code: "store-conflict",
      message: expect.stringContaining("ana made revision 2 (less is enough)") as string,
    });
    expect([(await changes.head())?.number, taken()]).toEqual([2, 1]);
  });

  it("of files with an error is refused, with the place of each", async () => {
    const { changes, taken, acts } = await setup();
    const faulty = { "routes/changed.yaml": CHANGED.replace("title:", "titel:") };
    await expect(changes.apply({ base: 1, put: faulty, remove: [] }, { ...ANA, anyway: true })).rejects.toMatchObject({
      code: "change-refused",
      places: expect.arrayContaining([
        expect.objectContaining({ path: expect.stringMatching(/^routes\/changed\.yaml:\d+:\d+$/u) as string }),
      ]) as unknown,
    });
    expect([(await changes.head())?.number, taken(), acts()]).toEqual([1, 0, []]);
  });

  it("that changes nothing is no revision", async () => {
    const { changes } = await setup();
    await expect(changes.apply({ base: 1, put: {}, remove: [] }, ANA)).rejects.toThrow("nothing would change");
  });

  it("that leaves messages behind needs a word for it", async () => {
    const { changes } = await setup("applied", [{ route: "person-changed", branch: "erp", count: 2 }]);
    const wanted = { base: 1, put: { "routes/changed.yaml": CHANGED.replace("name: erp", "name: ledger") }, remove: [] };
    await expect(changes.apply(wanted, ANA)).rejects.toThrow("2 messages wait in branch `erp`");
    await expect(changes.apply(wanted, { ...ANA, anyway: true })).resolves.toMatchObject({ state: "applied" });
  });

  it("where the files on disk are live is refused, and so is a rollback; a plan is not", async () => {
    const { changes } = await setup("watched");
    const wanted = { base: 1, put: narrow, remove: [] };
    await expect(changes.apply(wanted, ANA)).rejects.toThrow("MBUS_CHANGES=applied");
    await expect(changes.rollback(1, ANA)).rejects.toMatchObject({ code: "change-refused" });
    await expect(changes.plan(wanted)).resolves.toMatchObject({ verdict: "sound" });
  });
});

describe("rollback", () => {
  it("makes a new revision with the old files, and history stays whole", async () => {
    const { changes, archive } = await setup();
    await changes.apply({ base: 1, put: narrow, remove: [] }, ANA);
    expect(await changes.planRollback(1)).toMatchObject({ verdict: "sound", grants: [{ gains: ["name"], loses: [] }] });
    await changes.rollback(1, ION);
    const [third, second, first] = await archive.list(10);
    expect(third).toMatchObject({ number: 3, act: "rollback", restores: 1, who: "ion", tree: first?.tree, parent: second?.id });
    expect(second?.tree).not.toBe(first?.tree);
  });

  it("to a revision that never was is not-found", async () => {
    const { changes } = await setup();
    await expect(changes.rollback(9, ANA)).rejects.toMatchObject({ code: "not-found" });
  });
});

describe("under review", () => {
  async function proposed() {
    const world = await setup("reviewed");
    const result = await world.changes.apply({ base: 1, put: narrow, remove: [] }, ANA);
    if (result.state !== "proposed") throw new Error("it was applied at once");
    return { ...world, id: result.proposal.id };
  }

  it("a change runs only when another person approved it, and both names stay with it", async () => {
    const { changes, id, taken, acts } = await proposed();
    expect([(await changes.head())?.number, taken()]).toEqual([1, 0]);
    await expect(changes.approve(id, "ana", "I am sure")).rejects.toThrow("another person");
    const { revision } = await changes.approve(id, "ion", "looked at it");
    expect(revision).toMatchObject({ number: 2, who: "ana", approvedBy: "ion", because: "less is enough" });
    expect([taken(), acts()[0]]).toEqual([1, `revision 2 applied by ana, approved by ion: less is enough (${revision.id})`]);
    expect(await changes.proposals(10)).toMatchObject([{ id, state: "approved", decidedBy: "ion", decidedBecause: "looked at it" }]);
  });

  it("is decided once", async () => {
    const { changes, id, acts } = await proposed();
    await changes.reject(id, "ion", "not now");
    await expect(changes.approve(id, "maria", "yes")).rejects.toMatchObject({
      code: "change-refused",
      message: expect.stringContaining("rejected by ion") as string,
    });
    await expect(changes.reject(id, "ion", "again")).rejects.toThrow("rejected by ion");
    expect([(await changes.head())?.number, acts()]).toEqual([1, [`proposal ${id} of ana rejected by ion: not now`]]);
  });

  it("a proposal on a revision that went is not approved any more", async () => {
    const { changes, id } = await proposed();
    const second = await changes.apply({ base: 1, put: { "routes/changed.yaml": `${CHANGED}\n# more\n` }, remove: [] }, ION);
    if (second.state !== "proposed") throw new Error("it was applied at once");
    await changes.approve(second.proposal.id, "maria", "fine");
    await expect(changes.approve(id, "maria", "fine")).rejects.toMatchObject({ code: "store-conflict" });
    expect((await changes.head())?.number).toBe(2);
  });

  it("what waits is counted again when it is approved", async () => {
    const waiting: Waiting[] = [];
    const { changes } = await setup("reviewed", waiting);
    const wanted = { base: 1, put: { "routes/changed.yaml": CHANGED.replace("name: erp", "name: ledger") }, remove: [] };
    const result = await changes.apply(wanted, ANA);
    waiting.push({ route: "person-changed", branch: "erp", count: 5 });
    if (result.state !== "proposed") throw new Error("it was applied at once");
    await expect(changes.approve(result.proposal.id, "ion", "fine")).rejects.toThrow("5 messages wait");
    waiting.pop();
    await expect(changes.approve(result.proposal.id, "ion", "it is empty")).resolves.toMatchObject({ state: "applied" });
  });

  it("a rollback is proposed and approved like any change", async () => {
    const { changes, id } = await proposed();
    await changes.approve(id, "ion", "fine");
    const back = await changes.rollback(1, ANA);
    if (back.state !== "proposed") throw new Error("it was applied at once");
    const { revision } = await changes.approve(back.proposal.id, "ion", "fine");
    expect(revision).toMatchObject({ number: 3, act: "rollback", restores: 1, approvedBy: "ion" });
  });
});
