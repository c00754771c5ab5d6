/** The register's persons: made from their number on demand, always the same, so thousands of them need no memory. */
import { identifierOf, indexOf } from "../lib/identifiers.ts";
import { FAMILY_NAMES, GIVEN_NAMES, PLACES, STREETS } from "../lib/names.ts";
import { chanceOf, type Chance } from "../lib/random.ts";

export type Address = Readonly<{ Region: string; Locality: string; Street?: string; House?: string; Flat?: string }>;
/** D: domicile; R: temporary residence. Days are yyyy-mm-dd. */
export type Registration = Readonly<{ Type: "D" | "R"; Address: Address; From: string; To?: string }>;
/** BI: identity card; PP: passport. */
export type Document = Readonly<{
  Kind: "BI" | "PP";
  Series?: string;
  Number: string;
  IssuedOn: string;
  ValidUntil?: string;
  IssuedBy: string;
}>;

/** One person in the shape (and the element order) of the register's WSDL. */
export type Person = Readonly<{
  IDNP: string;
  FamilyName: string;
  GivenName: string;
  Patronymic?: string;
  DateOfBirth: string;
  Sex: "M" | "F";
  DeathDate: string | null;
  Registrations: Readonly<{ Registration: readonly Registration[] }>;
  Documents: Readonly<{ Document: readonly Document[] }>;
}>;

/** How many persons there are; their indexes are 0 to one below. */
export const PERSONS = 5_000;
const SEED = 2009;
/** The generated world stands still on this day. */
const TODAY = 2026;

/** The IDNP of the person with this index. */
export const idnpOf = (index: number): string => identifierOf("idnp", index);

/** The person with this IDNP as first entered, or undefined when there is none. */
export function personOf(idnp: string): Person | undefined {
  const index = indexOf("idnp", idnp);
  return index === undefined || index >= PERSONS ? undefined : make(idnp, chanceOf(SEED, index));
}

function make(idnp: string, chance: Chance): Person {
  const sex = chance.happens(0.52) ? "F" : "M";
  const born = chance.between(1932, 2020);
  const father = chance.pick(GIVEN_NAMES.M);
  const died = born < 1960 && chance.happens(0.12) ? dayIn(chance, chance.between(2005, TODAY - 1)) : null;
  return {
    IDNP: idnp,
    FamilyName: chance.pick(FAMILY_NAMES),
    GivenName: chance.pick(GIVEN_NAMES[sex]),
    ...(chance.happens(0.7) ? { Patronymic: father } : undefined),
    DateOfBirth: dayIn(chance, born),
    Sex: sex,
    DeathDate: died,
    Registrations: { Registration: registrations(chance, born) },
    Documents: { Document: died === null ? documents(chance, born) : [] },
  };
}

function registrations(chance: Chance, born: number): readonly Registration[] {
  const moved = chance.between(born, TODAY - 1);
  const current: Registration = { Type: "D", Address: addressOf(chance), From: dayIn(chance, moved) };
  const list = [current];
  if (moved > born + 1) list.push({ Type: "D", Address: addressOf(chance), From: `${born}-12-31`, To: current.From });
  if (chance.happens(0.15)) list.push({ Type: "R", Address: addressOf(chance), From: dayIn(chance, TODAY - 1) });
  return list;
}

/** Villages know no flats; some know no street names. */
export function addressOf(chance: Chance): Address {
  const place = chance.pick(PLACES);
  const locality = chance.pick(place.localities);
  const town = locality === place.localities[0];
  return {
    Region: place.region,
    Locality: locality,
    ...(town || chance.happens(0.8) ? { Street: `str. ${chance.pick(STREETS)}` } : undefined),
    House: String(chance.between(1, 140)),
    ...(town && chance.happens(0.7) ? { Flat: String(chance.between(1, 120)) } : undefined),
  };
}

function documents(chance: Chance, born: number): readonly Document[] {
  if (born > TODAY - 16) return [];
  const issued = chance.between(Math.max(born + 16, TODAY - 9), TODAY - 1);
  const card: Document = {
    Kind: "BI",
    Series: "B",
    Number: String(chance.between(1_000_000, 99_999_999)).padStart(8, "0"),
    IssuedOn: `${issued}-03-15`,
    ...(born > TODAY - 60 ? { ValidUntil: `${issued + 10}-03-15` } : undefined),
    IssuedBy: `Serviciul ${chance.between(1, 40)} ASP`,
  };
  if (!chance.happens(0.5)) return [card];
  const passport: Document = {
    Kind: "PP",
    Series: "AC",
    Number: String(chance.between(100_000, 9_999_999)).padStart(7, "0"),
    IssuedOn: `${issued}-05-20`,
    ValidUntil: `${issued + 7}-05-20`,
    IssuedBy: card.IssuedBy,
  };
  return [card, passport];
}

function dayIn(chance: Chance, year: number): string {
  const two = (value: number): string => String(value).padStart(2, "0");
  return `${year}-${two(chance.between(1, 12))}-${two(chance.between(1, 28))}`;
}
