/** A route that runs: its outlets and branches, started and stopped as one so that a reload of it touches no other. */
import { findGrant } from "./access/grants.ts";
import type { Audit } from "./audit/audit.ts";
import { redeem } from "./claim-check.ts";
import type { Commands } from "./commands.ts";
import { startBranch, type RunningBranch } from "./delivery/branch.ts";
import type { DeadLetters } from "./delivery/deadletters.ts";
import type { Endpoints } from "./delivery/endpoints.ts";
import { topicOf, type AvroRecord, type Message } from "./envelope.ts";
import type { Clock, Journal, Outlet, Store, Transport } from "./ports.ts";
import type { View } from "./passage.ts";
import type { Gatherer } from "./gather.ts";
import type { Pauses } from "./pauses.ts";
import { createReduction, type Reduce } from "./reduction.ts";
import { replyMessage, replyTopic, replyView } from "./replies.ts";
import type { Branch, Grant, Route, StepContext } from "./route/runtime.ts";
import { stagedTopic, startStage } from "./stage.ts";
import { createTopicOutlet } from "./topic-outlet.ts";

export interface RunningRoute {
  readonly route: Route;
  /** Outlets of a branch, one per address, first preferred. */
  outlets(branch: string): readonly Outlet[];
  readonly branches: readonly RunningBranch[];
  /** Branches that push replies of a command to its senders. */
  readonly replies: readonly RunningBranch[];
  /** Topic of the messages whose steps still wait (delay, aggregate); undefined = steps run at acceptance. */
  readonly staged: string | undefined;
  /** Those steps, for messages that died in them. */
  readonly steps: Pick<RunningBranch, "name" | "deliver"> | undefined;
  paused(): boolean;
  pause(paused: boolean): void;
  /** The reply as this grant may see it. */
  reduceReply(grant: Grant, value: AvroRecord): AvroRecord;
  /** Ends its branches; it still takes messages, which wait in the journal. Idempotent. */
  rest(): Promise<void>;
  /** Idempotent. */
  close(): Promise<void>;
}

/** What the composition knows of adapters: it makes the outlets of a branch. */
export type OutletFactory = (route: Route, branch: Branch) => readonly Outlet[];

export type RunningParts = Readonly<{
  clock: Clock;
  journal: Journal;
  transport: Transport;
  store: Store;
  endpoints: Endpoints;
  deadletters: DeadLetters;
  commands: Commands;
  gatherer: Gatherer;
  pauses: Pick<Pauses, "of">;
  outlets: OutletFactory;
  context: (route: string, signal: AbortSignal) => StepContext;
  audit: Audit;
  view: () => View;
}>;

/** Topic that the branches of a route read: the one its sources name, else its contract's. */
export function topicRead(route: Route): string {
  const topic = route.sources.find((source) => source.binding.kind === "topic")?.binding.options["name"];
  return topicOf(typeof topic === "string" ? topic : route.contract.id);
}

export async function startRoute(parts: RunningParts, route: Route): Promise<RunningRoute> {
  const outlets = new Map(route.branches.map((branch) => [branch.name, outletsOf(parts, route, branch)]));
  const reduceReply = createReduction(route.reply);
  const branches = route.contract.pattern === "query" ? [] : await startBranches(parts, route, outlets);
  const replies = await startReplies(parts, route, { outlets, reduce: reduceReply });
  const staged = stagedTopic(route);
  const stage = staged === undefined ? undefined : await startStage(parts, route, staged);
  let paused = parts.pauses.of(route);
  let resting: Promise<void> | undefined;
  let closing: Promise<void> | undefined;
  const rest = (): Promise<void> =>
    (resting ??= (async () => {
      await stage?.close();
      await Promise.all([...branches, ...replies].map((branch) => branch.close()));
    })());
  for (const branch of [...branches, ...replies]) branch.pause(paused);
  return {
    route,
    branches,
    replies,
    staged,
    steps: stage,
    outlets: (branch) => outlets.get(branch) ?? [],
    paused: () => paused && route.contract.pattern === "query",
    pause(next) {
      paused = next;
      for (const branch of [...branches, ...replies]) branch.pause(next);
    },
    reduceReply,
    rest,
    close: () =>
      (closing ??= (async () => {
        await rest();
        await Promise.all([...outlets.values()].flat().map((outlet) => outlet.close()));
      })()),
  };
}

function outletsOf(parts: RunningParts, route: Route, branch: Branch): readonly Outlet[] {
  if (branch.binding.kind !== "topic") return parts.outlets(route, branch);
  const name = String(branch.binding.options["name"]);
  return [
    createTopicOutlet({
      journal: parts.journal,
      clock: parts.clock,
      route: route.id,
      contract: name,
      type: () => parts.view().contracts.get(name)?.request,
    }),
  ];
}

async function startBranches(
  parts: RunningParts,
  route: Route,
  outlets: ReadonlyMap<string, readonly Outlet[]>,
): Promise<readonly RunningBranch[]> {
  const fromTopic = route.sources.some((source) => source.binding.kind === "topic");
  const started: RunningBranch[] = [];
  for (const written of route.branches) {
    // what came through an inlet of the route passed its steps there; what comes from a topic passes them here
    const branch = fromTopic ? { ...written, steps: [...route.steps, ...written.steps] } : written;
    started.push(
      await startBranch({
        route,
        branch,
        topic: topicRead(route),
        transport: parts.transport,
        journal: parts.journal,
        deadletters: parts.deadletters,
        outlets: outlets.get(branch.name) ?? [],
        endpoints: parts.endpoints,
        clock: parts.clock,
        context: (signal) => parts.context(route.id, signal),
        audit: parts.audit,
        redeem: (envelope) => redeem(parts.store, envelope),
        reduce: reduceFor(parts, route, branch),
        settled: route.contract.pattern === "command" ? (envelope, result) => parts.commands.settle(route, envelope, result) : undefined,
      }),
    );
  }
  return started;
}

type Reply = Readonly<{ outlets: Map<string, readonly Outlet[]>; reduce: Reduce }>;

/** `outlets`: theirs are added. */
async function startReplies(parts: RunningParts, route: Route, { outlets, reduce }: Reply): Promise<readonly RunningBranch[]> {
  const { reply, replies = [] } = route;
  if (!reply) return [];
  const view = replyView(route, reply);
  const message = replyMessage({ route, view: parts.view, now: () => parts.clock.now(), reduce });
  const started: RunningBranch[] = [];
  for (const branch of replies) {
    const own = parts.outlets(view, branch);
    outlets.set(branch.name, own);
    started.push(
      await startBranch({
        ...parts,
        route: view,
        branch,
        topic: replyTopic(route, branch),
        outlets: own,
        context: (signal) => parts.context(route.id, signal),
        redeem: (envelope) => redeem(parts.store, envelope),
        reduce: message,
        settled: undefined,
      }),
    );
  }
  return started;
}

/** A subscriber sees what its grant allows at the moment of delivery; a grant that ended stops the delivery, visibly. */
function reduceFor(parts: RunningParts, route: Route, branch: Branch): ((message: Message) => Message) | undefined {
  const { system } = branch;
  if (system === undefined || route.contract.pattern !== "event") return undefined;
  const reduce = createReduction(route.contract.request);
  return (message) => {
    const { grants, systems } = parts.view();
    const grant = findGrant(grants, systems, { system, role: "consumer", contract: route.contract.id }, [], parts.clock.now());
    return { envelope: message.envelope, value: reduce(grant, message.value) };
  };
}
