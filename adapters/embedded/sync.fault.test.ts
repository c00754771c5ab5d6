/** A flush that fails or never returns: nothing it carried is acknowledged, and the next start finds all that was. Needs strace. */
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { have, STRACE } from "#test/harness/debian.ts";
import { openEmbedded } from "./engine.ts";

const CHILD = fileURLToPath(new URL("../../test/harness/append-serial.ts", import.meta.url));
const RECORDS = 40;
const TIME = 120_000;

/** What the child said in whole lines: acknowledged position by id, and each refusal. */
type Said = { acked: Map<string, number>; refused: string[]; signal: NodeJS.Signals | null };

/** Runs the child with one fault injected into its `nth` flush. */
async function run(dataDir: string, fault: string, nth: number, pages = 1_000): Promise<Said> {
  const inject = `inject=fsync,fdatasync:${fault}:when=${nth}`;
  const child = spawn(
    "strace",
    [
      "-f",
      "-qq",
      "-o",
      "/dev/null",
      "-e",
      "trace=fsync,fdatasync",
      "-e",
      inject,
      process.execPath,
      CHILD,
      dataDir,
      String(RECORDS),
      String(pages),
    ],
    {
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  let out = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (out += text));
  const signal = await new Promise<NodeJS.Signals | null>((resolve) => child.on("close", (_, by) => resolve(by)));
  const said: Said = { acked: new Map(), refused: [], signal };
  for (const line of out.split("\n").slice(0, -1)) {
    const [word, id = "", position = ""] = line.split(" ");
    if (word === "acked") said.acked.set(id, Number(position));
    else if (word === "refused") said.refused.push(line);
  }
  return said;
}

/** Opens the folder as the next life would: every acknowledged record is at its position, none is torn, appending goes on. */
async function checkAfter(dataDir: string, acked: ReadonlyMap<string, number>): Promise<void> {
  const engine = await openEmbedded({ dataDir });
  try {
    const records = await engine.journal.read(1, 1_000_000);
    expect(records.map((one) => one.position)).toEqual(records.map((_, i) => i + 1));
    const byId = new Map(records.map((one) => [one.id, one.position]));
    for (const [id, position] of acked) expect(byId.get(id), id).toBe(position);
    for (const one of records) expect(new Set(one.original).size).toBe(1);
    const [next] = await engine.journal.append([{ step: "act", outcome: "ok", time: Date.now(), id: "next", correlationId: "next" }]);
    expect(next?.position).toBe(records.length + 1);
    expect(await engine.check()).toEqual(["ok"]);
  } finally {
    await engine.close();
  }
}

describe.skipIf(!have(STRACE))("a flush", () => {
  let dataDir = "";
  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), "mbus-sync-"));
  });
  afterEach(async () => rm(dataDir, { recursive: true, force: true }));

  /** Acknowledged up to the failure, refused from there on, and all that was acknowledged is there in the next life. */
  async function stopsAt(nth: number, pages: number): Promise<void> {
    const { acked, refused } = await run(dataDir, "error=EIO", nth, pages);
    expect(acked.size).toBeGreaterThan(0);
    expect(refused.length).toBeGreaterThan(1);
    expect(acked.size + refused.length).toBe(RECORDS);
    for (const line of refused) expect(line).toMatch(/^refused \S+ journal-failed/);
    expect([...acked.keys()]).toEqual(Array.from({ length: acked.size }, (_, n) => `m-${n}`));
    await checkAfter(dataDir, acked);
  }

  it.each([12, 24, 33])(
    "that fails (number %i) stops the engine: its batch and all after it are refused, and a restart has what was acknowledged",
    (nth) => stopsAt(nth, 1_000),
    TIME,
  );
  it.each([20, 21, 40, 41, 42, 43])(
    "that fails (number %i) while every commit is followed by a checkpoint stops the engine just so",
    (nth) => stopsAt(nth, 1),
    TIME,
  );

  it(
    "at which the process dies, whichever it is, loses nothing acknowledged",
    async () => {
      const acked = new Map<string, number>();
      let deaths = 0;
      for (let nth = 1; nth <= 36; nth++) {
        const folder = join(dataDir, String(nth));
        const life = await run(folder, "signal=SIGKILL", nth);
        if (life.signal === "SIGKILL") deaths++;
        for (const id of life.acked.keys()) acked.set(`${nth} ${id}`, nth);
        await checkAfter(folder, life.acked);
      }
      expect(deaths).toBe(36);
      expect(acked.size).toBeGreaterThan(100);
    },
    TIME * 2,
  );
});
