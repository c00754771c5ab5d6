import { gunzipSync } from "node:zlib";
import { readdir, readFile } from "node:fs/promises";
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { startSample, temporaryFolder } from "#test/harness/sample.ts";
import { isIdentifier } from "../lib/identifiers.ts";
import { writeNight } from "./files.ts";
import { vehicleOf } from "./vehicles.ts";

const NIGHT = { day: "2026-11-23", first: 0, count: 200, format: "xml", gzip: false } as const;

describe("the vehicle register", () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  beforeEach(async () => {
    folder = await temporaryFolder();
  });
  afterEach(() => folder.remove());

  it("makes the same vehicles every night, with valid numbers of vehicles and owners", () => {
    for (let index = 0; index < 2_000; index += 1) {
      const vehicle = vehicleOf(index, NIGHT.day);
      expect(vehicle).toEqual(vehicleOf(index, NIGHT.day));
      expect(isIdentifier(vehicle.IDNV) && isIdentifier(vehicle.Owner.Code)).toBe(true);
      expect(vehicle.Owner.Code.startsWith(vehicle.Owner.Kind === "F" ? "2" : "1")).toBe(true);
      expect(vehicle.VIN).toMatch(/^[A-HJ-NPR-Z0-9]{17}$/u);
      expect(Number.isNaN(Date.parse(vehicle.RegisteredAt))).toBe(false);
    }
  });

  it("writes XML that fits its XSD, as an independent validator sees it", async () => {
    const file = await writeNight(folder.path, NIGHT);
    const script =
      "import sys; from lxml import etree; s = etree.XMLSchema(etree.parse(sys.argv[1])); d = etree.parse(sys.argv[2]); s.assertValid(d); print(len(d.getroot()) - 1)";
    const xsd = new URL("vehicles.xsd", import.meta.url).pathname;
    const { stdout } = await promisify(execFile)("/usr/bin/python3", ["-c", script, xsd, file]);
    expect(stdout.trim()).toBe("200");
  });

  it("packs the same text, and leaves nothing unfinished behind", async () => {
    const plain = await readFile(await writeNight(folder.path, NIGHT));
    const packed = await readFile(await writeNight(folder.path, { ...NIGHT, gzip: true }));
    expect(gunzipSync(packed).equals(plain)).toBe(true);
    expect((await readdir(folder.path)).sort((left, right) => left.localeCompare(right))).toEqual([
      "vehicles-20261123-0.xml",
      "vehicles-20261123-0.xml.gz",
    ]);
  });

  it("writes the older CSV with the contract's field names", async () => {
    const [head, first] = (await readFile(await writeNight(folder.path, { ...NIGHT, format: "csv", count: 1 }), "utf8")).split("\n");
    const contract = JSON.parse(await readFile(new URL("../../contracts/asp/vehicle.registered.v1.avsc", import.meta.url), "utf8")) as {
      fields: { name: string }[];
    };
    expect(head?.split(";")).toEqual(contract.fields.map((field) => field.name));
    expect(first?.split(";")[0]).toBe(vehicleOf(0, NIGHT.day).IDNV);
  });

  it("runs as a program that drops files and says where", async () => {
    const mainframe = await startSample("samples/vehicles/main.ts", { dir: folder.path });
    try {
      expect(mainframe.said["drop"]).toBe(`${folder.path}/out`);
      const written = await mainframe.post("/ui/nightly", JSON.stringify({ day: "2026-01-02", count: 3, gzip: true }));
      expect(written.json()).toEqual({ file: `${folder.path}/out/vehicles-20260102-0.xml.gz`, records: 3 });
      expect(await readdir(`${folder.path}/out`)).toEqual(["vehicles-20260102-0.xml.gz"]);
      expect((await mainframe.post("/ui/nightly", '{"day":"tomorrow"}')).status).toBe(400);
    } finally {
      await mainframe.end();
    }
  });
});
