/** Starts the sample world: separate programs that speak to the bus only over the wire. They end with the bus. */
import { spawn, type ChildProcess } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** One program of the world and the route variable its address goes to. */
export type SampleProgram = Readonly<{ system: string; program: string; variable: string }>;

export type World = Readonly<{
  /** Route variables with the addresses the programs took. */
  variables: Readonly<Record<string, string>>;
  /** Address of each system. */
  addresses: Readonly<Record<string, string>>;
  close(): Promise<void>;
}>;

const READY_WITHIN = 15_000;

/** Spawns all programs at once and waits for their `listening` lines. */
export async function startWorld(programs: readonly SampleProgram[], busUrl: string, dataDir: string): Promise<World> {
  const children: ChildProcess[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(children.map(end));
  };
  try {
    const addresses = await Promise.all(programs.map((program) => startProgram(program, busUrl, dataDir, children)));
    const named = (name: (program: SampleProgram) => string) =>
      Object.fromEntries(programs.map((program, index) => [name(program), addresses[index] ?? ""]));
    // the mainframe has no address: it drops files into a folder of its own
    const drop = programs.some(({ system }) => system === "asp/vehicles")
      ? { "vehicles.drop": join(folderOf(dataDir, "asp/vehicles"), "out") }
      : undefined;
    const variables = { ...named((program) => program.variable), ...drop };
    return { variables, addresses: named((program) => program.system), close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function startProgram(sample: SampleProgram, busUrl: string, dataDir: string, children: ChildProcess[]): Promise<string> {
  const dir = folderOf(dataDir, sample.system);
  mkdirSync(dir, { recursive: true });
  const file = fileURLToPath(new URL(`../${sample.program}`, import.meta.url));
  const child = spawn(process.execPath, [file], {
    stdio: ["pipe", "pipe", "inherit"],
    env: { ...process.env, MBUS_URL: busUrl, SAMPLE_DIR: dir },
  });
  children.push(child);
  const { stdout } = child;
  if (!stdout) throw new Error(`sample ${sample.system} has no output`);
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`sample ${sample.system} did not listen within ${READY_WITHIN} ms`)), READY_WITHIN);
    child.once("exit", (code) => reject(new Error(`sample ${sample.system} ended with ${code} before it listened`)));
    createInterface({ input: stdout }).on("line", (line) => {
      const said = line.startsWith("{") ? (JSON.parse(line) as { listening?: string }) : {};
      if (said.listening === undefined) return;
      clearTimeout(late);
      resolve(said.listening);
    });
  });
}

const folderOf = (dataDir: string, system: string): string => join(dataDir, "samples", system.replace("/", "-"));

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), 3000);
  await gone;
  clearTimeout(timer);
}
