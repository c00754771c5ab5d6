/** The bus put together from its parts: takes messages, applies a set of routes as a whole, stops without losing anything. */
import { LENIENT, type IdentifierRules } from "./access/binding.ts";
import { authorise, indexGrants } from "./access/grants.ts";
import { createQuotaPool } from "./access/quota-pool.ts";
import { createQuotas, type Quotas } from "./access/quota.ts";
import { createSharedQuotas } from "./access/shared-quota.ts";
import { createAudit, NO_AUDIT } from "./audit/audit.ts";
import { claimCheck, redeem } from "./claim-check.ts";
import type { Leases } from "./cluster/lease.ts";
import type { ContractType } from "./contract/contract.ts";
import { createCommands, type Commands } from "./commands.ts";
import { createDeadLetters, type DeadLetterAdmin, type Recheck } from "./delivery/deadletters.ts";
import { createEndpoints, type Endpoints } from "./delivery/endpoints.ts";
import { createReplays, type ReplayAdmin } from "./delivery/replay.ts";
import { createGatherer } from "./gather.ts";
import type { Accept, Clock, Inlet, Journal, Store, Transport } from "./ports.ts";
import type { PipelineParts, View } from "./passage.ts";
import { createPauses } from "./pauses.ts";
import { createPipeline } from "./pipeline.ts";
import { predicateOf } from "./route/predicate.ts";
import type { Predicate, Route, RouteSet, Source } from "./route/runtime.ts";
import { startRoute, type OutletFactory, type RunningRoute } from "./running.ts";
import { createStepContexts } from "./step-context.ts";
import { startSweeper } from "./sweeper.ts";

export type BusParts = Readonly<{
  clock: Clock;
  journal: Journal;
  transport: Transport;
  store: Store;
  outlets: OutletFactory;
  /** The inlet of a source; undefined where branches read it by themselves (topics). */
  inlet: (route: Route, source: Source) => Inlet | undefined;
  /** For what one process of a cluster may do at a time; undefined = this is the only one. */
  leases?: Leases | undefined;
  /** Type of audit events (AUDIT_CONTRACT); undefined = nothing is audited. */
  audit?: ContractType | undefined;
  /** What a wrong check digit of an IDNP or IDNO does; undefined = nothing. */
  identifiers?: IdentifierRules | undefined;
  /** Throws while nothing may be taken, with the reason. */
  mayTake?: (() => void) | undefined;
  /** What went wrong beside the flow, for the operator's log. */
  onError: (error: unknown, where: string) => void;
}>;

export interface Bus {
  readonly accept: Accept;
  readonly endpoints: Endpoints;
  readonly deadletters: DeadLetterAdmin;
  readonly replays: ReplayAdmin;
  readonly commands: Commands;
  /** What other ways into the bus than `accept` share with it. */
  readonly pipeline: PipelineParts;
  view(): View;
  /** Holds a route, or lets it go on, on every process of the cluster. Resolves when that is durable and done here. */
  pause(route: Route, paused: boolean): Promise<void>;
  /** Replaces what runs: routes whose revision is the same go on untouched, a route that cannot start is reported and left out. */
  apply(set: RouteSet): Promise<readonly Readonly<{ route: string; error: unknown }>[]>;
  /** Position of the first record of the journal that a dead letter needs; Infinity = none. */
  needs(): Promise<number>;
  /** Takes up the replays that a former process left running, and forgets dead letters that were kept long enough. */
  resume(): Promise<void>;
  close(): Promise<void>;
}

const EMPTY: View = { routes: new Map(), grants: indexGrants([]), systems: new Map(), contracts: new Map() };

export async function createBus(parts: BusParts): Promise<Bus> {
  const { clock, journal, store } = parts;
  let view = EMPTY;
  let stopping = false;
  const endpoints = createEndpoints({ clock });
  const deadletters = await createDeadLetters({ store, journal, clock });
  const commands = createCommands({
    journal,
    clock,
    claim: (envelope) => claimCheck(store, envelope),
    reduce(route, system, value) {
      const grant = authorise(route, view, { system }, clock.now());
      return view.routes.get(route.id)?.reduceReply(grant, value) ?? value;
    },
  });
  const audit = parts.audit ? createAudit(parts.audit, () => view) : NO_AUDIT;
  const gatherer = await createGatherer({ clock, store });
  const quotas = await quotasOf(parts);
  const context = await createStepContexts({ clock, journal, store, view: () => view, accept: () => accept });
  const pipeline: PipelineParts = {
    clock,
    journal,
    store,
    endpoints,
    quotas,
    commands,
    identifiers: parts.identifiers ?? LENIENT,
    audit,
    view: () => view,
    stopping: () => stopping,
    mayTake: parts.mayTake,
    context,
  };
  const accept = createPipeline(pipeline);
  const pauses = await createPauses({
    store,
    clock,
    shared: parts.leases !== undefined,
    onError: parts.onError,
    changed(id) {
      const running = view.routes.get(id);
      running?.pause(pauses.of(running.route));
    },
  });
  const inlets = new Map<string, readonly Inlet[]>();
  const shared = { ...parts, audit, endpoints, deadletters, commands, gatherer, context, pauses, view: () => view };
  // a replay is a new act: whoever sent the message must still be allowed to
  const recheck: Recheck = (route, _branch, envelope) =>
    void authorise(route, view, { system: envelope.source, call: envelope.call }, clock.now());
  const find = (id: string): RunningRoute | undefined => view.routes.get(id);
  /** With the branches that push replies: they have dead letters, too, but no events to replay. */
  const findAny = (id: string): Pick<RunningRoute, "route" | "branches" | "steps"> | undefined => {
    const running = find(id);
    return running && { route: running.route, branches: [...running.branches, ...running.replies], steps: running.steps };
  };
  const replays = await createReplays({
    store,
    journal,
    clock,
    find,
    recheck,
    leases: parts.leases,
    predicate: whereOf,
    redeem: (envelope) => redeem(store, envelope),
  });
  const sweeper = startSweeper({
    expire: () => deadletters.expire(),
    recover: () => replays.recover(),
    leases: parts.leases,
    clock,
    deadletters,
    gatherer,
    journal,
    store,
    context,
    view: () => view,
    onError: parts.onError,
  });
  let applying: Promise<unknown> = Promise.resolve();

  const closeInlets = async (id: string): Promise<void> => {
    const open = inlets.get(id) ?? [];
    inlets.delete(id);
    await Promise.all(open.map((inlet) => inlet.close()));
  };

  const openInlets = async (route: Route): Promise<void> => {
    const opened: Inlet[] = [];
    inlets.set(route.id, opened);
    for (const source of route.sources) {
      const inlet = parts.inlet(route, source);
      if (!inlet) continue;
      opened.push(inlet);
      await inlet.start(accept);
    }
  };

  const start = async (next: Route, routes: Map<string, RunningRoute>): Promise<void> => {
    const running = await startRoute(shared, next);
    routes.set(next.id, running);
    view = { ...view, routes };
    running.pause(pauses.of(next)); // what was said while it started
  };

  const end = async (old: RunningRoute, routes: Map<string, RunningRoute>): Promise<void> => {
    routes.delete(old.route.id);
    await Promise.all([closeInlets(old.route.id), old.close()]);
  };

  /** The old revision takes messages until the new one does; what is accepted meanwhile waits in the journal for the new branches. */
  const renew = async (old: RunningRoute, next: Route, routes: Map<string, RunningRoute>): Promise<void> => {
    await old.rest();
    await start(next, routes);
    await closeInlets(next.id);
    await openInlets(next);
    await old.close();
  };

  const replace = async (old: RunningRoute | undefined, next: Route, routes: Map<string, RunningRoute>): Promise<void> => {
    if (next.state === "draft") return old && end(old, routes);
    if (old) return renew(old, next, routes);
    await start(next, routes);
    await openInlets(next);
  };

  const apply = async (set: RouteSet): Promise<readonly Readonly<{ route: string; error: unknown }>[]> => {
    const failed: { route: string; error: unknown }[] = [];
    const routes = new Map(view.routes);
    const before = view.routes;
    view = { routes, grants: indexGrants(set.grants), systems: set.systems, contracts: set.contracts };
    for (const old of before.values()) if (!set.routes.has(old.route.id)) await end(old, routes);
    for (const next of set.routes.values()) {
      const old = routes.get(next.id);
      if (old?.route.revision === next.revision) continue;
      await replace(old, next, routes).catch(async (error: unknown) => {
        failed.push({ route: next.id, error });
        const left = routes.get(next.id);
        if (left) await end(left, routes);
        await old?.close();
      });
    }
    return failed;
  };

  return {
    accept,
    endpoints,
    deadletters: deadletters.admin({ find: findAny, recheck }),
    replays,
    commands,
    pipeline,
    view: () => view,
    pause: (route, paused) => pauses.say(route, paused),
    needs: () => deadletters.needs(),
    async resume() {
      await deadletters.expire();
      await replays.recover();
      sweeper.resume();
    },
    apply(set) {
      const run = applying.then(() => apply(set));
      applying = run.catch(() => undefined);
      return run;
    },
    async close() {
      stopping = true;
      await applying;
      await pauses.close();
      await quotas.close();
      await sweeper.close();
      await replays.close();
      await Promise.all([...inlets.keys()].map(closeInlets));
      await Promise.all([...view.routes.values()].map((running) => running.close()));
      endpoints.close();
    },
  };
}

/** The expression of a replay's `where`. */
function whereOf(text: string): Predicate {
  return predicateOf({ language: "jsonata", text, namespaces: {}, path: [] }, "--where");
}

async function quotasOf({ clock, journal, store, leases, onError }: BusParts): Promise<Quotas> {
  const count = (grant: string, from: number): Promise<number> => countUses(journal, grant, from);
  if (leases === undefined) return createQuotas(clock, count);
  return createSharedQuotas({ clock, pool: await createQuotaPool({ store, clock, count }), onError });
}

/** Accepted messages under a grant since a time; asked once per grant and window after a start. */
async function countUses(journal: Journal, grant: string, from: number): Promise<number> {
  let used = 0;
  let cursor: number | undefined;
  do {
    const page = await journal.find({ index: { grant }, from, limit: 1000, ...(cursor === undefined ? undefined : { cursor }) });
    used += page.records.filter((record) => record.step === "accepted").length;
    cursor = page.cursor;
  } while (cursor !== undefined);
  return used;
}
