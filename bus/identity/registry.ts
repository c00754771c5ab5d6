/**
 * The registry of systems: from a certificate to the system it stands for. A certificate is known by the SHA-256 of its bytes, never by
 * a name in it; only the development authority's own certificates are also known by the name it gave them.
 */
import type { X509Certificate } from "node:crypto";
import type { System } from "../route/runtime.ts";
import { fingerprintOf, outOfDate, unfitFor } from "./certificate.ts";

export interface SystemKeys {
  /** Certificates of a system that verify now (valid, not revoked). */
  certificatesOf(system: string): readonly X509Certificate[];
  /** The system of a certificate, or in words why it stands for none. */
  identify(certificate: X509Certificate): Identified;
}
export type Identified = Readonly<{ system: string }> | Readonly<{ refused: string }>;

/** A certificate that the development authority issued, as it remembers it. */
export type Issued = Readonly<{
  system: string;
  certificate: X509Certificate;
  /** Replaced by a later one or taken back. */ withdrawn: boolean;
}>;

export type RegistryParts = Readonly<{
  systems: Iterable<System>;
  issued: readonly Issued[];
  /** The system that the development authority wrote into a certificate of its own; undefined = it is not of that authority. */
  authority(certificate: X509Certificate): string | undefined;
  /** Why a certificate must not be used although its dates are right (revoked, or nobody can say); undefined = nothing is known against it. */
  revoked(certificate: X509Certificate): string | undefined;
  now(): number;
}>;

type Entry = Readonly<{ system: string; certificate: X509Certificate; unfit: string | undefined }>;

/** A registry of these systems; a change of files makes a new one. */
export function createRegistry(parts: RegistryParts): SystemKeys {
  const ids = new Set<string>();
  const entries = new Map<string, readonly Entry[]>();
  const bySystem = new Map<string, Entry[]>();
  const add = (system: string, certificate: X509Certificate): void => {
    const fingerprint = fingerprintOf(certificate);
    const known = entries.get(fingerprint) ?? [];
    if (known.some((entry) => entry.system === system)) return;
    const entry = { system, certificate, unfit: unfitFor(certificate) };
    entries.set(fingerprint, [...known, entry]);
    const own = bySystem.get(system);
    if (own) own.push(entry);
    else bySystem.set(system, [entry]);
  };
  for (const { id, certificates } of parts.systems) {
    ids.add(id);
    for (const certificate of certificates) add(id, certificate);
  }
  const withdrawn = new Set<string>();
  for (const { system, certificate, withdrawn: out } of parts.issued) {
    if (out) withdrawn.add(fingerprintOf(certificate));
    else if (ids.has(system)) add(system, certificate);
  }
  /** Why an entry does not count now. */
  const against = ({ certificate, unfit }: Entry): string | undefined => {
    const fingerprint = fingerprintOf(certificate);
    if (withdrawn.has(fingerprint)) return "it was replaced by a later certificate or taken back";
    const owners = entries.get(fingerprint) ?? [];
    if (owners.length > 1)
      return `it is registered for ${owners.map(({ system }) => system).join(" and ")}; a certificate stands for one system`;
    return unfit ?? outOfDate(certificate, parts.now()) ?? parts.revoked(certificate);
  };
  const byName = (certificate: X509Certificate): Identified => {
    const system = parts.authority(certificate);
    if (system === undefined) return { refused: UNREGISTERED };
    if (withdrawn.has(fingerprintOf(certificate))) return { refused: "it was replaced by a later certificate or taken back" };
    const refused = outOfDate(certificate, parts.now());
    return refused === undefined ? { system } : { refused };
  };
  return {
    certificatesOf: (system) =>
      (bySystem.get(system) ?? []).filter((entry) => against(entry) === undefined).map(({ certificate }) => certificate),
    identify(certificate) {
      const [entry] = entries.get(fingerprintOf(certificate)) ?? [];
      if (entry === undefined) return byName(certificate);
      const refused = against(entry);
      return refused === undefined ? { system: entry.system } : { refused };
    },
  };
}

const UNREGISTERED = "it is registered for no system; name its file under `certificates:` of a `bus: system/v1` document";
