/** Files in a drop folder of a running bus, on any engine: what comes of XML, CSV and .gz, of a bad record, of the same file twice and of kill -9 half-way. */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { writeNight } from "#samples/vehicles/files.ts";
import { createSite, type BusProcess, type Site } from "#test/harness/bus-process.ts";
import type { FlowEngine } from "#test/harness/flow-engines.ts";
import { eventually } from "#test/harness/receiver.ts";
import { openSubscribers, type Subscribers } from "#test/harness/world.ts";

type Stage = Readonly<{ site: Site; world: Subscribers; bus: BusProcess; drop: string }>;
const arrived = ({ world }: Stage, count: number) =>
  eventually(
    () => world.statistics.effects.size >= count,
    () => `the statistics have ${world.statistics.effects.size} of ${count}`,
    60_000,
  );
/** Waits until the bus took so many records: on some engines it takes a whole file before the first arrives. */
const begun = ({ world, bus }: Stage, count: number) =>
  eventually(
    async () => {
      const metrics = await (await fetch(`${bus.http}/metrics`)).text();
      const lag = /^mbus_branch_lag_messages\{route="vehicle-nightly",branch="statistics"\} (\d+)$/mu.exec(metrics)?.[1];
      return world.statistics.effects.size + Number(lag ?? 0) >= count;
    },
    () => `the bus did not take ${count}`,
    60_000,
  );
const left = ({ drop }: Stage): string[] => readdirSync(drop).filter((name) => name.startsWith("vehicles-"));
const gone = (made: Stage) =>
  eventually(
    () => left(made).length === 0,
    () => `still there: ${left(made).join(", ")}`,
    60_000,
  );
const night = (first: number, count: number, format: "xml" | "csv", gzip = false) =>
  ({ day: "2026-11-22", first, count, format, gzip }) as const;

/** Puts a text under its name whole, as the mainframe does. */
function put({ drop }: Stage, name: string, text: string): void {
  mkdirSync(drop, { recursive: true });
  writeFileSync(join(drop, `.writing-${name}`), text);
  renameSync(join(drop, `.writing-${name}`), join(drop, name));
}

async function source(made: Stage, count: number, first = 0): Promise<string> {
  return readFileSync(await writeNight(join(made.site.root, "aside"), night(first, count, "xml")), "utf8");
}

/** `records`: of the file that is read when the bus is killed. `whole`: also what no engine could change. */
export function fileFlows(engine: FlowEngine, records: number, whole: boolean): void {
  const stages: Stage[] = [];

  async function stage(): Promise<Stage> {
    const site = createSite((await engine.place()).env);
    site.edit("routes/asp/vehicle-nightly.yaml", (text) =>
      text.replaceAll("stableFor: 1s", "stableFor: 100ms").replaceAll("every: 1s", "every: 200ms").replace(", limits: { rate: 200/s }", ""),
    );
    const world = await openSubscribers();
    const bus = await site.start({ variables: world.variables });
    const made = { site, world, bus, drop: join(site.dataDir, "drop") };
    stages.push(made);
    return made;
  }

  afterEach(async () => {
    for (const { site, world } of stages.splice(0)) {
      await site.remove();
      await world.close();
    }
  });

  describe("a dropped file", () => {
    it("becomes one event per record, as XML, CSV or .gz, and leaves the folder", async () => {
      const made = await stage();
      await writeNight(made.drop, night(0, 20, "xml"));
      await writeNight(made.drop, night(100, 20, "csv"));
      await writeNight(made.drop, night(200, 20, "xml", true));
      await arrived(made, 60);
      await gone(made);
      expect(made.world.statistics.received).toHaveLength(60);
      for (const { body } of made.world.statistics.received) expect(body).not.toMatch(/ownerIdnp"?:"?\d{13}/u);
    });

    it("that comes twice has one effect", async () => {
      const made = await stage();
      const text = await source(made, 15);
      put(made, "vehicles-a.xml", text);
      await arrived(made, 15);
      await gone(made);
      put(made, "vehicles-b.xml", text); // another name, the same vehicles
      await gone(made);
      put(made, "vehicles-c.xml", await source(made, 1, 500));
      await arrived(made, 16);
      expect(made.world.statistics.received).toHaveLength(16);
    });

    if (!whole) return;

    it("with one bad record gives the others, and says where the bad one stands", async () => {
      const made = await stage();
      put(made, "vehicles-a.xml", (await source(made, 10)).replace(/<Year>\d+<\/Year>/u, "<Year>soon</Year>"));
      await arrived(made, 9);
      await gone(made);
      const logs = readdirSync(made.drop, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".errors.jsonl"));
      expect(logs).toHaveLength(1);
      const lines = readFileSync(join(made.drop, logs[0] ?? ""), "utf8")
        .trimEnd()
        .split("\n");
      expect(lines).toHaveLength(1);
      expect(JSON.parse(lines[0] ?? "")).toMatchObject({ code: "xsd-violation", places: [{ path: expect.stringContaining("Year") }] });
      expect(lines[0]).not.toContain("soon");
    });

    it("that is broken is put aside and stops neither the next file nor the bus", async () => {
      const made = await stage();
      put(made, "vehicles-a.xml", "<Vehicles><Vehicle><IDNV>1</Ve");
      put(made, "vehicles-b.xml", await source(made, 5));
      await arrived(made, 5);
      await gone(made);
      expect((await fetch(`${made.bus.http}/readyz`)).status).toBe(200);
      const kept = readdirSync(made.drop, { recursive: true, encoding: "utf8" }).find((name) => name.endsWith("/vehicles-a.xml"));
      expect(readFileSync(join(made.drop, kept ?? ""), "utf8")).toContain("<IDNV>1</Ve");
    });
  });

  describe("kill -9 while a file is read", () => {
    it("loses no record and gives none a second effect", async () => {
      const made = await stage();
      const { site, world } = made;
      put(made, "vehicles-a.xml", await source(made, records));
      await begun(made, 20);
      expect(existsSync(join(made.drop, "vehicles-a.xml"))).toBe(true); // else it was not half-way
      await made.bus.end("SIGKILL");
      await site.start({ variables: world.variables });
      await arrived(made, records);
      await gone(made);
      const vehicles = world.statistics.received.map(({ id }) => id);
      expect(new Set(vehicles).size).toBe(records);
    }, 240_000);
  });
}
