/**
 * One message to one branch, now: the only way by which a message reaches a branch's target. The branch's own subscription, dead
 * letters and replays all go through here, so that a replayed message meets the same conditions, steps, maps and grants.
 */
import { subjectOf } from "../audit/audit.ts";
import type { ContractType } from "../contract/contract.ts";
import type { AvroRecord, Envelope, Message } from "../envelope.ts";
import type { Clock, Outlet } from "../ports.ts";
import { runSteps } from "../route/steps/run.ts";
import type { Branch, Route, StepContext } from "../route/runtime.ts";
import type { Endpoints } from "./endpoints.ts";
import { deliverOnce } from "./once.ts";

export type NowParts = Readonly<{
  route: Route;
  branch: Branch;
  /** One for each address of the branch, first preferred. */
  outlets: readonly Outlet[];
  endpoints: Endpoints;
  clock: Clock;
  context: (signal: AbortSignal) => StepContext;
  /** Fetches the body of a claim-checked envelope. */
  redeem?: ((envelope: Envelope) => Promise<Envelope>) | undefined;
  /** What the receiver's grant lets it see; throws access-denied when there is no grant any more. */
  reduce?: ((message: Message) => Message) | undefined;
}>;

export type NowOptions = Readonly<{
  signal: AbortSignal;
  /** From 1; chooses the address whose turn it is. */
  attempt: number;
  /** Headers that mark a replay. A replay has no deadline: the one of the message passed long ago. */
  marks?: Readonly<Record<string, string>>;
  /** Called when the outlet is asked: before that, nothing has left the bus. */
  onSend?: () => void;
}>;

export type NowResult =
  /** `subject`: IDNP of the person that it is about, where the contract names one. */
  | Readonly<{ kind: "delivered"; value: AvroRecord | undefined; endpoint: string; subject?: string }>
  /** The branch's `when` says that this message is not for it. */
  | Readonly<{ kind: "skipped" }>
  | Readonly<{ kind: "dropped"; reason: string }>
  | Readonly<{ kind: "answered"; value: AvroRecord }>;

/**
 * Decode, `when`, reduce to the granted fields, steps, map, send. Reduced before the steps: what a map renames, a grant must have
 * allowed under its own name. Throws BusError (Redeliver where a step delays); what it throws was not delivered, as far as known.
 */
export async function deliverNow(parts: NowParts, envelope: Envelope, options: NowOptions): Promise<NowResult> {
  const { route, branch } = parts;
  const whole = envelope.dataref === undefined || !parts.redeem ? envelope : await parts.redeem(envelope);
  const marked = options.marks ? { ...whole, headers: { ...whole.headers, ...options.marks } } : whole;
  const message: Message = { envelope: marked, value: decode(route, whole) };
  // what is there at once is not waited for
  const holds = branch.when?.(message);
  if (holds !== undefined && !(holds instanceof Promise ? await holds : holds)) return { kind: "skipped" };
  const granted = parts.reduce ? parts.reduce(message) : message;
  const ran = branch.steps.length === 0 ? undefined : runSteps(branch.steps, granted, parts.context(options.signal));
  const outcome = ran instanceof Promise ? await ran : ran;
  if (outcome?.kind === "drop") return { kind: "dropped", reason: outcome.reason };
  if (outcome?.kind === "answer") return { kind: "answered", value: outcome.value };
  let result: NowResult = { kind: "dropped", reason: "the steps left nothing to deliver" };
  for (const each of outcome?.messages ?? [granted]) result = await send(parts, each, options);
  if (result.kind !== "delivered") return result;
  const subject = subjectOf(route.contract, message.value);
  return subject === undefined ? result : { ...result, subject };
}

/** Values of envelopes in memory: the branches of a topic are handed the same envelope, and values never change. */
const decoded = new WeakMap<Envelope, Readonly<{ type: ContractType; value: AvroRecord }>>();

function decode(route: Route, envelope: Envelope): AvroRecord {
  const type = route.contract.request;
  const known = decoded.get(envelope);
  if (known?.type === type) return known.value;
  const value = type.decode(envelope.body);
  decoded.set(envelope, { type, value });
  return value;
}

async function send(parts: NowParts, message: Message, options: NowOptions): Promise<NowResult> {
  const { branch } = parts;
  const { envelope } = message;
  const mapped = branch.in?.(message.value, message);
  const given = mapped instanceof Promise ? await mapped : mapped;
  const outgoing = given === undefined ? message : { envelope, value: given };
  const delivered = await deliverOnce({
    outlets: parts.outlets,
    message: outgoing,
    policy: branch.deliver,
    endpoints: parts.endpoints,
    signal: options.signal,
    attempt: options.attempt,
    deadlineAt: options.marks ? undefined : envelope.deadline,
    onSend: options.onSend,
  });
  const value = delivered.value !== undefined && branch.out ? await branch.out(delivered.value, message) : delivered.value;
  return { kind: "delivered", value, endpoint: delivered.endpoint };
}
