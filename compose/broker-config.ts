/**
 * What a broker must allow each registered system, in the broker's own format, from the register of systems and the secrets
 * `broker.<system>`. A system without a secret gets no password, so nobody comes in by its name.
 */
import { createHash, randomBytes } from "node:crypto";
import { definitionsFor } from "#adapters/amqp/permissions.ts";
import { writePermissions } from "#adapters/nats/permissions.ts";

export type BrokerConfig = Readonly<{ text: string; withoutPassword: readonly string[] }>;
/** A secret by its name; undefined where it is not set. */
export type Secret = (name: string) => string | undefined;

export const secretOf = (system: string): string => `broker.${system}`;

/** An authorization block for the server's configuration; systems without a secret are left out. */
export function natsConfig(systems: readonly string[], secret: Secret, bus: Readonly<{ user: string; password: string }>): BrokerConfig {
  const users = systems.map((system) => ({ system, password: secret(secretOf(system)) }));
  const known = users.flatMap(({ system, password }) => (password === undefined ? [] : [{ system, password }]));
  return { text: writePermissions(bus, known), withoutPassword: without(users) };
}

/** Definitions to import; a system without a secret comes in by its certificate only. */
export function amqpConfig(systems: readonly string[], secret: Secret): BrokerConfig {
  const users = systems.map((system) => ({ system, password: secret(secretOf(system)) }));
  const definitions = definitionsFor(
    users.map(({ system, password }) => ({ system, ...(password === undefined ? {} : { passwordHash: rabbitHash(password) }) })),
  );
  return { text: `${JSON.stringify(definitions, undefined, 2)}\n`, withoutPassword: without(users) };
}

const without = (users: readonly Readonly<{ system: string; password: string | undefined }>[]): readonly string[] =>
  users.flatMap(({ system, password }) => (password === undefined ? [system] : []));

/** RabbitMQ's rabbit_password_hashing_sha256: four bytes of salt, then SHA-256 of salt and password, in base64. */
export function rabbitHash(password: string, salt: Uint8Array = randomBytes(4)): string {
  const digest = createHash("sha256").update(salt).update(password, "utf8").digest();
  return Buffer.concat([salt, digest]).toString("base64");
}
