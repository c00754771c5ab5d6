import { createPrivateKey, X509Certificate } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, createServer, type TLSSocket } from "node:tls";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { refusalOf } from "#test/harness/refusal.ts";
import { openKeys } from "./ca.ts";
import { issueCertificate, type KeyPair } from "./issue.ts";

let authority: KeyPair;
let other: KeyPair;
const made = (wanted: Partial<Parameters<typeof issueCertificate>[0]> = {}) =>
  issueCertificate({ name: "localhost", organization: "Test", use: "server", days: 30, issuer: authority, ...wanted });
const read = (pair: KeyPair): X509Certificate => new X509Certificate(pair.cert);

beforeAll(async () => {
  authority = await issueCertificate({ name: "A", organization: "Test", use: "authority", days: 30 });
  other = await issueCertificate({ name: "A", organization: "Test", use: "authority", days: 30 });
});

describe("a certificate", () => {
  it("belongs to its key, is signed by its issuer and by nobody of the same name", async () => {
    const pair = await made();
    const certificate = read(pair);
    expect(certificate.checkPrivateKey(createPrivateKey(pair.key))).toBe(true);
    expect([certificate.verify(read(authority).publicKey), certificate.verify(read(other).publicKey)]).toEqual([true, false]);
    expect([certificate.ca, read(authority).ca]).toEqual([false, true]);
  });
  it("has a serial number of 32 digits that no other has", async () => {
    const serials = await Promise.all(Array.from({ length: 50 }, async () => read(await made({ use: "client" })).serialNumber));
    expect(new Set(serials).size).toBe(50);
    for (const serial of serials) expect(serial).toMatch(/^[4-7][0-9A-F]{31}$/u);
  });
  it("is valid from a little before now, so that clocks may differ, for as long as it was asked for", async () => {
    const certificate = read(await made({ days: 10 }));
    const length = certificate.validToDate.getTime() - certificate.validFromDate.getTime();
    expect(length).toBe(10 * 86_400_000);
    expect(certificate.validFromDate.getTime()).toBeLessThan(Date.now() - 60_000);
  });
  it("of a far future has a date that is read back", async () => {
    expect(read(await made({ days: 36_500 })).validToDate.getUTCFullYear()).toBeGreaterThan(2100);
  });
  it.each(["Ministerul Justiției", "a+b=c,d", 'quo"te', "x".repeat(300), "O=evil\nCN=other"])(
    "keeps the name %j as one name",
    async (name) => {
      const certificate = read(await made({ name }));
      expect(certificate.subject.split("\n").filter((line) => line.startsWith("CN="))).toHaveLength(1);
      expect(certificate.toLegacyObject().subject.CN).toBe(name);
    },
  );
  it("names hosts and addresses so that clients find them", async () => {
    const certificate = read(await made({ names: ["localhost", "*.localhost", "127.0.0.1", "::1"] }));
    expect([certificate.checkHost("localhost"), certificate.checkIP("127.0.0.1"), certificate.checkIP("::1")]).toEqual([
      "localhost",
      "127.0.0.1",
      "::1",
    ]);
    expect([certificate.checkHost("example.org"), certificate.checkIP("127.0.0.2"), certificate.checkHost("evil.localhost.org")]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });
  it.each([
    ["server", ["1.3.6.1.5.5.7.3.1"]],
    ["client", ["1.3.6.1.5.5.7.3.2"]],
  ] as const)("for a %s is for nothing else", async (use, usages) => {
    expect(read(await made({ use })).keyUsage).toEqual(usages);
  });
});

describe("a TLS connection", () => {
  /** Shakes hands; gives what each side found of the other. */
  async function shake(server: KeyPair, client: KeyPair | undefined, ca = authority.cert): Promise<{ server: string; client: string }> {
    const found = Promise.withResolvers<string>();
    const listening = createServer(
      { cert: server.cert, key: server.key, ca: authority.cert, requestCert: true, rejectUnauthorized: false },
      (socket: TLSSocket) => {
        found.resolve(socket.authorized ? "trusted" : String(socket.authorizationError));
        socket.end();
      },
    );
    listening.on("tlsClientError", () => found.resolve("broken"));
    await new Promise<void>((done) => listening.listen(0, "127.0.0.1", done));
    try {
      const seen = await new Promise<string>((done) => {
        const socket = connect({
          port: (listening.address() as AddressInfo).port,
          host: "127.0.0.1",
          servername: "localhost",
          ca,
          ...(client && { cert: client.cert, key: client.key }),
        });
        socket.on("secureConnect", () => done("trusted"));
        socket.on("error", (error: NodeJS.ErrnoException) => done(error.code ?? error.message));
        socket.resume();
      });
      return { server: await found.promise, client: seen };
    } finally {
      await new Promise((done) => listening.close(done));
    }
  }
  it("is trusted on both sides with certificates of the authority", async () => {
    expect(await shake(await made({ names: ["localhost"] }), await made({ use: "client", name: "a/b" }))).toEqual({
      server: "trusted",
      client: "trusted",
    });
  });
  it("is not with one of another authority of the same name", async () => {
    const { server } = await shake(await made({ names: ["localhost"] }), await made({ use: "client", issuer: other }));
    expect(server).toMatch(/SIGNATURE|UNABLE|CERT/u);
    expect((await shake(await made({ names: ["localhost"], issuer: other }), undefined)).client).toMatch(/SIGNATURE|UNABLE|CERT/u);
  });
  it("is not with one that has ended, nor with a server's in a client's hands", async () => {
    expect((await shake(await made({ names: ["localhost"] }), await made({ use: "client", days: 0 }))).server).toBe("CERT_HAS_EXPIRED");
    expect((await shake(await made({ names: ["localhost"] }), await made({ use: "server" }))).server).toBe("INVALID_PURPOSE");
  });
  it("is not for another name than the certificate's", async () => {
    expect((await shake(await made({ names: ["mlog.localhost"] }), undefined)).client).toBe("ERR_TLS_CERT_ALTNAME_INVALID");
  });
});

describe("keys on disk that do not fit together", () => {
  let directory: string;
  const file = (name: string): string => join(directory, "keys", name);
  beforeAll(async () => void (directory = await mkdtemp(join(tmpdir(), "keys-"))));
  afterAll(() => rm(directory, { recursive: true, force: true }));

  it("after a crash between a server's two files are made anew, and the authority stays", async () => {
    const { ca, server } = await openKeys(directory);
    for (const broken of [other.key, "no key", ""]) {
      await writeFile(file("server.key.pem"), broken);
      const again = await openKeys(directory);
      expect(again.ca).toBe(ca);
      expect(again.server.cert).not.toBe(server.cert);
      expect(read(again.server).checkPrivateKey(createPrivateKey(again.server.key))).toBe(true);
    }
  });
  it("of the authority stop the start: it would sign what nobody can verify", async () => {
    await openKeys(directory);
    const good = await readFile(file("ca.key.pem"), "utf8");
    for (const broken of [other.key, "no key"]) {
      await writeFile(file("ca.key.pem"), broken);
      const error = await refusalOf(openKeys(directory));
      expect([error.code, error.message]).toEqual(["configuration", expect.stringContaining("is not the key of ca.cert.pem")]);
    }
    await writeFile(file("ca.key.pem"), good);
    await expect(openKeys(directory)).resolves.toBeDefined();
  });
});
