/** The register of systems as its clients API shows it: `GET /mpass/api/clients`. Members are written as the state's client libraries read them. */
import type { X509Certificate } from "node:crypto";
import type { System } from "../route/runtime.ts";

export type Client = Readonly<{
  /** GUID. */
  ID: string;
  Name: string;
  /** IDNO of the institution. */
  OwnerID: string;
  /** DER in base64. */
  Certificates: readonly string[];
  /** A JSON object as text: what the asking service's operator wrote about the system. */
  Settings: string;
}>;

/** `service` is the last part of the id of the system that asks: `age/mpower` sees the settings for `mpower`, and no others. */
export function clientOf(system: System, certificates: readonly X509Certificate[], service: string): Client {
  return {
    ID: system.guid,
    Name: system.title,
    OwnerID: system.institution.idno,
    Certificates: certificates.map(({ raw }) => raw.toString("base64")),
    Settings: JSON.stringify(system.settings[service] ?? {}),
  };
}

export const SEARCHES = ["ID", "CertificateSerialNumber"] as const;
export type Search = Readonly<{ type: (typeof SEARCHES)[number]; value: string }>;

/** The parameters `searchType` and `searchValue`: both, or none for the whole list. A text says what to write. */
export function readSearch(query: URLSearchParams): Search | undefined | string {
  const [type, value] = [query.get("searchType"), query.get("searchValue")];
  if (type === null && value === null) return undefined;
  const known = SEARCHES.find((one) => one.toLowerCase() === type?.toLowerCase());
  if (known === undefined) return `searchType must be ${SEARCHES.join(" or ")}`;
  return value === null || value === "" || value.length > 200 ? "searchValue must have 1 to 200 characters" : { type: known, value };
}
