/**
 * Load as a bus's senders make it: six lanes tell of changes, each of persons of its own, and two send commands. A lane sends one message
 * after the other, and each again under its id until it is acknowledged, so that the order of each person's changes is known.
 */
import type { BusProcess } from "./bus-process.ts";
import { eventually, type Receiver } from "./receiver.ts";
import { apply, idnp, tell, type Answer, type Subscribers } from "./world.ts";

/** A refusal that a sender got, with the time to come again that it was told. */
export type Refusal = Readonly<{ status: number; retryAfter: string | undefined; body: string }>;

export type Load = Readonly<{
  /** Ids that were acknowledged. */
  events: ReadonlySet<string>;
  commands: ReadonlySet<string>;
  refusals: readonly Refusal[];
  /** Sends until the signal; then each lane ends with what it has in hand. `pause`: milliseconds between two messages of a lane. */
  run(bus: BusProcess, signal: AbortSignal, pause?: number): Promise<void>;
}>;

/** Goes on from load to load: several can follow on one bus, with ids of their own and revisions that grow. */
let sequence = 0;
const EVENT_LANES = 6;
const LANES = 8;
const PERSONS = 16;

export function createLoad(): Load {
  const events = new Set<string>();
  const commands = new Set<string>();
  const refusals: Refusal[] = [];
  const inHand: (number | undefined)[] = Array.from({ length: LANES }, () => undefined);

  async function lane(at: number, bus: BusProcess, signal: AbortSignal, pause: number): Promise<void> {
    const event = at < EVENT_LANES;
    while (!signal.aborted) {
      const n = (inHand[at] ??= sequence += 1);
      const id = `${event ? "e" : "c"}-${n}`;
      const answer = await attempt(() =>
        event ? tell(bus, { id, person: idnp(at * PERSONS + (n % PERSONS)), revision: n }) : apply(bus, { id, application: `A-${id}` }),
      );
      if (answer?.status === (event ? 200 : 202)) {
        (event ? events : commands).add(id);
        inHand[at] = undefined;
        if (pause > 0) await sleep(pause);
        continue;
      }
      if (answer) refusals.push({ status: answer.status, retryAfter: answer.retryAfter, body: answer.body.slice(0, 500) });
      if (answer && answer.status < 500 && answer.status !== 429)
        throw new Error(`${id} was answered with ${answer.status}: ${answer.body.slice(0, 500)}`);
      await sleep(Math.max(5, pause));
    }
  }

  return {
    events,
    commands,
    refusals,
    run: async (bus, signal, pause = 0) => void (await Promise.all(Array.from({ length: LANES }, (_, at) => lane(at, bus, signal, pause)))),
  };
}

/** What was acknowledged and has no effect yet, as `receiver id`. */
function missing(world: Subscribers, load: Load): string[] {
  const of = (name: "pensions" | "townhall" | "statistics", ids: ReadonlySet<string>): string[] =>
    [...ids].filter((id) => !world[name].effects.has(id)).map((id) => `${name} ${id}`);
  return [
    ...of("pensions", load.events),
    ...of("townhall", load.events),
    ...of("statistics", load.events),
    ...of("pensions", load.commands),
  ];
}

/** Waits until everything that was acknowledged has its effect. `patience` in milliseconds. */
export const whole = (world: Subscribers, load: Load, patience = 90_000): Promise<void> =>
  eventually(
    () => missing(world, load).length === 0,
    () => `${missing(world, load).length} effects are missing, such as ${missing(world, load).slice(0, 5).join(", ")}`,
    patience,
  );

/** Ids that came more than once. */
export function twice({ received }: Receiver): string[] {
  const seen = new Set<string>();
  return received.map(({ id }) => id).filter((id) => seen.has(id) || !seen.add(id));
}

/** Persons whose changes did not come to the town hall in order; one that came before may come again. */
export function outOfOrder({ received }: Receiver): string[] {
  const last = new Map<string, number>();
  const bad: string[] = [];
  for (const { body } of received) {
    const { idnp: person, revision } = JSON.parse(body) as { idnp: string; revision: number };
    const before = last.get(person) ?? 0;
    if (revision < before) bad.push(`${person}: ${revision} after ${before}`);
    last.set(person, Math.max(before, revision));
  }
  return bad;
}

/** No answer at all, because the bus went away, is none to count. */
async function attempt(send: () => Promise<Answer>): Promise<Answer | undefined> {
  try {
    return await send();
  } catch {
    return undefined;
  }
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
