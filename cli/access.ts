/** `mbus explain-access` and `mbus grants`: who may use what, until when, and why not. */
import type { AccessAnswer, GrantState } from "#bus/admin.ts";
import { admin } from "./client.ts";
import { moment } from "./journal.ts";
import { print, table, when, type Column, type Output } from "./output.ts";

export type AccessOptions = Readonly<{
  system: string;
  contract: string;
  at?: string;
  user?: string;
  entity?: string;
  basis?: string;
  reason?: string;
}>;

const SIGNS = { allows: "yes", denies: "NO", tells: "-" } as const;

/** Exit 0 = allowed, 1 = denied. */
export async function explainAccess(output: Output, options: AccessOptions): Promise<number> {
  const { system, contract, at, ...call } = options;
  const found = await admin<AccessAnswer>("POST", "/access/explanations", {
    system,
    contract,
    ...(at === undefined ? undefined : { at: moment(at, "--at") }),
    ...(Object.keys(call).length === 0 ? undefined : { call }),
  });
  const head = `${found.system} ${found.allowed ? "may" : "may not"} use ${found.contract} at ${when(found.at)} UTC`;
  const lines = found.steps.map(({ rule, verdict, said }) => `  ${SIGNS[verdict].padEnd(4)}${rule.padEnd(12)}${said}`);
  print(output, found, [head, ...lines].join("\n"));
  return found.allowed ? 0 : 1;
}

const COLUMNS: readonly Column<GrantState>[] = [
  { title: "grant", value: (row) => row.id },
  { title: "system", value: (row) => row.system },
  { title: "role", value: (row) => row.role },
  { title: "contract", value: (row) => row.contract },
  { title: "state", value: (row) => row.state },
  { title: "until (UTC)", value: (row) => (row.until > 8.64e15 ? "for ever" : when(row.until)) },
  { title: "days left", value: (row) => Math.floor(row.left / 86_400_000), right: true },
  { title: "owner", value: (row) => row.owner },
];

export async function grants(output: Output): Promise<number> {
  const { items } = await admin<{ items: readonly GrantState[] }>("GET", "/grants");
  print(output, items, table(items, COLUMNS, "no grant runs: nothing is let through"));
  return 0;
}
