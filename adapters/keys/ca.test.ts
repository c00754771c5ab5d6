import { execFileSync } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openKeys } from "./ca.ts";
import { issueCertificate } from "./issue.ts";

let dataDir: string;
beforeEach(async () => void (dataDir = await mkdtemp(join(tmpdir(), "keys-"))));
afterEach(() => rm(dataDir, { recursive: true }));

describe("the development authority", () => {
  it("is made once and found again", async () => {
    const first = await openKeys(dataDir);
    const second = await openKeys(dataDir);
    expect(second.ca).toBe(first.ca);
    expect(second.server).toEqual(first.server);
  });

  it("keeps its files from other users", async () => {
    await openKeys(dataDir);
    const names = await readdir(join(dataDir, "keys"));
    const pairs = ["ca", "seal", "server"].flatMap((pair) => [`${pair}.cert.pem`, `${pair}.key.pem`]);
    expect(names.sort()).toEqual([...pairs, "log.key.pem"].sort());
    for (const name of names) expect((await stat(join(dataDir, "keys", name))).mode & 0o777).toBe(0o600);
    expect((await stat(join(dataDir, "keys"))).mode & 0o777).toBe(0o700);
  });

  it("makes a server certificate for every name of this machine", async () => {
    const { server, ca } = await openKeys(dataDir);
    const certificate = new X509Certificate(server.cert);
    for (const name of ["localhost", "mlog.localhost"]) expect(certificate.checkHost(name)).not.toBeUndefined();
    for (const address of ["127.0.0.1", "::1"]) expect(certificate.checkIP(address)).not.toBeUndefined();
    expect(certificate.checkHost("example.org")).toBeUndefined();
    expect(certificate.verify(new X509Certificate(ca).publicKey)).toBe(true);
  });

  it("makes the server's certificate anew when it belongs to another authority, and keeps the rest", async () => {
    const { ca } = await openKeys(dataDir);
    const stranger = await issueCertificate({ name: "localhost", organization: "x", use: "server", days: 100 });
    await writeFile(join(dataDir, "keys", "server.cert.pem"), stranger.cert);
    const again = await openKeys(dataDir);
    expect(again.ca).toBe(ca);
    expect(new X509Certificate(again.server.cert).verify(new X509Certificate(ca).publicKey)).toBe(true);
  });

  it("says which file is broken and what to do", async () => {
    await openKeys(dataDir);
    await writeFile(join(dataDir, "keys", "ca.cert.pem"), "nonsense");
    await expect(openKeys(dataDir)).rejects.toMatchObject({
      code: "configuration",
      message: expect.stringContaining("ca.cert.pem") as string,
    });
  });

  it.skipIf(!existsSync("/usr/bin/openssl"))("makes certificates that OpenSSL accepts in strict mode", async () => {
    const keys = await openKeys(dataDir);
    const pair = await keys.issue("taxoffice/erp", "1010600034203");
    await writeFile(join(dataDir, "system.pem"), pair.cert);
    const ca = join(dataDir, "keys", "ca.cert.pem");
    const verify = (purpose: string, path: string): string =>
      execFileSync("/usr/bin/openssl", ["verify", "-x509_strict", "-purpose", purpose, "-CAfile", ca, path]).toString();
    expect(verify("sslserver", join(dataDir, "keys", "server.cert.pem"))).toContain(": OK");
    expect(verify("sslclient", join(dataDir, "system.pem"))).toContain(": OK");
  });
});

describe("system certificates", () => {
  it("name the system and its institution, each with a serial number of its own", async () => {
    const keys = await openKeys(dataDir);
    const [one, two] = await Promise.all([keys.issue("taxoffice/erp", "1010600034203"), keys.issue("taxoffice/erp", "1010600034203")]);
    const certificate = new X509Certificate(one.cert);
    expect(certificate.subject).toBe("CN=taxoffice/erp\nO=1010600034203");
    expect(certificate.serialNumber).not.toBe(new X509Certificate(two.cert).serialNumber);
    expect(keys.identify(certificate)).toBe("taxoffice/erp");
    expect(await readFile(join(dataDir, "keys", "ca.cert.pem"), "utf8")).toBe(keys.ca);
  });

  it("are refused for ids and numbers that are none", async () => {
    const keys = await openKeys(dataDir);
    for (const id of ["erp", "Tax/ERP", "a/b/c", "a/../b", "a/b\nO=x", ""])
      await expect(keys.issue(id, "1010600034203")).rejects.toMatchObject({ code: "configuration" });
    await expect(keys.issue("taxoffice/erp", "123")).rejects.toMatchObject({ code: "configuration" });
  });

  it("identify nobody when another authority of the same name made them", async () => {
    const keys = await openKeys(dataDir);
    const twin = { name: "MConnect Bus development CA", organization: "Development only", use: "authority", days: 10 } as const;
    const issuer = await issueCertificate(twin);
    const forged = await issueCertificate({ name: "taxoffice/erp", organization: "1010600034203", use: "client", days: 10, issuer });
    expect(keys.identify(new X509Certificate(forged.cert))).toBeUndefined();
  });

  it("identify nobody once a letter of them was changed", async () => {
    const keys = await openKeys(dataDir);
    const { cert } = await keys.issue("taxoffice/erp", "1010600034203");
    const der = Buffer.from(cert.replaceAll(/-----[A-Z ]+-----|\s/g, ""), "base64");
    der[der.indexOf("taxoffice/erp")] = "m".charCodeAt(0);
    const changed = new X509Certificate(der);
    expect(changed.subject).toContain("CN=maxoffice/erp");
    expect(keys.identify(changed)).toBeUndefined();
  });

  it("identify nobody by the authority's own certificate or the server's", async () => {
    const keys = await openKeys(dataDir);
    expect(keys.identify(new X509Certificate(keys.ca))).toBeUndefined();
    expect(keys.identify(new X509Certificate(keys.server.cert))).toBeUndefined();
  });

  it("identify nobody once they have ended", async () => {
    const keys = await openKeys(dataDir);
    const issuer = { cert: keys.ca, key: await readFile(join(dataDir, "keys", "ca.key.pem"), "utf8") };
    const ended = await issueCertificate({ name: "taxoffice/erp", organization: "1010600034203", use: "client", days: -1, issuer });
    expect(keys.identify(new X509Certificate(ended.cert))).toBeUndefined();
  });
});
