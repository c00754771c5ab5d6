/** Calls about grants: when they end, and why a system may or may not use a contract. */
import { BusError } from "#bus/errors.ts";
import { number, text, type Endpoint } from "./call.ts";

const TEXT = { type: "string" } as const;
const CALL = ["user", "entity", "basis", "reason"] as const;

export const accessEndpoints: readonly Endpoint[] = [
  {
    method: "GET",
    path: "/grants",
    title: "Grants that run, the one that ends first in front",
    run: async (admin) => ({ items: admin.grants(), nextCursor: null }),
  },
  {
    method: "POST",
    path: "/access/explanations",
    title: "Why a system may or may not use a contract, rule after rule; `call` is judged where it is given",
    body: {
      system: TEXT,
      contract: TEXT,
      at: { type: "number" },
      call: { type: "object", properties: Object.fromEntries(CALL.map((name) => [name, TEXT])) },
    },
    run: async (admin, { body }) => {
      const { system, contract, call } = body;
      const at = number(body, "at");
      const question = { system: text({ system }, "system"), contract: text({ contract }, "contract"), call: callOf(call) };
      return admin.access(at === undefined ? question : { ...question, at });
    },
  },
];

/** Undefined where no call is given: then what it must say is told. */
function callOf(given: unknown): Readonly<Record<string, string>> | undefined {
  if (given === undefined) return undefined;
  if (typeof given !== "object" || given === null || Array.isArray(given))
    throw new BusError("json-violation", "`call` is no object: write `user`, `entity`, `basis` and `reason` in it");
  const call: Readonly<Record<string, unknown>> = { ...given };
  return Object.fromEntries(CALL.flatMap((name) => (call[name] === undefined ? [] : [[name, text(call, name)]])));
}
