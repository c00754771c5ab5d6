/** Settings of the process from its environment variables. All faults are told at once, each with what to write. */
import { BusError } from "#bus/errors.ts";
import { near } from "#bus/near.ts";

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
  natsUrl: string | undefined;
  amqpUrl: string | undefined;
  mongodbUrl: string | undefined;
  schemaRegistryUrl: string | undefined;
}>;

export type Env = Readonly<Record<string, string | undefined>>;

const KNOWN = [
  "MBUS_HOST",
  "MBUS_HTTP_PORT",
  "MBUS_TLS_PORT",
  "MBUS_REGISTRY_PORT",
  "MBUS_DATA_DIR",
  "MBUS_TRANSPORT",
  "MBUS_STORE",
  "MBUS_ENV",
];

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
  );
  const amqpUrl = url(env, "AMQP_URL", /^amqps?:$/, "amqp://host:5672", transport === "amqp" ? "MBUS_TRANSPORT=amqp" : undefined, faults);
  const mongodbUrl = url(
    env,
    "MONGODB_URL",
    /^mongodb(\+srv)?:$/,
    "mongodb://host:27017",
    store === "mongodb" ? "MBUS_STORE=mongodb" : undefined,
    faults,
  );
  const schemaRegistryUrl = url(env, "SCHEMA_REGISTRY_URL", /^https?:$/, "http://host:8081", undefined, faults);
  const environment = given(env, "MBUS_ENV") ?? "development";
  if (!/^[a-z0-9][a-z0-9-]{0,63}$/.test(environment))
    faults.texts.push(`MBUS_ENV=${environment}: write the name of a stage in lower case, for example production`);
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
    natsUrl,
    amqpUrl,
    mongodbUrl,
    schemaRegistryUrl,
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

/** `needed` names the setting that makes this address necessary. */
function url(env: Env, name: string, scheme: RegExp, example: string, needed: string | undefined, faults: Faults): string | undefined {
  const text = given(env, name);
  if (text === undefined) {
    if (needed !== undefined) faults.texts.push(`${needed} needs ${name}; write for example ${name}=${example}`);
    return undefined;
  }
  const first = text.split(",")[0] ?? text;
  if (URL.canParse(first) && scheme.test(new URL(first).protocol)) return text;
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
