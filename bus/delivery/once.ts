/** One attempt at one of a branch's addresses. */
import type { AvroRecord, Message } from "../envelope.ts";
import { BusError } from "../errors.ts";
import type { Outlet } from "../ports.ts";
import type { DeliverPolicy } from "../route/runtime.ts";
import type { Endpoints } from "./endpoints.ts";

export type OnceParts = Readonly<{
  /** One for each address of the branch, first preferred. */
  outlets: readonly Outlet[];
  /** As the outlet sends it: already mapped. */
  message: Message;
  policy: DeliverPolicy;
  endpoints: Endpoints;
  signal: AbortSignal;
  /** Number of the attempt, from 1: each next one begins at the next address. */
  attempt: number;
  deadlineAt?: number | undefined;
  /** Called when the outlet is asked, after waiting for breaker and limits. */
  onSend?: (() => void) | undefined;
}>;

export type Delivered = Readonly<{ value: AvroRecord | undefined; endpoint: string }>;

/**
 * The address of an attempt: the one whose turn it is, or the next whose breaker lets a call through. When none does, the one whose
 * turn it is, and the policy's `whenOpen` decides what that means.
 */
export function pickOutlet(outlets: readonly Outlet[], attempt: number, policy: DeliverPolicy, endpoints: Endpoints): Outlet {
  const turn = (attempt - 1) % Math.max(1, outlets.length);
  const first = outlets[turn];
  if (!first) throw new BusError("configuration", "the branch has no address to deliver to; write one under its system or target");
  if (outlets.length === 1 || endpoints.ready(first.endpoint, policy)) return first;
  for (let step = 1; step < outlets.length; step++) {
    const other = outlets[(turn + step) % outlets.length];
    if (other && endpoints.ready(other.endpoint, policy)) return other;
  }
  return first;
}

/** Sends once. Rejects as `Endpoints.call` does. */
export async function deliverOnce(parts: OnceParts): Promise<Delivered> {
  const { policy, endpoints, message } = parts;
  const outlet = pickOutlet(parts.outlets, parts.attempt, policy, endpoints);
  const ask = (signal: AbortSignal): Promise<AvroRecord | undefined> => {
    parts.onSend?.();
    return outlet.send(message, signal);
  };
  const value = await endpoints.call(outlet.endpoint, policy, parts.signal, ask, parts.deadlineAt);
  return { value, endpoint: outlet.endpoint };
}
