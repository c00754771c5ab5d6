/** Start-up time and memory of a whole bus process, beside a bare Node process that does nothing. */
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createInterface } from "node:readline";
import type { Figure } from "./figure.ts";
import { median } from "./parts/load.ts";
import { startProgram } from "./parts/process.ts";
import { publishBacklog } from "./parts/backlog.ts";

const MBUS = fileURLToPath(new URL("../cli/mbus.js", import.meta.url));
const BACKLOG = 100_000;

export async function processFigures(names: readonly string[]): Promise<readonly Figure[]> {
  const figures: Figure[] = [];
  if (names.includes("start")) figures.push(await start());
  if (names.includes("memory")) figures.push(await memory());
  return figures;
}

/** Seconds from spawn to the ready line, with the sample world; the median of five, each on a fresh data folder. */
async function start(): Promise<Figure> {
  const times: number[] = [];
  for (let round = 0; round < 5; round += 1) times.push(await startOnce());
  const bare = median(Array.from({ length: 5 }, () => timed(() => spawnSync(process.execPath, ["-e", "0"]))));
  const value = median(times);
  return {
    name: "start",
    value,
    unit: "s to ready",
    limit: bare,
    ratio: bare / value,
    peers: {},
    detail: { slowest: Math.max(...times), "with samples": "yes" },
  };
}

function timed(run: () => unknown): number {
  const at = performance.now();
  run();
  return (performance.now() - at) / 1000;
}

async function startOnce(): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), "mbus-bench-start-"));
  const env = { ...process.env, MBUS_HTTP_PORT: "0", MBUS_TLS_PORT: "0", MBUS_REGISTRY_PORT: "0", MBUS_DATA_DIR: folder };
  const at = performance.now();
  const child = spawn(process.execPath, [MBUS, "start", "--samples", "--json"], { env, stdio: ["ignore", "pipe", "inherit"] });
  const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const elapsed = await new Promise<number>((resolve, reject) => {
    child.once("exit", (code) => reject(new Error(`the bus ended with ${code}`)));
    createInterface({ input: child.stdout }).on(
      "line",
      (line) => line.includes('"ready":true') && resolve((performance.now() - at) / 1000),
    );
  });
  child.kill("SIGTERM");
  await gone;
  rmSync(folder, { recursive: true, force: true });
  return elapsed;
}

/** Resident memory at rest, and at its highest while 100,000 events wait for subscribers that are down. */
async function memory(): Promise<Figure> {
  const nowhere = "http://127.0.0.1:9";
  const addresses = {
    "rsp.url": nowhere,
    "cnas.url": nowhere,
    "primaria.url": nowhere,
    "bns.url": nowhere,
    "vehicles.drop": join(tmpdir(), "mbus-bench-no-drop"),
  };
  const bus = await startProgram("./bus.ts", [JSON.stringify(addresses)]);
  try {
    await new Promise((resolve) => setTimeout(resolve, 1500));
    const rest = resident(bus.pid);
    let highest = 0;
    const watch = setInterval(() => (highest = Math.max(highest, resident(bus.pid))), 100);
    const perSecond = await publishBacklog(bus.url, BACKLOG);
    await new Promise((resolve) => setTimeout(resolve, 2000));
    clearInterval(watch);
    const bare = bareNode();
    return {
      name: "memory",
      value: rest,
      unit: "MB at rest",
      limit: bare,
      ratio: bare / rest,
      peers: {},
      detail: { "highest under backlog MB": highest, backlog: BACKLOG, "accepted/s": perSecond },
    };
  } finally {
    await bus.close();
  }
}

/** VmRSS of a process in MB (Linux). */
function resident(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/u.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) / 1024;
}

function bareNode(): number {
  const { stdout } = spawnSync(process.execPath, ["-e", "console.log(process.memoryUsage.rss() / 1048576)"], { encoding: "utf8" });
  return Number(stdout);
}
