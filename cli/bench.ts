/** `mbus bench`: the same as `npm run bench`. */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Output } from "./output.ts";

export function bench(output: Output, names: readonly string[]): Promise<number> {
  const program = fileURLToPath(new URL("../bench/run.ts", import.meta.url));
  const child = spawn(process.execPath, [program, ...names, ...(output.json ? ["--json"] : [])], { stdio: "inherit" });
  return new Promise((resolve) => child.once("exit", (code) => resolve(code ?? 1)));
}
