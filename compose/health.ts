/** `/livez`, `/readyz` and `/metrics` (Prometheus text format 0.0.4). */
import { monitorEventLoopDelay } from "node:perf_hooks";
import type { GrantState } from "#bus/access/expiry.ts";
import type { ClusterStatus } from "#bus/admin.ts";
import type { Bus } from "#bus/bus.ts";
import type { StampState } from "#bus/evidence/stamps.ts";
import type { WebHandler, WebHost } from "#bus/wire.ts";
import type { GivenUpWatch } from "./given-up.ts";
import type { IdentityCounts } from "./identity.ts";
import type { BrokerState } from "./topics.ts";

export type HealthParts = Readonly<{
  bus: () => Bus | undefined;
  ready: () => boolean;
  version: string;
  topics: () => readonly BrokerState[];
  grants: () => readonly GrantState[];
  /** Whether disk and running files differ, and the revision that runs here. */
  configuration: () => Readonly<{ drift: boolean; revision: Readonly<{ number: number }> | undefined }>;
  /** Undefined = nobody stamps the evidence log. */
  stamp: () => StampState | undefined;
  givenUp: GivenUpWatch["counts"];
  identity: () => IdentityCounts;
  /** Undefined = this process is the only one. */
  cluster?: (() => ClusterStatus) | undefined;
}>;

/** Milliseconds that a record may wait for its time-stamp before somebody should look. */
const LATE = 600_000;

export function mountHealth(host: WebHost, parts: HealthParts): () => void {
  const delay = monitorEventLoopDelay({ resolution: 10 });
  delay.enable();
  const text = (status: number, body: string): Awaited<ReturnType<WebHandler>> => ({
    status,
    headers: { "content-type": "text/plain; charset=utf-8" },
    body,
  });
  const unmount = [
    host.mount("admin", "/livez", () => Promise.resolve(text(200, "alive\n"))),
    host.mount("admin", "/readyz", () =>
      Promise.resolve(parts.ready() ? text(200, ["ready", ...share(parts), ...troubles(parts), ""].join("\n")) : text(503, "not ready\n")),
    ),
    host.mount("admin", "/metrics", async () => {
      const lines = await metrics(parts, delay.percentile(99) / 1e9);
      delay.reset();
      return { status: 200, headers: { "content-type": "text/plain; version=0.0.4; charset=utf-8" }, body: lines };
    }),
  ];
  return () => {
    delay.disable();
    for (const each of unmount) each();
  };
}

/** Which partitions of the cluster are this process's. */
function share({ cluster }: HealthParts): readonly string[] {
  if (!cluster) return [];
  const { node, partitions, of } = cluster();
  return [`${node}: works on ${partitions.length} of ${of} partitions${partitions.length > 0 ? `, ${partitions.join(" ")}` : ""}`];
}

/** What does not keep the bus from its work, and should be looked at. */
function troubles(parts: HealthParts): readonly string[] {
  const waiting = parts.stamp()?.waitingSince;
  const late = waiting !== undefined && Date.now() - waiting > LATE;
  const away = parts.topics().filter(({ up, waiting }) => !up || waiting > 0);
  return [
    ...(late ? [`time-stamps: the evidence log has waited for one since ${new Date(waiting).toISOString()}`] : []),
    ...away.map(({ broker, up, waiting }) => `${broker}: ${up ? "connected" : "away"}, ${waiting} sources of routes wait for it`),
    ...parts
      .givenUp()
      .map(({ broker, reason, count }) => `${broker}: gave up ${count} messages (${reason}) since the start; the journal has them`),
  ];
}

type Sample = Readonly<{ labels: Readonly<Record<string, string>>; value: number }>;

async function metrics(parts: HealthParts, loopDelay: number): Promise<string> {
  const lines: string[] = [];
  const add = (name: string, type: "gauge" | "counter", help: string, samples: readonly Sample[]): void => {
    lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`);
    for (const { labels, value } of samples) lines.push(`${name}${labelsOf(labels)} ${value}`);
  };
  add("mbus_build_info", "gauge", "Version of the bus.", [{ labels: { version: parts.version }, value: 1 }]);
  add("mbus_event_loop_delay_p99_seconds", "gauge", "Event-loop delay, 99th percentile since the last scrape.", [
    { labels: {}, value: loopDelay },
  ]);
  add("mbus_resident_memory_bytes", "gauge", "Resident memory.", [{ labels: {}, value: process.memoryUsage.rss() }]);
  const { drift, revision } = parts.configuration();
  add("mbus_configuration_drift", "gauge", "1 = the files on disk differ from what runs, 0 = they do not.", [
    { labels: {}, value: drift ? 1 : 0 },
  ]);
  add("mbus_configuration_revision", "gauge", "Number of the revision that runs here, 0 = none.", [
    { labels: {}, value: revision?.number ?? 0 },
  ]);
  add(
    "mbus_grant_expires_seconds",
    "gauge",
    "Seconds until a grant ends; below 0 it has ended.",
    parts.grants().map(({ id, system, contract, left }) => ({ labels: { grant: id, system, contract }, value: Math.round(left / 1000) })),
  );
  const stamp = parts.stamp();
  if (stamp)
    add("mbus_evidence_unstamped_seconds", "gauge", "Age of the oldest record of the evidence log without a time-stamp.", [
      { labels: {}, value: stamp.waitingSince === undefined ? 0 : (Date.now() - stamp.waitingSince) / 1000 },
    ]);
  const bus = parts.bus();
  if (!bus) return `${lines.join("\n")}\n`;
  const branches = [...bus.view().routes.values()].flatMap((running) =>
    [...running.branches, ...running.replies].map((branch) => ({ route: running.route.id, branch })),
  );
  const states = await Promise.all(branches.map(async ({ route, branch }) => ({ route, state: await branch.state() })));
  const of = (pick: (state: (typeof states)[number]["state"]) => number): Sample[] =>
    states.map(({ route, state }) => ({ labels: { route, branch: state.name }, value: pick(state) }));
  add(
    "mbus_branch_lag_messages",
    "gauge",
    "Messages a branch has not finished.",
    of((state) => state.lag),
  );
  add(
    "mbus_branch_waiting_messages",
    "gauge",
    "Messages of a branch that wait for a retry.",
    of((state) => state.waiting),
  );
  add(
    "mbus_branch_blocked_keys",
    "gauge",
    "Keys whose head waits for a retry.",
    of((state) => state.blockedKeys),
  );
  const endpoints = bus.endpoints.list();
  add(
    "mbus_endpoint_up_ratio",
    "gauge",
    "1 = breaker closed, 0 = open, 0.5 = half open.",
    endpoints.map(({ endpoint, breaker }) => ({
      labels: { endpoint },
      value: breaker?.position === "open" ? 0 : breaker?.position === "half-open" ? 0.5 : 1,
    })),
  );
  const brokers = parts.topics();
  const ofBroker = (pick: (state: BrokerState) => number): Sample[] =>
    brokers.map((state) => ({ labels: { broker: state.broker }, value: pick(state) }));
  add(
    "mbus_topic_edge_up",
    "gauge",
    "1 = the broker that routes name has a connection, 0 = it is away.",
    ofBroker((state) => (state.up ? 1 : 0)),
  );
  add(
    "mbus_topic_sources_waiting",
    "gauge",
    "Sources on the broker that do not receive yet.",
    ofBroker((state) => state.waiting),
  );
  add(
    "mbus_broker_given_up_total",
    "counter",
    "Messages that a broker gave up by itself; the journal sends them again.",
    parts.givenUp().map(({ broker, reason, count }) => ({ labels: { broker, reason }, value: count })),
  );
  const { refused, unknownAccepted } = parts.identity();
  add(
    "mbus_callers_refused_total",
    "counter",
    "TLS handshakes and callers that were refused.",
    Object.entries(refused).map(([reason, value]) => ({ labels: { reason }, value })),
  );
  add(
    "mbus_revocation_unknown_accepted_total",
    "counter",
    "Callers taken although nobody could say whether their certificate was revoked.",
    [{ labels: {}, value: unknownAccepted }],
  );
  return `${lines.join("\n")}\n`;
}

function labelsOf(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(
    ([name, value]) => `${name}="${value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n")}"`,
  );
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}
