import { generateKeyPairSync, X509Certificate } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bits, explicit, integer, octets, oid, sequence, set, tagged, time, utf8, type Der } from "./der.ts";
import { integerOf, listOf, oidOf, onlyOf, readDer, smallOf, tagged as valueWith, timeOf, type Value } from "./der-read.ts";
import { issueCertificate } from "./issue.ts";

/** What a value is, in words that its writer knows too. */
type Told = Readonly<{ tag: number; parts?: readonly Told[]; bytes?: string }>;
const CONSTRUCTED = [0x30, 0x31, 0xa0, 0xa3];

const told = (value: Value): Told =>
  CONSTRUCTED.includes(value.tag)
    ? { tag: value.tag, parts: listOf(value, value.tag).map(told) }
    : { tag: value.tag, bytes: value.content.toString("hex") };

const leaf = fc
  .record({ tag: fc.constantFrom(0x02, 0x03, 0x04, 0x0c, 0x80), bytes: fc.uint8Array({ maxLength: 300 }) })
  .map(({ tag, bytes }) => ({ der: tagged(tag, bytes), told: { tag, bytes: Buffer.from(bytes).toString("hex") } as Told }));
type Written = Readonly<{ der: Der; told: Told }>;
const { tree } = fc.letrec<{ tree: Written }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 6 },
    leaf,
    fc.record({ tag: fc.constantFrom(...CONSTRUCTED), parts: fc.array(tie("tree"), { maxLength: 6 }) }).map(({ tag, parts }) => ({
      der: tagged(tag, ...parts.map((part) => part.der)),
      told: { tag, parts: parts.map((part) => part.told) },
    })),
  ),
}));

describe("DER of others", () => {
  it("is read as it was written, whatever its shape", () => {
    fc.assert(
      fc.property(tree, (written) => {
        expect(told(readDer(written.der))).toEqual(written.told);
      }),
    );
  });

  it("that has one byte too many, one too few, or none is refused", () => {
    fc.assert(
      fc.property(tree, ({ der }) => {
        for (const wrong of [der.subarray(0, -1), Buffer.concat([der, Buffer.of(0)])]) expect(() => told(readDer(wrong))).toThrow("no DER");
      }),
    );
    expect(() => readDer(Buffer.alloc(0))).toThrow("cut off");
  });

  it.each([
    ["an indefinite length", "3080020101 0000", "not that of DER"],
    ["a length in more bytes than it needs", "30810302 0101", "more bytes than it needs"],
    ["a length with a zero before it", `3082007f ${"00".repeat(127)}`, "more bytes than it needs"],
    ["a length of eight bytes", "3088ffffffffffffffff", "not that of DER"],
    ["a length of two gigabytes", "30847fffffff", "longer than what holds it"],
    ["a tag of several bytes", "1f8101 00", "more than one byte"],
  ])("with %s is refused", (_, hex, reason) => {
    expect(() => readDer(Buffer.from(hex.replaceAll(" ", ""), "hex"))).toThrow(reason);
  });

  it("ten thousand values deep, or a million wide, is refused before it costs anything", () => {
    let deep: Buffer = octets(Buffer.alloc(0));
    for (let at = 0; at < 10_000; at++) deep = sequence(deep);
    expect(() => told(readDer(deep))).toThrow("more than 32 deep");
    expect(() => told(readDer(sequence(Buffer.alloc(2_000_000, Buffer.of(5, 0)))))).toThrow("more than 10000 parts");
  });

  it("never ends in another error, whatever the bytes are", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        try {
          told(readDer(bytes));
        } catch (error) {
          expect(error).toMatchObject({ code: "der-invalid" });
        }
      }),
      { numRuns: 2_000 },
    );
  });
});

describe("a value", () => {
  it("is an object identifier in its dotted form, with arcs of any size", () => {
    for (const dotted of ["1.2.840.113549.1.9.16.1.4", "2.5.29.37", "0.4.0.2023.1.1", "1.3.6.1.5.5.7.3.8", "2.25.1706341822"])
      expect(oidOf(readDer(oid(dotted)))).toBe(dotted);
    const wide = Buffer.concat([Buffer.of(0x69), Buffer.alloc(18, 0xff), Buffer.of(0x7f)]); // 2.25 and an arc of 133 bits
    expect(oidOf(readDer(tagged(0x06, wide)))).toBe(`2.25.${2n ** 133n - 1n}`);
    for (const wrong of ["", "2a80", "2a8001", "00".repeat(65)])
      expect(() => oidOf(readDer(tagged(0x06, Buffer.from(wrong, "hex"))))).toThrow("object identifier");
  });

  it("is a number of at least zero, in one way only", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 160n }), (value) => {
        const hex = value.toString(16);
        const bytes = Buffer.from(hex.padStart(hex.length + (hex.length % 2), "0"), "hex");
        expect(integerOf(readDer(integer(bytes))).toString("hex")).toBe(bytes.toString("hex"));
      }),
    );
    for (const wrong of ["", "80", "ff01", "0001"])
      expect(() => integerOf(readDer(tagged(0x02, Buffer.from(wrong, "hex"))))).toThrow("integer");
    expect(smallOf(readDer(integer(Buffer.of(1, 0))))).toBe(256);
    expect(() => smallOf(readDer(integer(Buffer.alloc(5, 1))))).toThrow("too large");
  });

  it("is a time of both kinds, on a calendar", () => {
    for (const iso of ["2026-05-04T09:00:00.000Z", "2049-12-31T23:59:59.000Z", "2050-01-01T00:00:00.000Z"])
      expect(timeOf(readDer(time(new Date(iso))))).toBe(Date.parse(iso));
    expect(timeOf(readDer(tagged(0x18, Buffer.from("20260504090000.25Z"))))).toBe(Date.parse("2026-05-04T09:00:00.250Z"));
    for (const wrong of ["20261304090000Z", "20260504090000", "20260504090000+0200", "hello"])
      expect(() => timeOf(readDer(tagged(0x18, Buffer.from(wrong))))).toThrow("a time is");
    expect(() => timeOf(readDer(utf8("260504090000Z")))).toThrow("a time is");
  });

  it("is only what it is asked for as", () => {
    const value = readDer(sequence(explicit(0, set(bits(Buffer.of(1))))));
    expect(onlyOf(onlyOf(value, 0x30), 0xa0).tag).toBe(0x31);
    expect(() => listOf(value, 0x31)).toThrow("tag 48, not 49");
    expect(() => onlyOf(readDer(sequence()), 0x30)).toThrow("one value is expected");
    expect(() => listOf(readDer(octets(Buffer.of(1))), 0x04)).toThrow("primitive");
    expect(() => valueWith(undefined, 0x30)).toThrow("tag none");
  });

  it("of a certificate is what Node reads of it too", async () => {
    const issued = await issueCertificate({ name: "a", organization: "b", use: "client", days: 1 });
    const certificate = new X509Certificate(issued.cert);
    const [body] = listOf(readDer(certificate.raw), 0x30);
    const [, serial, , , validity] = listOf(body, 0x30);
    expect(integerOf(serial).toString("hex").toUpperCase()).toBe(certificate.serialNumber);
    expect(listOf(validity, 0x30).map(timeOf)).toEqual([certificate.validFromDate.getTime(), certificate.validToDate.getTime()]);
    const { publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const [, key] = listOf(readDer(publicKey.export({ type: "spki", format: "der" })), 0x30);
    expect(key?.tag).toBe(0x03);
  });
});
