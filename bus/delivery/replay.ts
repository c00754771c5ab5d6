/**
 * Replays as durable objects: an operator says which messages, to which branch, how fast and why; the job sends exactly those that
 * the dry run counts, with their own ids and bytes, and can be paused, resumed, and outlives a restart.
 */
import type { Envelope } from "../envelope.ts";
import { holdLease, type Hold } from "../cluster/hold.ts";
import type { Leases } from "../cluster/lease.ts";
import { BusError } from "../errors.ts";
import { digestOf, newId } from "../ids.ts";
import type { Clock, Collection, Journal, Store } from "../ports.ts";
import type { Predicate, Route } from "../route/runtime.ts";
import type { RunningBranch } from "./branch.ts";
import { idOf } from "./deadletter.ts";
import { requireReason } from "./deadletter-acts.ts";
import type { FindRoute, Recheck } from "./deadletters.ts";
import { startJob, type ReplayJob, type RunningJob } from "./replay-job.ts";
import { count, type ReplayCount, type ReplayFilter, type Selection } from "./replay-scan.ts";

export type ReplayRequest = ReplayFilter &
  Readonly<{
    operator: string;
    reason: string;
    /** Messages per second, 0.1 to 1000; default 20. */
    rate?: number;
    /** Default false: failed messages are counted and the rest is sent. */
    stopOnFailure?: boolean;
  }>;

/** A job with its id and what is left to do. */
export type ReplayRow = ReplayJob & Readonly<{ id: string; remaining: number }>;

export interface ReplayAdmin {
  /** Counts exactly and changes nothing. Throws replay-refused, not-found or expression-failed as `run` would. */
  dryRun(filter: ReplayFilter): Promise<ReplayCount>;
  /** Counts, writes the `act` row and starts. Resolves when the job is durable. */
  run(request: ReplayRequest): Promise<ReplayRow>;
  /** Newest first, at most 100. */
  list(): Promise<readonly ReplayRow[]>;
  show(id: string): Promise<ReplayRow>;
  pause(id: string, operator: string, reason: string): Promise<ReplayRow>;
  /** Goes on behind the last message done; a stopped job tries the failed message again. */
  resume(id: string, operator: string, reason: string): Promise<ReplayRow>;
}

export interface Replays extends ReplayAdmin {
  /** Takes up the jobs that a former process, or another of the cluster that died, left running. To be called when the routes run. */
  recover(): Promise<void>;
  /** Halts the jobs; they stay `running` in the store. */
  close(): Promise<void>;
}

export type ReplayParts = Readonly<{
  store: Store;
  journal: Journal;
  clock: Clock;
  find: FindRoute;
  recheck?: Recheck;
  /** Compiles the JSONata of `where`; throws BusError with the place of the fault. */
  predicate: (text: string) => Predicate;
  redeem?: (envelope: Envelope) => Promise<Envelope>;
  /** In a cluster: a job runs under a lease, on one process at a time. */
  leases?: Leases | undefined;
}>;

const MOST_RUNNING = 10;

/** The hold of a process that has nobody beside it. */
const alone = (): Hold => ({ valid: () => true, lost: new AbortController().signal, release: () => Promise.resolve() });
const leaseOf = (id: string): string => `replay ${id}`;

type Target = Readonly<{ route: Route; branches: readonly RunningBranch[]; selection: Selection }>;

export async function createReplays(parts: ReplayParts): Promise<Replays> {
  const { store, journal, clock } = parts;
  const jobs: Collection<ReplayJob> = await store.collection<ReplayJob>("replays", { index: ["state"] });
  const running = new Map<string, RunningJob>();

  async function save(id: string, job: ReplayJob): Promise<void> {
    const known = await jobs.get(id);
    if (known) await jobs.update(id, known.version, job);
  }

  /** Undefined where another process of the cluster has the job. */
  async function hold(id: string): Promise<Hold | undefined> {
    if (parts.leases === undefined) return alone();
    const lease = await parts.leases.claim(leaseOf(id));
    return lease && holdLease(lease, clock);
  }

  async function elsewhere(id: string): Promise<BusError> {
    const owner = (await parts.leases?.held())?.get(leaseOf(id)) ?? "another process";
    return new BusError("store-conflict", `replay \`${id}\` runs on \`${owner}\`: ask there`);
  }

  function launch(id: string, job: ReplayJob, resumed: boolean, held: Hold): void {
    const target = targetOf(parts, job.filter);
    const { route, selection } = target;
    const branches = target.branches.filter(({ name }) => job.branches.includes(name));
    const live = startJob({
      id,
      journal,
      clock,
      route,
      branches,
      selection,
      recheck: parts.recheck,
      resumed,
      job,
      // the one that has the job now knows better
      save: async (next) => (held.valid() ? save(id, next) : undefined),
    });
    running.set(id, live);
    held.lost.addEventListener("abort", () => live.halt(true), { once: true });
    const gone = async (): Promise<void> => {
      running.delete(id);
      await held.release().catch(() => undefined);
    };
    live.ended.then(gone, gone);
  }

  async function get(id: string): Promise<ReplayRow> {
    const known = await jobs.get(id);
    if (!known) throw new BusError("not-found", `no replay has the id \`${id}\``);
    return rowOf(id, running.get(id)?.job ?? known.value);
  }

  async function act(
    id: string,
    job: ReplayJob,
    verb: string,
    by: Readonly<{ operator: string; reason: string }>,
    more = "",
  ): Promise<void> {
    const detail = `replay ${verb} by ${by.operator}: ${by.reason}${more}`.slice(0, 1000);
    await journal.append([{ step: "act", outcome: "ok", time: clock.now(), id, correlationId: id, route: job.filter.route, detail }]);
  }

  return {
    async dryRun(filter) {
      return count(targetOf(parts, filter).selection);
    },
    async run(request) {
      requireReason(request);
      if (running.size >= MOST_RUNNING)
        throw new BusError("queue-full", `${running.size} replays run already; pause one or wait`, { retryAfter: 60_000 });
      const { operator, reason, rate, stopOnFailure, ...filter } = request;
      const target = targetOf(parts, filter);
      const counted = await count(target.selection);
      const now = clock.now();
      const job: ReplayJob = {
        filter,
        branches: target.branches.map(({ name }) => name),
        rate: rateOf(rate),
        stopOnFailure: stopOnFailure ?? false,
        operator,
        reason,
        state: "running",
        startedAt: now,
        cursor: Math.max(0, counted.first - 1),
        until: counted.last,
        total: counted.total,
        withoutPayload: counted.withoutPayload,
        done: 0,
        failed: 0,
      };
      const id = idOf(now, digestOf(new TextEncoder().encode(newId(now))));
      await act(
        id,
        job,
        "started",
        request,
        `; ${counted.total} messages to ${job.branches.join(", ")} at ${job.rate}/s; ${JSON.stringify(filter)}`,
      );
      const held = await hold(id);
      await jobs.insert(id, job);
      if (held) launch(id, job, false, held);
      return rowOf(id, job);
    },
    async list() {
      const found = await jobs.find({ limit: 100 });
      return found.map(({ id, value }) => rowOf(id, running.get(id)?.job ?? value));
    },
    show: get,
    async pause(id, operator, reason) {
      requireReason({ operator, reason });
      const live = running.get(id);
      const row = await get(id);
      if (!live && row.state === "running" && parts.leases) throw await elsewhere(id);
      if (!live) throw new BusError("store-conflict", `replay \`${id}\` is ${row.state}: only a running one can be paused`);
      await act(id, live.job, "paused", { operator, reason });
      live.halt(false);
      await live.ended;
      return get(id);
    },
    async resume(id, operator, reason) {
      requireReason({ operator, reason });
      const row = await get(id);
      if (running.has(id) || row.state === "done")
        throw new BusError("store-conflict", `replay \`${id}\` is ${row.state}: there is nothing to resume`);
      const { id: _, remaining: __, ...job } = row;
      targetOf(parts, job.filter);
      const held = await hold(id);
      if (!held) throw await elsewhere(id);
      await act(id, job, "resumed", { operator, reason });
      const next: ReplayJob = { ...job, state: "running" };
      await save(id, next);
      launch(id, next, true, held);
      return rowOf(id, next);
    },
    async recover() {
      for (const { id } of await jobs.find({ where: { state: "running" } })) {
        if (running.has(id)) continue;
        const held = await hold(id);
        if (!held) continue;
        // what its last process wrote before the lease came to us
        const value = (await jobs.get(id))?.value;
        if (value?.state !== "running") {
          await held.release();
          continue;
        }
        try {
          launch(id, value, true, held);
        } catch (thrown) {
          await held.release();
          await save(id, { ...value, state: "stopped", lastError: thrown instanceof Error ? thrown.message : String(thrown) });
        }
      }
    },
    async close() {
      const live = [...running.values()];
      for (const job of live) job.halt(true);
      await Promise.all(live.map((job) => job.ended));
    },
  };
}

function rowOf(id: string, job: ReplayJob): ReplayRow {
  return { ...job, id, remaining: job.total - job.done - job.failed };
}

function rateOf(rate = 20): number {
  if (!(rate >= 0.1 && rate <= 1000)) throw new BusError("configuration", `rate ${rate}: write messages per second, from 0.1 to 1000`);
  return rate;
}

/** What a filter speaks of, as it runs now. Throws replay-refused for queries, not-found for unknown routes and branches. */
function targetOf(parts: ReplayParts, filter: ReplayFilter): Target {
  if (!(filter.from < filter.to)) throw new BusError("configuration", "a replay needs a time from and a later time to");
  const found = parts.find(filter.route);
  if (!found) throw new BusError("not-found", `no route \`${filter.route}\` runs`);
  const { route } = found;
  if (route.contract.pattern === "query") {
    throw new BusError("replay-refused", `route \`${route.id}\` carries queries: their callers have gone, so they are evidence, not work`);
  }
  const branches = found.branches.filter(({ name }) => filter.branch === undefined || name === filter.branch);
  const [first] = branches;
  if (!first) {
    const names = found.branches.map(({ name }) => `\`${name}\``).join(", ");
    throw new BusError("not-found", `route \`${route.id}\` has no branch \`${filter.branch}\`; it has ${names}`);
  }
  const where = filter.where === undefined ? undefined : parts.predicate(filter.where);
  const { journal, redeem } = parts;
  return { route, branches, selection: { journal, filter, topic: first.topic, contract: route.contract, where, redeem } };
}
