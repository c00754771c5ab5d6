/** Certificates and GUIDs of systems: each stands for one system, and can stand for a system at all. A fault costs that certificate alone. */
import { fingerprintOf, outOfDate, readCertificate, unfitFor } from "../../identity/certificate.ts";
import { guidOf } from "../../identity/guid.ts";
import type { Path, SystemDoc } from "../documents.ts";
import { contentOf } from "../findings.ts";
import type { Rule } from "./rule.ts";

type Owner = Readonly<{ system: SystemDoc; path: Path }>;
const placeOf = ({ system, path }: Owner): string => {
  const { file, line } = system.source.place(path);
  return `${file}:${line}`;
};

export const certificates: Rule = {
  name: "certificate-unfit",
  check(set, say) {
    const owners = new Map<string, Owner>();
    for (const system of set.systems.values()) {
      for (const [index, file] of system.certificates.entries()) {
        const path = ["certificates", index];
        const tell = (text: string, rule: string): void => say({ document: system, path }, text, { keep: true, rule });
        const read = readCertificate(contentOf(set.files, file));
        if ("fault" in read) {
          tell(`${file}: ${read.fault}`, "certificate-unreadable");
          continue;
        }
        const { certificate } = read;
        const unfit = unfitFor(certificate, "signature");
        if (unfit !== undefined) tell(`${file} cannot stand for a system: ${unfit}`, "certificate-unfit");
        // a system that calls over TLS never may still sign with it
        const silent = unfit === undefined ? unfitFor(certificate, "caller") : undefined;
        if (silent !== undefined)
          say({ document: system, path }, `${file} can sign messages, and nobody can call with it: ${silent}`, {
            severity: "warn",
            rule: "certificate-unfit",
          });
        const dates = outOfDate(certificate, set.now);
        if (dates !== undefined) say({ document: system, path }, `${file}: ${dates}`, { severity: "warn", rule: "certificate-dates" });
        const fingerprint = fingerprintOf(certificate);
        const first = owners.get(fingerprint);
        if (first === undefined) owners.set(fingerprint, { system, path });
        else {
          const whose = first.system === system ? "" : ` for \`${first.system.id}\`; a certificate stands for one system`;
          tell(
            `${file} is the certificate that stands already at ${placeOf(first)}${whose}; take it away at one of the two`,
            "certificate-twice",
          );
        }
      }
    }
  },
};

export const identities: Rule = {
  name: "guid-twice",
  check(set, say) {
    const owners = new Map<string, SystemDoc>();
    for (const system of set.systems.values()) {
      const guid = system.guid ?? guidOf(system.id);
      const first = owners.get(guid);
      if (first === undefined) owners.set(guid, system);
      else
        say(
          { document: system, path: ["guid"] },
          `the GUID ${guid} is that of \`${first.id}\` (${placeOf({ system: first, path: ["guid"] })}); give each system its own, or leave it out`,
          { keep: true },
        );
    }
  },
};
