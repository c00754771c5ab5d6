/** The part of the administrators' face that changes what runs: revisions, plans, approvals. */
import { BusError } from "#bus/errors.ts";
import { flag, number, text, type Call, type Endpoint } from "./call.ts";

const TEXT = { type: "string" } as const;
const NUMBER = { type: "number" } as const;
const FLAG = { type: "boolean" } as const;
const ACT = { operator: TEXT, reason: TEXT } as const;
const MOST = 500;

export const revisionEndpoints: readonly Endpoint[] = [
  {
    method: "GET",
    path: "/revisions",
    title: "Revisions of the administrator's files, newest first, below `before`; at most `limit`",
    run: async (admin, { query }) => {
      const [limit, before] = [whole(query, "limit") ?? 50, whole(query, "before")];
      const items = await admin.changes.list(Math.min(MOST, Math.max(1, limit)), before);
      const last = items.at(-1)?.number;
      return { mode: admin.changes.mode, items, nextCursor: last !== undefined && last > 1 ? last : null };
    },
  },
  {
    method: "GET",
    path: "/revisions/{id}",
    title: "One revision with the digests of its files and the plan that was shown for it; `head` is the newest",
    run: async (admin, { values }) => admin.changes.show(await numberOf(values["id"] ?? "", () => admin.changes.head())),
  },
  {
    method: "GET",
    path: "/revision-texts/{digest}",
    title: "A file of a revision by the digest of its text",
    run: async (admin, { values }) => ({ text: await admin.changes.text(values["digest"] ?? "") }),
  },
  {
    method: "POST",
    path: "/revisions",
    title: "Plan (`dryRun`) or apply a change of the files of revision `base`",
    body: {
      base: NUMBER,
      put: { type: "object", additionalProperties: { type: ["string", "null"] } },
      remove: { type: "array", items: TEXT },
      anyway: FLAG,
      dryRun: FLAG,
      ...ACT,
    },
    run: async (admin, { body }) => {
      const [base, put, remove, anyway] = [number(body, "base"), body["put"], body["remove"], flag(body, "anyway") ?? false];
      const wanted = { base: base ?? 0, put: texts(put), remove: names(remove) };
      if (flag(body, "dryRun") === true) return { state: "planned", plan: await admin.changes.plan(wanted) };
      return admin.changes.apply(wanted, { who: text(body, "operator"), because: text(body, "reason"), anyway });
    },
  },
  {
    method: "POST",
    path: "/revisions/{id}/rollbacks",
    title: "Plan (`dryRun`) or make a new revision with the files of this one",
    body: { anyway: FLAG, dryRun: FLAG, ...ACT },
    run: async (admin, { values, body }) => {
      const [to, anyway] = [() => numberOf(values["id"] ?? ""), flag(body, "anyway") ?? false];
      if (flag(body, "dryRun") === true) return { state: "planned", plan: await admin.changes.planRollback(await to()) };
      const doing = { who: text(body, "operator"), because: text(body, "reason"), anyway };
      return admin.changes.rollback(await to(), doing);
    },
  },
  {
    method: "GET",
    path: "/revision-proposals",
    title: "Changes that wait, or waited, for another person's approval; newest first",
    run: async (admin) => ({ items: await admin.changes.proposals(MOST), nextCursor: null }),
  },
  {
    method: "POST",
    path: "/revision-proposals/{id}/approvals",
    title: "Approve a proposed change of somebody else: it is applied",
    body: ACT,
    run: (admin, { values, body }) => admin.changes.approve(values["id"] ?? "", text(body, "operator"), text(body, "reason")),
  },
  {
    method: "POST",
    path: "/revision-proposals/{id}/rejections",
    title: "Reject a proposed change",
    body: ACT,
    run: (admin, { values, body }) => admin.changes.reject(values["id"] ?? "", text(body, "operator"), text(body, "reason")),
  },
];

async function numberOf(value: string, head?: () => Promise<Readonly<{ number: number }> | undefined>): Promise<number> {
  const found = head && value === "head" ? (await head())?.number : /^[1-9]\d{0,8}$/u.test(value) ? Number(value) : Number.NaN;
  if (found === undefined) throw new BusError("not-found", "there is no revision yet");
  if (Number.isNaN(found)) throw new BusError("json-violation", `\`${value.slice(0, 40)}\` is no revision: write its number`);
  return found;
}

function whole(query: Call["query"], name: string): number | undefined {
  const value = query.get(name);
  if (value === null) return undefined;
  if (!/^\d{1,9}$/u.test(value)) throw new BusError("json-violation", `\`${name}\` is no whole number`);
  return Number(value);
}

function texts(put: unknown): Readonly<Record<string, string | null>> {
  if (put === undefined) return {};
  const sound = typeof put === "object" && put !== null && !Array.isArray(put);
  if (!sound || !Object.values(put).every((each) => typeof each === "string" || each === null))
    throw new BusError("json-violation", "`put` is no object of texts: write each file's path with its text");
  return put as Record<string, string | null>;
}

function names(remove: unknown): readonly string[] {
  if (remove === undefined) return [];
  if (!Array.isArray(remove) || !remove.every((each) => typeof each === "string"))
    throw new BusError("json-violation", "`remove` is no list of paths");
  return remove;
}
