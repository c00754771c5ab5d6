/** Settings of the process from its environment variables. All faults are told at once, each with what to write. */
import { hostname } from "node:os";
import { BusError } from "#bus/errors.ts";
import { near } from "#bus/near.ts";
import { readTls, TLS_NAMES, type TlsSettings } from "./tls.ts";

export type Settings = Readonly<{
  host: string;
  /** 0 = any free port. */
  httpPort: number;
  tlsPort: number;
  registryPort: number;
  /** Data, keys and development CA of the embedded parts. */
  dataDir: string;
  transport: "embedded" | "nats" | "amqp";
  store: "embedded" | "mongodb";
  /** Stage: `config/<environment>.yaml` holds its values. */
  environment: string;
  /** Whether the files on disk are live, only what was applied is, or only what another person approved. */
  changes: "watched" | "applied" | "reviewed";
  /** What a wrong check digit of an IDNP or IDNO does to a message. */
  checkDigits: "off" | "warn" | "refuse";
  /** Name of this process among those that share one cluster; its leases bear it. */
  node: string;
  /** Parts that each topic of a cluster is cut into; every process of the cluster has the same number. */
  partitions: number;
  /** Milliseconds and bytes that the journal keeps; undefined = for ever, and as much as there is. */
  journalAge: number | undefined;
  journalBytes: number | undefined;
  /** Milliseconds of running after which a consumer group that no process has is forgotten. */
  forgetAfter: number;
  /** Kind of the key that signs messages; milliseconds that clocks may differ, and that a signed message counts at most. */
  signatures: Readonly<{ key: "rsa" | "ecdsa"; skew: number; maxAge: number }>;
  natsUrl: string | undefined;
  /** `always`: the operator's word that each NATS server writes to disk before it confirms; a server does not tell it. */
  natsSync: "always" | "interval";
  amqpUrl: string | undefined;
  mongodbUrl: string | undefined;
  mongodbDatabase: string;
  schemaRegistryUrl: string | undefined;
  /** What calls may reach beside public https addresses: `http`, and networks. */
  outbound: readonly string[];
  /** Time-stamping authority; undefined = the development one, `off` = none. Its certificates lie in the file `tsaCa`. */
  tsaUrl: string | undefined;
  tsaCa: string | undefined;
  /** Milliseconds between time-stamps, and how old a record may become without one before nothing more is taken. */
  tsaEvery: number;
  tsaLongest: number;
  tls: TlsSettings;
}>;

export type Env = Readonly<Record<string, string | undefined>>;

export const KNOWN: readonly string[] = [
  "MBUS_HOST",
  "MBUS_HTTP_PORT",
  "MBUS_TLS_PORT",
  "MBUS_REGISTRY_PORT",
  "MBUS_DATA_DIR",
  "MBUS_TRANSPORT",
  "MBUS_STORE",
  "MBUS_ENV",
  "MBUS_CHANGES",
  "MBUS_CHECK_DIGITS",
  "MBUS_NODE",
  "MBUS_PARTITIONS",
  "MBUS_JOURNAL_DAYS",
  "MBUS_JOURNAL_GIB",
  "MBUS_FORGET_DAYS",
  "MBUS_OUTBOUND",
  "MBUS_TSA_URL",
  "MBUS_TSA_CA",
  "MBUS_TSA_SECONDS",
  "MBUS_TSA_HOURS",
  "MBUS_SIGNATURE_KEY",
  "MBUS_SIGNATURE_SKEW",
  "MBUS_SIGNATURE_MINUTES",
  ...TLS_NAMES,
];

/** On a developer's machine providers are neighbours. */
const EVERYTHING = "http,0.0.0.0/0,::/0";

const DAY = 86_400_000;
const GIB = 1_073_741_824;
/** De-duplication looks back 30 days. */
const LEAST_DAYS = 31;

type Faults = { readonly texts: string[] };

/** Throws `configuration` with one place per fault. */
export function readSettings(env: Env): Settings {
  const faults: Faults = { texts: [] };
  misspelt(env, faults);
  const ports = {
    httpPort: port(env, "MBUS_HTTP_PORT", 8080, faults),
    tlsPort: port(env, "MBUS_TLS_PORT", 8443, faults),
    registryPort: port(env, "MBUS_REGISTRY_PORT", 8081, faults),
  };
  distinct(ports, faults);
  const transport = word(env, "MBUS_TRANSPORT", ["embedded", "nats", "amqp"] as const, faults);
  const store = word(env, "MBUS_STORE", ["embedded", "mongodb"] as const, faults);
  const natsUrl = url(
    env,
    "NATS_URL",
    /^(nats|tls|wss?):$/,
    "nats://host:4222",
    transport === "nats" ? "MBUS_TRANSPORT=nats" : undefined,
    faults,
    "several",
  );
  const natsSync = word(env, "NATS_SYNC", ["interval", "always"] as const, faults);
  const amqpUrl = url(env, "AMQP_URL", /^amqps?:$/, "amqp://host:5672", transport === "amqp" ? "MBUS_TRANSPORT=amqp" : undefined, faults);
  const mongodbUrl = url(
    env,
    "MONGODB_URL",
    /^mongodb(\+srv)?:$/,
    "mongodb://host:27017",
    store === "mongodb" ? "MBUS_STORE=mongodb" : undefined,
    faults,
  );
  alone(env, transport, store, faults);
  const schemaRegistryUrl = url(env, "SCHEMA_REGISTRY_URL", /^https?:$/, "http://host:8081", undefined, faults);
  const environment = given(env, "MBUS_ENV") ?? "development";
  if (!/^[a-z0-9][a-z0-9-]{0,63}$/.test(environment))
    faults.texts.push(`MBUS_ENV=${environment}: write the name of a stage in lower case, for example production`);
  const changes = word(env, "MBUS_CHANGES", ["watched", "applied", "reviewed"] as const, faults);
  // strict where messages are real, unless somebody says otherwise; where samples and tests make numbers up it is only told
  const checkDigits = word(
    env,
    "MBUS_CHECK_DIGITS",
    environment === "production" ? ["refuse", "warn", "off"] : ["warn", "refuse", "off"],
    faults,
  );
  const node = matching(env, "MBUS_NODE", ownName(), /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/, "letters, digits, `.`, `_` and `-`", faults);
  const partitions = whole(env, "MBUS_PARTITIONS", 4, 64, faults);
  const journalDays = wholeOr(env, "MBUS_JOURNAL_DAYS", LEAST_DAYS, 36_500, faults);
  const journalGib = wholeOr(env, "MBUS_JOURNAL_GIB", 1, 100_000, faults);
  const forgetDays = whole(env, "MBUS_FORGET_DAYS", 7, 365, faults);
  const tsaUrl =
    given(env, "MBUS_TSA_URL") === "off"
      ? "off"
      : url(env, "MBUS_TSA_URL", /^https?:$/, "https://tsa.example/tsa, or off", undefined, faults);
  const tsaCa = given(env, "MBUS_TSA_CA");
  if (tsaUrl !== undefined && tsaUrl !== "off" && tsaCa === undefined)
    faults.texts.push("MBUS_TSA_URL needs MBUS_TSA_CA: the file with the authority's certificate in PEM, from a source you trust");
  const tsaEvery = whole(env, "MBUS_TSA_SECONDS", 60, 86_400, faults) * 1000;
  const tsaLongest = whole(env, "MBUS_TSA_HOURS", 4, 168, faults) * 3_600_000;
  const signatures = {
    key: word(env, "MBUS_SIGNATURE_KEY", ["rsa", "ecdsa"] as const, faults),
    skew: whole(env, "MBUS_SIGNATURE_SKEW", 60, 600, faults) * 1000,
    maxAge: whole(env, "MBUS_SIGNATURE_MINUTES", 15, 1440, faults) * 60_000,
  };
  const mongodbDatabase = matching(env, "MONGODB_DATABASE", "mbus", /^[A-Za-z0-9_-]{1,38}$/, "letters, digits, `_` and `-`", faults);
  const tls = readTls(env, faults.texts);
  if (faults.texts.length > 0) {
    throw new BusError("configuration", `environment variables: ${faults.texts.join("; ")}`, {
      places: faults.texts.map((text) => ({ text })),
    });
  }
  const host = given(env, "MBUS_HOST") ?? "127.0.0.1";
  return {
    host,
    ...ports,
    dataDir: given(env, "MBUS_DATA_DIR") ?? ".mbus",
    transport,
    store,
    environment,
    changes,
    checkDigits,
    node,
    partitions,
    journalAge: journalDays === undefined ? undefined : journalDays * DAY,
    journalBytes: journalGib === undefined ? undefined : journalGib * GIB,
    forgetAfter: forgetDays * DAY,
    signatures,
    natsUrl,
    natsSync,
    amqpUrl,
    mongodbUrl,
    mongodbDatabase,
    schemaRegistryUrl,
    outbound: (given(env, "MBUS_OUTBOUND") ?? (environment === "development" ? EVERYTHING : ""))
      .split(",")
      .map((one) => one.trim())
      .filter((one) => one !== ""),
    tsaUrl,
    tsaCa,
    tsaEvery,
    tsaLongest,
    tls,
  };
}

/** Empty counts as absent: `MBUS_HTTP_PORT= mbus start`. */
const given = (env: Env, name: string): string | undefined => (env[name]?.trim() === "" ? undefined : env[name]?.trim());

function port(env: Env, name: string, usual: number, faults: Faults): number {
  const text = given(env, name) ?? String(usual);
  const value = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (value <= 65_535) return value;
  faults.texts.push(`${name}=${text}: write a port from 1 to 65535, or 0 for any free one`);
  return usual;
}

function whole(env: Env, name: string, usual: number, most: number, faults: Faults): number {
  return wholeOr(env, name, 1, most, faults) ?? usual;
}

/** Undefined where it is not set. */
function wholeOr(env: Env, name: string, least: number, most: number, faults: Faults): number | undefined {
  const text = given(env, name);
  if (text === undefined) return undefined;
  const value = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (value >= least && value <= most) return value;
  faults.texts.push(`${name}=${text}: write a whole number from ${least} to ${most}`);
  return undefined;
}

function matching(env: Env, name: string, usual: string, form: RegExp, write: string, faults: Faults): string {
  const text = given(env, name) ?? usual;
  if (form.test(text)) return text;
  faults.texts.push(`${name}=${text}: write a name of ${write}`);
  return usual;
}

/** Host and process: two processes of one machine differ, and so does the next run of the same. */
function ownName(): string {
  const host = hostname()
    .replace(/[^A-Za-z0-9._-]/g, "-")
    .slice(0, 80);
  return `${/^[A-Za-z0-9]/.test(host) ? host : "node"}-${process.pid}`;
}

/** The embedded transport reads the log of the embedded journal and no other: what a MongoDB journal holds would never be delivered. */
function alone(env: Env, transport: string, store: string, faults: Faults): void {
  if (store !== "mongodb" || transport !== "embedded" || (given(env, "MBUS_TRANSPORT") ?? "embedded") !== "embedded") return;
  faults.texts.push(
    "MBUS_STORE=mongodb needs a broker, for the embedded transport delivers only what the embedded journal holds; " +
      "write MBUS_TRANSPORT=nats with NATS_URL, or MBUS_TRANSPORT=amqp with AMQP_URL, or MBUS_STORE=embedded",
  );
}

function distinct(ports: Readonly<Record<string, number>>, faults: Faults): void {
  const taken = Object.values(ports).filter((number) => number !== 0);
  const twice = taken.find((number, at) => taken.indexOf(number) < at);
  if (twice !== undefined)
    faults.texts.push(`port ${twice} is given twice; MBUS_HTTP_PORT, MBUS_TLS_PORT and MBUS_REGISTRY_PORT need one each`);
}

function word<const W extends string>(env: Env, name: string, words: readonly [W, ...W[]], faults: Faults): W {
  const text = given(env, name) ?? words[0];
  const found = words.find((one) => one === text);
  if (found !== undefined) return found;
  const meant = near(text, words);
  faults.texts.push(`${name}=${text}: write ${words.join(" or ")}${meant === undefined ? "" : ` (did you mean ${meant}?)`}`);
  return words[0];
}

/** `needed` names the setting that makes this address necessary. `several`: servers of one cluster with commas, all over WebSocket or none. */
function url(
  env: Env,
  name: string,
  scheme: RegExp,
  example: string,
  needed: string | undefined,
  faults: Faults,
  several?: "several",
): string | undefined {
  const text = given(env, name);
  if (text === undefined) {
    if (needed !== undefined) faults.texts.push(`${needed} needs ${name}; write for example ${name}=${example}`);
    return undefined;
  }
  const parts = several ? text.split(",").map((part) => part.trim()) : [text.split(",")[0] ?? text];
  const protocols = new Set(parts.map((part) => (URL.canParse(part) ? new URL(part).protocol : "")));
  if ([...protocols].every((protocol) => scheme.test(protocol))) {
    if (protocols.size === 1 || ![...protocols].some((protocol) => protocol.startsWith("ws"))) return text;
    faults.texts.push(`${name} has addresses of several kinds; write all as ws://, all as wss://, or all as nats:// and tls://`);
    return undefined;
  }
  faults.texts.push(`${name} is no address of this kind; write for example ${example}`);
  return undefined;
}

/** A name that is nearly one of ours does nothing and is surely meant: `MBUS_HTTP_PROT`. */
function misspelt(env: Env, faults: Faults): void {
  for (const name of Object.keys(env)) {
    if (!name.startsWith("MBUS_") || KNOWN.includes(name)) continue;
    const meant = KNOWN.find(
      (known) => known.length === name.length && known.split("").toSorted().join("") === name.split("").toSorted().join(""),
    );
    if (meant !== undefined) faults.texts.push(`${name} is no setting; did you mean ${meant}?`);
  }
}
