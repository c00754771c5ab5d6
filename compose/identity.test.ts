/** What the running bus knows of systems, when files, lists and issued certificates change under it. */
import { spawnSync } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openKeys, type Keys } from "#adapters/keys/ca.ts";
import { guidOf } from "#bus/identity/guid.ts";
import type { System } from "#bus/route/runtime.ts";
import type { WebClient } from "#bus/wire.ts";
import { readSettings } from "#config/settings.ts";
import { AUTHORITY, createWorkshop, type Made, type Workshop } from "#test/harness/certificates.ts";
import { eventually } from "#test/harness/receiver.ts";
import { openCrlFiles, readAuthorities } from "./authority-files.ts";
import { openIdentity, type Identity } from "./identity.ts";
import type { Log } from "./log.ts";
import { toldOnce } from "./told-once.ts";

const OPENSSL = spawnSync("openssl", ["version"]).status === 0;
const PATIENCE = 30_000;
let dataDir: string;
let keys: Keys;
const open: Identity[] = [];
const logged: string[] = [];
const write = (_: unknown, text?: string): void => void logged.push(text ?? "");
const log: Log = { info: write, warn: write, error: write };
const nobody: WebClient = { request: () => Promise.reject(new Error("away")), close: () => Promise.resolve() };
beforeEach(async () => {
  dataDir = mkdtempSync(join(tmpdir(), "identity-"));
  keys = await openKeys(dataDir);
  logged.length = 0;
});
afterEach(async () => {
  for (const identity of open.splice(0)) await identity.close();
  rmSync(dataDir, { recursive: true });
});

const systemOf = (id: string, ...certificates: X509Certificate[]): System => ({
  id,
  title: id,
  institution: { idno: "1004600030235", name: "" },
  addresses: [],
  contact: undefined,
  guid: guidOf(id),
  certificates,
  settings: {},
  actsFor: [],
  signatures: { required: false, rsaSha1: false, covers: "message" },
  place: "x:1",
});

async function identityOf(env: Readonly<Record<string, string>>, systems: () => readonly System[], client = nobody): Promise<Identity> {
  const { tls } = readSettings(env);
  const identity = await openIdentity({ tls, keys, keyFolder: join(dataDir, "keys"), client, log, now: Date.now });
  let last: readonly System[] = [];
  let map: ReadonlyMap<string, System> = new Map();
  identity.follow(() => {
    const now = systems();
    if (now !== last) map = new Map((last = now).map((system) => [system.id, system]));
    return map;
  });
  open.push(identity);
  return identity;
}

describe("identities of a running bus", () => {
  it("of development: the name that the authority gave, until the certificate is taken back", async () => {
    const systems = [systemOf("tax/erp")];
    const identity = await identityOf({}, () => systems);
    const certificate = new X509Certificate((await keys.issue("tax/erp", "1010600034203")).cert);
    expect(await identity.identify({ certificate })).toBe("tax/erp");
    await eventually(
      async () => identity.systemKeys.certificatesOf("tax/erp").length === 1,
      () => "a certificate that was just issued is not registered",
      PATIENCE,
    );
    const [issued] = await keys.issued();
    await keys.withdraw(issued?.fingerprint ?? "");
    await eventually(
      async () => typeof (await identity.identify({ certificate })) === "object",
      () => "it still counts",
      PATIENCE,
    );
    expect(await identity.identify({ certificate })).toEqual({ refused: "it was replaced by a later certificate or taken back" });
    expect(identity.systemKeys.certificatesOf("tax/erp")).toEqual([]);
    expect(identity.counts().refused).toMatchObject({ certificate: 1 });
    expect(logged.filter((text) => text === "a caller was refused")).toHaveLength(1);
  });

  it("name nobody by headers that no proxy sent, nor on the plain port, and X-System only there", async () => {
    const systems = [systemOf("tax/erp")];
    const identity = await identityOf({ MBUS_TRUSTED_PROXY: "10.0.0.7" }, () => systems);
    const id = guidOf("tax/erp");
    await keys.issue("tax/erp", "1010600034203");
    await eventually(
      async () => (await identity.identify({ address: "10.0.0.7", ingress: { id } })) === "tax/erp",
      () => "the proxy's word does not count",
      PATIENCE,
    );
    for (const facts of [{ ingress: { id } }, { address: "10.0.0.8", ingress: { id } }])
      expect(await identity.identify(facts)).toEqual({ refused: expect.stringContaining("only from a trusted proxy") as string });
    expect(identity.identify({ header: "any/name" })).toBe("any/name");
    expect(identity.identify({})).toBeUndefined();
  });
});

describe.skipIf(!OPENSSL)("authorities of the operator", () => {
  let shop: Workshop;
  let ca: Made;
  let one: X509Certificate;
  beforeEach(() => {
    shop = createWorkshop();
    ca = shop.make("ca", { subject: "/CN=ca", extensions: AUTHORITY });
    one = new X509Certificate(shop.make("one", { subject: "/CN=one", issuer: ca }).cert);
    mkdirSync(shop.path("crls"));
  });
  afterEach(() => shop.close());

  it("are read from a file of many, a folder, or DER", () => {
    const two = shop.make("two", { subject: "/CN=two", extensions: AUTHORITY });
    mkdirSync(shop.path("cas"));
    writeFileSync(shop.path("cas/both.pem"), `first\n${ca.cert}then\n${two.cert}`);
    expect(readAuthorities(shop.path("cas/both.pem"), "X").map(({ subject }) => subject)).toEqual(["CN=ca", "CN=two"]);
    shop.openssl("x509", "-in", ca.certFile, "-outform", "DER", "-out", shop.path("cas/ca.cer"));
    expect(readAuthorities(shop.path("cas"), "X")).toHaveLength(3);
    expect(readAuthorities(undefined, "X")).toEqual([]);
  });

  it.each<[string, () => string, RegExp]>([
    ["a file that is not there", () => shop.path("none"), /X: .*none: it cannot be read/],
    ["a system's certificate", () => shop.path("one.pem"), /`CN=one` is the certificate of no authority/],
    ["a key", () => shop.path("ca.key"), /it is no X.509 certificate/],
    ["an empty folder", () => shop.path("crls"), /there is no certificate in it/],
  ])("are refused at the start from %s", (_, path, why) => {
    expect(() => readAuthorities(path(), "X")).toThrow(why);
  });

  it("a list that cannot be read leaves the one before in force, and is told", () => {
    const faults: string[] = [];
    renameSync(shop.crl("list", ca, []), shop.path("crls/list.crl"));
    const lists = openCrlFiles(shop.path("crls"), (file) => faults.push(file));
    const [before] = lists.lists();
    expect(before?.revoked.size).toBe(0);
    lists.look();
    expect(lists.lists()[0]).toBe(before);
    writeFileSync(shop.path("crls/list.crl"), "half of a");
    lists.look();
    expect(lists.lists()).toEqual([before]);
    expect(faults).toEqual([shop.path("crls/list.crl")]);
    renameSync(shop.crl("list", ca, [one.serialNumber]), shop.path("crls/list.crl"));
    lists.look();
    expect(lists.lists().map(({ revoked }) => [...revoked])).toEqual([[one.serialNumber.toLowerCase()]]);
    rmSync(shop.path("crls/list.crl"));
    lists.look();
    expect(lists.lists()).toEqual([]);
  });

  it("take a caller of whom nobody can say only where the policy says so, count and log it, and never take its signature", async () => {
    const systems = [systemOf("tax/erp", one)];
    const env = { MBUS_TLS_CLIENT_CA: ca.certFile, MBUS_TLS_REVOCATION: "ocsp", MBUS_TLS_OCSP_URL: "http://127.0.0.1:9/" };
    const strict = await identityOf(env, () => systems);
    expect(await strict.identify({ certificate: one })).toEqual({ refused: "http://127.0.0.1:9/: away" });
    expect(strict.counts()).toEqual({ refused: { certificate: 1 }, unknownAccepted: 0 });
    const lax = await identityOf({ ...env, MBUS_TLS_REVOCATION_UNKNOWN: "accept" }, () => systems);
    expect(await lax.identify({ certificate: one })).toBe("tax/erp");
    expect(lax.counts().unknownAccepted).toBe(1);
    expect(logged).toContain("a caller is taken although nobody can say whether its certificate was revoked");
    expect(lax.systemKeys.certificatesOf("tax/erp")).toEqual([]);
  });
});

describe("what happens again and again", () => {
  it("is told once in a while, each thing by itself", () => {
    let now = 0;
    const once = toldOnce(1000, () => now);
    expect([once("a"), once("a"), once("b")]).toEqual([true, false, true]);
    now = 1000;
    expect([once("a"), once("b"), once("a")]).toEqual([true, true, false]);
  });

  it("is forgotten where too much happens, so that memory is bounded", () => {
    const once = toldOnce(1000, () => 0);
    once("first");
    for (let count = 0; count < 6000; count += 1) once(`other ${count}`);
    expect(once("first")).toBe(true);
  });
});
