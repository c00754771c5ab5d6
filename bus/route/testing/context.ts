/** What steps reach in a route test: memory that lasts one case, taps that are noted, contracts that are mocked. */
import type { Message } from "../../envelope.ts";
import type { Clock } from "../../ports.ts";
import { compileMessagePath } from "../field-path.ts";
import { put } from "../steps/enrich.ts";
import type { StepContext } from "../runtime.ts";
import { mockedAnswer, type MockParts } from "./mocks.ts";
import { push } from "./observed.ts";

export function createTestContext(parts: MockParts, clock: Clock): (signal: AbortSignal) => StepContext {
  const remembered = new Map<string, { value: string; until: number }>();
  const groups = new Map<string, Message[]>();
  const asked = new Map<string, number>();
  return (signal) => ({
    clock,
    signal,
    route: parts.route.id,
    tap(topic, message, fields) {
      const wire = pick(message, fields);
      push(parts.seen.tapped, topic, { contract: topic, value: wire, wire, text: undefined });
    },
    ask(contract) {
      const before = asked.get(contract) ?? 0;
      asked.set(contract, before + 1);
      return mockedAnswer(parts, contract, before);
    },
    async remember(key, window, value) {
      const known = remembered.get(key);
      if (known !== undefined && known.until > clock.now()) return known.value;
      remembered.set(key, { value, until: clock.now() + window });
      return undefined;
    },
    async gather(group, message, complete) {
      const all = [...(groups.get(group) ?? []), message];
      const full = all.length >= (complete.count ?? Number.POSITIVE_INFINITY) || ((await complete.when?.(all)) ?? false);
      groups.set(group, full ? [] : all);
      return full ? all : undefined;
    },
  });
}

/** The allowed fields, headers under their own names. */
function pick(message: Message, fields: readonly string[]): Record<string, unknown> {
  let picked: Record<string, unknown> = {};
  for (const field of fields) {
    const value = compileMessagePath(field)(message);
    const path = field.startsWith("headers.") ? [field.slice("headers.".length)] : field.split(".");
    if (value !== undefined) picked = put(picked, path, value);
  }
  return picked;
}
