/** `mbus start`: runs a bus until it is told to stop. With the samples it carries the main job once and prints what it carried. */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { createInterface } from "node:readline";
import { startFromEnvironment } from "#main.ts";
import { CommandFailed, table, type Output } from "./output.ts";

type Carried = Readonly<{ what: string; who: string; ok: boolean; ms: number; detail: string }>;

/** `samples`: true = the sample world, `faces` = only the systems' face on plain HTTP, undefined = neither. */
export async function start(output: Output, samples: string | true | undefined): Promise<number> {
  if (samples !== undefined && samples !== true && samples !== "world" && samples !== "faces")
    throw new CommandFailed(`--samples ${samples}: write --samples, or --samples faces`, 2);
  const world = samples === true || samples === "world";
  const began = performance.now();
  const bus = await startFromEnvironment(world ? "world" : samples === "faces" ? "faces" : "none");
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  const stopped = stopSignal();
  if (output.json) {
    output.out(
      JSON.stringify({ ready: true, http: bus.http, https: bus.https, registry: bus.registry, dataDir: bus.dataDir, pid: bus.pid }),
    );
  } else {
    output.out(`MConnect Bus is ready after ${seconds} s (data in ${bus.dataDir})\n`);
  }
  if (world) {
    const carried = await tour(bus.world);
    if (!output.json) output.out(welcome(bus, carried));
  }
  await stopped;
  if (!output.json) output.err("stopping …");
  await bus.close();
  return 0;
}

function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => resolve());
  });
}

/** Runs the tour of the sample world as a program of its own: it speaks to the bus only over the wire. */
async function tour(world: Readonly<Record<string, string>>): Promise<readonly Carried[]> {
  const program = fileURLToPath(new URL("../samples/tour.ts", import.meta.url));
  const child = spawn(process.execPath, [program], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, SAMPLE_WORLD: JSON.stringify(world) },
  });
  const lines: Carried[] = [];
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  createInterface({ input: child.stdout }).on("line", (line) => {
    if (line.startsWith("{")) lines.push(JSON.parse(line) as Carried);
  });
  await ended;
  return lines;
}

type Addresses = Readonly<{ http: string; https: string | undefined; registry: string }>;

function welcome(bus: Addresses, carried: readonly Carried[]): string {
  const done = table(
    carried,
    [
      { title: "carried", value: (row) => row.what },
      { title: "for", value: (row) => row.who },
      { title: "ok", value: (row) => (row.ok ? "yes" : "NO") },
      { title: "ms", value: (row) => Math.round(row.ms), right: true },
      { title: "what came of it", value: (row) => row.detail },
    ],
    "nothing was carried",
  );
  const addresses = table(
    [
      ["WSDL of the person registry", `${bus.http}/mconnect/soap/rsp/population/PersonRegistry?wsdl`],
      ["its JSON twin", `${bus.http}/mconnect/rest/person.request.v1`],
      ["systems, with certificates", bus.https ?? "off"],
      ["administration", `${bus.http}/api/v1/openapi.json`],
      ["health and metrics", `${bus.http}/readyz ${bus.http}/metrics`],
      ["schema registry", `${bus.registry}/subjects`],
    ],
    [
      { title: "where", value: (row) => row[0] },
      { title: "address", value: (row) => row[1] },
    ],
    "",
  );
  const idnp = /\b2\d{12}\b/u.exec(carried.map((row) => row.detail).join(" "))?.[0] ?? "2004100010095";
  const curl = [
    `curl -s ${bus.http}/mconnect/rest/person.request.v1 -H 'X-System: primaria/registry' \\`,
    `  -H 'CallingUser: 2004100010095' -H 'CallingEntity: 1007601008122' -H 'CallBasis: Law 436/2006 art. 29' -H 'CallReason: certificate' \\`,
    `  -H 'Content-Type: application/json' -d '{"idnp":"${idnp}"}'`,
  ].join("\n");
  return [
    done,
    "",
    addresses,
    "",
    "Try it:",
    "",
    curl,
    "",
    "Look at it: npx mbus journal find · npx mbus status · npx mbus deadletters list",
    "Ctrl-C stops the bus.",
    "",
  ].join("\n");
}
