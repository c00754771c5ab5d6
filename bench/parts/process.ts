/** Starts a program of a benchmark as a process of its own and reads the line it says when it is ready. */
import { spawn, type ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

export type Program = Readonly<{ url: string; pid: number; said: Readonly<Record<string, unknown>>; close(): Promise<void> }>;

/** `file` is relative to bench/parts; the first JSON line with a `url` says that it is ready. */
export async function startProgram(
  file: string,
  args: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): Promise<Program> {
  const path = fileURLToPath(new URL(file, import.meta.url));
  const child: ChildProcess = spawn(process.execPath, [path, ...args], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, ...env },
  });
  const { stdout } = child;
  if (!stdout) throw new Error(`${file} has no output`);
  const said = await new Promise<Record<string, unknown>>((resolve, reject) => {
    child.once("exit", (code) => reject(new Error(`${file} ended with ${code}`)));
    createInterface({ input: stdout }).on("line", (line) => {
      if (!line.startsWith("{")) return;
      const value = JSON.parse(line) as Record<string, unknown>;
      if (typeof value["url"] === "string") resolve(value);
    });
  });
  const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  return {
    url: String(said["url"]),
    pid: child.pid ?? 0,
    said,
    async close() {
      child.kill("SIGTERM");
      const timer = setTimeout(() => child.kill("SIGKILL"), 5000);
      await gone;
      clearTimeout(timer);
    },
  };
}
