/** Under change control the store says what runs, on every process; the disk is compared and never run. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, it } from "vitest";
import { asBusError, BusError } from "#bus/errors.ts";
import type { Store } from "#bus/ports.ts";
import { openArchive } from "#bus/revision/archive.ts";
import { editFiles } from "#bus/revision/tree.ts";
import type { Finding } from "#bus/route/findings.ts";
import { createMemoryDisk, createMemoryStore } from "#test/harness/memory.ts";
import { eventually } from "#test/harness/receiver.ts";
import type { ReadFiles } from "./files.ts";
import { createFollower } from "./follow.ts";
import type { Reloader } from "./reload.ts";

const PROJECT = fileURLToPath(new URL("..", import.meta.url));
const GRANTS = "routes/rsp/grants.yaml";
const VARIABLES = Object.fromEntries(["rsp.url", "cnas.url", "primaria.url", "bns.url"].map((name) => [name, "http://127.0.0.1:9"]));
const ERROR: Finding = { file: "routes/x.yaml", line: 1, column: 1, severity: "error", rule: "start", text: "the registry is away" };

const made: string[] = [];
const open: Reloader[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
  for (const root of made.splice(0)) rmSync(root, { recursive: true, force: true });
});

function disk() {
  const root = mkdtempSync(join(tmpdir(), "mbus-follow-"));
  made.push(root);
  for (const folder of ["routes", "contracts"]) cpSync(join(PROJECT, folder), join(root, folder), { recursive: true });
  cpSync(join(PROJECT, "config/development.yaml"), join(root, "config/development.yaml"));
  const edit = (change: (text: string) => string, file = GRANTS): void => {
    const path = join(root, file);
    writeFileSync(path, change(readFileSync(path, "utf8")));
  };
  return { root, edit };
}

/** A process of the cluster: what it ran, oldest first. */
async function follower(store: Store, root: string) {
  const ran: ReadFiles[] = [];
  const logged: string[] = [];
  const note = (_: unknown, text?: string): void => void logged.push(text ?? "");
  const faults: Finding[] = [];
  const archive = await openArchive(store);
  let now = 0;
  const reloader = createFollower({
    runner: {
      run: (read) => {
        ran.push(read);
        return Promise.resolve([...faults]);
      },
    },
    log: { info: note, warn: note, error: note },
    root,
    env: {},
    variables: VARIABLES,
    archive,
    clock: { now: () => now, sleep: () => Promise.resolve() },
  });
  open.push(reloader);
  const grants = (): string => ran.at(-1)?.files.text(GRANTS) ?? "";
  return { reloader, archive, ran, logged, faults, grants, pass: (ms: number) => void (now += ms) };
}

const FACTS = { act: "apply", who: "ana", because: "a test", time: 5 } as const;

describe("a bus that only runs what was applied", { timeout: 120_000 }, () => {
  it("makes sound files of its first start revision 1, and then never runs the disk again", async () => {
    const { root, edit } = disk();
    const { reloader, archive, ran } = await follower(createMemoryStore(), root);
    await reloader.load();
    expect([(await archive.head())?.number, ran.length, reloader.drift().drift, reloader.complete()]).toEqual([1, 1, false, true]);
    edit((text) => text.replaceAll("dateOfBirth, ", ""));
    await reloader.load();
    expect(ran.length).toBe(1);
    const { drift, findings, revision } = reloader.drift();
    expect([drift, revision?.number, findings.map(({ file, rule }) => `${file} ${rule}`)]).toEqual([true, 1, [`${GRANTS} not-applied`]]);
  });

  it("names files that came and went as well, and is quiet when the disk is as it was", async () => {
    const { root, edit } = disk();
    const { reloader } = await follower(createMemoryStore(), root);
    await reloader.load();
    const text = readFileSync(join(root, GRANTS), "utf8");
    rmSync(join(root, GRANTS));
    writeFileSync(join(root, "routes/new.yaml"), "");
    await reloader.load();
    expect(reloader.drift().findings.map((finding) => `${finding.file}: ${finding.text.split(";")[0]}`)).toEqual([
      "routes/new.yaml: the file is not in revision 1, which runs",
      `${GRANTS}: the file is gone from disk and still in revision 1, which runs`,
    ]);
    writeFileSync(join(root, GRANTS), text);
    rmSync(join(root, "routes/new.yaml"));
    await reloader.load();
    expect(reloader.drift()).toMatchObject({ drift: false, findings: [] });
    edit((same) => same);
    await reloader.load();
    expect(reloader.drift().drift).toBe(false);
  });

  it("runs nothing when nothing was applied and the disk has errors, and says so", async () => {
    const { root, edit } = disk();
    edit((text) => `${text}\nnonsense\n`);
    const { reloader, archive, ran, logged } = await follower(createMemoryStore(), root);
    await reloader.load();
    expect([ran, await archive.head(), reloader.complete(), reloader.drift().drift]).toEqual([[], undefined, false, true]);
    expect(reloader.drift().findings.some(({ file, severity }) => file === GRANTS && severity === "error")).toBe(true);
    expect(logged.join()).toContain("no route runs until `mbus apply`");
  });

  it("of two processes that first start at once both run revision 1, whatever the disk of the loser says", async () => {
    const store = createMemoryStore(createMemoryDisk());
    const [a, b] = [disk(), disk()];
    b.edit((text) => text.replaceAll("dateOfBirth, ", ""));
    const nodes = [await follower(store, a.root), await follower(store, b.root)] as const;
    await Promise.all(nodes.map(({ reloader }) => reloader.load()));
    expect((await nodes[0].archive.list(10)).length).toBe(1);
    expect(nodes[0].grants()).toBe(nodes[1].grants());
    expect(nodes.filter(({ reloader }) => reloader.drift().drift)).toHaveLength(1);
  });

  it("takes by itself what another process applied, and one that starts later takes it, too", async () => {
    const store = createMemoryStore(createMemoryDisk());
    const { root } = disk();
    const first = await follower(store, root);
    await first.reloader.load();
    first.reloader.watch();
    const now = await first.archive.files(await first.archive.get(1));
    const text = (now.text(GRANTS) ?? "").replaceAll("dateOfBirth, ", "");
    await first.archive.append(1, editFiles(now, { put: { [GRANTS]: text }, remove: [] }), FACTS);
    await eventually(
      () => first.grants() === text,
      () => `it runs revision ${first.reloader.drift().revision?.number}`,
      60_000,
    );
    const later = await follower(store, root);
    await later.reloader.load();
    expect([later.grants(), later.reloader.drift().revision?.number, later.reloader.drift().drift]).toEqual([text, 2, true]);
  });

  it("tries a revision again that did not start whole, and is not complete until it does", async () => {
    const { root } = disk();
    const { reloader, ran, faults, pass } = await follower(createMemoryStore(), root);
    faults.push(ERROR);
    await reloader.load();
    await reloader.load();
    expect([ran.length, reloader.complete(), reloader.drift().findings]).toEqual([1, false, [ERROR]]);
    faults.pop();
    pass(10_000);
    await reloader.load();
    await reloader.load();
    expect([ran.length, reloader.complete(), reloader.drift().findings]).toEqual([2, true, []]);
  });

  it("goes on with what runs while the store is away", async () => {
    const { root } = disk();
    const store = createMemoryStore();
    let away = false;
    const rows = await store.collection("revisions");
    const find: typeof rows.find = (options) =>
      away ? Promise.reject(new BusError("store-unavailable", "it is away")) : rows.find(options);
    const { reloader, ran } = await follower(
      {
        ...store,
        collection: () => Promise.resolve({ ...rows, find } as never),
      },
      root,
    );
    await reloader.load();
    away = true;
    const failed = await reloader.load().catch((error: unknown) => asBusError(error).code);
    expect([failed, ran.length, reloader.complete()]).toEqual(["store-unavailable", 1, true]);
    away = false;
    await expect(reloader.load()).resolves.toBeUndefined();
  });
});
