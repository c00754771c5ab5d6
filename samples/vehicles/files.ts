/** The mainframe's files: XML after vehicles.xsd, or the older CSV. Written record by record, renamed when whole. */
import { createWriteStream } from "node:fs";
import { mkdir, rename } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { vehicleOf, type Vehicle } from "./vehicles.ts";

export type Night = Readonly<{
  /** yyyy-mm-dd */
  day: string;
  /** Index of the first vehicle, and how many. */
  first: number;
  count: number;
  format: "xml" | "csv";
  gzip: boolean;
}>;

/** Writes the night's file into a drop folder and gives its path. Nobody ever sees half of it under its name. */
export async function writeNight(drop: string, night: Night): Promise<string> {
  await mkdir(drop, { recursive: true });
  const name = `vehicles-${night.day.replaceAll("-", "")}-${night.first}.${night.format}${night.gzip ? ".gz" : ""}`;
  const unfinished = join(drop, `.writing-${name}`);
  const text = Readable.from(night.format === "xml" ? xml(night) : csv(night));
  const out = createWriteStream(unfinished, { flush: true });
  await (night.gzip ? pipeline(text, createGzip(), out) : pipeline(text, out));
  await rename(unfinished, join(drop, name));
  return join(drop, name);
}

function* xml(night: Night): Generator<string> {
  yield `<?xml version="1.0" encoding="UTF-8"?>\n<Vehicles xmlns="urn:asp:vehicles:2">\n<Day>${night.day}</Day>\n`;
  for (let at = 0; at < night.count; at += 1) yield `<Vehicle>${elements(vehicleOf(night.first + at, night.day))}</Vehicle>\n`;
  yield "</Vehicles>\n";
}

type Elements = Readonly<{ [name: string]: string | number | undefined | Elements }>;

function elements(record: Elements): string {
  return Object.entries(record)
    .map(([name, value]) => `<${name}>${typeof value === "object" ? elements(value) : escape(String(value))}</${name}>`)
    .join("");
}

const escape = (text: string): string => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

const COLUMNS: readonly (readonly [string, (vehicle: Vehicle) => string | number | undefined])[] = [
  ["idnv", (vehicle) => vehicle.IDNV],
  ["vin", (vehicle) => vehicle.VIN],
  ["plate", (vehicle) => vehicle.Plate],
  ["make", (vehicle) => vehicle.Make],
  ["model", (vehicle) => vehicle.Model],
  ["category", (vehicle) => vehicle.Category],
  ["year", (vehicle) => vehicle.Year],
  ["engineVolume", (vehicle) => vehicle.EngineVolume],
  ["weight", (vehicle) => vehicle.Weight],
  ["places", (vehicle) => vehicle.Places],
  ["ownerIdnp", ({ Owner }) => (Owner.Kind === "F" ? Owner.Code : undefined)],
  ["ownerIdno", ({ Owner }) => (Owner.Kind === "J" ? Owner.Code : undefined)],
  ["region", (vehicle) => vehicle.Region],
  ["locality", (vehicle) => vehicle.Locality],
  ["registeredAt", (vehicle) => vehicle.RegisteredAt],
  ["revision", (vehicle) => vehicle.Revision],
];

function* csv(night: Night): Generator<string> {
  yield `${COLUMNS.map(([name]) => name).join(";")}\n`;
  for (let at = 0; at < night.count; at += 1) {
    const vehicle = vehicleOf(night.first + at, night.day);
    yield `${COLUMNS.map(([, of]) => cell(of(vehicle))).join(";")}\n`;
  }
}

function cell(value: string | number | undefined): string {
  const text = String(value ?? "");
  return /[";\n\r]/u.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
