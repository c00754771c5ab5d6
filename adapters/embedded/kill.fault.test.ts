/** kill -9 at random moments under load: nothing acknowledged is lost, nothing is torn, nothing unfinished is forgotten. */
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openEmbedded, type Embedded } from "./engine.ts";

const KILLS = 22;
const CHILD = fileURLToPath(new URL("../../test/harness/append-load.ts", import.meta.url));

type Said = { acked: Map<string, number>; kept: Set<string>; seen: Set<number> };

/** Runs a child for a random while after it is ready, kills it, and adds what it said in whole lines. */
async function live(dataDir: string, said: Said): Promise<void> {
  const child = spawn(process.execPath, [CHILD, dataDir], { stdio: ["ignore", "pipe", "pipe"] });
  let out = "";
  let errors = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (errors += text));
  const ended = new Promise<void>((resolve) => child.on("close", () => resolve()));
  await new Promise<void>((resolve, reject) => {
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      out += text;
      if (out.startsWith("ready")) resolve();
    });
    child.on("close", () => reject(new Error(`the child ended before it was ready: ${errors}`)));
  });
  await new Promise((resolve) => setTimeout(resolve, 5 + Math.random() * 180));
  expect(child.kill("SIGKILL"), "the child still ran when it was killed").toBe(true);
  await ended;
  for (const line of out.split("\n").slice(0, -1)) {
    const [word, first = "", id = ""] = line.split(" ");
    if (word === "acked") said.acked.set(id, Number(first));
    else if (word === "kept") said.kept.add(first);
    else if (word === "seen") said.seen.add(Number(first));
  }
}

describe(`the embedded engine after ${KILLS} kills under load`, () => {
  const said: Said = { acked: new Map(), kept: new Set(), seen: new Set() };
  let dataDir = "";
  let engine: Embedded;
  beforeAll(async () => {
    dataDir = await mkdtemp(join(tmpdir(), "mbus-kill-"));
    for (let kill = 0; kill < KILLS; kill++) await live(dataDir, said);
    engine = await openEmbedded({ dataDir });
  });
  afterAll(async () => {
    await engine?.close();
    await rm(dataDir, { recursive: true, force: true });
  });

  it("was under load", () => {
    expect(said.acked.size).toBeGreaterThan(KILLS * 20);
    expect(said.kept.size).toBeGreaterThan(KILLS);
  });
  it("has every acknowledged record at its position, whole and together with its companion", async () => {
    const byPosition = new Map<number, string>();
    let before = 0;
    for (let from = 1; ;) {
      const page = await engine.journal.read(from, 5_000);
      for (const record of page) {
        expect(record.position).toBe(before + 1);
        before = record.position;
        if (record.step === "accepted") expect(new Set(record.envelope?.body).size).toBe(1);
        byPosition.set(record.position, `${record.step} ${record.id}`);
      }
      if (page.length === 0) break;
      from = before + 1;
    }
    for (const [id, position] of said.acked) {
      expect(byPosition.get(position)).toBe(`accepted ${id}`);
      expect(byPosition.get(position + 1)).toBe(`delivered ${id}`);
    }
  });
  it("finds acknowledged records by id, and still refuses them a second time", async () => {
    const some = [...said.acked].filter((_, i) => i % Math.ceil(said.acked.size / 100) === 0);
    for (const [id, position] of some) {
      expect((await engine.journal.find({ id, step: "accepted" })).records.map((record) => record.position)).toEqual([position]);
      const dedupe = { key: id, window: 3_600_000 };
      const [again] = await engine.journal.append([{ step: "accepted", outcome: "ok", time: Date.now(), id, correlationId: id, dedupe }]);
      expect(again?.duplicateOf).toBe(position);
    }
  });
  it("has every acknowledged document", async () => {
    const documents = await engine.store.collection("acked");
    for (const id of said.kept) expect(await documents.get(id)).toBeDefined();
  });
  it("delivers all that no life finished", async () => {
    const seen = new Set(said.seen);
    const subscription = await engine.transport.subscribe(
      "load",
      "g",
      { concurrency: 64, ordered: true, from: "start" },
      async ({ position }) => {
        seen.add(position);
        await Promise.resolve();
      },
    );
    await expect.poll(async () => (await subscription.state()).lag, { timeout: 30_000 }).toBe(0);
    const missed = [...said.acked.values()].filter((position) => !seen.has(position));
    expect(missed).toEqual([]);
  });
  it("passes SQLite's integrity check", async () => expect(await engine.check()).toEqual(["ok"]));
});
