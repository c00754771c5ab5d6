/** The vehicles of the State Transport Register: made from their number on demand, always the same. */
import { checkDigit, identifierOf } from "../lib/identifiers.ts";
import { MODELS, PLACES } from "../lib/names.ts";
import { chanceOf, type Chance } from "../lib/random.ts";

/** One vehicle, in the order of the elements of vehicles.xsd. `Kind` F: natural person; J: legal entity. */
export type Vehicle = Readonly<{
  IDNV: string;
  VIN: string;
  Plate: string;
  Make: string;
  Model: string;
  Category: string;
  Year: number;
  EngineVolume?: number;
  Weight: number;
  Places: number;
  Owner: Readonly<{ Kind: "F" | "J"; Code: string }>;
  Region: string;
  Locality: string;
  RegisteredAt: string;
  Revision: number;
}>;

const SEED = 2;
/** Owners are among the first persons of the population register. */
const OWNERS = 5_000;
const LETTERS = ["A", "B", "C", "D", "E", "F", "G", "H", "J", "K", "L", "M", "N", "P", "R", "S", "T", "V", "W", "X", "Y", "Z"] as const;

/** The vehicle with this index, registered on this day (yyyy-mm-dd). */
export function vehicleOf(index: number, day: string): Vehicle {
  const chance = chanceOf(SEED, index);
  const { make, model, category, volume, weight, places } = chance.pick(MODELS);
  const place = chance.pick(PLACES);
  return {
    IDNV: identifierOf("idnv", index),
    VIN: `VF1${letters(chance, 6)}${digits(chance, 8)}`,
    Plate: `${letters(chance, 3)} ${digits(chance, 3)}`,
    Make: make,
    Model: model,
    Category: category,
    Year: chance.between(2005, 2026),
    ...(volume === undefined ? undefined : { EngineVolume: volume }),
    Weight: weight,
    Places: places,
    Owner: chance.happens(0.85)
      ? { Kind: "F", Code: identifierOf("idnp", chance.between(0, OWNERS - 1)) }
      : { Kind: "J", Code: company(chance) },
    Region: place.region,
    Locality: chance.pick(place.localities),
    RegisteredAt: `${day}T1${digits(chance, 1, 9)}:${digits(chance, 1, 6)}${digits(chance, 1)}:00Z`,
    Revision: 1,
  };
}

const letters = (chance: Chance, count: number): string => Array.from({ length: count }, () => chance.pick(LETTERS)).join("");
const digits = (chance: Chance, count: number, below = 10): string =>
  Array.from({ length: count }, () => String(chance.between(0, below - 1))).join("");

/** An IDNO: register 1, last three digits of the year of registration, number, check digit. */
function company(chance: Chance): string {
  const twelve = `1${String(chance.between(0, 24)).padStart(3, "0")}${digits(chance, 8)}`;
  return twelve + checkDigit(twelve);
}
