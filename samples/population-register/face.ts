/** The register's own SOAP service, `population.wsdl`: what its users knew long before there was a bus. */
import { isIdentifier } from "../lib/identifiers.ts";
import { soapFace, SoapFault } from "../lib/soap-face.ts";
import type { Register } from "./register.ts";

const NAMESPACE = "urn:rsp:population:2009";
const NIL = { attributes: { "xmlns:xsi": "http://www.w3.org/2001/XMLSchema-instance", "xsi:nil": "true" } };

export function populationFace(register: Register): ReturnType<typeof soapFace> {
  return soapFace({
    wsdl: new URL("population.wsdl", import.meta.url),
    service: "PopulationRegister",
    ports: { "1.1": "PopulationRegisterSoap", "1.2": "PopulationRegisterSoap12" },
    operations: {
      GetPerson: (input) => {
        const idnp = String(input["IDNP"]).trim();
        if (!/^\d{13}$/u.test(idnp)) throw new SoapFault("PersonNotFound", "an IDNP has 13 digits", notFound(""));
        if (!isIdentifier(idnp)) throw new SoapFault("PersonNotFound", "the IDNP has a wrong check digit", notFound(idnp));
        const person = register.person(idnp);
        if (!person) throw new SoapFault("PersonNotFound", "no person has this IDNP", notFound(idnp));
        const death = person.DeathDate ?? NIL;
        return { Person: { ...person, DeathDate: death } };
      },
    },
  });
}

const notFound = (idnp: string): string => `<PersonNotFound xmlns="${NAMESPACE}"><IDNP>${idnp}</IDNP></PersonNotFound>`;
