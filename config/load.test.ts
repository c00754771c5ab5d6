import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { BusError } from "#bus/errors.ts";
import { LIMITS, loadFiles } from "./load.ts";
import { readSettings } from "./settings.ts";

let root = "";
beforeEach(() => void (root = mkdtempSync(join(tmpdir(), "mbus-load-"))));
afterEach(() => rmSync(root, { recursive: true, force: true }));

function put(path: string, content: string | Uint8Array): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), content);
}
const load = (env: Record<string, string> = {}) => loadFiles({ roots: [root], env });
const stage = (name: string, value: string) => `bus: environment/v1\nid: ${name}\nvars: { stat.url: ${value}, port: 0080 }\n`;

describe("loading files", () => {
  it("reads routes and contracts in depth, of config only its YAML, with paths from the root", async () => {
    put("routes/rsp/person.yaml", "a: 1");
    put("routes/rsp/map/x.map.yaml", "b: 1");
    put("contracts/rsp/p.avsc", "{}");
    put("config/development.yaml", stage("development", "http://dev"));
    put("config/load.ts", "export {}");
    put("config/inner/more.yaml", "c: 1");
    put("routes/.hidden.yaml", "d: 1");
    const { files, findings } = await load();
    expect(findings).toEqual([]);
    expect(files.paths).toEqual(["config/development.yaml", "contracts/rsp/p.avsc", "routes/rsp/map/x.map.yaml", "routes/rsp/person.yaml"]);
    expect(files.text("routes/rsp/person.yaml")).toBe("a: 1");
    expect(files.text("routes/none.yaml")).toBeUndefined();
  });

  it("lists bytes without text, but tells of a YAML file that is not UTF-8", async () => {
    put("routes/given.gz", new Uint8Array([0x1f, 0x8b, 0xff]));
    put("routes/latin.yaml", new Uint8Array([0x61, 0x3a, 0x20, 0xe9]));
    const { files, findings } = await load();
    expect(files.paths).toEqual(["routes/given.gz"]);
    expect(files.text("routes/given.gz")).toBeUndefined();
    expect(findings.map(({ file, rule }) => `${file} ${rule}`)).toEqual(["routes/latin.yaml not-utf8"]);
  });

  it("refuses links that lead out, follows those that stay in, and tells all faults at once", async () => {
    const outside = mkdtempSync(join(tmpdir(), "mbus-outside-"));
    try {
      writeFileSync(join(outside, "secret.yaml"), "a: 1");
      put("routes/real.yaml", "a: 1");
      put("routes/large.yaml", new Uint8Array(LIMITS.fileBytes + 1));
      symlinkSync(join(outside, "secret.yaml"), join(root, "routes/out.yaml"));
      symlinkSync(outside, join(root, "routes/outdir"));
      symlinkSync("nowhere", join(root, "routes/dangling.yaml"));
      symlinkSync("real.yaml", join(root, "routes/twin.yaml"));
      const { files, findings } = await load();
      expect(files.paths).toEqual(["routes/real.yaml", "routes/twin.yaml"]);
      expect(findings.map(({ file, rule }) => `${file} ${rule}`)).toEqual([
        "routes/dangling.yaml link-outside",
        "routes/large.yaml file-too-large",
        "routes/out.yaml link-outside",
        "routes/outdir link-outside",
      ]);
    } finally {
      rmSync(outside, { recursive: true, force: true });
    }
  });

  it("ends on a ring of links", async () => {
    put("routes/a/x.yaml", "a: 1");
    symlinkSync("..", join(root, "routes/a/up"));
    const { findings } = await load();
    expect(findings.some(({ rule }) => rule === "too-deep")).toBe(true);
  });

  it("tells of a root that is not there", async () => {
    const { findings } = await loadFiles({ roots: [join(root, "nope")], env: {} });
    expect(findings.map(({ rule }) => rule)).toEqual(["root-missing"]);
  });
});

describe("the stage's values", () => {
  it("come from the file that MBUS_ENV names, as they are written", async () => {
    put("config/development.yaml", stage("development", "http://dev"));
    put("config/production.yaml", stage("production", "https://prod"));
    expect((await load()).environment).toEqual({ "stat.url": "http://dev", port: "0080" });
    expect((await load({ MBUS_ENV: "production" })).environment["stat.url"]).toBe("https://prod");
  });

  it("are overridden by MBUS_VAR_, and new ones are read with dots", async () => {
    put("config/development.yaml", stage("development", "http://dev"));
    const { environment } = await load({ MBUS_VAR_STAT_URL: "http://over", MBUS_VAR_NEW_ONE: "1" });
    expect(environment).toEqual({ "stat.url": "http://over", port: "0080", "new.one": "1" });
  });

  it("must be there when they are asked for", async () => {
    expect((await load()).findings).toEqual([]);
    const { findings } = await load({ MBUS_ENV: "staging" });
    expect(findings).toMatchObject([{ file: "config/staging.yaml", rule: "environment-missing", line: 1, column: 1 }]);
  });
});

describe("settings", () => {
  it("refuse wrong check digits in production, and let them through with a word elsewhere, unless somebody says otherwise", () => {
    expect(readSettings({ MBUS_ENV: "production" }).checkDigits).toBe("refuse");
    expect(readSettings({ MBUS_ENV: "production", MBUS_CHECK_DIGITS: "off" }).checkDigits).toBe("off");
    expect(readSettings({ MBUS_CHECK_DIGITS: "refuse" }).checkDigits).toBe("refuse");
    expect(() => readSettings({ MBUS_CHECK_DIGITS: "refused" })).toThrow("did you mean refuse?");
  });

  it("have defaults", () => {
    expect(readSettings({})).toEqual({
      host: "127.0.0.1",
      httpPort: 8080,
      tlsPort: 8443,
      registryPort: 8081,
      dataDir: ".mbus",
      transport: "embedded",
      store: "embedded",
      environment: "development",
      changes: "watched",
      checkDigits: "warn",
      node: expect.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]*-\d+$/) as string,
      partitions: 4,
      journalAge: undefined,
      journalBytes: undefined,
      forgetAfter: 604_800_000,
      signatures: { key: "rsa", skew: 60_000, maxAge: 900_000 },
      natsUrl: undefined,
      natsSync: "interval",
      amqpUrl: undefined,
      mongodbUrl: undefined,
      mongodbDatabase: "mbus",
      schemaRegistryUrl: undefined,
      outbound: ["http", "0.0.0.0/0", "::/0"],
      tsaUrl: undefined,
      tsaCa: undefined,
      tsaEvery: 60_000,
      tsaLongest: 14_400_000,
      tls: {
        clientCa: undefined,
        crl: undefined,
        ocspUrl: undefined,
        onUnknown: "refuse",
        proxies: { addresses: [], fingerprints: [] },
        revocation: "off",
      },
    });
  });

  it("name an authority for time-stamps only with its certificates, or none", () => {
    expect(readSettings({ MBUS_TSA_URL: "off" }).tsaUrl).toBe("off");
    const given = { MBUS_TSA_URL: "https://tsa.example/tsa", MBUS_TSA_CA: "/etc/mbus/tsa.pem", MBUS_TSA_SECONDS: "5", MBUS_TSA_HOURS: "1" };
    expect(readSettings(given)).toMatchObject({
      tsaUrl: "https://tsa.example/tsa",
      tsaCa: "/etc/mbus/tsa.pem",
      tsaEvery: 5_000,
      tsaLongest: 3_600_000,
    });
    expect(() => readSettings({ MBUS_TSA_URL: "https://tsa.example/" })).toThrow("MBUS_TSA_URL needs MBUS_TSA_CA");
    expect(() => readSettings({ MBUS_TSA_URL: "tsa.example", MBUS_TSA_CA: "x" })).toThrow("MBUS_TSA_URL is no address");
  });

  it("let calls reach everything in development, and elsewhere what is named", () => {
    expect(readSettings({ MBUS_ENV: "production" }).outbound).toEqual([]);
    expect(readSettings({ MBUS_ENV: "production", MBUS_OUTBOUND: " http, 10.20.0.0/16 ,," }).outbound).toEqual(["http", "10.20.0.0/16"]);
    expect(readSettings({ MBUS_OUTBOUND: "10.0.0.1" }).outbound).toEqual(["10.0.0.1"]);
  });

  it("take 0 for any free port, as often as wanted, and empty for absent", () => {
    expect(readSettings({ MBUS_HTTP_PORT: "0", MBUS_TLS_PORT: "0", MBUS_REGISTRY_PORT: "" })).toMatchObject({
      httpPort: 0,
      tlsPort: 0,
      registryPort: 8081,
    });
  });

  it("tell all faults at once, each with what to write", () => {
    const read = () =>
      readSettings({
        MBUS_HTTP_PORT: "80a",
        MBUS_TLS_PORT: "8081",
        MBUS_TRANSPORT: "natz",
        MBUS_STORE: "mongodb",
        MBUS_HTTP_PROT: "1",
        NATS_URL: "localhost",
      });
    expect(read).toThrow(BusError);
    try {
      read();
    } catch (error) {
      expect((error as BusError).places.map(({ text }) => text)).toEqual([
        "MBUS_HTTP_PROT is no setting; did you mean MBUS_HTTP_PORT?",
        "MBUS_HTTP_PORT=80a: write a port from 1 to 65535, or 0 for any free one",
        "port 8081 is given twice; MBUS_HTTP_PORT, MBUS_TLS_PORT and MBUS_REGISTRY_PORT need one each",
        "MBUS_TRANSPORT=natz: write embedded or nats or amqp (did you mean nats?)",
        "NATS_URL is no address of this kind; write for example nats://host:4222",
        "MBUS_STORE=mongodb needs MONGODB_URL; write for example MONGODB_URL=mongodb://host:27017",
      ]);
    }
  });

  it("of a cluster: name and number of partitions within their bounds, the database by a plain name", () => {
    const given = { MBUS_NODE: "bus-1.example", MBUS_PARTITIONS: "64", MONGODB_DATABASE: "mbus_2" };
    expect(readSettings(given)).toMatchObject({ node: "bus-1.example", partitions: 64, mongodbDatabase: "mbus_2" });
    for (const wrong of [{ MBUS_NODE: "a b" }, { MBUS_PARTITIONS: "65" }, { MBUS_PARTITIONS: "0" }, { MONGODB_DATABASE: "a.b" }])
      expect(() => readSettings(wrong), JSON.stringify(wrong)).toThrow(/write a (name|whole number)/);
  });

  it("reads how long the journal and unclaimed groups are kept, and refuses less than de-duplication needs", () => {
    expect(readSettings({ MBUS_JOURNAL_DAYS: "365", MBUS_JOURNAL_GIB: "2", MBUS_FORGET_DAYS: "30" })).toMatchObject({
      journalAge: 365 * 86_400_000,
      journalBytes: 2_147_483_648,
      forgetAfter: 30 * 86_400_000,
    });
    expect(() => readSettings({ MBUS_JOURNAL_DAYS: "30" })).toThrow("MBUS_JOURNAL_DAYS=30: write a whole number from 31 to 36500");
    for (const wrong of [{ MBUS_JOURNAL_GIB: "0" }, { MBUS_JOURNAL_GIB: "1.5" }, { MBUS_FORGET_DAYS: "0" }, { MBUS_FORGET_DAYS: "never" }])
      expect(() => readSettings(wrong), JSON.stringify(wrong)).toThrow("write a whole number");
  });

  it("refuse a store that the embedded transport does not read, and say what to set", () => {
    const mongodb = { MBUS_STORE: "mongodb", MONGODB_URL: "mongodb://127.0.0.1:27017" };
    expect(() => readSettings(mongodb)).toThrow(/needs a broker.*MBUS_TRANSPORT=nats.*MBUS_STORE=embedded/);
    expect(readSettings({ ...mongodb, MBUS_TRANSPORT: "amqp", AMQP_URL: "amqp://127.0.0.1" })).toMatchObject({ store: "mongodb" });
  });

  it("accept several servers in one address", () => {
    for (const url of ["nats://a:4222,nats://b:4222", "nats://a:4222, tls://b:4222", "ws://a:8080,ws://b:8080", "wss://a/nats"])
      expect(readSettings({ MBUS_TRANSPORT: "nats", NATS_URL: url }).natsUrl).toBe(url);
    for (const url of ["nats://a:4222,b:4222", "ws://a,nats://b", "ws://a,wss://b", "nats://a,"])
      expect(() => readSettings({ NATS_URL: url }), url).toThrow(/NATS_URL (is no address|has addresses of several kinds)/);
  });
});
