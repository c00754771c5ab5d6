import { spawnSync } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { AUTHORITY, CLIENT, createWorkshop, RSA, type Made, type Workshop } from "#test/harness/certificates.ts";
import { createAuthorities } from "./chain.ts";
import { readCrl, type Crl } from "./crl.ts";
import { readAnswer, writeQuestion, type Question } from "./ocsp.ts";
import { partsOf } from "./parts.ts";
import { createResponders } from "./responders.ts";
import { createRevocation, type Revocation, type RevocationParts } from "./revocation.ts";

const OPENSSL = spawnSync("openssl", ["version"]).status === 0;
const DAY = 86_400_000;
const OCSP_SIGNER = ["basicConstraints=CA:FALSE", "keyUsage=digitalSignature", "extendedKeyUsage=OCSPSigning"];

describe.skipIf(!OPENSSL)("revocation", () => {
  let shop: Workshop;
  let ca: Made;
  let other: Made;
  let good: X509Certificate;
  let bad: X509Certificate;
  let root: X509Certificate;
  const serial = (certificate: X509Certificate): string => certificate.serialNumber;
  const crlOf = (name: string, authority: Made, revoked: readonly string[], days?: number): Crl => {
    const read = readCrl(readFileSync(shop.crl(name, authority, revoked, days)));
    if ("fault" in read) throw new Error(read.fault);
    return read.crl;
  };
  beforeAll(() => {
    shop = createWorkshop();
    ca = shop.make("ca", { subject: "/CN=State CA", extensions: AUTHORITY, key: RSA(2048) });
    other = shop.make("other", { subject: "/CN=State CA", extensions: AUTHORITY });
    root = new X509Certificate(ca.cert);
    good = new X509Certificate(shop.make("good", { subject: "/CN=good", issuer: ca }).cert);
    bad = new X509Certificate(
      shop.make("bad", { subject: "/CN=bad", issuer: ca, extensions: [...CLIENT, "authorityInfoAccess=OCSP;URI:http://ocsp.example.md/"] })
        .cert,
    );
  });
  afterAll(() => shop.close());

  /** `post` answers OCSP questions; time can be moved. */
  function open(
    parts: Partial<RevocationParts> & { post?: (url: string, question: Buffer) => Promise<Uint8Array>; url?: string },
  ): Revocation & { at: { now: number } } {
    const at = { now: Date.now() };
    const now = (): number => at.now;
    const responders = createResponders({
      post: parts.post ?? (() => Promise.reject(new Error("away"))),
      url: parts.url ?? "http://o/",
      now,
    });
    const all = {
      use: "crl",
      authorities: createAuthorities([root]),
      crls: () => [],
      responders,
      exempt: () => false,
      now,
      ...parts,
    } as const;
    return { ...createRevocation(all), at };
  }

  describe("by lists", () => {
    it("tells the revoked from the others of the same authority", () => {
      const lists = [crlOf("l", ca, [serial(bad)])];
      const { known } = open({ crls: () => lists });
      expect(known(bad)).toEqual({ state: "revoked", why: "`State CA` revoked it (revocation list)" });
      expect(known(good)).toEqual({ state: "good" });
    });

    it("reads PEM as well as DER, and a list of nobody", () => {
      shop.crl("pem", ca, []);
      const read = readCrl(readFileSync(shop.path("pem.crl.pem")));
      expect("crl" in read && read.crl.revoked.size).toBe(0);
    });

    it("cannot tell without a list, or with one of another authority of the same name", () => {
      expect(open({}).known(good)).toMatchObject({ state: "unknown", why: expect.stringContaining("no revocation list") as string });
      const forged = [crlOf("forged", other, [serial(good)])];
      expect(open({ crls: () => forged }).known(good)).toMatchObject({ state: "unknown" });
    });

    it("cannot tell once the list has ended, but what it revokes stays revoked", () => {
      const lists = [crlOf("l", ca, [serial(bad)])];
      const { known, at } = open({ crls: () => lists });
      at.now += 2 * DAY;
      expect(known(good)).toMatchObject({ state: "unknown", why: expect.stringContaining("ended on") as string });
      expect(known(bad)).toMatchObject({ state: "revoked" });
    });

    it("believes the newest list, and none of the future", () => {
      const first = crlOf("first", ca, []);
      const newer = { ...crlOf("second", ca, [serial(good)]), thisUpdate: first.thisUpdate + 1000 };
      expect(open({ crls: () => [first, newer] }).known(good)).toMatchObject({ state: "revoked" });
      expect(open({ crls: () => [newer, { ...first, thisUpdate: newer.thisUpdate + 1 }] }).known(good)).toEqual({ state: "good" });
      expect(open({ crls: () => [{ ...first, thisUpdate: Date.now() + DAY }] }).known(good)).toMatchObject({ state: "unknown" });
    });

    it("does not believe a list of which one bit was changed", () => {
      const der = readFileSync(shop.crl("bits", ca, [serial(bad)]));
      fc.assert(
        fc.property(fc.nat(der.length * 8 - 1), (bit) => {
          const changed = Buffer.from(der);
          changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
          const read = readCrl(changed);
          const lists = "crl" in read ? [read.crl] : [];
          // revoked or good can only be said by the authority
          expect(open({ crls: () => lists }).known(good).state).toBe("unknown");
        }),
        { numRuns: 200 },
      );
    });

    it("does not believe a list that its issuer may not sign", () => {
      const weak = shop.make("weak", { subject: "/CN=State CA", extensions: [AUTHORITY[0] ?? "", "keyUsage=critical,keyCertSign"] });
      const leaf = new X509Certificate(shop.make("leaf", { subject: "/CN=leaf", issuer: weak }).cert);
      const lists = [crlOf("unsigned", weak, [])];
      const { known } = open({ crls: () => lists, authorities: createAuthorities([new X509Certificate(weak.cert)]) });
      expect(known(leaf)).toMatchObject({ state: "unknown" });
    });

    it("goes up the chain: a revoked authority between takes all below it along", () => {
      const between = shop.make("between", { subject: "/CN=Between", issuer: ca, extensions: AUTHORITY });
      const leaf = new X509Certificate(shop.make("below", { subject: "/CN=below", issuer: between }).cert);
      const above = new X509Certificate(between.cert);
      const lists = [crlOf("top", ca, [serial(above)]), crlOf("own", between, [])];
      const alone = open({ crls: () => lists });
      expect(alone.known(leaf)).toMatchObject({ state: "unknown", why: expect.stringContaining("stands not among the trusted") as string });
      const whole = open({ crls: () => lists, authorities: createAuthorities([root, above]) });
      expect(whole.known(leaf)).toMatchObject({ state: "revoked" });
    });

    it.each(["", "hello", "30", "3003020101", "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----"])(
      "says what is wrong with what is no list: %j",
      (text) => {
        const bytes = /^[0-9]+$/.test(text) ? Buffer.from(text, "hex") : Buffer.from(text);
        expect(readCrl(bytes)).toEqual({ fault: expect.any(String) as string });
      },
    );

    it("never throws, whatever bytes it is given", () => {
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void readCrl(Buffer.from([0x30, ...bytes]))),
        { numRuns: 300 },
      );
    });
  });

  describe("by OCSP", () => {
    const ask = (certificate: X509Certificate, issuer = root): Question => ({ certificate, issuer, nonce: Buffer.alloc(16, 7) });
    const answer = (question: Question, options: Parameters<Workshop["ocsp"]>[2] = {}, authority = ca) =>
      readAnswer(shop.ocsp(authority, writeQuestion(question), options), question, Date.now());

    it("reads good, revoked and unknown from OpenSSL's answers", () => {
      expect(answer(ask(good), { good: [serial(good)] })).toEqual({ state: "good", until: undefined });
      expect(answer(ask(bad), { revoked: [serial(bad)] })).toEqual({ state: "revoked", until: undefined });
      expect(answer(ask(good))).toMatchObject({ state: "unknown", why: expect.stringContaining("does not know") as string });
    });

    it("reads how long an answer holds, and refuses it afterwards", () => {
      const question = ask(good);
      const bytes = shop.ocsp(ca, writeQuestion(question), { good: [serial(good)], more: ["-nmin", "10"] });
      const said = readAnswer(bytes, question, Date.now());
      if (said.state !== "good" || said.until === undefined) throw new Error("it holds for ten minutes");
      expect(said.until - Date.now()).toBeGreaterThan(500_000);
      expect(readAnswer(bytes, question, said.until + 301_000)).toMatchObject({
        state: "unknown",
        why: expect.stringContaining("ended") as string,
      });
      expect(readAnswer(bytes, question, Date.now() - DAY)).toMatchObject({
        state: "unknown",
        why: expect.stringContaining("future") as string,
      });
      const endless = shop.ocsp(ca, writeQuestion(question), { good: [serial(good)] });
      expect(readAnswer(endless, question, Date.now() + DAY)).toMatchObject({
        state: "unknown",
        why: expect.stringContaining("old") as string,
      });
    });

    it("takes an answer of one whom the authority certified for it", () => {
      const by = shop.make("signer", { subject: "/CN=OCSP", issuer: ca, extensions: OCSP_SIGNER });
      expect(answer(ask(good), { good: [serial(good)], by })).toMatchObject({ state: "good" });
      expect(answer(ask(good), { good: [serial(good)], by, more: ["-resp_key_id"] })).toMatchObject({ state: "good" });
    });

    it.each<[string, () => Made]>([
      ["a system of the same authority", () => shop.make("system", { subject: "/CN=system", issuer: ca })],
      ["another authority", () => other],
      ["one whom another authority certified", () => shop.make("foreign", { subject: "/CN=OCSP", issuer: other, extensions: OCSP_SIGNER })],
      [
        "one whose certificate has ended",
        () => shop.make("ended", { subject: "/CN=OCSP", issuer: ca, extensions: OCSP_SIGNER, from: -9, until: -2 }),
      ],
    ])("takes no answer of %s", (_, signer) => {
      expect(answer(ask(good), { good: [serial(good)], by: signer() })).toMatchObject({
        state: "unknown",
        why: expect.stringMatching(/signed by nobody|does not verify/) as string,
      });
    });

    it("takes no answer to another question: another certificate, another nonce", () => {
      const bytes = shop.ocsp(ca, writeQuestion(ask(good)), { good: [serial(good), serial(bad)] });
      expect(readAnswer(bytes, ask(bad), Date.now())).toMatchObject({
        state: "unknown",
        why: expect.stringContaining("not speak of this") as string,
      });
      const late = { ...ask(good), nonce: Buffer.alloc(16, 8) };
      expect(readAnswer(bytes, late, Date.now())).toMatchObject({ state: "unknown", why: expect.stringContaining("nonce") as string });
    });

    it("takes no answer of which one bit was changed for anything but what it was", () => {
      const question = ask(bad);
      const bytes = shop.ocsp(ca, writeQuestion(question), { revoked: [serial(bad)] });
      fc.assert(
        fc.property(fc.nat(bytes.length * 8 - 1), (bit) => {
          const changed = Buffer.from(bytes);
          changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
          expect(readAnswer(changed, question, Date.now()).state).not.toBe("good");
        }),
        { numRuns: 200 },
      );
    });

    it.each([
      ["nothing", Buffer.alloc(0), /cannot be read/],
      ["a web page", Buffer.from("<html>"), /cannot be read/],
      ["try later", Buffer.from("30030a0103", "hex"), /busy/],
      ["unauthorised", Buffer.from("30030a0106", "hex"), /does not serve us/],
      ["far too much", Buffer.alloc(70_000, 0x30), /too long/],
    ])("concludes nothing from %s", (_, bytes, why) => {
      expect(readAnswer(bytes, ask(good), Date.now())).toEqual({ state: "unknown", why: expect.stringMatching(why) as string });
    });
  });

  describe("asked over the network", () => {
    const responding = (revoked: () => readonly string[]) => {
      const asked: string[] = [];
      const post = async (url: string, question: Buffer): Promise<Uint8Array> => {
        asked.push(url);
        return shop.ocsp(ca, question, { revoked: revoked(), good: [serial(good), serial(bad)].filter((one) => !revoked().includes(one)) });
      };
      return { asked, post };
    };

    it("goes to the address in the certificate, or to the configured one", async () => {
      const { asked, post } = responding(() => []);
      const at = { now: Date.now() };
      const responders = createResponders({ post, url: undefined, now: () => at.now });
      const revocation = open({ use: "ocsp", responders });
      expect(await revocation.check(bad)).toEqual({ state: "good" });
      expect(await revocation.check(good)).toMatchObject({ state: "unknown", why: "it names no OCSP responder" });
      expect(asked).toEqual(["http://ocsp.example.md/"]);
      expect(await open({ use: "ocsp", post, url: "http://own/" }).check(good)).toEqual({ state: "good" });
      expect(asked.at(-1)).toBe("http://own/");
    });

    it("asks once for many callers, and again only after a minute", async () => {
      const { asked, post } = responding(() => []);
      const revocation = open({ use: "ocsp", post });
      await Promise.all([revocation.check(good), revocation.check(good), revocation.check(good)]);
      await revocation.check(good);
      expect(asked).toHaveLength(1);
      revocation.at.now += 60_000;
      await revocation.check(good);
      expect(asked).toHaveLength(2);
    });

    it("learns of a revocation within a minute, and keeps to it", async () => {
      let revoked: readonly string[] = [];
      const { post } = responding(() => revoked);
      const revocation = open({ use: "ocsp", post });
      expect(await revocation.check(good)).toEqual({ state: "good" });
      revoked = [serial(good)];
      revocation.at.now += 60_000;
      expect(await revocation.check(good)).toMatchObject({ state: "revoked", why: "its authority revoked it (OCSP)" });
      expect(revocation.known(good)).toMatchObject({ state: "revoked" });
    });

    it("cannot tell while the responder is away and its last answer no longer holds, and says so", async () => {
      let away = false;
      const { post } = responding(() => []);
      const revocation = open({
        use: "ocsp",
        post: (url, question) => (away ? Promise.reject(new Error("no route")) : post(url, question)),
      });
      expect(revocation.known(good)).toMatchObject({ state: "unknown", why: "the OCSP responder has not answered yet" });
      await revocation.check(good);
      away = true;
      revocation.at.now += 60_000;
      expect(await revocation.check(good)).toEqual({ state: "unknown", why: "http://o/: no route" });
      away = false;
      revocation.at.now += 6_000;
      expect(await revocation.check(good)).toEqual({ state: "good" });
    });

    it("asks a responder only where the lists are silent, when both may speak", async () => {
      const { asked, post } = responding(() => [serial(bad)]);
      const lists = [crlOf("both", ca, [])];
      const listed = open({ use: "crl-or-ocsp", post, crls: () => lists });
      expect(await listed.check(bad)).toEqual({ state: "good" });
      expect(asked).toEqual([]);
      const silent = open({ use: "crl-or-ocsp", post });
      expect(await silent.check(bad)).toMatchObject({ state: "revoked" });
      expect(asked).toHaveLength(1);
    });
  });

  it("is not asked for what the development authority issued, nor when it is off", () => {
    expect(open({ exempt: () => true }).known(good)).toEqual({ state: "good" });
    expect(open({ use: "off" }).known(good)).toEqual({ state: "good" });
  });

  it("reads of certificates what OpenSSL wrote into them", () => {
    const parts = partsOf(bad);
    expect(parts.serial).toBe(serial(bad).toLowerCase());
    expect(parts.responders).toEqual(["http://ocsp.example.md/"]);
    expect(parts.purposes).toEqual(["1.3.6.1.5.5.7.3.2"]);
    expect(parts.usage?.[0]).toBe(true);
    expect(parts.issuer.equals(partsOf(root).subject)).toBe(true);
  });
});
