/**
 * Real servers for tests. Each is had in this order: an address from the environment; a container where a Docker engine answers; a
 * program on the PATH; a program that is installed now. What cannot be had is named: a failure in CI, skipped tests on a user's machine.
 */
import { spawnSync } from "node:child_process";
import { appendFileSync } from "node:fs";
import { relative } from "node:path";

/** A server that answers at `url`. */
export type Server = Readonly<{
  url: string;
  /** What it says of itself, for example `nats-server 2.12.1`. */
  version: string;
  /** Where it came from: `environment`, `container`, `path` or `installed`. */
  from: string;
  /** Ends it at once, as a power cut would, and starts it again on the same data and address. Undefined for servers that are not ours. */
  kill?: () => Promise<void>;
  revive?: () => Promise<void>;
  /** Throws its data away while it is down. */
  wipe?: () => Promise<void>;
  /** For SIGSTOP and SIGCONT. */
  pid?: () => number | undefined;
  close(): Promise<void>;
}>;

/** One way to have a server. Gives undefined where the way is not open on this machine. */
export type Way = Readonly<{ from: string; open: () => Promise<Server | undefined> }>;

/** Tries the ways in order. Says in the test output which one served. */
export async function firstOf(name: string, ways: readonly Way[]): Promise<Server | undefined> {
  const tried: string[] = [];
  for (const way of ways) {
    const server = await way.open().catch((error: unknown) => {
      tried.push(`${way.from}: ${error instanceof Error ? error.message : String(error)}`);
      return undefined;
    });
    if (server) {
      await note(`${name}: ${server.version}, from ${server.from}`);
      return server;
    }
  }
  const text = `${name} cannot be had${tried.length > 0 ? ` (${tried.join("; ")})` : ""}: its tests do not run`;
  if (process.env["CI"] !== undefined) throw new Error(text);
  await note(text);
  return undefined;
}

/** A line for the end of the run, under the name of the suite, and for the test's own output. */
async function note(text: string): Promise<void> {
  console.info(text);
  const file = process.env["MBUS_TEST_SERVERS"];
  if (file !== undefined) appendFileSync(file, `${(await suite()) ?? "before the tests"}\t${text}\n`);
}

/** The test file that asks; undefined outside a test. */
async function suite(): Promise<string | undefined> {
  if (process.env["VITEST"] === undefined) return undefined;
  const { testPath } = (await import("vitest")).expect.getState();
  return testPath === undefined ? undefined : relative(process.cwd(), testPath);
}

let docker: boolean | undefined;

/** Does a Docker engine answer? The client alone is none. */
export function dockerAnswers(): boolean {
  docker ??= spawnSync("docker", ["info", "--format", "{{.ServerVersion}}"], { stdio: "ignore", timeout: 10_000 }).status === 0;
  return docker;
}
