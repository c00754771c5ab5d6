/** A whole bus as a process of its own, started and killed like an operator or a power cut would. */
import { spawn, type ChildProcess } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const MBUS = join(ROOT, "cli/mbus.js");

export type BusProcess = Readonly<{
  http: string;
  https: string;
  registry: string;
  pid: number;
  /** Ends it with this signal and waits until it is gone. */
  end(signal: "SIGTERM" | "SIGKILL"): Promise<void>;
}>;

export type Site = Readonly<{
  /** Folder with routes/, contracts/ and config/, and the data folder. */
  root: string;
  dataDir: string;
  start(options?: Readonly<{ samples?: boolean; variables?: Readonly<Record<string, string>>; httpPort?: number }>): Promise<BusProcess>;
  /** Runs `mbus` against this site; gives what it printed. */
  mbus(...args: readonly string[]): Promise<Readonly<{ code: number; out: string; err: string }>>;
  edit(file: string, change: (text: string) => string): void;
  /** Shortens the routes' waits: a first retry after 100 ms, an open breaker for a second, no limit of rate. */
  hurry(): void;
  remove(): Promise<void>;
}>;

/** A copy of the sample routes and contracts in a temporary folder; `more` is added to the environment of all that runs there. */
export function createSite(more: Readonly<Record<string, string>> = {}): Site {
  const root = mkdtempSync(join(tmpdir(), "mbus-site-"));
  const dataDir = join(root, "data");
  for (const folder of ["routes", "contracts"]) cpSync(join(ROOT, folder), join(root, folder), { recursive: true });
  cpSync(join(ROOT, "config/development.yaml"), join(root, "config/development.yaml"));
  const env = {
    ...process.env,
    MBUS_ROOT: root,
    MBUS_DATA_DIR: dataDir,
    MBUS_TLS_PORT: "0",
    MBUS_REGISTRY_PORT: "0",
    MBUS_LOG_LEVEL: "fatal",
    ...more,
  };
  const running = new Set<BusProcess>();
  const edit = (file: string, change: (text: string) => string): void => {
    const path = join(root, file);
    writeFileSync(path, change(readFileSync(path, "utf8")));
  };
  return {
    root,
    dataDir,
    async start(options = {}) {
      const variables = Object.fromEntries(
        Object.entries(options.variables ?? {}).map(([name, value]) => [`MBUS_VAR_${name.toUpperCase().replaceAll(".", "_")}`, value]),
      );
      const args = [MBUS, "start", "--json", "--samples", options.samples === true ? "world" : "faces"];
      const child = spawn(process.execPath, args, {
        env: { ...env, ...variables, MBUS_HTTP_PORT: String(options.httpPort ?? 0) },
        stdio: ["ignore", "pipe", "pipe"],
      });
      const bus = await ready(child);
      running.add(bus);
      return bus;
    },
    mbus: (...args) => run(args, { ...env, MBUS_HTTP_PORT: "" }),
    edit,
    hurry() {
      edit("routes/rsp/person-changed.yaml", (text) => text.replace(", limits: { rate: 50/s }", ""));
      edit("routes/policies.yaml", (text) =>
        text
          .replaceAll("first: 5s", "first: 100ms")
          .replaceAll("first: 500ms", "first: 100ms")
          .replaceAll("max: 30m", "max: 2s")
          .replaceAll(/openFor: \w+/gu, "openFor: 1s"),
      );
    },
    async remove() {
      await Promise.all([...running].map((bus) => bus.end("SIGKILL")));
      rmSync(root, { recursive: true, force: true });
    },
  };
}

async function ready(child: ChildProcess): Promise<BusProcess> {
  const { stdout, stderr } = child;
  if (!stdout || !stderr) throw new Error("the bus has no output");
  let said = "";
  stderr.on("data", (chunk: Buffer) => (said = `${said}${chunk.toString()}`.slice(-4000)));
  const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const line = await new Promise<Record<string, string>>((resolve, reject) => {
    child.once("exit", (code) => reject(new Error(`the bus ended with ${code}: ${said}`)));
    createInterface({ input: stdout }).on("line", (text) => {
      if (text.includes('"ready":true')) resolve(JSON.parse(text) as Record<string, string>);
    });
  });
  return {
    http: String(line["http"]),
    https: String(line["https"]),
    registry: String(line["registry"]),
    pid: child.pid ?? 0,
    async end(signal) {
      child.kill(signal);
      await gone;
    },
  };
}

function run(args: readonly string[], env: NodeJS.ProcessEnv): Promise<{ code: number; out: string; err: string }> {
  const child = spawn(process.execPath, [MBUS, ...args], { env, stdio: ["ignore", "pipe", "pipe"] });
  let out = "";
  let err = "";
  child.stdout.on("data", (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (err += chunk.toString()));
  return new Promise((resolve) => child.once("close", (code) => resolve({ code: code ?? -1, out, err })));
}
