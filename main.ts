/** The front door of the composition: what the command line and the benchmarks start. */
import { fileURLToPath } from "node:url";
import { createLog } from "#compose/log.ts";
import { startBus, type Started } from "#compose/start.ts";
import { readSettings } from "#config/settings.ts";
import { WORLD } from "#samples/world.ts";

/** Folder with routes/, contracts/ and config/: MBUS_ROOT, else the project's own. */
export const root = process.env["MBUS_ROOT"] ?? fileURLToPath(new URL(".", import.meta.url));

/** Starts a bus as the environment says. `faces` adds the systems' face on plain HTTP, `world` also the sample systems. */
export function startFromEnvironment(samples: "none" | "faces" | "world"): Promise<Started> {
  const settings = readSettings(process.env);
  return startBus({
    settings,
    log: createLog(process.env["MBUS_LOG_LEVEL"] ?? "warn"),
    root,
    samples: samples === "world" ? WORLD : samples === "faces" ? [] : undefined,
  });
}
