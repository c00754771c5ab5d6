/**
 * A PostgreSQL server for tests: Debian's program on data in a temporary folder, over TLS and with passwords. The
 * program refuses to run as root, so for root it runs as the account of its package. The machine's own server is not touched.
 */
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openKeys } from "#adapters/keys/ca.ts";
import { have, type Tool } from "./debian.ts";
import { freePort } from "./ports.ts";
import { firstOf, type Server } from "./servers.ts";

const ROOT = "/usr/lib/postgresql";

function programs(): string | undefined {
  if (!existsSync(ROOT)) return undefined;
  const versions = readdirSync(ROOT).filter((version) => existsSync(join(ROOT, version, "bin", "initdb")));
  const newest = versions.toSorted((a, b) => Number(b) - Number(a))[0];
  return newest === undefined ? undefined : join(ROOT, newest, "bin");
}

export const POSTGRESQL: Tool = { name: "postgresql", packages: ["postgresql"], works: () => programs() !== undefined };

export type PostgresPeer = Server &
  Readonly<{
    /** Authority of the server's certificate, PEM. */
    ca: string;
    kill: () => Promise<void>;
    revive: () => Promise<void>;
  }>;

export async function postgresServer(): Promise<PostgresPeer | undefined> {
  let peer: PostgresPeer | undefined;
  await firstOf("PostgreSQL", [
    { from: "path", open: async () => (have(POSTGRESQL) ? (peer = await start(programs() ?? "")) : undefined) },
  ]);
  return peer;
}

/** Ids of the account that the server runs as; undefined = who runs the tests. */
function account(): Readonly<{ uid: number; gid: number }> | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const [uid, gid] = ["-u", "-g"].map((which) => Number(spawnSync("id", [which, "postgres"], { encoding: "utf8" }).stdout));
  return uid === undefined || gid === undefined ? undefined : { uid, gid };
}

async function start(bin: string): Promise<PostgresPeer> {
  const home = mkdtempSync(join(tmpdir(), "mbus-postgres-"));
  const keys = await openKeys(join(home, "authority"));
  const owner = account();
  const data = join(home, "data");
  mkdirSync(data, { mode: 0o700 });
  const files = { password: join(home, "password"), cert: join(home, "server.crt"), key: join(home, "server.key") };
  writeFileSync(files.password, "correct horse\n");
  writeFileSync(files.cert, keys.server.cert);
  writeFileSync(files.key, keys.server.key, { mode: 0o600 });
  if (owner) for (const path of [home, data, ...Object.values(files)]) chownSync(path, owner.uid, owner.gid);
  const as = { ...owner, cwd: home, env: { PATH: process.env["PATH"], LC_ALL: "C" } };
  const made = spawnSync(
    join(bin, "initdb"),
    ["-D", data, "-U", "mbus", "-A", "scram-sha-256", "--pwfile", files.password, "-E", "UTF8", "--locale=C", "--no-sync"],
    { ...as, encoding: "utf8" },
  );
  if (made.status !== 0) throw new Error(`initdb failed: ${made.stderr.slice(-500)}`);
  const port = await freePort();
  const settings = {
    listen_addresses: "127.0.0.1",
    port: String(port),
    unix_socket_directories: "",
    ssl: "on",
    ssl_cert_file: files.cert,
    ssl_key_file: files.key,
    max_connections: "30",
    logging_collector: "off",
  };
  let child: ChildProcess | undefined;
  const revive = async (): Promise<void> => {
    const args = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
    child = spawn(join(bin, "postgres"), ["-D", data, ...args], { ...as, stdio: ["ignore", "ignore", "pipe"] });
    let said = "";
    child.stderr?.on("data", (chunk: Buffer) => (said += chunk.toString()));
    await ready(child, () => said);
  };
  const end = async (signal: "SIGQUIT"): Promise<void> => {
    const old = child;
    child = undefined;
    if (!old || old.exitCode !== null || old.signalCode !== null) return;
    const gone = new Promise((resolve) => old.once("exit", resolve));
    old.kill(signal);
    await gone;
  };
  await revive();
  const version = readFileSync(join(data, "PG_VERSION"), "utf8").trim();
  const exact = spawnSync(join(bin, "postgres"), ["--version"], { encoding: "utf8" }).stdout.trim();
  return {
    url: `postgres://mbus:correct%20horse@127.0.0.1:${port}/postgres`,
    version: exact === "" ? `PostgreSQL ${version}` : exact.replace("postgres (PostgreSQL)", "PostgreSQL"),
    from: "path",
    ca: keys.ca,
    // every process of it ends at once, without a checkpoint
    kill: () => end("SIGQUIT"),
    revive,
    async close() {
      await end("SIGQUIT");
      rmSync(home, { recursive: true, force: true });
    },
  };
}

async function ready(child: ChildProcess, said: () => string): Promise<void> {
  const until = performance.now() + 60_000;
  while (!said().includes("database system is ready to accept connections")) {
    if (child.exitCode !== null || performance.now() > until) throw new Error(`postgres did not start: ${said().slice(-500)}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
