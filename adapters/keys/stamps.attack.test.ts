/** Time-stamps that somebody made up, and authorities that answer something else than they were asked. */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { WebCall, WebClient } from "#bus/wire.ts";
import { attribute, forge, type Forged } from "#test/harness/stamp-forge.ts";
import { octets, oid } from "./der.ts";
import { issueCertificate, type KeyPair } from "./issue.ts";
import { createStampAuthority } from "./stamp-authority.ts";
import { createStampClient } from "./stamp-client.ts";
import { readToken } from "./stamp-token.ts";

const OVER = Buffer.from("example.org/log\n7\nroot\n");
const AT = Date.UTC(2026, 4, 4, 9);

let directory: string;
let ca: KeyPair;
let stranger: KeyPair;
let tsa: KeyPair;
let strangersTsa: KeyPair;
let seal: KeyPair;
let server: KeyPair;

const issue = (use: "authority" | "stamp" | "seal" | "server", name: string, issuer?: KeyPair, days = 3650): Promise<KeyPair> =>
  issueCertificate({ name, organization: "Test", use, days, ...(issuer ? { issuer } : undefined) });

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "stamps-"));
  [ca, stranger] = await Promise.all([issue("authority", "CA"), issue("authority", "Stranger")]);
  [tsa, strangersTsa, seal, server] = await Promise.all([
    issue("stamp", "TSA", ca),
    issue("stamp", "Other TSA", stranger),
    issue("seal", "Seal", ca),
    issue("server", "Server", ca),
  ]);
});
afterAll(() => rm(directory, { recursive: true }));

const now = (): string => `${new Date().toISOString().replace(/[-:T]/gu, "").slice(0, 14)}Z`;
const forged = (how: Omit<Forged, "signer"> & { signer?: KeyPair } = {}): Buffer => forge(OVER, { signer: tsa, time: now(), ...how });

/** A client on a wire that answers as it is told. */
function wire(
  answer: (call: WebCall) => Readonly<{ status?: number; body: Uint8Array }>,
  at = Date.now,
): ReturnType<typeof createStampClient> {
  const client: WebClient = {
    request: (call) => Promise.resolve({ status: 200, headers: {}, ...answer(call) }),
    close: () => Promise.resolve(),
  };
  return createStampClient({ client, url: "http://tsa.example/", trusted: [ca.cert], now: at });
}

describe("a time-stamp", () => {
  it("of a trusted authority over these bytes is taken", () => {
    const facts = readToken(forged({ nonce: Buffer.of(0x40, 1) }), OVER, [stranger.cert, ca.cert]);
    expect(facts).toMatchObject({ by: "CN=TSA, O=Test", policy: "1.2.3.4", serial: "07", nonce: Buffer.of(0x40, 1) });
    expect(Math.abs(facts.at - Date.now())).toBeLessThan(60_000);
  });

  it("is taken under the authority's own certificate too, where that is the trusted one", () => {
    expect(readToken(forged(), OVER, [tsa.cert]).by).toBe("CN=TSA, O=Test");
  });

  it.each([
    ["A44 over other bytes", () => forged({ imprint: Buffer.alloc(32) }), "over other bytes"],
    [
      "A44 with a digest that is broken",
      () => forged({ digestAlgorithm: "1.3.14.3.2.26", imprint: Buffer.alloc(20) }),
      "not SHA-256 or longer",
    ],
    ["A44 of a certificate for anything else: no purpose", () => forged({ signer: seal }), "not for time-stamping only"],
    ["A44 of a certificate for anything else: a server", () => forged({ signer: server }), "not for time-stamping only"],
    ["A44 signed by an authority's certificate", () => forged({ signer: ca }), "an authority's certificate"],
    ["A44 of an authority that nobody here trusts", () => forged({ signer: strangersTsa }), "not issued under a trusted authority"],
    [
      "A44 that brings the untrusted authority along",
      () => forged({ signer: strangersTsa, bag: [strangersTsa.cert, stranger.cert] }),
      "not issued under",
    ],
    [
      "A44 with the trusted certificate put in the bag beside the signer's own",
      () => forged({ signer: strangersTsa, bag: [tsa.cert, ca.cert, strangersTsa.cert] }),
      "not issued under",
    ],
    [
      "A44 that names the trusted certificate and is signed by another key",
      () => forged({ signer: strangersTsa, named: tsa.cert, bag: [tsa.cert, strangersTsa.cert] }),
      "does not verify",
    ],
    ["A44 that names a certificate which it does not bring", () => forged({ bag: [ca.cert] }), "does not bring the certificate"],
    ["A44 without a certificate named in what is signed", () => forged({ without: "signer" }), "tag none"],
    ["A42 without signed attributes of the digest", () => forged({ without: "digest" }), "tag none"],
    ["A42 with the digest of other content", () => forged({ digest: Buffer.alloc(32) }), "digest of something else"],
    ["A42 with another content type signed", () => forged({ contentType: "1.2.840.113549.1.7.1" }), "another kind of content"],
    ["A42 with a signed attribute twice", () => forged({ more: [attribute("1.2.840.113549.1.9.4", octets(Buffer.alloc(32)))] }), "twice"],
    ["A42 with two signers", () => forged({ signers: 2 }), "2 signers, not one"],
    ["A42 with no signer", () => forged({ signers: 0 }), "0 signers, not one"],
    ["A42 with bytes behind it", () => Buffer.concat([forged(), Buffer.of(0)]), "bytes follow"],
    ["A42 with seventeen certificates", () => forged({ bag: Array.from({ length: 17 }, () => tsa.cert) }), "brings 17 certificates"],
    ["A44 of another version", () => forged({ version: 2 }), "version is not 1"],
    ["A44 from before its certificate", () => forged({ time: "20200101000000Z" }), "was not valid at its time"],
    ["A44 from after its certificate", () => forged({ time: "20600101000000Z" }), "was not valid at its time"],
    ["A44 with a time that is none", () => forged({ time: "tomorrow" }), "a time is neither"],
    ["A42 that is a plain object identifier", () => oid("1.2.3"), "tag 6, not 48"],
  ] as const)("%s is refused", (_, token, reason) => {
    expect(() => readToken(token(), OVER, [ca.cert])).toThrow(reason);
  });

  it("A44 with one byte changed is refused, or says the same", () => {
    const token = forged();
    const facts = readToken(token, OVER, [ca.cert]);
    fc.assert(
      fc.property(fc.nat(token.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const changed = Buffer.from(token);
        changed[at] = (changed[at] ?? 0) ^ flip;
        try {
          expect(readToken(changed, OVER, [ca.cert])).toEqual(facts); // versions and algorithm lists that nothing hangs on
        } catch (error) {
          expect(error).toHaveProperty("code");
        }
      }),
      { numRuns: 2_000 },
    );
  });
});

describe("an authority's answer", () => {
  const authority = (pair = tsa, at = Date.now): ((call: WebCall) => { body: Uint8Array }) => {
    const answer = createStampAuthority(pair, at);
    return ({ body }) => ({ body: answer(body) });
  };
  const signal = new AbortController().signal;

  it("to this request is taken, with its time and name", async () => {
    const stamp = await wire(authority()).stamp(OVER, signal);
    expect(stamp.by).toBe("CN=TSA, O=Test");
    expect(readToken(stamp.token, OVER, [ca.cert]).at).toBe(stamp.at);
  });

  it("A44 to an earlier request is refused: another nonce", async () => {
    let first: Uint8Array | undefined;
    const answer = authority();
    const again = wire((call) => ({ body: (first ??= answer(call).body) }));
    await again.stamp(OVER, signal);
    await expect(again.stamp(OVER, signal)).rejects.toThrow("answered another request");
  });

  it("A44 to a request for other bytes is refused", async () => {
    const answer = authority();
    let first: Uint8Array | undefined;
    const again = wire((call) => ({ body: (first ??= answer(call).body) }));
    await again.stamp(OVER, signal);
    await expect(again.stamp(Buffer.from("other"), signal)).rejects.toThrow("over other bytes");
  });

  it("B24 with a clock that is an hour off is refused, and says to compare clocks", async () => {
    await expect(wire(authority(tsa, () => Date.now() + 3_600_000)).stamp(OVER, signal)).rejects.toThrow("compare both clocks");
  });

  it("of an authority that refuses says why; HTML and errors are no time-stamps", async () => {
    const answer = createStampAuthority(tsa, Date.now);
    await expect(wire(() => ({ body: answer(Buffer.from("hello")) })).stamp(OVER, signal)).rejects.toThrow(
      "refused with status 2: this is no DER",
    );
    await expect(wire(() => ({ body: Buffer.from("<html>") })).stamp(OVER, signal)).rejects.toThrow("no DER");
    await expect(wire(() => ({ status: 404, body: Buffer.alloc(0) })).stamp(OVER, signal)).rejects.toThrow("HTTP 404");
  });

  it("never fails otherwise: the development authority answers whatever it is sent", () => {
    const answer = createStampAuthority(tsa, () => AT);
    fc.assert(fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => answer(bytes).length > 0));
  });
});

describe.skipIf(!existsSync("/usr/bin/openssl"))("OpenSSL", () => {
  const openssl = (...args: readonly string[]): Buffer =>
    execFileSync("/usr/bin/openssl", args, { cwd: directory, stdio: ["ignore", "pipe", "pipe"] });

  it("asks the development authority, and finds its answer right", async () => {
    await writeFile(join(directory, "data"), OVER);
    await writeFile(join(directory, "ca.pem"), ca.cert);
    openssl("ts", "-query", "-data", "data", "-sha256", "-cert", "-out", "query.tsq");
    await writeFile(join(directory, "reply.tsr"), createStampAuthority(tsa, Date.now)(await readFile(join(directory, "query.tsq"))));
    expect(openssl("ts", "-verify", "-queryfile", "query.tsq", "-in", "reply.tsr", "-CAfile", "ca.pem").toString()).toContain("OK");
    await writeFile(join(directory, "data"), "other");
    expect(() => openssl("ts", "-verify", "-data", "data", "-in", "reply.tsr", "-CAfile", "ca.pem")).toThrow();
  });

  it("answers as an authority with an RSA key and intermediate, and its word is taken", async () => {
    const file = (name: string): string => join(directory, name);
    const config = [
      "[tsa]",
      "default_tsa=t",
      "[t]",
      "serial=serial",
      "default_policy=1.2.3.4.1",
      "digests=sha256",
      "signer_digest=sha256",
      "ess_cert_id_alg=sha256",
      "[root]",
      "basicConstraints=critical,CA:TRUE",
      "[leaf]",
      "extendedKeyUsage=critical,timeStamping",
      "basicConstraints=CA:FALSE",
    ].join("\n");
    await writeFile(file("c.cnf"), config);
    await writeFile(file("serial"), "01\n");
    const key = (name: string): readonly string[] => ["-newkey", "rsa:2048", "-nodes", "-keyout", `${name}.key`];
    openssl(
      "req",
      "-x509",
      ...key("r"),
      "-subj",
      "/CN=Root",
      "-out",
      "r.pem",
      "-days",
      "30",
      "-addext",
      "basicConstraints=critical,CA:TRUE",
    );
    for (const [name, issuer, part] of [
      ["i", "r", "root"],
      ["t", "i", "leaf"],
    ] as const) {
      openssl("req", ...key(name), "-new", "-subj", `/CN=${name}`, "-out", `${name}.csr`);
      openssl(
        "x509",
        "-req",
        "-in",
        `${name}.csr`,
        "-CA",
        `${issuer}.pem`,
        "-CAkey",
        `${issuer}.key`,
        "-CAcreateserial",
        "-out",
        `${name}.pem`,
        "-days",
        "20",
        "-extfile",
        "c.cnf",
        "-extensions",
        part,
      );
    }
    const root = await readFile(file("r.pem"), "utf8");
    const client: WebClient = {
      async request({ body }) {
        await writeFile(file("q.tsq"), body);
        openssl(
          "ts",
          "-reply",
          "-config",
          "c.cnf",
          "-section",
          "t",
          "-queryfile",
          "q.tsq",
          "-signer",
          "t.pem",
          "-inkey",
          "t.key",
          "-chain",
          "i.pem",
          "-out",
          "q.tsr",
        );
        return { status: 200, headers: {}, body: await readFile(file("q.tsr")) };
      },
      close: () => Promise.resolve(),
    };
    const parts = { client, url: "http://tsa.example/", now: Date.now };
    const stamp = await createStampClient({ ...parts, trusted: [root] }).stamp(OVER, new AbortController().signal);
    expect(stamp.by).toBe("CN=t");
    await expect(createStampClient({ ...parts, trusted: [ca.cert] }).stamp(OVER, new AbortController().signal)).rejects.toThrow(
      "not issued under",
    );
  });
});
