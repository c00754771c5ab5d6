/**
 * What the broker must allow each modern system, as RabbitMQ's definitions (`rabbitmqctl import_definitions`): its user publishes only
 * with routing keys of its own and reads only its own queues; it declares nothing. Passwords are set apart, by the administrator.
 */
import { namesOf } from "./names.ts";
import { userOf } from "./received.ts";
import { BOUNDED, QUESTIONS } from "./topology.ts";

export type SystemAccess = Readonly<{
  /** Id in the registry of systems. */
  system: string;
  /** RabbitMQ's salted hash of a password (`rabbitmqctl hash_password`); absent = the user comes in by its certificate only. */
  passwordHash?: string;
}>;

export function definitionsFor(systems: readonly SystemAccess[], vhost = "/", prefix = "mbus"): object {
  const names = namesOf(prefix);
  const inboxes = systems.map(({ system }) => names.inbox(system));
  const calls = systems.map(({ system }) => names.calls(system));
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
      read: `\\A(?:to|call)\\.${escape(userOf(system))}\\z`,
    })),
    topic_permissions: systems.map(({ system }) => ({
      user: userOf(system),
      vhost,
      exchange: names.from,
      write: `\\A(?:from|ask|answer)\\.${escape(userOf(system))}\\.[A-Za-z0-9._-]+\\z`,
      read: "^$",
    })),
    exchanges: [
      exchange(vhost, names.from, "topic", { "alternate-exchange": names.unrouted }),
      exchange(vhost, names.to, "topic"),
      exchange(vhost, names.unrouted, "fanout"),
    ],
    queues: [
      ...[names.unrouted, ...inboxes].map((name) => queue(vhost, name, BOUNDED)),
      ...calls.map((name) => queue(vhost, name, QUESTIONS)),
    ],
    bindings: [
      binding(vhost, names.unrouted, names.unrouted, ""),
      ...[...inboxes, ...calls].map((name) => binding(vhost, names.to, name, `${name}.#`)),
    ],
  };
}

function exchange(vhost: string, name: string, type: string, more: Readonly<Record<string, string>> = {}): object {
  return { name, vhost, type, durable: true, auto_delete: false, internal: false, arguments: more };
}

function queue(vhost: string, name: string, more: Readonly<Record<string, unknown>>): object {
  return { name, vhost, durable: true, auto_delete: false, arguments: more };
}

function binding(vhost: string, source: string, destination: string, key: string): object {
  return { source, vhost, destination, destination_type: "queue", routing_key: key, arguments: {} };
}

/** `$` alone also fits before a last line break; names with one are encoded, but the broker's own check must not rest on that. */
const whole = (name: string): string => `\\A${escape(name)}\\z`;
const escape = (text: string): string => text.replace(/[.*+?^${}()|[\]\\-]/gu, "\\$&");
