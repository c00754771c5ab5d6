import { describe, expect, it } from "vitest";
import { readSettings } from "./settings.ts";

const print = "AB".repeat(32);
const colons = Array.from({ length: 32 }, () => "cd").join(":");

describe("settings of callers over TLS", () => {
  it("are read", () => {
    const { tls } = readSettings({
      MBUS_TLS_CLIENT_CA: "/etc/mbus/ca",
      MBUS_TLS_REVOCATION: "crl-or-ocsp",
      MBUS_TLS_REVOCATION_UNKNOWN: "accept",
      MBUS_TLS_CRL: "/etc/mbus/crl",
      MBUS_TLS_OCSP_URL: "http://ocsp.example.md/",
      MBUS_TRUSTED_PROXY: ` ${print}, ${colons},10.0.0.7 ,fd00::7`,
    });
    expect(tls).toEqual({
      clientCa: "/etc/mbus/ca",
      revocation: "crl-or-ocsp",
      onUnknown: "accept",
      crl: "/etc/mbus/crl",
      ocspUrl: "http://ocsp.example.md/",
      proxies: { fingerprints: [print.toLowerCase(), "cd".repeat(32)], addresses: ["10.0.0.7", "fd00::7"] },
    });
  });

  it.each([
    [{ MBUS_TLS_REVOCATION: "soft" }, "MBUS_TLS_REVOCATION=soft: write off or crl or ocsp or crl-or-ocsp"],
    [{ MBUS_TLS_REVOCATION_UNKNOWN: "maybe" }, "MBUS_TLS_REVOCATION_UNKNOWN=maybe: write refuse or accept"],
    [{ MBUS_TLS_REVOCATION: "crl" }, "MBUS_TLS_REVOCATION=crl needs MBUS_TLS_CRL"],
    [{ MBUS_TLS_OCSP_URL: "ldap://x" }, "MBUS_TLS_OCSP_URL is no address of this kind"],
    [{ MBUS_TRUSTED_PROXY: "10.0.0.7,proxy.example.md" }, "MBUS_TRUSTED_PROXY: proxy.example.md is neither an IP address nor"],
    [{ MBUS_TRUSTED_PROXY: print.slice(2) }, "is neither an IP address nor the SHA-256 fingerprint"],
  ])("refuse %j with what to write", (env, text) => {
    expect(() => readSettings(env)).toThrow(text);
  });

  it("tell several faults at once", () => {
    expect(() => readSettings({ MBUS_TLS_REVOCATION: "crl", MBUS_TLS_OCSP_URL: "x", MBUS_HTTP_PORT: "x" })).toThrow(
      /MBUS_HTTP_PORT.*MBUS_TLS_CRL.*MBUS_TLS_OCSP_URL/,
    );
  });
});
