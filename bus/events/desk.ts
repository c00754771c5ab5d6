/** MConnect Events inside the bus: takes events of producers, opens sessions of consumers, says what a system may do. */
import { findGrant } from "../access/grants.ts";
import type { Leases } from "../cluster/lease.ts";
import type { EventDesk, EventIn, EventSettings, Wish } from "../edge/events.ts";
import { asBusError, BusError } from "../errors.ts";
import { digestOf } from "../ids.ts";
import type { PipelineParts } from "../passage.ts";
import { hint } from "../near.ts";
import { openCursors, type CursorName } from "./cursor.ts";
import { createDead, deadTopic, testTopic } from "./dead.ts";
import { consumerGrant, openGroup, type Group } from "./group.ts";
import { createGroups } from "./groups.ts";
import { checked, envelopeOf, produce } from "./produce.ts";
import { createSession } from "./session.ts";
import { PARTITIONS } from "./share.ts";
import { createTail } from "./tail.ts";
import { createTypes, type CompileJsonSchema } from "./types.ts";

export type DeskParts = Pick<
  PipelineParts,
  "clock" | "journal" | "store" | "quotas" | "view" | "stopping" | "identifiers" | "audit" | "mayTake"
> &
  Readonly<{
    leases: Leases | undefined;
    jsonSchema: CompileJsonSchema;
    /** Tells when records were published through this process's journal. */
    listen(published: () => void): void;
    onError: (error: unknown, where: string) => void;
  }>;

/** Consumers of one group, so that each has a partition, and of one system. */
const MOST_IN_GROUP = PARTITIONS;
const MOST_OF_SYSTEM = 96;

type Seat = Readonly<{ system: string; group: string }>;

export async function openDesk(parts: DeskParts): Promise<EventDesk> {
  const { journal, clock } = parts;
  const typesOf = createTypes(parts.jsonSchema);
  const types = () => typesOf(parts.view());
  const cursors = await openCursors(parts.store);
  const tail = createTail(journal, clock);
  parts.listen(() => tail.appended());
  const groups = createGroups({
    clock,
    leases: parts.leases,
    open: (name) => openGroup({ ...parts, types, tail, cursors, topic: topicFor(name) }, name),
  });
  const sessions = new Set<ReturnType<typeof createSession>>();
  const seats = new Set<Seat>();

  /** The system, when it may consume anything at all. */
  const consumer = (system: string | undefined): string => {
    const { grants, systems } = parts.view();
    if (system === undefined || !systems.has(system)) findGrant(grants, systems, { system, role: "consumer", contract: "" }, [], 0);
    const mine = [...types().byName.values()].filter((known) => consumerGrant(parts.view(), system ?? "", known, clock.now()));
    if (mine.length === 0)
      throw new BusError(
        "grant-missing",
        `no grant lets system \`${system}\` consume any event type: a \`bus: grant/v1\` document with \`consumer: ${system}\` would`,
      );
    return system ?? "";
  };

  const enter = async (names: readonly CursorName[]): Promise<readonly Group[]> => {
    const entered: Group[] = [];
    try {
      for (const name of names) entered.push(await groups.enter(name));
      return entered;
    } catch (error) {
      for (const { name } of entered) await groups.leave(name);
      throw error;
    }
  };

  /** Taken before anything is waited for, so that many at once do not pass the bounds together. */
  const seat = (system: string, group: string): Seat => {
    const mine = [...seats].filter((one) => one.system === system);
    if (mine.length >= MOST_OF_SYSTEM)
      throw new BusError("inlet-busy", `system \`${system}\` has ${MOST_OF_SYSTEM} consumers, which is the limit`, { retryAfter: 5000 });
    if (mine.filter((one) => one.group === group).length >= MOST_IN_GROUP)
      throw new BusError(
        "inlet-busy",
        `the group ${group} has ${MOST_IN_GROUP} consumers, one for each partition; another would get nothing`,
        { retryAfter: 5000 },
      );
    const taken = { system, group };
    seats.add(taken);
    return taken;
  };

  const consume = async (asked: string | undefined, wish: Wish): ReturnType<EventDesk["consume"]> => {
    if (parts.stopping()) throw new BusError("bus-stopping", "the bus is stopping", { retryAfter: 5000 });
    const system = consumer(asked);
    const { group } = wish;
    const kinds = (["events", "test", "dead"] as const).filter((kind) => wish[kind]);
    if (kinds.length === 0) throw new BusError("http-request", "a consumer takes at least one of events, test and dead");
    const taken = seat(system, group);
    const names = kinds.map((kind): CursorName => ({ system, group, kind }));
    const entered = await enter(names).catch((error: unknown) => {
      seats.delete(taken);
      throw error;
    });
    const session = createSession({
      groups: entered,
      dead: createDead({ journal, clock, types, system, group }),
      async release() {
        sessions.delete(session);
        seats.delete(taken);
        for (const name of names) await groups.leave(name);
      },
    });
    sessions.add(session);
    return session;
  };

  const test = async (asked: string | undefined, event: EventIn): Promise<void> => {
    const system = consumer(asked);
    const known = types().byName.get(event.type);
    const grant = known && consumerGrant(parts.view(), system, known, clock.now());
    if (!known || !grant) {
      const mine = [...types().byName.values()].filter((each) => consumerGrant(parts.view(), system, each, clock.now()));
      const names = mine.map(({ event: { type } }) => type);
      throw new BusError("contract-unknown", `system \`${system}\` consumes no event type ${event.type}${hint(event.type, names)}`);
    }
    const value = checked(known, event);
    const time = clock.now();
    const envelope = envelopeOf({ types }, known, { event, value, system, time }, known.contract.request.encode(value));
    const { id, correlationId } = envelope;
    const contract = known.contract.id;
    const digest = digestOf(envelope.body);
    await journal.append([
      {
        step: "accepted",
        outcome: "ok",
        time,
        id,
        correlationId,
        contract,
        system,
        grant: grant.id,
        digest,
        envelope,
        topic: testTopic(system),
        detail: "a test event",
      },
    ]);
  };

  const settings = async (asked: string | undefined): Promise<EventSettings> => {
    const { grants, systems } = parts.view();
    if (asked === undefined || !systems.has(asked)) findGrant(grants, systems, { system: asked, role: "consumer", contract: "" }, [], 0);
    const system = asked ?? "";
    const now = clock.now();
    const all = [...types().byName.values()].toSorted((a, b) => (a.event.type < b.event.type ? -1 : 1));
    return {
      system,
      produces: all.flatMap(({ contract, event }) => {
        const found = grants.producer
          .get(contract.id)
          ?.get(system)
          ?.find(({ from, until }) => from <= now && now < until);
        const sources = event.sources.get(system);
        return found && sources ? [{ type: event.type, contract: contract.id, sources, grant: found.id }] : [];
      }),
      consumes: all.flatMap((known) => {
        const grant = consumerGrant(parts.view(), system, known, now);
        return grant
          ? [{ type: known.event.type, contract: known.contract.id, grant: grant.id, ...(grant.allow && { fields: grant.allow }) }]
          : [];
      }),
      groups: await cursors.groups(system),
    };
  };

  return {
    produce: (system, events) => produce({ ...parts, types }, system, events),
    consume,
    test,
    settings,
    async close() {
      for (const session of sessions.keys())
        session.end(asBusError(new BusError("bus-stopping", "the bus is stopping: connect again", { retryAfter: 5000 })));
      await Promise.all([...sessions].map((session) => session.leave()));
    },
  };
}

function topicFor({ system, group, kind }: CursorName): string | undefined {
  if (kind === "events") return undefined;
  return kind === "test" ? testTopic(system) : deadTopic(system, group);
}
