/** Settings of who may call over TLS: authorities, revocation, trusted proxies. Faults are told as all settings' are. */
import type { Env } from "./settings.ts";

export type TlsSettings = Readonly<{
  /** File or folder of authorities that client certificates may come from, besides the development authority. */
  clientCa: string | undefined;
  revocation: "off" | "crl" | "ocsp" | "crl-or-ocsp";
  /** What becomes of a caller of whom nobody can say whether its certificate was revoked. */
  onUnknown: "refuse" | "accept";
  /** File or folder of revocation lists. */
  crl: string | undefined;
  /** OCSP responder asked instead of the one that a certificate names. */
  ocspUrl: string | undefined;
  /** Proxies that may name callers: SHA-256 fingerprints (lower-case hex) of their certificates, and IP addresses. */
  proxies: Readonly<{ fingerprints: readonly string[]; addresses: readonly string[] }>;
}>;

export const TLS_NAMES = [
  "MBUS_TLS_CLIENT_CA",
  "MBUS_TLS_CRL",
  "MBUS_TLS_OCSP_URL",
  "MBUS_TLS_REVOCATION",
  "MBUS_TLS_REVOCATION_UNKNOWN",
  "MBUS_TRUSTED_PROXY",
] as const;

const REVOCATION = ["off", "crl", "ocsp", "crl-or-ocsp"] as const;
const UNKNOWN = ["refuse", "accept"] as const;
const FINGERPRINT = /^[0-9a-f]{64}$/;
const ADDRESS = /^(\d{1,3}(\.\d{1,3}){3}|[0-9a-f]*:[0-9a-f:.]+)$/;

const given = (env: Env, name: string): string | undefined => (env[name]?.trim() === "" ? undefined : env[name]?.trim());

export function readTls(env: Env, faults: string[]): TlsSettings {
  const revocation = word(env, "MBUS_TLS_REVOCATION", REVOCATION, faults);
  const onUnknown = word(env, "MBUS_TLS_REVOCATION_UNKNOWN", UNKNOWN, faults);
  const crl = given(env, "MBUS_TLS_CRL");
  if (revocation === "crl" && crl === undefined)
    faults.push("MBUS_TLS_REVOCATION=crl needs MBUS_TLS_CRL: the file or folder of revocation lists");
  return {
    clientCa: given(env, "MBUS_TLS_CLIENT_CA"),
    revocation,
    onUnknown,
    crl,
    ocspUrl: responder(env, faults),
    proxies: proxies(env, faults),
  };
}

function word<const W extends string>(env: Env, name: string, words: readonly [W, ...W[]], faults: string[]): W {
  const text = given(env, name) ?? words[0];
  const found = words.find((one) => one === text);
  if (found === undefined) faults.push(`${name}=${text}: write ${words.join(" or ")}`);
  return found ?? words[0];
}

function responder(env: Env, faults: string[]): string | undefined {
  const text = given(env, "MBUS_TLS_OCSP_URL");
  if (text === undefined || (URL.canParse(text) && /^https?:$/.test(new URL(text).protocol))) return text;
  faults.push("MBUS_TLS_OCSP_URL is no address of this kind; write for example http://ocsp.example.md/");
  return undefined;
}

/** With commas; fingerprints with or without colons. */
function proxies(env: Env, faults: string[]): TlsSettings["proxies"] {
  const all = (given(env, "MBUS_TRUSTED_PROXY") ?? "")
    .split(",")
    .map((one) => one.trim().toLowerCase())
    .filter((one) => one !== "");
  const bare = (one: string): string => one.replaceAll(":", "");
  const isFingerprint = (one: string): boolean => FINGERPRINT.test(bare(one));
  for (const one of all) {
    if (!isFingerprint(one) && !ADDRESS.test(one))
      faults.push(`MBUS_TRUSTED_PROXY: ${one} is neither an IP address nor the SHA-256 fingerprint of a certificate (64 hex digits)`);
  }
  return {
    fingerprints: all.filter(isFingerprint).map(bare),
    addresses: all.filter((one) => !isFingerprint(one) && ADDRESS.test(one)),
  };
}
