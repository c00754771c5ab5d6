import { X509Certificate } from "node:crypto";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { AUTHORITY, CLIENT, createWorkshop, RSA, type Made, type Wanted, type Workshop } from "#test/harness/certificates.ts";
import type { System } from "../route/runtime.ts";
import { fingerprintOf, outOfDate, readCertificate, unfitFor } from "./certificate.ts";
import { guidOf, GUID } from "./guid.ts";
import { createRegistry, type RegistryParts, type SystemKeys } from "./registry.ts";

const OPENSSL = spawnSync("openssl", ["version"]).status === 0;
const NAMES = { title: "", institution: { idno: "1004600030235", name: "" }, addresses: [], contact: undefined };
const systemOf = (id: string, ...certificates: X509Certificate[]): System => ({
  ...NAMES,
  id,
  guid: guidOf(id),
  certificates,
  settings: {},
  actsFor: [],
  signatures: { required: false, rsaSha1: false, covers: "message" },
  place: "x:1",
});
const registryOf = (systems: readonly System[], parts: Partial<RegistryParts> = {}): SystemKeys =>
  createRegistry({ systems, issued: [], authority: () => undefined, revoked: () => undefined, now: Date.now, ...parts });

describe("the GUID of a system", () => {
  it("is made from the id: the same each time, another for another id, of version 5", () => {
    expect(guidOf("rsp/population")).toBe(guidOf("rsp/population"));
    expect(guidOf("rsp/population")).not.toBe(guidOf("rsp/populations"));
    expect(guidOf("rsp/population")).toMatch(GUID);
    expect(guidOf("rsp/population")).toMatch(/^.{14}5.{4}[89ab]/);
  });

  it("stays as institutions have stored it", () => {
    expect(guidOf("rsp/population")).toBe("da40cc8c-fe41-572e-a505-ef63f7d98f6b");
  });
});

describe.skipIf(!OPENSSL)("certificates", () => {
  let shop: Workshop;
  let ca: Made;
  let one: X509Certificate;
  let two: X509Certificate;
  const make = (name: string, wanted: Partial<Wanted> = {}): X509Certificate =>
    new X509Certificate(shop.make(name, { subject: `/CN=${name}`, issuer: ca, ...wanted }).cert);
  beforeAll(() => {
    shop = createWorkshop();
    ca = shop.make("ca", { subject: "/CN=State CA", extensions: AUTHORITY });
    one = make("one");
    two = make("two");
  });
  afterAll(() => shop.close());

  describe("as files", () => {
    it("are read as PEM and as DER, and are the same", () => {
      shop.openssl("x509", "-in", shop.path("one.pem"), "-outform", "DER", "-out", shop.path("one.cer"));
      const der = readCertificate(readFileSync(shop.path("one.cer")));
      const pem = readCertificate(readFileSync(shop.path("one.pem"), "utf8"));
      if (!("certificate" in der) || !("certificate" in pem)) throw new Error("one of them was not read");
      expect(fingerprintOf(der.certificate)).toBe(fingerprintOf(pem.certificate));
    });

    it.each<[string, () => string | Uint8Array | undefined, RegExp]>([
      ["nothing", () => undefined, /is empty/],
      ["a text", () => "hello", /no X.509 certificate/],
      ["bytes", () => Buffer.from([0x30, 0x82, 0, 1, 0]), /no X.509 certificate/],
      ["a key", () => readFileSync(shop.path("one.key"), "utf8"), /holds a private key; take it out/],
      ["a certificate with its key", () => one.toString() + readFileSync(shop.path("one.key"), "utf8"), /holds a private key/],
      ["two certificates", () => one.toString() + ca.cert, /holds 2 certificates/],
      ["a very long file", () => "x".repeat(70_000), /more than 65536 bytes/],
    ])("are not read from %s", (_, content, fault) => {
      expect(readCertificate(content())).toEqual({ fault: expect.stringMatching(fault) as string });
    });
  });

  describe("are fit to stand for a system", () => {
    it.each<[string, Partial<Wanted>]>([
      ["with a P-256 key", {}],
      ["with an RSA key of 2048 bits", { key: RSA(2048) }],
      ["with an Ed25519 key", { key: ["-algorithm", "ED25519"] }],
      ["with several purposes", { extensions: [...CLIENT.slice(0, 2), "extendedKeyUsage=serverAuth,clientAuth"] }],
    ])("%s", (name, wanted) => {
      expect(unfitFor(make(`fit-${name.length}`, wanted), "caller")).toBeUndefined();
    });

    it.each<[string, Partial<Wanted>, RegExp]>([
      ["not of an authority", { extensions: [...AUTHORITY, "extendedKeyUsage=clientAuth"] }, /CA:TRUE/],
      ["not for servers only", { extensions: ["basicConstraints=CA:FALSE", "extendedKeyUsage=serverAuth"] }, /extended key usage/],
      ["not without a purpose", { extensions: ["basicConstraints=CA:FALSE"] }, /extended key usage/],
      ["not with an RSA key of 1024 bits", { key: RSA(1024) }, /1024 bits; 2048 or more/],
      ["not with a key on a small curve", { key: ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:secp224r1"] }, /secp224r1/],
    ])("%s", (name, wanted, why) => {
      expect(unfitFor(make(`unfit-${name.length}`, wanted), "caller")).toMatch(why);
    });
  });

  it("are valid from their first to their last moment", () => {
    const [from, to] = [one.validFromDate.getTime(), one.validToDate.getTime()];
    expect(outOfDate(one, from - 1)).toMatch(/valid only from/);
    expect(outOfDate(one, from)).toBeUndefined();
    expect(outOfDate(one, to)).toBeUndefined();
    expect(outOfDate(one, to + 1)).toMatch(/ended on/);
  });

  describe("in the registry", () => {
    it("identify the system whose file names them, and no other certificate does, whatever name it bears", () => {
      const registry = registryOf([systemOf("tax/erp", one), systemOf("bns/lake", two)]);
      expect(registry.identify(one)).toEqual({ system: "tax/erp" });
      expect(registry.identify(two)).toEqual({ system: "bns/lake" });
      const twin = make("twin", { subject: "/CN=one" });
      expect(registry.identify(twin)).toEqual({ refused: expect.stringContaining("registered for no system") as string });
      expect(registry.identify(make("named", { subject: "/CN=tax\\/erp" }))).toHaveProperty("refused");
    });

    it("are two at once while one is replaced", () => {
      const registry = registryOf([systemOf("tax/erp", one, two)]);
      expect([registry.identify(one), registry.identify(two)]).toEqual([{ system: "tax/erp" }, { system: "tax/erp" }]);
      expect(registry.certificatesOf("tax/erp")).toEqual([one, two]);
      expect(registry.certificatesOf("bns/lake")).toEqual([]);
    });

    it("identify nobody when two systems have the same", () => {
      const registry = registryOf([systemOf("tax/erp", one), systemOf("bns/lake", one)]);
      expect(registry.identify(one)).toEqual({ refused: expect.stringContaining("tax/erp and bns/lake") as string });
      expect(registry.certificatesOf("tax/erp")).toEqual([]);
      expect(registry.certificatesOf("bns/lake")).toEqual([]);
    });

    it("identify nobody once they have ended, are revoked, or are unfit", () => {
      const later = { now: () => one.validToDate.getTime() + 1 };
      const revoked = { revoked: (certificate: X509Certificate) => (certificate === one ? "it was revoked" : undefined) };
      const weak = make("weak", { key: RSA(1024) });
      for (const [registry, certificate, why] of [
        [registryOf([systemOf("tax/erp", one)], later), one, /ended on/],
        [registryOf([systemOf("tax/erp", one)], revoked), one, /was revoked/],
        [registryOf([systemOf("tax/erp", weak)]), weak, /1024 bits/],
      ] as const) {
        expect(registry.identify(certificate)).toEqual({ refused: expect.stringMatching(why) as string });
        expect(registry.certificatesOf("tax/erp")).toEqual([]);
      }
      expect(registryOf([systemOf("tax/erp", one, two)], revoked).certificatesOf("tax/erp")).toEqual([two]);
    });

    it("of another purpose than calling let nobody call, and sign all the same", () => {
      const server = make("server", { extensions: ["basicConstraints=CA:FALSE", "extendedKeyUsage=serverAuth"] });
      const registry = registryOf([systemOf("tax/erp", server)]);
      expect(registry.identify(server)).toEqual({ refused: expect.stringContaining("extended key usage") as string });
      expect(registry.certificatesOf("tax/erp")).toEqual([server]);
    });

    it("of the development authority identify by their name, until they are withdrawn", () => {
      const authority = (certificate: X509Certificate) => (certificate.subject === "CN=one" ? "tax/erp" : undefined);
      const issued = { system: "tax/erp", certificate: one, withdrawn: false };
      expect(registryOf([systemOf("tax/erp")], { authority }).identify(one)).toEqual({ system: "tax/erp" });
      const remembers = registryOf([systemOf("tax/erp")], { authority, issued: [issued] });
      expect(remembers.identify(one)).toEqual({ system: "tax/erp" });
      expect(remembers.certificatesOf("tax/erp")).toEqual([one]);
      const withdrawn = registryOf([systemOf("tax/erp", one)], { authority, issued: [{ ...issued, withdrawn: true }] });
      expect(withdrawn.identify(one)).toEqual({ refused: expect.stringContaining("replaced") as string });
      expect(withdrawn.certificatesOf("tax/erp")).toEqual([]);
      expect(registryOf([], { authority, issued: [{ ...issued, withdrawn: true }] }).identify(one)).toHaveProperty("refused");
      const late = registryOf([], { authority, now: () => one.validToDate.getTime() + 1 });
      expect(late.identify(one)).toHaveProperty("refused");
    });

    it("of a system that is no longer registered stand for nobody, though the authority remembers them", () => {
      const registry = registryOf([], { issued: [{ system: "tax/erp", certificate: one, withdrawn: false }] });
      expect(registry.identify(one)).toHaveProperty("refused");
      expect(registry.certificatesOf("tax/erp")).toEqual([]);
    });
  });
});
