/** A real RabbitMQ for tests: one node of our own on loopback, with its own name, ports, cookie and data, or one that is given. */
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "amqplib";
import { freePorts } from "./ports.ts";
import { dockerAnswers, firstOf, type Server } from "./servers.ts";

/** `ctl` runs `rabbitmqctl` on the node; undefined for servers that are not ours. */
export type RabbitServer = Server & Readonly<{ ctl?: (...args: string[]) => Promise<string> }>;

const SCRIPTS = ["/usr/lib/rabbitmq/bin", "/usr/local/sbin", "/usr/sbin", "/opt/homebrew/sbin", "/opt/rabbitmq/sbin"];
const IMAGE = "rabbitmq:4";

/** Takes about ten seconds to be ready: share one among the tests of a file. */
export async function rabbitServer(): Promise<RabbitServer | undefined> {
  return firstOf("RabbitMQ", [
    { from: "environment", open: fromEnvironment },
    { from: "container", open: fromContainer },
    { from: "path", open: () => ownNode("path") },
    { from: "installed", open: async () => (install() ? ownNode("installed") : undefined) },
  ]);
}

/** Makes a virtual host on a server of ours; gives its address. In one call of the tool, for each one starts a machine of its own. */
export async function virtualHost({ url, ctl }: RabbitServer, name: string): Promise<string> {
  const all = '<<".*">>';
  await ctl?.(
    "eval",
    `ok = rabbit_vhost:add(<<"${name}">>, <<"test">>), rabbit_auth_backend_internal:set_permissions(<<"guest">>, <<"${name}">>, ${all}, ${all}, ${all}, <<"test">>).`,
  );
  return `${url}/${name}`;
}

async function fromEnvironment(): Promise<RabbitServer | undefined> {
  const url = process.env["AMQP_URL"];
  if (url === undefined) return undefined;
  return { url, version: await answers(url, 30_000), from: "environment", close: () => Promise.resolve() };
}

async function fromContainer(): Promise<RabbitServer | undefined> {
  if (!dockerAnswers()) return undefined;
  const { GenericContainer, Wait } = await import("testcontainers");
  const container = await new GenericContainer(IMAGE)
    .withExposedPorts(5672)
    .withWaitStrategy(Wait.forLogMessage(/Server startup complete/u))
    .start();
  const url = `amqp://guest:guest@${container.getHost()}:${container.getMappedPort(5672)}`;
  return {
    url,
    version: await answers(url, 60_000),
    from: "container",
    async ctl(...args) {
      const files = args.filter((arg) => arg.startsWith("/") && existsSync(arg)).map((path) => ({ source: path, target: path }));
      if (files.length > 0) await container.copyFilesToContainer(files);
      const { exitCode, output } = await container.exec(["rabbitmqctl", ...args]);
      if (exitCode !== 0) throw new Error(`rabbitmqctl ${args[0]} failed: ${output}`);
      return output;
    },
    close: async () => void (await container.stop()),
  };
}

/** Debian's package starts a node of its own when it may; this keeps it from doing so. */
function install(): boolean {
  if (process.getuid?.() !== 0 || !existsSync("/usr/bin/apt-get")) return false;
  const policy = "/usr/sbin/policy-rc.d";
  const ours = !existsSync(policy);
  if (ours) writeFileSync(policy, "#!/bin/sh\nexit 101\n", { mode: 0o755 });
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  const wait = ["-o", "DPkg::Lock::Timeout=300"];
  try {
    spawnSync("apt-get", ["update", "-qq"], { stdio: "ignore", env });
    const { status } = spawnSync("apt-get", [...wait, "install", "-y", "-qq", "--no-install-recommends", "rabbitmq-server"], {
      stdio: "ignore",
      env,
    });
    return status === 0;
  } finally {
    if (ours) rmSync(policy, { force: true });
  }
}

const scripts = (): string | undefined => SCRIPTS.find((folder) => existsSync(join(folder, "rabbitmq-server")));

async function ownNode(from: string): Promise<RabbitServer | undefined> {
  const bin = scripts();
  if (bin === undefined) return undefined;
  const home = mkdtempSync(join(tmpdir(), "mbus-rabbit-"));
  const [port = 0, dist = 0, epmdPort = 0] = await freePorts(3);
  const env = nodeEnvironment(home, port, dist, epmdPort);
  writeFileSync(
    join(home, "rabbitmq.conf"),
    "disk_free_limit.absolute = 50MB\nraft.wal_max_size_bytes = 32000000\nlog.file.level = warning\n",
  );
  writeFileSync(join(home, "plugins"), "[].\n");
  writeFileSync(join(home, "env.conf"), "");
  const log = openSync(join(home, "output.log"), "a");
  const epmd = spawn("epmd", ["-address", "127.0.0.1", "-port", String(epmdPort)], { stdio: "ignore", env });
  epmd.once("error", () => undefined);
  let beam: ChildProcess | undefined;
  const url = `amqp://guest:guest@127.0.0.1:${port}`;
  const kill = async (): Promise<void> => {
    const child = beam;
    beam = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await gone;
  };
  const atExit = (): void => {
    beam?.kill("SIGKILL");
    epmd.kill("SIGKILL");
  };
  process.once("exit", atExit);
  const start = (): void => {
    // With RABBITMQ_ALLOW_INPUT the script becomes the Erlang machine itself, so that the child's pid is the server's.
    beam = spawn(join(bin, "rabbitmq-server"), ["-noinput"], { stdio: ["ignore", log, log], env, cwd: home });
    beam.once("error", () => undefined);
  };
  const close = async (): Promise<void> => {
    process.removeListener("exit", atExit);
    await kill();
    epmd.kill("SIGKILL");
    rmSync(home, { recursive: true, force: true });
  };
  start();
  try {
    const version = await answers(url, 120_000, () => beam?.exitCode === null || beam?.exitCode === undefined);
    return {
      url,
      version,
      from,
      kill,
      async revive() {
        start();
        await answers(url, 120_000);
      },
      async wipe() {
        rmSync(join(home, "data"), { recursive: true, force: true });
        mkdirSync(join(home, "data"));
      },
      pid: () => beam?.pid,
      ctl: (...args) => control(bin, env, args),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function nodeEnvironment(home: string, port: number, dist: number, epmd: number): NodeJS.ProcessEnv {
  mkdirSync(join(home, "data"));
  mkdirSync(join(home, "log"));
  return {
    PATH: process.env["PATH"],
    LANG: "C.UTF-8",
    HOME: home,
    RABBITMQ_ALLOW_INPUT: "1",
    RABBITMQ_NODENAME: `mbus-${process.pid}-${port}@localhost`,
    RABBITMQ_NODE_IP_ADDRESS: "127.0.0.1",
    RABBITMQ_NODE_PORT: String(port),
    RABBITMQ_DIST_PORT: String(dist),
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: "-kernel inet_dist_use_interface {127,0,0,1}",
    RABBITMQ_MNESIA_BASE: join(home, "data"),
    RABBITMQ_LOG_BASE: join(home, "log"),
    RABBITMQ_CONFIG_FILE: join(home, "rabbitmq.conf"),
    RABBITMQ_CONF_ENV_FILE: join(home, "env.conf"),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(home, "plugins"),
    ERL_EPMD_PORT: String(epmd),
    ERL_EPMD_ADDRESS: "127.0.0.1",
  };
}

/** The server's name and version as soon as it lets a client in. */
async function answers(url: string, ms: number, alive: () => boolean = () => true): Promise<string> {
  const until = performance.now() + ms;
  for (;;) {
    try {
      const connection = await connect(url, { timeout: 5_000 });
      connection.on("error", () => undefined);
      const { product, version } = connection.connection.serverProperties;
      await connection.close();
      return `${product} ${version}`;
    } catch (error) {
      if (!alive()) throw new Error("the server ended before it was ready", { cause: error });
      if (performance.now() > until) throw error;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
}

async function control(bin: string, env: NodeJS.ProcessEnv, args: readonly string[]): Promise<string> {
  const child = spawn(join(bin, "rabbitmqctl"), args, { env, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (output += chunk.toString()));
  const status = await new Promise((resolve) => child.once("close", resolve));
  if (status !== 0) throw new Error(`rabbitmqctl ${args[0]} failed: ${output}`);
  return output;
}
