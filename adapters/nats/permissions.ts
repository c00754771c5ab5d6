/**
 * The authorization part of a NATS server's configuration, from the register of systems: each system may publish only under its own
 * `from.`, `ask.` and `answer.`, read only its own answers, its own questions and its own consumer of MBUS_TO. The subject then says who
 * speaks.
 */
import { BusError } from "#bus/errors.ts";
import { TO, tokenOf } from "./names.ts";

/** `password`: as the server's configuration takes it, best a bcrypt hash (`nats server passwd`). */
export type NatsUser = Readonly<{ system: string; password: string }>;

/** A user name is the system's token, as in its subjects. `bus`: user of the bus itself, who may do all. */
export function writePermissions(bus: Readonly<{ user: string; password: string }>, systems: readonly NatsUser[]): string {
  const names = new Set([bus.user]);
  for (const { system } of systems) {
    if (names.has(tokenOf(system)))
      throw new BusError(
        "configuration",
        `two NATS users would be called ${tokenOf(system)}: name each system once, and none like the bus`,
      );
    names.add(tokenOf(system));
  }
  return [
    "# Written by mbus from the register of systems; include it in the server's configuration.",
    "authorization {",
    "  users = [",
    `    { user: ${quoted(bus.user)}, password: ${quoted(bus.password)}, permissions: { publish: ">", subscribe: ">" } }`,
    ...systems.map((one) => `    ${userOf(one)}`),
    "  ]",
    "}",
    "",
  ].join("\n");
}

function userOf({ system, password }: NatsUser): string {
  const token = tokenOf(system);
  const publish = [
    `from.${token}.>`,
    `ask.${token}.>`,
    `answer.${token}.>`,
    `$JS.API.CONSUMER.MSG.NEXT.${TO}.${token}`,
    `$JS.API.CONSUMER.INFO.${TO}.${token}`,
    `$JS.ACK.${TO}.${token}.>`,
    // with domain and account before the stream
    `$JS.ACK.*.*.${TO}.${token}.>`,
  ];
  const subscribe = [`_INBOX.${token}.>`, `call.${token}.>`];
  const permissions = `{ publish: { allow: [${publish.map(quoted).join(", ")}] }, subscribe: { allow: [${subscribe.map(quoted).join(", ")}] } }`;
  return `{ user: ${quoted(token)}, password: ${quoted(password)}, permissions: ${permissions} }`;
}

/** A string of the configuration's syntax. Control characters cannot stand in one. */
function quoted(text: string): string {
  if (/\p{Cc}/u.test(text)) throw new BusError("configuration", "a user or password of NATS holds a control character: choose another");
  return `"${text.replace(/["\\]/gu, "\\$&")}"`;
}
