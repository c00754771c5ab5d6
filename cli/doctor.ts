/** `mbus doctor`: what of this machine and its settings would trouble a bus. */
import { accessSync, constants, mkdirSync, statfsSync } from "node:fs";
import { createServer } from "node:net";
import { resolve } from "node:path";
import { readFiles } from "#compose/files.ts";
import { readSettings, type Settings } from "#config/settings.ts";
import { root } from "#main.ts";
import { print, table, type Output } from "./output.ts";

type Check = Readonly<{ what: string; ok: boolean; detail: string }>;

export async function doctor(output: Output): Promise<number> {
  const checks: Check[] = [node(), sqlite()];
  let settings: Settings | undefined;
  try {
    settings = readSettings(process.env);
  } catch (error) {
    checks.push({ what: "settings", ok: false, detail: error instanceof Error ? error.message : String(error) });
  }
  if (settings) checks.push(dataFolder(settings), ...(await ports(settings)));
  const { findings } = await readFiles([root], process.env);
  const errors = findings.filter((finding) => finding.severity === "error").length;
  checks.push({
    what: "files",
    ok: errors === 0,
    detail: errors === 0 ? "lint finds no errors" : `${errors} errors; mbus lint names them`,
  });
  const columns = [
    { title: "check", value: (row: Check) => row.what },
    { title: "ok", value: (row: Check) => (row.ok ? "yes" : "NO") },
    { title: "detail", value: (row: Check) => row.detail },
  ];
  print(output, checks, table(checks, columns, ""));
  return checks.every((check) => check.ok) ? 0 : 1;
}

const node = (): Check => ({
  what: "Node",
  ok: atLeast(process.versions.node, [24, 12, 0]),
  detail: `${process.versions.node}; 24.12 or later is needed`,
});
const sqlite = (): Check => ({
  what: "SQLite",
  ok: atLeast(process.versions["sqlite"] ?? "0", [3, 51, 3]),
  detail: `${process.versions["sqlite"]}; 3.51.3 or later is needed`,
});

function atLeast(version: string, wanted: readonly number[]): boolean {
  const given = version.split(".").map(Number);
  for (const [index, number] of wanted.entries()) if ((given[index] ?? 0) !== number) return (given[index] ?? 0) > number;
  return true;
}

function dataFolder(settings: Settings): Check {
  const folder = resolve(settings.dataDir);
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    accessSync(folder, constants.W_OK);
    const { bavail, bsize } = statfsSync(folder);
    const free = (bavail * bsize) / 2 ** 30;
    return {
      what: "data folder",
      ok: free > 1,
      detail: `${folder}, ${free.toFixed(1)} GiB free${free > 1 ? "" : "; give it more than 1 GiB"}`,
    };
  } catch (error) {
    return { what: "data folder", ok: false, detail: error instanceof Error ? error.message : String(error) };
  }
}

async function ports(settings: Settings): Promise<Check[]> {
  const wanted = { MBUS_HTTP_PORT: settings.httpPort, MBUS_TLS_PORT: settings.tlsPort, MBUS_REGISTRY_PORT: settings.registryPort };
  return Promise.all(
    Object.entries(wanted).map(async ([name, port]) => {
      const free = port === 0 || (await canListen(settings.host, port));
      return { what: `port ${port}`, ok: free, detail: free ? "free" : `taken, perhaps by a running bus; choose another with ${name}` };
    }),
  );
}

function canListen(host: string, port: number): Promise<boolean> {
  const server = createServer();
  return new Promise((done) => {
    server.once("error", () => done(false));
    server.listen(port, host, () => server.close(() => done(true)));
  });
}
