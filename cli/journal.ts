/** `mbus journal find|show|tail` and `mbus trace ID`: what happened to a message. */
import type { JournalQuery, StoredRecord } from "#bus/admin.ts";
import { admin } from "./client.ts";
import { CommandFailed, print, table, when, whole, type Column, type Output } from "./output.ts";

export type FindOptions = Readonly<{
  id?: string;
  correlation?: string;
  route?: string;
  system?: string;
  contract?: string;
  step?: string;
  outcome?: string;
  branch?: string;
  entity?: string;
  from?: string;
  to?: string;
  field?: readonly string[];
  limit?: string;
}>;

type Page = Readonly<{ items: readonly StoredRecord[]; nextCursor: number | null }>;

const COLUMNS: readonly Column<StoredRecord>[] = [
  { title: "position", value: (row) => row.position, right: true },
  { title: "time (UTC)", value: (row) => when(row.time) },
  { title: "step", value: (row) => row.step },
  { title: "outcome", value: (row) => row.outcome },
  { title: "route", value: (row) => (row.branch === undefined ? row.route : `${row.route}/${row.branch}`) },
  { title: "system", value: (row) => row.target ?? row.system },
  { title: "ms", value: (row) => row.elapsed, right: true },
  { title: "id", value: (row) => row.id },
  { title: "why", value: (row) => (row.detail === undefined ? "" : `${row.errorCode ?? ""} ${row.detail}`.trim().slice(0, 100)) },
];

/** Members of a row, in the order in which they are printed. */
const MEMBERS = [
  "position",
  "id",
  "correlationId",
  "route",
  "contract",
  "system",
  "time",
  "step",
  "outcome",
  "branch",
  "target",
  "attempt",
  "elapsed",
  "errorClass",
  "errorCode",
  "detail",
  "grant",
  "digest",
  "index",
  "call",
] as const;

/** The documented JSON shape of a row. */
export function row(record: StoredRecord): Readonly<Record<string, unknown>> {
  return Object.fromEntries(MEMBERS.map((name) => [name, name === "time" ? new Date(record.time).toISOString() : record[name]]));
}

export async function find(output: Output, options: FindOptions): Promise<number> {
  const page = await admin<Page>("POST", "/journal/searches", query(options));
  print(output, page.items.map(row), table(page.items, COLUMNS, "no record fits"));
  return 0;
}

export async function show(output: Output, position: string): Promise<number> {
  const found = await admin<{ record: StoredRecord }>("GET", `/journal/${whole(position, "position")}`);
  print(output, row(found.record), JSON.stringify(row(found.record), null, 2));
  return 0;
}

export async function trace(output: Output, id: string): Promise<number> {
  const found = await admin<{ items: readonly StoredRecord[] }>("GET", `/messages/${encodeURIComponent(id)}/trace`);
  if (found.items.length === 0) throw new CommandFailed(`no message, correlation or ticket has the id \`${id}\``);
  print(output, found.items.map(row), table(found.items, COLUMNS, ""));
  return 0;
}

/** Prints new rows as they come, until it is interrupted. */
export async function tail(output: Output, options: FindOptions, signal: AbortSignal): Promise<number> {
  let seen = (await admin<Page>("POST", "/journal/searches", { ...query(options), limit: 1 })).items[0]?.position ?? 0;
  while (!signal.aborted) {
    const page = await admin<Page>("POST", "/journal/searches", { ...query(options), limit: 200 });
    const fresh = page.items.filter((record) => record.position > seen).reverse();
    for (const record of fresh) output.out(output.json ? JSON.stringify(row(record)) : (table([record], COLUMNS, "").split("\n")[1] ?? ""));
    seen = fresh.at(-1)?.position ?? seen;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  return 0;
}

function query(options: FindOptions): JournalQuery {
  const { correlation, from, to, field, limit, ...equal } = options;
  return {
    ...(equal as JournalQuery),
    ...(correlation === undefined ? undefined : { correlationId: correlation }),
    ...(from === undefined ? undefined : { from: moment(from, "--from") }),
    ...(to === undefined ? undefined : { to: moment(to, "--to") }),
    ...(field === undefined ? undefined : { index: Object.fromEntries(field.map(pair)) }),
    limit: limit === undefined ? 100 : whole(limit, "--limit"),
  };
}

function pair(text: string): [string, string] {
  const at = text.indexOf("=");
  if (at < 1) throw new CommandFailed(`--field ${text} is not NAME=VALUE`, 2);
  return [text.slice(0, at), text.slice(at + 1)];
}

/** ISO 8601, or `10m`, `2h`, `3d` ago. */
export function moment(text: string, name: string): number {
  const ago = /^(\d+)([smhd])$/u.exec(text);
  if (ago) return Date.now() - Number(ago[1]) * ({ s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }[ago[2] ?? "s"] ?? 1000);
  const time = Date.parse(text);
  if (Number.isNaN(time))
    throw new CommandFailed(`${name} ${text} is no time: write 2026-11-23T09:00:00Z, or 10m, 2h, 3d for that long ago`, 2);
  return time;
}
