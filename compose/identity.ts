/**
 * Who is who for the running bus: the registry of the systems in force, judged against authorities, revocation and what the development
 * authority issued. Everything that can change while the bus runs is looked at again within seconds.
 */
import { X509Certificate } from "node:crypto";
import { readIssued, type Issued } from "#adapters/keys/issued.ts";
import type { Keys } from "#adapters/keys/ca.ts";
import type { Identify } from "#adapters/web/caller.ts";
import type { HandshakeRefused } from "#adapters/web/handshakes.ts";
import { createJudge } from "#bus/identity/callers.ts";
import { fingerprintOf, type Use } from "#bus/identity/certificate.ts";
import { createAuthorities } from "#bus/identity/chain.ts";
import { createRegistry, type Registry, type SystemKeys } from "#bus/identity/registry.ts";
import { createResponders } from "#bus/identity/responders.ts";
import { createRevocation, nameOf } from "#bus/identity/revocation.ts";
import type { System } from "#bus/route/runtime.ts";
import type { WebClient } from "#bus/wire.ts";
import type { TlsSettings } from "#config/tls.ts";
import { openCrlFiles, readAuthorities } from "./authority-files.ts";
import type { Log } from "./log.ts";
import { stamp } from "./stamp.ts";
import { toldOnce } from "./told-once.ts";

export type IdentityParts = Readonly<{
  tls: TlsSettings;
  keys: Keys;
  /** Folder of the development authority's keys. */
  keyFolder: string;
  /** Asks OCSP responders, which the operator or a trusted authority named; closed with the identities. */
  client: WebClient;
  log: Log;
  now(): number;
}>;

export type IdentityCounts = Readonly<{
  /** Handshakes and callers that were refused, by reason. */
  refused: Readonly<Record<string, number>>;
  /** Callers taken although nobody could say whether their certificate was revoked. */
  unknownAccepted: number;
}>;

export type Identity = Readonly<{
  systemKeys: SystemKeys;
  identify: Identify;
  /** PEM of everything that client certificates may come from. */
  ca: readonly string[];
  onHandshakeRefused(refused: HandshakeRefused): void;
  registry(): Registry;
  systems(): ReadonlyMap<string, System>;
  /** Where the systems in force stand; before it is called there are none. */
  follow(systems: () => ReadonlyMap<string, System>): void;
  counts(): IdentityCounts;
  close(): Promise<void>;
}>;

const LOOK_EVERY = 5_000;
const ASK_WITHIN = 5_000;
const ANSWER_BYTES = 65_536;

export async function openIdentity({ tls, keys, keyFolder, client, log, now }: IdentityParts): Promise<Identity> {
  const development = new X509Certificate(keys.ca);
  const trusted = readAuthorities(tls.clientCa, "MBUS_TLS_CLIENT_CA");
  const authorities = createAuthorities([development, ...trusted]);
  const once = toldOnce(60_000, now);
  const lists = openCrlFiles(tls.crl, (file, why) => {
    if (once(`crl ${file} ${why}`)) log.error({ file, why }, "a revocation list cannot be read; the one before it holds until it ends");
  });
  const responders = createResponders({ post: (url, question) => ask(client, url, question), url: tls.ocspUrl, now });
  const exempt = (certificate: X509Certificate): boolean =>
    certificate.checkIssued(development) && certificate.verify(development.publicKey);
  const revocation = createRevocation({ use: tls.revocation, authorities, crls: () => lists.lists(), responders, exempt, now });

  const refused: Record<string, number> = {};
  let unknownAccepted = 0;
  const count = (reason: string): void => void (refused[reason] = (refused[reason] ?? 0) + 1);
  const against = (certificate: X509Certificate, use: Use): string | undefined => {
    const status = revocation.known(certificate);
    if (status.state === "good") return undefined;
    if (status.state === "revoked" || use === "signature" || tls.onUnknown === "refuse") return status.why;
    unknownAccepted += 1;
    if (once(`unknown ${fingerprintOf(certificate)}`))
      log.warn(
        { certificate: fingerprintOf(certificate), why: status.why },
        "a caller is taken although nobody can say whether its certificate was revoked",
      );
    return undefined;
  };

  const seenIn = (): Promise<string> => stamp([`${keyFolder}/issued`]);
  let seen = await seenIn();
  let issued: readonly Issued[] = await readIssued(keyFolder);
  let systems: () => ReadonlyMap<string, System> = () => NONE;
  let made: Readonly<{ from: ReadonlyMap<string, System>; issued: readonly Issued[]; registry: Registry }> | undefined;
  const registry = (): Registry => {
    const from = systems();
    if (made?.from === from && made.issued === issued) return made.registry;
    const fresh = createRegistry({ systems: from.values(), issued, authority: (one) => keys.identify(one), revoked: against, now });
    made = { from, issued, registry: fresh };
    return fresh;
  };

  const judge = createJudge({
    registry,
    revocation,
    proxies: { fingerprints: new Set(tls.proxies.fingerprints), addresses: new Set(tls.proxies.addresses) },
    now,
    onRefused(reason, why, certificate) {
      count(reason);
      const shown = certificate && { certificate: fingerprintOf(certificate), name: nameOf(certificate) };
      if (once(`${reason} ${why} ${shown?.certificate ?? ""}`)) log.warn({ reason, why, ...shown }, "a caller was refused");
    },
  });

  const look = async (): Promise<void> => {
    lists.look();
    const stands = await seenIn();
    if (stands !== seen) {
      seen = stands;
      issued = await readIssued(keyFolder, (err, file) =>
        log.error({ err, file }, "an issued certificate cannot be read and stands for nobody"),
      );
    }
  };
  const timer = setInterval(
    () => void look().catch((error: unknown) => log.error({ err: error }, "identities could not be looked at")),
    LOOK_EVERY,
  );
  timer.unref();

  return {
    systemKeys: {
      certificatesOf: (system) => registry().certificatesOf(system),
      identify: (certificate) => registry().identify(certificate),
    },
    identify({ header, ...facts }) {
      if (header !== undefined) return header;
      const said = judge(facts);
      return said instanceof Promise
        ? said.then((late) => (late && "system" in late ? late.system : late))
        : said && "system" in said
          ? said.system
          : said;
    },
    ca: [keys.ca, ...trusted.map(String)],
    onHandshakeRefused({ reason, address, why }) {
      count(`handshake-${reason}`);
      if (once(`${reason} ${address} ${why}`)) log.warn({ reason, address, why }, "a TLS handshake came to nothing");
    },
    registry,
    systems: () => systems(),
    follow: (where) => void (systems = where),
    counts: () => ({ refused: { ...refused }, unknownAccepted }),
    close() {
      clearInterval(timer);
      return client.close();
    },
  };
}

const NONE: ReadonlyMap<string, System> = new Map();

async function ask(client: WebClient, url: string, question: Buffer): Promise<Uint8Array> {
  const headers = { "content-type": "application/ocsp-request", accept: "application/ocsp-response" };
  const call = { method: "POST", url, headers, body: question, maxBytes: ANSWER_BYTES };
  const { status, body } = await client.request(call, AbortSignal.timeout(ASK_WITHIN));
  if (status !== 200) throw new Error(`the responder answered with HTTP ${status}`);
  return body;
}
