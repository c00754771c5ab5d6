/** The table of the administrators' face: one row per call, from which the API is served and its OpenAPI made. */
import { BusError } from "#bus/errors.ts";
import type { Admin, JournalQuery, StoredRecord } from "#bus/admin.ts";
import { accessEndpoints } from "./access.ts";
import { flag, number, text, type Call, type Endpoint } from "./call.ts";
import { catalogueEndpoints } from "./catalogue.ts";
import { revisionEndpoints } from "./revisions.ts";

const TEXT = { type: "string" } as const;
const NUMBER = { type: "number" } as const;
const ACT = { operator: TEXT, reason: TEXT } as const;
const CHOSEN = { ids: { type: "array", items: TEXT }, group: TEXT, ...ACT } as const;

export const endpoints: readonly Endpoint[] = [
  { method: "GET", path: "/status", title: "What runs, and what disk and running set disagree about", run: (admin) => admin.status() },
  {
    method: "GET",
    path: "/contracts",
    title: "Contracts and where they are served",
    run: async (admin) => ({ items: admin.contracts(), nextCursor: null }),
  },
  { method: "GET", path: "/systems", title: "Registered systems", run: async (admin) => ({ items: admin.systems(), nextCursor: null }) },
  {
    method: "GET",
    path: "/endpoints",
    title: "Endpoints with their breakers and limits",
    run: async (admin) => ({ items: admin.endpoints(), nextCursor: null }),
  },
  {
    method: "POST",
    path: "/routes/{id}/pauses",
    title: "Pause or resume a route",
    body: { paused: { type: "boolean" }, ...ACT },
    run: async (admin, { values, body }) => {
      await admin.pause(values["id"] ?? "", flag(body, "paused") ?? true, text(body, "operator"), text(body, "reason"));
      return {};
    },
  },
  {
    method: "POST",
    path: "/journal/searches",
    title: "Search the journal; newest first",
    body: {
      id: TEXT,
      correlationId: TEXT,
      route: TEXT,
      system: TEXT,
      contract: TEXT,
      step: TEXT,
      outcome: TEXT,
      branch: TEXT,
      entity: TEXT,
      from: NUMBER,
      to: NUMBER,
      index: { type: "object" },
      limit: NUMBER,
      cursor: NUMBER,
    },
    run: async (admin, { body }) => {
      const page = await admin.journal(query(body));
      return { items: page.records.map(withoutPayload), nextCursor: page.cursor ?? null };
    },
  },
  {
    method: "GET",
    path: "/journal/{position}",
    title: "One record of the journal",
    run: async (admin, { values }) => {
      const position = /^\d{1,15}$/u.test(values["position"] ?? "") ? Number(values["position"]) : 0;
      if (position < 1) throw new BusError("json-violation", `a position is a whole number from 1; \`${values["position"]}\` is none`);
      const { records } = await admin.journal({ ascending: true, cursor: position - 1, limit: 1 });
      const record = records[0];
      if (record?.position !== position) throw new BusError("not-found", `the journal has no record at position ${values["position"]}`);
      return { record: withoutPayload(record) };
    },
  },
  {
    method: "GET",
    path: "/messages/{id}/trace",
    title: "Every record of one exchange, oldest first",
    run: async (admin, { values }) => ({ items: (await admin.trace(values["id"] ?? "")).map(withoutPayload), nextCursor: null }),
  },
  {
    method: "GET",
    path: "/messages/{id}/evidence",
    title: "What the bus can prove of one exchange, as ASiC-E container",
    media: "application/vnd.etsi.asic-e+zip",
    run: (admin, { values }) => admin.evidence(values["id"] ?? ""),
  },
  {
    method: "GET",
    path: "/evidence-log",
    title: "Size of the evidence log, its newest checkpoint and the key to check it with",
    run: (admin) => admin.log.state(),
  },
  {
    method: "GET",
    path: "/evidence-log/consistency/{size}",
    title: "Proof that the evidence log of now begins with an earlier one of this size",
    run: (admin, { values }) => admin.log.consistency(Number(values["size"])),
  },
  {
    method: "GET",
    path: "/evidence-log/differences",
    title: "What in the journal, from the position `from` on, is not what was sealed; at most `limit`",
    run: async (admin, { query }) => {
      const asked = { from: Number(query.get("from") ?? 1), limit: Number(query.get("limit") ?? 100) };
      if (!Number.isInteger(asked.from) || !Number.isInteger(asked.limit))
        throw new BusError("json-violation", "`from` and `limit` are whole numbers");
      const limit = Math.min(1000, Math.max(1, asked.limit));
      return { items: await admin.log.check(Math.max(1, asked.from), limit), ...(await admin.log.state()) };
    },
  },
  {
    method: "GET",
    path: "/dead-letters",
    title: "Dead letters, open ones unless `state` says otherwise",
    run: async (admin, call) => ({ items: await admin.deadletters.list(filter(call.query)), nextCursor: null }),
  },
  {
    method: "GET",
    path: "/dead-letters/groups",
    title: "Open dead letters by fingerprint",
    run: async (admin) => ({ items: await admin.deadletters.groups(), nextCursor: null }),
  },
  {
    method: "GET",
    path: "/dead-letters/{id}",
    title: "One dead letter with its record",
    run: (admin, { values }) => admin.deadletters.show(values["id"] ?? ""),
  },
  {
    method: "POST",
    path: "/dead-letters/replays",
    title: "Send dead letters to their branch again",
    body: CHOSEN,
    run: (admin, { body }) => admin.deadletters.replay(chosen(body), text(body, "operator"), text(body, "reason")),
  },
  {
    method: "POST",
    path: "/dead-letters/discards",
    title: "Close dead letters without sending them",
    body: CHOSEN,
    run: (admin, { body }) => admin.deadletters.discard(chosen(body), text(body, "operator"), text(body, "reason")),
  },
  {
    method: "GET",
    path: "/replays",
    title: "Replays, newest first",
    run: async (admin) => ({ items: await admin.replay.list(), nextCursor: null }),
  },
  {
    method: "GET",
    path: "/replays/{id}",
    title: "One replay and its progress",
    run: (admin, { values }) => admin.replay.show(values["id"] ?? ""),
  },
  {
    method: "POST",
    path: "/replays",
    title: "Count (`dryRun`) or start a replay",
    body: {
      route: TEXT,
      from: NUMBER,
      to: NUMBER,
      branch: TEXT,
      where: TEXT,
      fromPosition: NUMBER,
      id: TEXT,
      correlationId: TEXT,
      rate: NUMBER,
      stopOnFailure: { type: "boolean" },
      dryRun: { type: "boolean" },
      ...ACT,
    },
    run: replay,
  },
  {
    method: "POST",
    path: "/replays/{id}/pauses",
    title: "Pause a replay",
    body: ACT,
    run: (admin, { values, body }) => admin.replay.pause(values["id"] ?? "", text(body, "operator"), text(body, "reason")),
  },
  {
    method: "POST",
    path: "/replays/{id}/resumptions",
    title: "Go on with a replay",
    body: ACT,
    run: (admin, { values, body }) => admin.replay.resume(values["id"] ?? "", text(body, "operator"), text(body, "reason")),
  },
  ...catalogueEndpoints,
  ...revisionEndpoints,
  ...accessEndpoints,
];

async function replay(admin: Admin, { body }: Call): Promise<unknown> {
  const given = {
    route: text(body, "route"),
    from: number(body, "from") ?? 0,
    to: number(body, "to") ?? Number.MAX_SAFE_INTEGER,
    ...optional(body, ["branch", "where", "id", "correlationId"]),
    ...(number(body, "fromPosition") === undefined ? undefined : { fromPosition: number(body, "fromPosition") ?? 0 }),
  };
  if (flag(body, "dryRun") === true) return { dryRun: true, ...(await admin.replay.dryRun(given)) };
  const rate = number(body, "rate");
  const acting = { operator: text(body, "operator"), reason: text(body, "reason"), stopOnFailure: flag(body, "stopOnFailure") ?? false };
  return admin.replay.run({ ...given, ...acting, ...(rate === undefined ? undefined : { rate }) });
}

/** Payloads are personal data: a search shows what happened, not what was in it. */
function withoutPayload(record: StoredRecord): StoredRecord {
  const { envelope: _, original: __, ...rest } = record;
  return rest;
}

const EQUAL = ["id", "correlationId", "route", "system", "contract", "step", "outcome", "branch", "entity"] as const;

function query(body: Readonly<Record<string, unknown>>): JournalQuery {
  const found = { ...optional(body, EQUAL), ...numbers(body, ["from", "to", "cursor"]) } as JournalQuery;
  const limit = Math.min(1000, Math.max(1, Math.floor(number(body, "limit") ?? 100)));
  return { ...found, limit, ...fields(body["index"]) };
}

/** `index` of a search: names of search fields with the text they must be equal to. */
function fields(index: unknown): Readonly<{ index?: Readonly<Record<string, string>> }> {
  if (index === undefined) return {};
  if (
    typeof index !== "object" ||
    index === null ||
    Array.isArray(index) ||
    !Object.values(index).every((value) => typeof value === "string")
  )
    throw new BusError("json-violation", "`index` is no object of texts: write the name of each search field with its value");
  return { index: index as Readonly<Record<string, string>> };
}

const STATES = ["open", "replayed", "discarded"];

function filter(query: URLSearchParams): Parameters<Admin["deadletters"]["list"]>[0] {
  const state = query.get("state");
  if (state !== null && !STATES.includes(state))
    throw new BusError("json-violation", `\`${state}\` is no state of a dead letter: write ${STATES.join(", ")}`);
  return Object.fromEntries(
    ["route", "branch", "state", "fingerprint", "messageId", "after"].flatMap((name) => (query.has(name) ? [[name, query.get(name)]] : [])),
  );
}

function chosen(body: Readonly<Record<string, unknown>>): Readonly<{ ids: readonly string[] }> | Readonly<{ group: string }> {
  const { ids, group } = body;
  if (typeof group === "string") return { group };
  if (Array.isArray(ids) && ids.length > 0 && ids.every((id) => typeof id === "string")) return { ids };
  throw new BusError("json-violation", "name what to act on: `ids` (a list) or `group` (a fingerprint)");
}

function optional(body: Readonly<Record<string, unknown>>, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.flatMap((name) => (body[name] === undefined ? [] : [[name, text(body, name)]])));
}

function numbers(body: Readonly<Record<string, unknown>>, names: readonly string[]): Record<string, number> {
  return Object.fromEntries(names.flatMap((name) => (number(body, name) === undefined ? [] : [[name, number(body, name) ?? 0]])));
}
