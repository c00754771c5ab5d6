/**
 * The register's data: the generated persons, and over them the changes made since, in an SQLite file. A change and the event that
 * tells of it are written in one transaction (an outbox), so neither can be without the other.
 */
import { randomUUID } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { personOf, type Address, type Person } from "./persons.ts";

/** What the bus is told; field names are those of contract person.changed.v1. */
export type PersonChanged = Readonly<{
  idnp: string;
  changedAt: string;
  kind: "addressChanged";
  revision: number;
  changes: readonly Readonly<{ field: string; before?: string; after?: string }>[];
  dateOfBirth: string;
  sex: "M" | "F";
  address: Readonly<{ region: string; locality: string; street?: string; house?: string; flat?: string }>;
}>;
export type Outgoing = Readonly<{ id: string; event: PersonChanged; attempts: number }>;

export interface Register {
  person(idnp: string): Person | undefined;
  /** Enters a new domicile from today on; undefined when there is no such person. */
  move(idnp: string, address: Address, now: Date): Outgoing | undefined;
  /** Events not yet accepted by the bus, oldest first. */
  pending(limit: number): readonly Outgoing[];
  /** The bus accepted the event, or it did not this time. */
  settle(id: string, accepted: boolean): void;
  counts(): Readonly<{ changes: number; pending: number }>;
  close(): void;
}

const TABLES = `
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = FULL;
  CREATE TABLE IF NOT EXISTS move (idnp TEXT, revision INTEGER, address TEXT NOT NULL, since TEXT NOT NULL, PRIMARY KEY (idnp, revision));
  CREATE TABLE IF NOT EXISTS outbox (
    place INTEGER PRIMARY KEY, id TEXT UNIQUE, event TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, accepted INTEGER NOT NULL DEFAULT 0);
  CREATE INDEX IF NOT EXISTS waiting ON outbox (place) WHERE accepted = 0;`;

type Move = Readonly<{ revision: number; address: string; since: string }>;

export function openRegister(folder: string): Register {
  mkdirSync(folder, { recursive: true });
  const db = new DatabaseSync(join(folder, "register.sqlite"));
  db.exec(TABLES);
  const moves = db.prepare("SELECT revision, address, since FROM move WHERE idnp = ? ORDER BY revision");
  const addMove = db.prepare("INSERT INTO move (idnp, revision, address, since) VALUES (?, ?, ?, ?)");
  const addEvent = db.prepare("INSERT INTO outbox (id, event) VALUES (?, ?)");
  const waiting = db.prepare("SELECT id, event, attempts FROM outbox WHERE accepted = 0 ORDER BY place LIMIT ?");
  const settle = db.prepare("UPDATE outbox SET attempts = attempts + 1, accepted = ? WHERE id = ?");
  const count = db.prepare("SELECT count(*) AS changes, coalesce(sum(accepted = 0), 0) AS pending FROM outbox");

  const person = (idnp: string): Person | undefined => {
    const entered = personOf(idnp);
    return entered === undefined ? undefined : (moves.all(idnp) as Move[]).reduce(moved, entered);
  };
  return {
    person,
    move(idnp, address, now) {
      const before = person(idnp);
      if (!before) return undefined;
      const revision = moves.all(idnp).length + 1;
      const event = changed(before, address, revision, now);
      const id = `urn:uuid:${randomUUID()}`;
      db.exec("BEGIN IMMEDIATE");
      try {
        addMove.run(idnp, revision, JSON.stringify(address), now.toISOString().slice(0, 10));
        addEvent.run(id, JSON.stringify(event));
        db.exec("COMMIT");
      } catch (error) {
        db.exec("ROLLBACK");
        throw error;
      }
      return { id, event, attempts: 0 };
    },
    pending: (limit) =>
      (waiting.all(limit) as { id: string; event: string; attempts: number }[]).map((row) => ({
        id: row.id,
        event: JSON.parse(row.event) as PersonChanged,
        attempts: row.attempts,
      })),
    settle: (id, accepted) => void settle.run(accepted ? 1 : 0, id),
    counts: () => ({ ...(count.get() as { changes: number; pending: number }) }),
    close: () => db.close(),
  };
}

/** The person after a move: the domicile of before ends on the day the new one begins. */
function moved(person: Person, move: Move): Person {
  const [current, ...older] = person.Registrations.Registration;
  const address = JSON.parse(move.address) as Address;
  const ended = current ? [{ ...current, To: move.since }] : [];
  return { ...person, Registrations: { Registration: [{ Type: "D", Address: address, From: move.since }, ...ended, ...older] } };
}

function changed(before: Person, address: Address, revision: number, now: Date): PersonChanged {
  const old = before.Registrations.Registration[0]?.Address;
  return {
    idnp: before.IDNP,
    changedAt: now.toISOString(),
    kind: "addressChanged",
    revision,
    changes: [{ field: "address", ...(old ? { before: inWords(old) } : undefined), after: inWords(address) }],
    dateOfBirth: before.DateOfBirth,
    sex: before.Sex,
    address: {
      region: address.Region,
      locality: address.Locality,
      ...(address.Street === undefined ? undefined : { street: address.Street }),
      ...(address.House === undefined ? undefined : { house: address.House }),
      ...(address.Flat === undefined ? undefined : { flat: address.Flat }),
    },
  };
}

const inWords = (address: Address): string =>
  [address.Region, address.Locality, address.Street, address.House, address.Flat].filter((part) => part !== undefined).join(", ");
