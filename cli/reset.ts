/** `mbus reset`: removes the data folder of a stopped bus. */
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { json } from "./client.ts";
import { CommandFailed, print, type Output } from "./output.ts";

export function reset(output: Output, yes: boolean): number {
  const dataDir = resolve(process.env["MBUS_DATA_DIR"] ?? ".mbus");
  if (!existsSync(dataDir)) {
    print(output, { removed: false, dataDir }, `there is no data folder ${dataDir}`);
    return 0;
  }
  if (!existsSync(join(dataDir, "admin.token"))) throw new CommandFailed(`${dataDir} is no data folder of a bus: it is left alone`);
  const pid = running(join(dataDir, "run.json"));
  if (pid !== undefined) throw new CommandFailed(`the bus with pid ${pid} runs on ${dataDir}: stop it first`);
  if (!yes) throw new CommandFailed(`this removes ${dataDir} with journal, keys and dead letters for good: say --yes to do it`, 2);
  rmSync(dataDir, { recursive: true });
  print(output, { removed: true, dataDir }, `removed ${dataDir}`);
  return 0;
}

function running(file: string): number | undefined {
  if (!existsSync(file)) return undefined;
  const { pid } = json(readFileSync(file, "utf8"), `${file} is damaged: remove it once no bus runs on this folder`) as { pid: number };
  try {
    process.kill(pid, 0);
    return pid;
  } catch (error) {
    // a process of somebody else cannot be signalled, but it runs
    return error instanceof Error && "code" in error && error.code === "EPERM" ? pid : undefined;
  }
}
