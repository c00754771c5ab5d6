/** Documents to the set that runs. A faulty document is left out with its findings; the rest stands. */
import { asBusError } from "../errors.ts";
import { readCertificate } from "../identity/certificate.ts";
import { guidOf } from "../identity/guid.ts";
import { compileContracts, type ContractParts } from "./compile-contracts.ts";
import { compileRoute, type RouteParts } from "./compile-route.ts";
import { CompileFault, createTools, type MapCache } from "./compile-tools.ts";
import type { GrantDoc, ParsedSet, SystemDoc } from "./documents.ts";
import { contentOf, type Files, type Finding } from "./findings.ts";
import type { Grant, Route, RouteSet, System } from "./runtime.ts";

export type CompileParts = ContractParts & Pick<RouteParts, "xmlToJson">;

/** Compiles a parsed set. Findings of severity `error` name what was left out; nothing is thrown for a faulty document. */
export async function compileRoutes(
  set: ParsedSet,
  parts: CompileParts,
): Promise<Readonly<{ set: RouteSet; findings: readonly Finding[] }>> {
  const maps: MapCache = new Map();
  const { contracts, types, findings: contractFindings } = await compileContracts(set, parts, maps);
  const findings: Finding[] = [...contractFindings];
  const routes = new Map<string, Route>();
  for (const document of set.routes.values()) {
    const tools = createTools(document, parts.files, maps);
    try {
      routes.set(document.id, compileRoute(document, tools, { ...parts, set, contracts: { contracts, types } }));
    } catch (error) {
      if (error instanceof CompileFault) findings.push(...error.findings);
      else findings.push({ ...document.source.place([]), severity: "error", rule: "compile", text: asBusError(error).message });
    }
    findings.push(...tools.findings);
  }
  const grants = [...set.grants.values()].map(grantOf);
  const systems = new Map([...set.systems.values()].map((document) => [document.id, systemOf(document, parts.files)]));
  return { set: { routes, grants, systems, contracts }, findings };
}

function placeOf(document: GrantDoc | SystemDoc): string {
  const { file, line } = document.source.place([]);
  return `${file}:${line}`;
}

function grantOf(document: GrantDoc): Grant {
  const { id, owner, system, role, contract, legalBasis, reply, valid, quota } = document;
  return {
    id,
    owner,
    system,
    role,
    contract,
    legalBasis,
    allow: reply?.allow,
    from: valid.from,
    until: valid.until,
    quota,
    place: placeOf(document),
  };
}

function systemOf(document: SystemDoc, files: Files): System {
  const { id, title, institution, addresses, contact, guid = guidOf(id), settings, actsFor, signatures } = document;
  const certificates = document.certificates.flatMap((path) => {
    const read = readCertificate(contentOf(files, path));
    return "certificate" in read ? [read.certificate] : [];
  });
  const place = placeOf(document);
  return { id, title, institution, addresses, contact, guid, certificates, settings, actsFor, signatures, place };
}
