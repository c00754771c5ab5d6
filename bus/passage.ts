/** What one message's way through the bus is made of: the view it sees, the parts it uses, its passage, and its seal. */
import type { IdentifierRules } from "./access/binding.ts";
import type { GrantIndex } from "./access/grants.ts";
import type { Quotas } from "./access/quota.ts";
import type { Audit } from "./audit/audit.ts";
import type { Commands } from "./commands.ts";
import type { ContractType } from "./contract/contract.ts";
import type { Endpoints } from "./delivery/endpoints.ts";
import type { Message } from "./envelope.ts";
import type { Clock, Inbound, Journal, Store } from "./ports.ts";
import type { Grant, RouteSet, Source, StepContext } from "./route/runtime.ts";
import type { RunningRoute } from "./running.ts";

/** What runs at this moment; replaced as a whole by a reload, so that one message sees one state. */
export type View = Readonly<{
  routes: ReadonlyMap<string, RunningRoute>;
  grants: GrantIndex;
  systems: RouteSet["systems"];
  contracts: RouteSet["contracts"];
}>;

export type PipelineParts = Readonly<{
  clock: Clock;
  journal: Journal;
  store: Store;
  endpoints: Endpoints;
  quotas: Quotas;
  commands: Commands;
  identifiers: IdentifierRules;
  audit: Audit;
  view: () => View;
  stopping: () => boolean;
  /** Throws while nothing may be taken. */
  mayTake?: (() => void) | undefined;
  /** The context of a route's steps for one message. */
  context: (route: string, signal: AbortSignal) => StepContext;
}>;

/** One message on its way: what later steps need to know about it. */
export type Passage = Readonly<{
  running: RunningRoute;
  source: Source;
  grant: Grant;
  inbound: Inbound;
  started: number;
  signal: AbortSignal;
}>;

/** The message with its body encoded under the contract, which also checks it, and its key. What a step encoded stays. */
export function seal(type: ContractType, message: Message): Message {
  if (message.envelope.body.length > 0) return message;
  const key = type.keyOf(message.value);
  const body = type.encode(message.value);
  return { envelope: key === undefined ? { ...message.envelope, body } : { ...message.envelope, key, body }, value: message.value };
}
