/** `mbus deadletters list|show|replay|discard`: messages that failed for good. */
import type { DeadLetterGroup, DeadLetterRow, ActResult } from "#bus/admin.ts";
import { admin } from "./client.ts";
import { CommandFailed, print, table, when, type Output } from "./output.ts";

export type ListOptions = Readonly<{ route?: string; branch?: string; state?: string; groups?: boolean }>;

export async function list(output: Output, options: ListOptions): Promise<number> {
  if (options.groups === true) return groups(output);
  const { groups: _, ...filter } = options;
  const query = new URLSearchParams(filter as Record<string, string>).toString();
  const { items } = await admin<{ items: readonly DeadLetterRow[] }>("GET", `/dead-letters${query === "" ? "" : `?${query}`}`);
  const columns = [
    { title: "id", value: (row: DeadLetterRow) => row.id },
    { title: "died (UTC)", value: (row: DeadLetterRow) => when(row.diedAt) },
    { title: "route", value: (row: DeadLetterRow) => `${row.route}/${row.branch}` },
    { title: "state", value: (row: DeadLetterRow) => row.state },
    { title: "attempts", value: (row: DeadLetterRow) => row.attempts, right: true },
    { title: "message", value: (row: DeadLetterRow) => row.messageId },
    { title: "why", value: (row: DeadLetterRow) => `${row.errorCode} ${row.text}`.slice(0, 100) },
  ];
  print(output, items, table(items, columns, "no dead letters"));
  return 0;
}

async function groups(output: Output): Promise<number> {
  const { items } = await admin<{ items: readonly DeadLetterGroup[] }>("GET", "/dead-letters/groups");
  const columns = [
    { title: "group", value: (row: DeadLetterGroup) => row.fingerprint },
    { title: "count", value: (row: DeadLetterGroup) => row.count, right: true },
    { title: "route", value: (row: DeadLetterGroup) => `${row.route}/${row.branch}` },
    { title: "first (UTC)", value: (row: DeadLetterGroup) => when(row.firstAt) },
    { title: "last (UTC)", value: (row: DeadLetterGroup) => when(row.lastAt) },
    { title: "why", value: (row: DeadLetterGroup) => `${row.errorClass} ${row.text}`.slice(0, 100) },
  ];
  print(output, items, table(items, columns, "no dead letters"));
  return 0;
}

export async function show(output: Output, id: string): Promise<number> {
  const found = await admin<{ deadLetter: DeadLetterRow; record?: { envelope?: unknown } }>(
    "GET",
    `/dead-letters/${encodeURIComponent(id)}`,
  );
  print(output, found, JSON.stringify(found, null, 2));
  return 0;
}

export type ActOptions = Readonly<{ group?: string; all?: boolean; route?: string; reason: string; operator: string }>;

/** Acts on named letters, on one group, or on all open ones (of a route). Exit 1 when some could not be done. */
export async function act(output: Output, verb: "replays" | "discards", ids: readonly string[], options: ActOptions): Promise<number> {
  const { reason, operator } = options;
  const chosen = options.group === undefined ? { ids: ids.length > 0 ? ids : await every(options) } : { group: options.group };
  const result = await admin<ActResult>("POST", `/dead-letters/${verb}`, { ...chosen, reason, operator });
  const failed = result.failed.map(({ id, code, text }) => `${id}  ${code}  ${text}`);
  const done = verb === "replays" ? "delivered" : "discarded";
  print(output, result, [`${result.done} ${done}, ${result.failed.length} failed, ${result.remaining} left`, ...failed].join("\n"));
  return result.failed.length > 0 ? 1 : 0;
}

async function every(options: ActOptions): Promise<readonly string[]> {
  if (options.all !== true) throw new CommandFailed("name the dead letters, or give --group or --all", 2);
  const query = options.route === undefined ? "" : `?route=${encodeURIComponent(options.route)}`;
  const { items } = await admin<{ items: readonly DeadLetterRow[] }>("GET", `/dead-letters${query}`);
  if (items.length === 0) throw new CommandFailed("no open dead letters");
  return items.map(({ id }) => id);
}
