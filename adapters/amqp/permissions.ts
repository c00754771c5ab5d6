/**
 * What the broker must allow each modern system, as RabbitMQ's definitions (`rabbitmqctl import_definitions`): its user publishes only
 * with routing keys of its own and reads only its own queue; it declares nothing. Passwords are set apart, by the administrator.
 */
import { namesOf } from "./names.ts";
import { userOf } from "./received.ts";

export type SystemAccess = Readonly<{
  /** Id in the registry of systems. */
  system: string;
  /** RabbitMQ's salted hash of a password (`rabbitmqctl hash_password`); absent = the user comes in by its certificate only. */
  passwordHash?: string;
}>;

export function definitionsFor(systems: readonly SystemAccess[], vhost = "/", prefix = "mbus"): object {
  const names = namesOf(prefix);
  return {
    vhosts: [{ name: vhost }],
    users: systems.map(({ system, passwordHash }) => ({
      name: userOf(system),
      password_hash: passwordHash ?? "",
      hashing_algorithm: "rabbit_password_hashing_sha256",
      tags: "",
    })),
    permissions: systems.map(({ system }) => ({
      user: userOf(system),
      vhost,
      configure: "^$",
      write: whole(names.from),
      read: whole(names.inbox(system)),
    })),
    topic_permissions: systems.map(({ system }) => ({
      user: userOf(system),
      vhost,
      exchange: names.from,
      write: `\\Afrom\\.${escape(userOf(system))}\\.[A-Za-z0-9._-]+\\z`,
      read: "^$",
    })),
    exchanges: [names.from, names.to].map((name) => ({
      name,
      vhost,
      type: "topic",
      durable: true,
      auto_delete: false,
      internal: false,
      arguments: {},
    })),
    queues: systems.map(({ system }) => ({
      name: names.inbox(system),
      vhost,
      durable: true,
      auto_delete: false,
      arguments: { "x-queue-type": "quorum" },
    })),
    bindings: systems.map(({ system }) => ({
      source: names.to,
      vhost,
      destination: names.inbox(system),
      destination_type: "queue",
      routing_key: `${names.inbox(system)}.#`,
      arguments: {},
    })),
  };
}

/** `$` alone also fits before a last line break; names with one are encoded, but the broker's own check must not rest on that. */
const whole = (name: string): string => `\\A${escape(name)}\\z`;
const escape = (text: string): string => text.replace(/[.*+?^${}()|[\]\\-]/gu, "\\$&");
