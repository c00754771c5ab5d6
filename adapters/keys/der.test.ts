import { execFileSync, spawnSync } from "node:child_process";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bits, boolean, explicit, implicit, integer, octets, oid, sequence, set, time, utf8 } from "./der.ts";

const OPENSSL = spawnSync("openssl", ["version"]).status === 0;
const hex = (der: Buffer): string => der.toString("hex");

/** Tag, body and what follows of the first element: an own reading of X.690 §8.1, to hold the writer against. */
function take(der: Buffer): { tag: number; body: Buffer; rest: Buffer } {
  const first = der[1] ?? 0;
  const count = first < 0x80 ? 0 : first & 0x7f;
  let length = first;
  if (count > 0) {
    length = der.readUIntBE(2, count);
    // DER: the fewest bytes that hold the length.
    expect(length).toBeGreaterThanOrEqual(count === 1 ? 0x80 : 256 ** (count - 1));
  }
  const from = 2 + count;
  expect(der.length).toBeGreaterThanOrEqual(from + length);
  return { tag: der[0] ?? 0, body: der.subarray(from, from + length), rest: der.subarray(from + length) };
}

describe("lengths", () => {
  it.each([
    [0, "0400"],
    [1, "0401"],
    [127, "047f"],
    [128, "048180"],
    [255, "0481ff"],
    [256, "04820100"],
    [65_535, "0482ffff"],
    [65_536, "0483010000"],
  ])("of %d bytes are written in the fewest bytes", (size, head) => {
    const der = octets(Buffer.alloc(size, 0x61));
    expect(hex(der).slice(0, head.length)).toBe(head);
    expect(take(der)).toMatchObject({ tag: 4, rest: Buffer.alloc(0) });
    expect(take(der).body).toHaveLength(size);
  });
});

describe("values", () => {
  it.each<[string, Buffer, string]>([
    ["true", boolean(true), "0101ff"],
    ["false", boolean(false), "010100"],
    ["zero", integer(Buffer.from([0])), "020100"],
    ["nothing as a number", integer(Buffer.alloc(0)), "020100"],
    ["127", integer(Buffer.from([127])), "02017f"],
    ["128, which would look negative", integer(Buffer.from([128])), "02020080"],
    ["leading zeros", integer(Buffer.from([0, 0, 1, 2])), "02020102"],
    ["leading zeros before a high bit", integer(Buffer.from([0, 0, 255])), "020200ff"],
    ["text", utf8("Chișinău"), `0c0a${Buffer.from("Chișinău").toString("hex")}`],
    ["a bit string", bits(Buffer.from([0x06]), 1), "03020106"],
    ["ecdsa-with-SHA256", oid("1.2.840.10045.4.3.2"), "06082a8648ce3d040302"],
    ["commonName", oid("2.5.4.3"), "0603550403"],
    ["serverAuth", oid("1.3.6.1.5.5.7.3.1"), "06082b06010505070301"],
    ["a large arc", oid("1.2.2097152.4294967295"), "060a2a818080008fffffff7f"],
    ["an empty sequence", sequence(), "3000"],
    ["nested", sequence(set(boolean(true)), octets(Buffer.from([1]))), "300831030101ff040101"],
    ["an explicit tag", explicit(3, boolean(true)), "a3030101ff"],
    ["an implicit tag", implicit(2, Buffer.from("a")), "820161"],
    ["a time of this century", time(new Date("2026-01-31T08:09:10.500Z")), `170d${Buffer.from("260131080910Z").toString("hex")}`],
    ["the last of UTCTime", time(new Date("2049-12-31T23:59:59Z")), `170d${Buffer.from("491231235959Z").toString("hex")}`],
    ["the first of GeneralizedTime", time(new Date("2050-01-01T00:00:00Z")), `180f${Buffer.from("20500101000000Z").toString("hex")}`],
  ])("%s", (_, der, wanted) => {
    expect(hex(der)).toBe(wanted);
  });

  it("of any positive number come back, never negative and never with a spare byte", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        const { tag, body, rest } = take(integer(bytes));
        expect([tag, rest.length]).toEqual([2, 0]);
        expect(BigInt(`0x${body.toString("hex")}`)).toBe(BigInt(`0x0${Buffer.from(bytes).toString("hex")}`));
        expect((body[0] ?? 0) & 0x80).toBe(0);
        if (body.length > 1 && body[0] === 0) expect((body[1] ?? 0) & 0x80).toBe(0x80);
      }),
    );
  });

  it("side by side are found again one by one", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 8 }), (parts) => {
        let { body } = take(sequence(...parts.map((part) => octets(part))));
        for (const part of parts) {
          const one = take(body);
          expect(one.body).toEqual(Buffer.from(part));
          body = one.rest;
        }
        expect(body).toHaveLength(0);
      }),
    );
  });

  it.skipIf(!OPENSSL)("are read by OpenSSL, where it is installed, as what they are", () => {
    const der = sequence(
      integer(Buffer.from([255])),
      oid("1.2.840.10045.4.3.2"),
      utf8("ș"),
      boolean(true),
      time(new Date("2050-01-01T00:00:00Z")),
    );
    const shown = execFileSync("openssl", ["asn1parse", "-inform", "DER"], { input: der }).toString();
    for (const word of [
      "INTEGER           :FF",
      "ecdsa-with-SHA256",
      "UTF8STRING",
      "BOOLEAN           :255",
      "GENERALIZEDTIME   :20500101000000Z",
    ])
      expect(shown).toContain(word);
  });
});
