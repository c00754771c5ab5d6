/** `mbus status`, `breakers`, `contract list`, `system list`: what runs. */
import type { ContractInfo, EndpointState, RouteStatus, Status, SystemInfo } from "#bus/admin.ts";
import { formatFinding } from "#bus/route/findings.ts";
import { admin, place } from "./client.ts";
import { print, table, type Output } from "./output.ts";

type RouteRow = Readonly<{ route: RouteStatus; branch: RouteStatus["branches"][number] | undefined }>;

export async function status(output: Output): Promise<number> {
  const found = await admin<Status>("GET", "/status");
  const rows = found.routes.flatMap<RouteRow>((route) =>
    route.branches.length === 0 ? [{ route, branch: undefined }] : route.branches.map((branch) => ({ route, branch })),
  );
  const columns = [
    { title: "route", value: (row: RouteRow) => row.route.id },
    { title: "pattern", value: (row: RouteRow) => row.route.pattern },
    { title: "state", value: (row: RouteRow) => (row.branch?.paused === true ? "paused" : row.route.state) },
    { title: "branch", value: (row: RouteRow) => row.branch?.name },
    { title: "lag", value: (row: RouteRow) => row.branch?.lag, right: true },
    { title: "in flight", value: (row: RouteRow) => row.branch?.inFlight, right: true },
    { title: "retrying", value: (row: RouteRow) => row.branch?.waiting, right: true },
    { title: "blocked keys", value: (row: RouteRow) => row.branch?.blockedKeys, right: true },
  ];
  const head = `mbus ${found.version}, pid ${found.pid}, up since ${new Date(found.startedAt).toISOString()}, ${Math.round(found.memory.rss / 1048576)} MB; ${found.deadletters} dead letters, ${found.openBreakers} open breakers`;
  const share = found.cluster
    ? [
        `${found.cluster.node} works on ${found.cluster.partitions.length} of ${found.cluster.of} partitions: ${found.cluster.partitions.join(" ")}`,
      ]
    : [];
  const { revision } = found;
  const files = revision
    ? [
        `revision ${revision.number} of the files runs (${found.changes}): ${revision.who}, ${new Date(revision.time).toISOString()}, ${revision.because}`,
      ]
    : [`no revision of the files is known (${found.changes})`];
  const drift = found.drift ? ["", "the files on disk differ from what runs:", ...found.findings.map(formatFinding)] : [];
  const lost = found.unclaimed.map(({ topic, group, forgottenIn }) => `  ${group} of ${topic}, forgotten in ${daysOf(forgottenIn)}`);
  const unclaimed = lost.length > 0 ? ["", "consumer groups of routes that no process runs:", ...lost] : [];
  const ends = found.expiring.map(
    ({ id, owner, place, left }) =>
      `  ${id} (${place}) of ${owner} ${left > 0 ? `ends in ${daysOf(left)}` : `ended ${daysOf(-left)} ago: what it let through is refused`}`,
  );
  const expiring = ends.length > 0 ? ["", "grants to renew:", ...ends] : [];
  print(output, found, [head, ...share, ...files, "", table(rows, columns, "no routes"), ...expiring, ...unclaimed, ...drift].join("\n"));
  return found.drift ? 1 : 0;
}

const daysOf = (ms: number): string => (ms >= 172_800_000 ? `${Math.round(ms / 86_400_000)} days` : `${Math.round(ms / 3_600_000)} hours`);

export async function breakers(output: Output): Promise<number> {
  const { items } = await admin<{ items: readonly EndpointState[] }>("GET", "/endpoints");
  const columns = [
    { title: "endpoint", value: (row: EndpointState) => row.endpoint },
    { title: "breaker", value: (row: EndpointState) => row.breaker?.position ?? "none" },
    { title: "calls", value: (row: EndpointState) => row.breaker?.calls, right: true },
    { title: "failures", value: (row: EndpointState) => row.breaker?.failures, right: true },
    { title: "waiting", value: (row: EndpointState) => row.waiting, right: true },
    { title: "last change", value: (row: EndpointState) => row.breaker?.history.at(-1)?.reason },
  ];
  print(output, items, table(items, columns, "no endpoint was called yet"));
  return 0;
}

export async function contracts(output: Output): Promise<number> {
  const { items } = await admin<{ items: readonly ContractInfo[] }>("GET", "/contracts");
  const { http } = place();
  const served = items.map((item) => ({ ...item, wsdl: url(http, item.wsdl, "?wsdl"), rest: url(http, item.rest, "") }));
  const columns = [
    { title: "contract", value: (row: (typeof served)[number]) => row.id },
    { title: "pattern", value: (row: (typeof served)[number]) => row.pattern },
    { title: "owner", value: (row: (typeof served)[number]) => row.owner },
    { title: "wsdl", value: (row: (typeof served)[number]) => row.wsdl },
    { title: "rest", value: (row: (typeof served)[number]) => row.rest },
  ];
  print(output, served, table(served, columns, "no contracts"));
  return 0;
}

const url = (http: string, path: string | undefined | null, query: string): string | undefined =>
  path === undefined || path === null ? undefined : `${http}${path}${query}`;

export async function systems(output: Output): Promise<number> {
  const { items } = await admin<{ items: readonly SystemInfo[] }>("GET", "/systems");
  const columns = [
    { title: "system", value: (row: SystemInfo) => row.id },
    { title: "title", value: (row: SystemInfo) => row.title },
    { title: "institution", value: (row: SystemInfo) => `${row.institution.name} (${row.institution.idno})` },
    { title: "addresses", value: (row: SystemInfo) => row.addresses.join(" ") },
  ];
  print(output, items, table(items, columns, "no systems"));
  return 0;
}
