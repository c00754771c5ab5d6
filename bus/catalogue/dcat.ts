/**
 * The catalogue as linked data: DCAT-AP 3 (a contract is a data service of its provider), ADMS (its schemas are semantic assets) and
 * SKOS (a classifier is a concept scheme), in JSON-LD 1.1.
 */
import type { CatalogueEntry, ClassifierEntry, ContractEntry, Institution } from "./entries.ts";

type Node = Readonly<Record<string, unknown>>;

const CONTEXT: Node = {
  adms: "http://www.w3.org/ns/adms#",
  dcat: "http://www.w3.org/ns/dcat#",
  dcatap: "http://data.europa.eu/r5r/",
  dct: "http://purl.org/dc/terms/",
  eli: "http://data.europa.eu/eli/ontology#",
  foaf: "http://xmlns.com/foaf/0.1/",
  skos: "http://www.w3.org/2004/02/skos/core#",
};

/** ADMS status of a contract's state. */
const STATUS: Readonly<Record<string, string>> = { active: "Completed", deprecated: "Deprecated", retired: "Withdrawn" };
const urn = (kind: string, id: string): string => `urn:mconnect:${kind}:${encodeURIComponent(id)}`;
const CATALOGUE = "urn:mconnect:catalogue";

/** `origin`: address of the systems' face, below which endpoints are. */
export function dcatOf(entries: readonly CatalogueEntry[], origin: string): Node {
  const contracts = entries.filter((entry) => entry.kind === "contract");
  const classifiers = entries.filter((entry) => entry.kind === "classifier");
  const institutions = new Map(contracts.flatMap(({ providers }) => providers.map(({ institution }) => [institution.idno, institution])));
  const schemas = contracts.flatMap((contract) => contract.types.map((type) => schemaNode(contract, type)));
  const laws = new Map(contracts.flatMap(({ legalBases }) => legalBases.map((basis) => [lawOf(basis), basis])));
  return {
    "@context": CONTEXT,
    "@graph": [
      {
        "@id": CATALOGUE,
        "@type": "dcat:Catalog",
        "dct:title": "Semantic catalogue",
        "dct:description": "Contracts of the data exchange, their schemas and classifiers, and who provides them.",
        "dct:publisher": { "@id": `${CATALOGUE}:publisher` },
        "dcat:service": contracts.map(({ id }) => ({ "@id": urn("contract", id) })),
        "dcat:dataset": schemas.map((node) => ({ "@id": node["@id"] })),
        "dct:hasPart": classifiers.map(({ id }) => ({ "@id": urn("classifier", id) })),
      },
      { "@id": `${CATALOGUE}:publisher`, "@type": "foaf:Agent", "foaf:name": "Operator of the bus" },
      ...contracts.map((contract) => serviceNode(contract, origin)),
      ...schemas,
      ...classifiers.flatMap(schemeNodes),
      ...[...institutions.values()].map(agentNode),
      ...[...laws].map(([id, { act, section }]) => ({ "@id": id, "@type": "eli:LegalResource", "dct:title": `${act}, ${section}` })),
    ],
  };
}

const lawOf = ({ act, section }: Readonly<{ act: string; section: string }>): string => urn("law", `${act}, ${section}`);

function serviceNode(contract: ContractEntry, origin: string): Node {
  const { id, title, version, owner, state, providers, legalBases, endpoints, types, personal } = contract;
  const web = endpoints.filter(({ kind }) => kind === "rest" || kind === "soap");
  const soap = web.filter(({ kind }) => kind === "soap").map(({ address }) => `${origin}${address}?wsdl`);
  const publishers = [...new Set(providers.map(({ institution }) => institution.idno))];
  return {
    "@id": urn("contract", id),
    "@type": "dcat:DataService",
    "dct:identifier": id,
    "dct:title": title,
    "dct:description": `${title}. A ${contract.pattern}; its owner is ${owner}.${personal ? " Its messages hold personal data." : ""}`,
    "dcat:version": String(version),
    "adms:status": { "@id": `http://purl.org/adms/status/${STATUS[state] ?? "UnderDevelopment"}` },
    "dct:publisher": publishers.map((idno) => ({ "@id": urn("institution", idno) })),
    "dct:accessRights": { "@id": "http://publications.europa.eu/resource/authority/access-right/RESTRICTED" },
    "dcatap:applicableLegislation": [...new Set(legalBases.map(lawOf))].map((law) => ({ "@id": law })),
    "dcat:endpointURL": web.length === 0 ? [{ "@id": origin }] : web.map(({ address }) => ({ "@id": `${origin}${address}` })),
    "dcat:endpointDescription": [`${origin}/mconnect/openapi.json`, `${origin}/mconnect/asyncapi.json`, ...soap].map((at) => ({
      "@id": at,
    })),
    "dcat:servesDataset": types.map((type) => ({ "@id": urn("schema", type.id) })),
  };
}

function schemaNode(contract: ContractEntry, type: ContractEntry["types"][number]): Node {
  const classifiers = [...new Set(type.fields.flatMap(({ classifier }) => classifier ?? []))];
  return {
    "@id": urn("schema", type.id),
    "@type": ["adms:Asset", "dcat:Dataset"],
    "dct:identifier": type.id,
    "dct:title": `${contract.title}: ${type.role}`,
    "dct:description": type.fields.map(({ path, type: kind, doc }) => `${path} (${kind})${doc === undefined ? "" : `: ${doc}`}`).join("\n"),
    "dcat:version": String(contract.version),
    "adms:representationTechnique": "Avro",
    "dct:references": classifiers.map((id) => ({ "@id": urn("classifier", id) })),
  };
}

function schemeNodes({ id, title, codes }: ClassifierEntry): readonly Node[] {
  const scheme = urn("classifier", id);
  return [
    { "@id": scheme, "@type": ["skos:ConceptScheme", "adms:Asset"], "dct:identifier": id, "dct:title": title },
    ...codes.map(({ code, meaning }) => ({
      "@id": `${scheme}:${encodeURIComponent(code)}`,
      "@type": "skos:Concept",
      "skos:notation": code,
      "skos:prefLabel": meaning ?? code,
      "skos:inScheme": { "@id": scheme },
    })),
  ];
}

const agentNode = ({ idno, name }: Institution): Node => ({
  "@id": urn("institution", idno),
  "@type": "foaf:Agent",
  "dct:identifier": idno,
  "foaf:name": name,
});
