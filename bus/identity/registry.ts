/**
 * The registry of systems: from a certificate to the system it stands for. A certificate is known by the SHA-256 of its bytes, never by
 * a name in it; only the development authority's own certificates are also known by the name it gave them.
 */
import type { X509Certificate } from "node:crypto";
import type { System } from "../route/runtime.ts";
import { fingerprintOf, outOfDate, unfitFor, type Use } from "./certificate.ts";

export interface SystemKeys {
  /** Certificates of a system that verify now (valid, not revoked). */
  certificatesOf(system: string): readonly X509Certificate[];
  /** The system of a certificate, or in words why it stands for none. */
  identify(certificate: X509Certificate): Identified;
}

/** The registry as the faces of the bus need it, who also hear of callers from a proxy. */
export interface Registry extends SystemKeys {
  /** The registered object for the same bytes, if there is one: what is kept per certificate is kept for that. */
  registered(certificate: X509Certificate): X509Certificate | undefined;
  /** By GUID; the system must have a certificate that verifies now. */
  byGuid(guid: string): Identified;
  /** By serial number in hex; it must be that of one certificate alone. */
  bySerial(serial: string): Identified;
  /** Every certificate that is registered. */
  all(): readonly X509Certificate[];
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
  /**
   * Why a certificate must not be used although its dates are right (revoked, or nobody can say); undefined = nothing is known against
   * it. A policy may take a caller of whom nobody can say; it never takes a signature so.
   */
  revoked(certificate: X509Certificate, use: Use): string | undefined;
  now(): number;
}>;

type Entry = Readonly<{ system: string; certificate: X509Certificate; unfit: Readonly<Record<Use, string | undefined>> }>;

/** A registry of these systems; a change of files makes a new one. */
export function createRegistry(parts: RegistryParts): Registry {
  const ids = new Set<string>();
  const guids = new Map<string, string | undefined>();
  const serials = new Map<string, Entry | undefined>();
  const entries = new Map<string, readonly Entry[]>();
  const bySystem = new Map<string, Entry[]>();
  const add = (system: string, certificate: X509Certificate): void => {
    const fingerprint = fingerprintOf(certificate);
    const known = entries.get(fingerprint) ?? [];
    if (known.some((entry) => entry.system === system)) return;
    const entry = {
      system,
      certificate,
      unfit: { caller: unfitFor(certificate, "caller"), signature: unfitFor(certificate, "signature") },
    };
    entries.set(fingerprint, [...known, entry]);
    const serial = serialOf(certificate.serialNumber);
    serials.set(serial, serials.has(serial) ? undefined : entry);
    const own = bySystem.get(system);
    if (own) own.push(entry);
    else bySystem.set(system, [entry]);
  };
  for (const { id, guid, certificates } of parts.systems) {
    ids.add(id);
    guids.set(guid, guids.has(guid) ? undefined : id);
    for (const certificate of certificates) add(id, certificate);
  }
  const withdrawn = new Set<string>();
  for (const { system, certificate, withdrawn: out } of parts.issued) {
    if (out) withdrawn.add(fingerprintOf(certificate));
    else if (ids.has(system)) add(system, certificate);
  }
  /** Why an entry does not count now. */
  const against = ({ certificate, unfit }: Entry, use: Use): string | undefined => {
    const fingerprint = fingerprintOf(certificate);
    if (withdrawn.has(fingerprint)) return "it was replaced by a later certificate or taken back";
    const owners = entries.get(fingerprint) ?? [];
    if (owners.length > 1)
      return `it is registered for ${owners.map(({ system }) => system).join(" and ")}; a certificate stands for one system`;
    return unfit[use] ?? outOfDate(certificate, parts.now()) ?? parts.revoked(certificate, use);
  };
  const byName = (certificate: X509Certificate): Identified => {
    const system = parts.authority(certificate);
    if (system === undefined) return { refused: UNREGISTERED };
    if (withdrawn.has(fingerprintOf(certificate))) return { refused: "it was replaced by a later certificate or taken back" };
    const refused = outOfDate(certificate, parts.now());
    return refused === undefined ? { system } : { refused };
  };
  const judged = (entry: Entry): Identified => {
    const refused = against(entry, "caller");
    return refused === undefined ? { system: entry.system } : { refused };
  };
  const certificatesOf = (system: string): readonly X509Certificate[] =>
    (bySystem.get(system) ?? []).filter((entry) => against(entry, "signature") === undefined).map(({ certificate }) => certificate);
  return {
    certificatesOf,
    identify(certificate) {
      const [entry] = entries.get(fingerprintOf(certificate)) ?? [];
      return entry === undefined ? byName(certificate) : judged(entry);
    },
    registered: (certificate) => entries.get(fingerprintOf(certificate))?.[0]?.certificate,
    byGuid(guid) {
      const system = guids.get(guid.toLowerCase());
      if (system === undefined) return { refused: `no system has the GUID ${guid.slice(0, 40)} alone` };
      const some = (bySystem.get(system) ?? []).map((entry) => against(entry, "caller"));
      if (some.includes(undefined)) return { system };
      return { refused: `system \`${system}\` has no certificate that verifies now${some[0] === undefined ? "" : `: ${some[0]}`}` };
    },
    bySerial(serial) {
      const entry = serials.get(serialOf(serial));
      return entry === undefined ? { refused: `no certificate has the serial number ${serial.slice(0, 64)} alone` } : judged(entry);
    },
    all: () => [...bySystem.values()].flatMap((own) => own.map(({ certificate }) => certificate)),
  };
}

/** Serial numbers are written with and without colons and leading zeros. */
const serialOf = (text: string): string =>
  text
    .replaceAll(":", "")
    .toLowerCase()
    .replace(/^0+(?=.)/, "");

const UNREGISTERED = "it is registered for no system; name its file under `certificates:` of a `bus: system/v1` document";
