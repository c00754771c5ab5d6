/**
 * A whole bus for a benchmark: the sample contracts and routes, other addresses, no limits of rate. Args: JSON of variables; files to leave
 * out, with commas between; the certificate file with which the system that asks signs, or nothing; JSON of engines as in the
 * environment.
 */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { readSettings } from "#config/settings.ts";
import { createLog } from "#compose/log.ts";
import { startBus } from "#compose/start.ts";

const root = mkdtempSync(join(tmpdir(), "mbus-bench-"));
const repository = fileURLToPath(new URL("../..", import.meta.url));
for (const folder of ["routes", "contracts", "config"]) cpSync(join(repository, folder), join(root, folder), { recursive: true });
for (const file of ["routes/rsp/person-lookup.yaml", "routes/rsp/person-changed.yaml"]) {
  const path = join(root, file);
  writeFileSync(
    path,
    readFileSync(path, "utf8").replaceAll(/, rate: \d+\/s|limits: \{ rate: \d+\/s \}/gu, (found) =>
      found.startsWith(",") ? "" : "limits: { concurrency: 64 }",
    ),
  );
}
for (const file of (process.argv[3] ?? "").split(",")) if (file !== "") rmSync(join(root, file));
const signer = process.argv[4];
if (signer !== undefined && signer !== "") {
  cpSync(signer, join(root, "routes/signer.cer"));
  const path = join(root, "routes/systems.yaml");
  const text = readFileSync(path, "utf8").replace("id: cnas/pensions\n", "id: cnas/pensions\ncertificates: [./signer.cer]\n");
  writeFileSync(path, text);
}
const engines = JSON.parse(process.argv[5] ?? "{}") as Record<string, string>;
const settings = readSettings({
  ...engines,
  MBUS_HTTP_PORT: "0",
  MBUS_TLS_PORT: "0",
  MBUS_REGISTRY_PORT: "0",
  MBUS_DATA_DIR: join(root, "data"),
});
const variables = JSON.parse(process.argv[2] ?? "{}") as Record<string, string>;
const bus = await startBus({ settings, log: createLog("warn"), root, samples: [], variables });
console.log(JSON.stringify({ url: bus.http, dataDir: bus.dataDir, pid: bus.pid }));
process.on("SIGTERM", () => {
  void bus.close().then(() => {
    rmSync(root, { recursive: true, force: true });
    process.exit(0);
  });
});
