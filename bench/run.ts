/** `npm run bench [name …] [-- --json]`: figures beside the raw limits measured in the same run. Ratios travel between machines, figures do not. */
import { availableParallelism, cpus, totalmem } from "node:os";
import type { Figure } from "./figure.ts";

type Group = Readonly<{ names: readonly string[]; run: (names: readonly string[]) => Promise<readonly Figure[]> }>;

const GROUPS: readonly Group[] = [
  {
    names: ["journal.publish.1", "journal.publish.64", "journal.publish.1024", "replay"],
    run: async (names) => (await import("./journal.ts")).journalFigures([...names]),
  },
  {
    names: ["xml.read.2k", "xml.read.50k", "xml.write.2k", "xml.write.50k"],
    run: async (names) => (await import("./xml.ts")).xmlFigures([...names]),
  },
  { names: ["soap.exchange", "soap.latency"], run: async (names) => (await import("./soap.ts")).soapFigures(names) },
  { names: ["soap.signed", "soap.signed.ecdsa"], run: async (names) => (await import("./signed.ts")).signedFigures(names) },
  { names: ["event.route3"], run: async () => (await import("./event.ts")).eventFigures() },
  { names: ["events.produce-consume"], run: async () => (await import("./events.ts")).eventsFigures(100_000) },
  { names: ["nats.carry", "amqp.carry"], run: async (names) => (await import("./broker.ts")).brokerFigures(names) },
  { names: ["nats.backlog", "amqp.backlog"], run: async (names) => (await import("./backlog.ts")).backlogFigures(names) },
  {
    names: ["mongodb.publish.1", "mongodb.publish.64", "mongodb.publish.512"],
    run: async (names) => (await import("./mongodb.ts")).mongoFigures(names),
  },
  { names: ["start", "memory"], run: async (names) => (await import("./process.ts")).processFigures(names) },
];

/** Minutes each, so only when they are named. */
const LONG: readonly Group[] = [
  { names: ["nats.backlog.1e6", "amqp.backlog.1e6"], run: async (names) => (await import("./backlog.ts")).backlogFigures(names) },
  { names: ["events.produce-consume.1e6"], run: async () => (await import("./events.ts")).eventsFigures(1_000_000) },
  {
    names: ["soap.exchange.nats", "soap.exchange.amqp", "event.route3.nats", "event.route3.amqp"],
    run: async (names) => (await import("./engines.ts")).engineFigures(names),
  },
  { names: ["cluster.2", "cluster.4"], run: async () => (await import("./cluster.ts")).clusterFigures() },
];

const wanted = process.argv.slice(2).filter((word) => !word.startsWith("--"));
const known = [...GROUPS, ...LONG].flatMap((group) => group.names);
const unknown = wanted.filter((name) => !known.includes(name));
if (unknown.length > 0) {
  console.error(`no figure is called ${unknown.join(", ")}; there are ${known.join(", ")}`);
  process.exit(2);
}
const json = process.argv.includes("--json");
const figures: Figure[] = [];
for (const group of [...GROUPS, ...LONG]) {
  const names = group.names.filter((name) => wanted.includes(name) || (wanted.length === 0 && !LONG.includes(group)));
  if (names.length === 0) continue;
  if (!json) console.error(`… ${names.join(", ")}`);
  figures.push(...(await group.run(names)));
}
const machine = {
  cpu: cpus()[0]?.model ?? "unknown",
  cores: availableParallelism(),
  memoryGiB: Math.round(totalmem() / 2 ** 30),
  node: process.versions.node,
};
console.log(json ? JSON.stringify({ machine, figures }) : text(figures));
process.exit(0);

function text(rows: readonly Figure[]): string {
  const round = (value: number): string => (value >= 100 ? Math.round(value).toLocaleString("en") : value.toPrecision(3));
  const lines = rows.map((row) => {
    const peers = Object.entries(row.peers).map(([name, value]) => `${name} ${round(value)}`);
    const detail = Object.entries(row.detail ?? {}).map(([name, value]) => `${name} ${typeof value === "number" ? round(value) : value}`);
    return `${row.name.padEnd(22)} ${round(row.value).padStart(10)} ${row.unit.padEnd(12)} limit ${round(row.limit).padStart(10)}  ratio ${row.ratio.toFixed(2).padStart(5)}  ${[...peers, ...detail].join(" · ")}`;
  });
  return [`${machine.cpu}, ${machine.cores} cores, ${machine.memoryGiB} GiB, Node ${machine.node}`, ...lines].join("\n");
}
