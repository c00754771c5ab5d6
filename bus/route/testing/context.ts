/** What steps reach in a route test: memory that lasts one case, taps that are noted, contracts that are mocked. */
import type { Message } from "../../envelope.ts";
import type { Clock } from "../../ports.ts";
import { pickFields } from "../pick.ts";
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
      const wire = pickFields(message, fields);
      push(parts.seen.tapped, topic, { contract: topic, value: wire, wire, text: undefined });
    },
    ask(contract) {
      const before = asked.get(contract) ?? 0;
      asked.set(contract, before + 1);
      return mockedAnswer(parts, contract, before);
    },
    firstReply: async () => (parts.seen.reply === undefined ? { kind: "running" } : { kind: "replied", value: parts.seen.reply }),
    async remember(key, window, value, instead) {
      const known = remembered.get(key);
      if (known !== undefined && known.until > clock.now() && known.value !== instead) return known.value;
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
