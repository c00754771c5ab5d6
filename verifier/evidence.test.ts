import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { container } from "#adapters/asic/container.ts";
import { zip } from "#adapters/asic/zip.ts";
import { openKeys, type Keys } from "#adapters/keys/ca.ts";
import { evidenceOf, type EvidenceFile } from "#bus/evidence/export.ts";
import { openStamps } from "#bus/evidence/stamps.ts";
import type { JournalRecord } from "#bus/journal/record.ts";
import { numbered, openEvidenceWorld } from "#test/harness/evidence.ts";
import { createMemoryPorts } from "#test/harness/memory.ts";
import { messageOf } from "#test/harness/message.ts";
import { stampAuthority } from "#test/harness/stamps.ts";
import { createVirtualClock } from "#test/harness/virtual-clock.ts";
import { readArchive } from "./archive.ts";
import { verifyEvidence } from "./evidence.ts";

let dataDir: string;
let keys: Keys;
let files: readonly EvidenceFile[];
let whole: Buffer;
/** The authority of the time-stamps, PEM, and a true time-stamp of it over something else. */
let stampers: string;
let other: Uint8Array;
/** A true proof of an entry under a checkpoint that came later. */
let unstamped: string;

const framed = Buffer.concat([Buffer.of(0, 0, 0, 0, 7), Buffer.from("avro")]);
const request = messageOf(
  {},
  { body: framed, call: { user: "2000000000007", entity: "1010600034203", basis: "Law", reason: "r" } },
).envelope;
const RECORDS: readonly JournalRecord[] = [
  numbered(1, { id: "x", envelope: request, system: "town/hall", contract: "person.request.v1" }),
  numbered(2, { id: "x", step: "refused", outcome: "denied", original: Buffer.from("<what came/>") }),
  numbered(3, { id: "x", step: "replied", target: "rsp/population" }),
];

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "evidence-"));
  keys = await openKeys(dataDir);
  const clock = createVirtualClock(Date.now());
  const ports = createMemoryPorts(clock);
  const { log } = await openEvidenceWorld(ports, { clock, signer: keys.log });
  await log.journal.append([numbered(9), ...RECORDS, numbered(10)]);
  const registry = { schema: (id: number) => Promise.resolve(`{"type":"string","id":${id}}`) } as Parameters<
    typeof evidenceOf
  >[0]["registry"];
  const records = ports.journal.records.filter(({ id }) => id === "x");
  const { stamps: authority, ca } = await stampAuthority(() => clock.now());
  stampers = ca;
  const onError = (error: unknown): void => {
    throw error;
  };
  const stamps = await openStamps({ ...ports, log, clock, authority, leases: undefined, every: 60_000, longest: 60_000, onError });
  files = await evidenceOf({ log, registry, store: ports.store, stamps }, "x", records);
  whole = Buffer.from(await container(files, keys.seal));
  const later = await authority.stamp(Buffer.from("another checkpoint"), new AbortController().signal);
  other = later.token;
  await log.journal.append([numbered(11)]);
  await log.prove(ports.journal.records);
  const newer = await evidenceOf({ log, registry, store: ports.store }, "x", records);
  unstamped = Buffer.from(newer.find(({ name }) => name === "proofs/4.tlog-proof")?.bytes ?? "").toString("latin1");
  await stamps.close();
  await log.close();
});
afterAll(() => rm(dataDir, { recursive: true }));

const sealed = async (given: readonly EvidenceFile[], by: Keys["seal"] = keys.seal): Promise<Buffer> =>
  Buffer.from(await container(given, by));
const without = (name: string): EvidenceFile[] => files.filter((file) => file.name !== name);
const instead = (name: string, change: (text: string) => string): EvidenceFile[] =>
  files.map((file) =>
    file.name === name ? { name, bytes: Buffer.from(change(Buffer.from(file.bytes).toString("latin1")), "latin1") } : file,
  );
const flipped = (at: number, flip: number): Buffer => {
  const changed = Buffer.from(whole);
  changed[at] = (changed[at] ?? 0) ^ flip;
  return changed;
};

describe("evidence of an exchange", () => {
  it("is found true, and says who sealed it, when, and what happened", () => {
    const verdict = verifyEvidence(whole, keys.ca);
    expect(verdict).toMatchObject({
      sealedBy: "CN=MConnect Bus seal, O=Development only",
      authority: { trusted: true },
      log: { name: keys.log.name, size: 5 },
      messages: 1,
    });
    expect(verdict.entries.map(({ position, step, outcome }) => [position, step, outcome])).toEqual([
      [2, "accepted", "ok"],
      [3, "refused", "denied"],
      [4, "replied", "ok"],
    ]);
    expect(verdict.entries[0]).toMatchObject({
      system: "town/hall",
      envelope: { user: "2000000000007", entity: "1010600034203", basis: "Law" },
    });
  });

  it("says when all of it existed, by the word of an authority outside, and whether that is a trusted one", () => {
    const { stamp } = verifyEvidence(whole, keys.ca + stampers);
    expect(stamp).toMatchObject({ by: "CN=MConnect Bus development time-stamps, O=Development only", authority: { trusted: true } });
    expect(Math.abs(Date.parse(stamp?.at ?? "") - Date.now())).toBeLessThan(300_000);
    expect(verifyEvidence(whole, keys.ca).stamp?.authority.trusted).toBe(false);
  });

  it("without a time-stamp says that it has none", async () => {
    const bytes = await sealed(files.filter(({ name }) => !name.startsWith("stamp/")));
    expect(verifyEvidence(bytes, keys.ca).stamp).toBeUndefined();
  });

  it("without a certificate to trust names the authority's fingerprint and leaves trust to the reader", () => {
    const { authority } = verifyEvidence(whole, undefined);
    expect(authority.trusted).toBe(false);
    expect(authority.sha256).toMatch(/^([0-9A-F]{2}:){31}[0-9A-F]{2}$/u);
  });

  it("of another authority than the one that is trusted is refused", async () => {
    const other = await mkdtemp(join(tmpdir(), "evidence-other-"));
    const stranger = await openKeys(other);
    await rm(other, { recursive: true });
    expect(() => verifyEvidence(whole, stranger.ca)).toThrow("not issued by the authority that you trust");
  });

  it("holds the messages, the refused bytes, the schemas and a page for people", () => {
    const names = [...readArchive(whole).keys()];
    for (const name of ["messages/2.avro", "originals/3.bin", "schemas/7.avsc", "README.txt", "log.vkey", "proofs/4.tlog-proof"])
      expect(names).toContain(name);
    expect(readArchive(whole).get("README.txt")?.toString()).toContain("refused (denied)");
  });
});

describe("a change of one byte", () => {
  it("is found wherever it is: ten thousand of them", () => {
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        expect(() => verifyEvidence(flipped(at, flip), keys.ca)).toThrow();
      }),
      { numRuns: 10_000 },
    );
  }, 120_000);

  it("is found at every place of the signature and of the archive's directory", () => {
    const from = whole.indexOf("META-INF/signature.p7s") - 30;
    for (let at = from; at < whole.length; at++) expect(() => verifyEvidence(flipped(at, 1), undefined)).toThrow();
  });

  it("is found when bytes are cut off or added at either end", () => {
    for (const wrong of [
      whole.subarray(0, -1),
      whole.subarray(1),
      Buffer.concat([whole, Buffer.of(0)]),
      Buffer.concat([Buffer.of(0), whole]),
      Buffer.alloc(0),
    ])
      expect(() => verifyEvidence(wrong, keys.ca)).toThrow();
  });
});

describe("evidence that somebody with the seal made up", () => {
  it.each([
    ["a changed entry", "entries/2.json", (text: string) => text.replace("town/hall", "town/wall"), "does not lead to the log's root"],
    ["another message", "messages/2.avro", (text: string) => `${text}!`, "is not the message of its entry"],
    ["other refused bytes", "originals/3.bin", (text: string) => `${text} `, "is not the message of its entry"],
    ["another place in the log", "proofs/3.tlog-proof", (text: string) => text.replace("index 2", "index 1"), "does not lead"],
    ["a checkpoint of another size", "proofs/4.tlog-proof", (text: string) => text.replace("\n5\n", "\n6\n"), "signature of a checkpoint"],
    ["base64 written another way", "proofs/4.tlog-proof", (text: string) => text.replace(/=\n/u, "==\n"), "is no base64"],
    ["a number with a zero before it", "proofs/4.tlog-proof", (text: string) => text.replace("index ", "index 0"), "number that is none"],
    ["a key with another name", "log.vkey", (text: string) => text.replace("mconnect", "nconnect"), "no Ed25519 key"],
    ["a proof that is none", "proofs/4.tlog-proof", () => "hello", "no C2SP tlog-proof"],
  ] as const)("with %s is refused", async (_, name, change, reason) => {
    const bytes = await sealed(instead(name, change));
    expect(() => verifyEvidence(bytes, keys.ca)).toThrow(reason);
  });

  it.each([
    ["messages/2.avro", "which is missing"],
    ["stamp/token.tst", "has no file `stamp/token.tst`"],
    ["stamp/authority.pem", "has no file `stamp/authority.pem`"],
    ["originals/3.bin", "which is missing"],
    ["proofs/3.tlog-proof", "has no file `proofs/3.tlog-proof`"],
    ["log.vkey", "has no file `log.vkey`"],
  ])("without %s is refused", async (name, reason) => {
    const bytes = await sealed(without(name));
    expect(() => verifyEvidence(bytes, keys.ca)).toThrow(reason);
  });

  it("without any entry, with a message of no entry, or with an entry under another number is refused", async () => {
    const none = await sealed(files.filter(({ name }) => !name.startsWith("entries/")));
    expect(() => verifyEvidence(none, keys.ca)).toThrow("no entry of the log");
    const more = await sealed([...files, { name: "messages/4.avro", bytes: Buffer.from("x") }]);
    expect(() => verifyEvidence(more, keys.ca)).toThrow("belongs to no entry");
    const renamed = await sealed(files.map(({ name, bytes }) => ({ name: name.replace("/4.", "/5."), bytes })));
    expect(() => verifyEvidence(renamed, keys.ca)).toThrow("is the entry of position 4");
  });

  it("with the time-stamp of another checkpoint, or under another authority, is refused", async () => {
    const swapped = await sealed(files.map((file) => (file.name === "stamp/token.tst" ? { ...file, bytes: other } : file)));
    expect(() => verifyEvidence(swapped, keys.ca)).toThrow("over another checkpoint");
    const foreign = await sealed(instead("stamp/authority.pem", () => keys.ca));
    expect(() => verifyEvidence(foreign, keys.ca)).toThrow("not issued under the authority");
    const sealAsStamp = await sealed(
      instead("stamp/token.tst", (text) =>
        text.replace("+\u0006\u0001\u0005\u0005\u0007\u0003\u0008", "+\u0006\u0001\u0005\u0005\u0007\u0003\u0001"),
      ),
    );
    expect(() => verifyEvidence(sealAsStamp, keys.ca)).toThrow(/time-stamp/u);
  });

  it("with a proof under a checkpoint that nobody stamped is refused", async () => {
    const bytes = await sealed(instead("stamp/checkpoint.txt", (text) => text.replace("\n5\n", "\n6\n")));
    expect(() => verifyEvidence(bytes, keys.ca)).toThrow(/over another checkpoint/u);
    const newer = await sealed(instead("proofs/4.tlog-proof", () => unstamped));
    expect(() => verifyEvidence(newer, keys.ca)).toThrow("another checkpoint than the stamped one");
  });

  it("with a log of another key is refused", async () => {
    const other = await mkdtemp(join(tmpdir(), "evidence-log-"));
    const stranger = await openKeys(other);
    await rm(other, { recursive: true });
    const { log } = await openEvidenceWorld(createMemoryPorts(createVirtualClock()), { signer: stranger.log });
    const bytes = await sealed(instead("log.vkey", () => `${log.verifierKey}\n`));
    await log.close();
    expect(() => verifyEvidence(bytes, keys.ca)).toThrow("a checkpoint is of another log");
  });
});

describe("a container put together another way", () => {
  const parts = (): [string, Buffer][] => [...readArchive(whole)];
  const packed = (given: readonly (readonly [string, Buffer])[]): Buffer =>
    Buffer.from(zip(given.map(([name, bytes]) => ({ name, bytes }))));

  it("with a file that was not sealed is refused", () => {
    expect(() => verifyEvidence(packed([...parts(), ["more.txt", Buffer.from("x")]]), keys.ca)).toThrow("`more.txt`, which was not sealed");
  });

  it("with a file left out or twice is refused", () => {
    expect(() => verifyEvidence(packed(parts().filter(([name]) => name !== "README.txt")), keys.ca)).toThrow("README.txt");
    const twice = parts().flatMap((part) => (part[0] === "README.txt" ? [part, part] : [part]));
    expect(() => verifyEvidence(packed(twice), keys.ca)).toThrow("twice");
  });

  it("that does not begin with the media type, or begins with another one, is refused", () => {
    expect(() => verifyEvidence(packed(parts().toReversed()), keys.ca)).toThrow("no ASiC-E container");
    const odt = parts().map(([name, bytes]) => [name, name === "mimetype" ? Buffer.from("application/zip") : bytes] as const);
    expect(() => verifyEvidence(packed(odt), keys.ca)).toThrow("no ASiC-E container");
  });

  it("with the signature of other evidence is refused", async () => {
    const other = new Map(readArchive(await sealed(without("README.txt"))));
    const mixed = parts().map(([name, bytes]) => [name, name.endsWith(".p7s") ? (other.get(name) ?? bytes) : bytes] as const);
    expect(() => verifyEvidence(packed(mixed), keys.ca)).toThrow("not the one that was signed");
  });

  it("that is no archive, or an empty one, is refused", () => {
    for (const bytes of [Buffer.from("hello"), Buffer.from(zip([])), Buffer.alloc(3000, 0x50)])
      expect(() => verifyEvidence(bytes, keys.ca)).toThrow();
  });
});

describe("other people's tools", () => {
  it.skipIf(!existsSync("/usr/bin/openssl"))("find the signature valid: OpenSSL's CMS", async () => {
    const read = readArchive(whole);
    const path = (name: string): string => join(dataDir, name);
    await writeFile(path("signature.p7s"), read.get("META-INF/signature.p7s") ?? "");
    await writeFile(path("manifest.xml"), read.get("META-INF/ASiCManifest.xml") ?? "");
    await writeFile(path("ca.pem"), keys.ca);
    const args = [
      "cms",
      "-verify",
      "-binary",
      "-cades",
      "-inform",
      "DER",
      "-purpose",
      "any",
      "-in",
      path("signature.p7s"),
      "-CAfile",
      path("ca.pem"),
      "-out",
      "/dev/null",
    ];
    execFileSync("/usr/bin/openssl", [...args, "-content", path("manifest.xml")], { stdio: "pipe" });
    await writeFile(path("manifest.xml"), "another");
    expect(() => execFileSync("/usr/bin/openssl", [...args, "-content", path("manifest.xml")], { stdio: "pipe" })).toThrow();
  });

  it.skipIf(!existsSync("/usr/bin/python3"))("read the archive: Python's zipfile finds every file whole", async () => {
    const path = join(dataDir, "evidence.asice");
    await writeFile(path, whole);
    const script = "import sys,zipfile;z=zipfile.ZipFile(sys.argv[1]);print(z.testzip(),len(z.namelist()),z.read('mimetype').decode())";
    const out = execFileSync("/usr/bin/python3", ["-c", script, path]).toString().trim();
    expect(out).toBe(`None ${readArchive(whole).size} application/vnd.etsi.asic-e+zip`);
  });
});

describe("the verifier", () => {
  it("is a program of its own that needs nothing of the bus", async () => {
    const file = join(dataDir, "e.asice");
    const ca = join(dataDir, "keys", "ca.cert.pem");
    await writeFile(file, whole);
    const verify = (path: string): string =>
      execFileSync(process.execPath, [join(import.meta.dirname, "verify.ts"), path, ca], { stdio: "pipe" }).toString();
    expect(JSON.parse(verify(file))).toMatchObject({ authority: { trusted: true } });
    await writeFile(file, flipped(100, 4));
    expect(() => verify(file)).toThrow(/Command failed/u);
  });
});
