/** What steps may reach: durable memory of keys, taps beside the flow, and other contracts through the bus. */
import type { ContractType } from "./contract/contract.ts";
import { topicOf, type Message } from "./envelope.ts";
import { asBusError, BusError } from "./errors.ts";
import { firstReplyOf } from "./first-reply.ts";
import { digestOf, newId } from "./ids.ts";
import type { Accept, Clock, Journal, Store } from "./ports.ts";
import { pickFields } from "./route/pick.ts";
import type { StepContext } from "./route/runtime.ts";
import type { View } from "./passage.ts";

type Parts = Readonly<{ clock: Clock; journal: Journal; store: Store; view: () => View; accept: () => Accept }>;
type Remembered = { value: string; until: number };

export async function createStepContexts(parts: Parts): Promise<(route: string, signal: AbortSignal) => StepContext> {
  const remembered = await parts.store.collection<Remembered>("remembered");
  const encoder = new TextEncoder();
  return (route, signal) => ({
    clock: parts.clock,
    signal,
    route,
    gather: () =>
      Promise.reject(
        new BusError(
          "configuration",
          `route \`${route}\`: \`aggregate\` stands only among the steps of a route that takes its messages durably`,
        ),
      ),
    tap: (topic, message, fields) => tap(parts, route, topic, message, fields),
    ask: (contract, value, message) => ask(parts, contract, value, message, signal),
    firstReply: (first) => {
      const running = parts.view().routes.get(route);
      if (!running) throw new BusError("route-paused", `route \`${route}\` was taken away`, { retryAfter: 1000 });
      return firstReplyOf({ clock: parts.clock, journal: parts.journal, route: running.route }, first);
    },
    async remember(key, window, value, instead) {
      const id = digestOf(encoder.encode(`${route}\n${key}`));
      const now = parts.clock.now();
      const known = await remembered.get(id);
      if (known && known.value.until > now && known.value.value !== instead) return known.value.value;
      const fresh = { value, until: now + window };
      try {
        if (known) await remembered.update(id, known.version, fresh);
        else await remembered.insert(id, fresh);
        return undefined;
      } catch (thrown) {
        const error = asBusError(thrown);
        if (error.code !== "store-duplicate" && error.code !== "store-conflict") throw error;
        return (await remembered.get(id))?.value.value; // another message of the same key was quicker
      }
    },
  });
}

/** A copy with only the allowed fields, published as an event of its own contract. It never fails the flow; a copy that cannot be made leaves a row. */
function tap(parts: Parts, route: string, topic: string, message: Message, fields: readonly string[]): void {
  const time = parts.clock.now();
  const { envelope } = message;
  const facts = { id: newId(time), correlationId: envelope.correlationId, route, system: envelope.source, time };
  const write = async (): Promise<void> => {
    try {
      const type = typeOf(parts.view(), topic);
      const body = type.encode(pickFields(message, fields));
      const copy = { ...envelope, id: facts.id, causationId: envelope.id, contract: topic, type: topicOf(topic), time, body };
      await parts.journal.append([{ ...facts, step: "accepted", outcome: "ok", contract: topic, envelope: copy, topic: topicOf(topic) }]);
    } catch (thrown) {
      const error = asBusError(thrown);
      await parts.journal.append([
        {
          ...facts,
          step: "dropped",
          outcome: "failed",
          errorClass: error.class,
          errorCode: error.code,
          detail: `tap to ${topic}: ${error.message}`,
        },
      ]);
    }
  };
  write().catch(() => undefined); // the journal itself failed: the flow's own record meets the same failure and is awaited
}

function typeOf(view: View, contract: string): ContractType {
  const type = view.contracts.get(contract)?.request;
  if (!type) throw new BusError("contract-unknown", `topic \`${contract}\` is no contract: a tap publishes an event contract`);
  return type;
}

/** Asks a query contract as the sender of the message: whoever sent it needs a grant for that contract too. */
async function ask(
  parts: Parts,
  contract: string,
  value: Record<string, unknown>,
  message: Message,
  signal: AbortSignal,
): Promise<Record<string, unknown>> {
  const { envelope } = message;
  for (const { route } of parts.view().routes.values()) {
    if (route.contract.id !== contract || route.contract.pattern !== "query") continue;
    const source = route.sources.find((each) => each.system === undefined || each.system === envelope.source);
    if (!source) continue;
    const outcome = await parts.accept()(
      {
        route: route.id,
        from: source.name,
        system: envelope.source,
        correlationId: envelope.correlationId,
        ...(envelope.traceparent === undefined ? undefined : { traceparent: envelope.traceparent }),
        call: envelope.call,
        headers: envelope.headers,
        bytes: envelope.body,
        mediaType: "application/vnd.mconnect.asked",
        shape: "contract",
        read: () => value,
      },
      signal,
    );
    if (outcome.kind === "reply") return outcome.value;
  }
  throw new BusError("contract-unknown", `no query route that \`${envelope.source}\` may use serves contract \`${contract}\``);
}
