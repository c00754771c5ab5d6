/**
 * The XML codec. Reading: a SOAP envelope to Avro bytes, XSD-validated as always, beside the fastest bare parser of the same run, which
 * validates nothing, types nothing and keeps nothing. Writing: Avro bytes to a SOAP envelope, beside a hand-written template.
 */
import { fileURLToPath } from "node:url";
import { XMLBuilder, XMLParser } from "fast-xml-parser";
import { XmlDocument, XsdValidator } from "libxml2-wasm";
import { SaxesParser } from "saxes";
import { Builder, parseString } from "xml2js";
import { contractSoapService } from "#bus/contract/xml/contract-service.ts";
import type { ContractType } from "#bus/contract/contract.ts";
import type { AvroRecord } from "#bus/envelope.ts";
import { compileRoutes } from "#bus/route/compile.ts";
import type { SoapService } from "#bus/wire.ts";
import { readFiles } from "#compose/files.ts";
import type { Figure } from "./figure.ts";
import { median } from "./parts/load.ts";

const ROUNDS = 7;
const ROUND_MS = 160;

type Parts = Readonly<{ service: SoapService; type: ContractType; value: AvroRecord; xml: Uint8Array; avro: Uint8Array; xsd: string }>;
type Contestants = Readonly<Record<string, () => unknown>>;

export async function xmlFigures(names: readonly string[] = []): Promise<readonly Figure[]> {
  const figures: Figure[] = [];
  for (const [size, bytes] of [
    ["2k", 2048],
    ["50k", 51_200],
  ] as const) {
    const parts = await sample(bytes);
    if (names.includes(`xml.read.${size}`)) figures.push(reading(`xml.read.${size}`, parts));
    if (names.includes(`xml.write.${size}`)) figures.push(writing(`xml.write.${size}`, parts));
  }
  return figures;
}

/** The reply of the person contract, with as many registrations as make it so big. */
async function sample(bytes: number): Promise<Parts> {
  const root = fileURLToPath(new URL("..", import.meta.url));
  const read = await readFiles([root], {}, { "vehicles.drop": "drop" });
  let id = 0;
  const { set } = await compileRoutes(read.documents, { files: read.files, schemaIds: () => Promise.resolve(++id) });
  const contract = set.contracts.get("person.request.v1");
  const type = contract?.reply;
  if (!contract || !type) throw new Error("the contract person.request.v1 did not compile");
  const service = contractSoapService(contract);
  const registration = {
    type: "domicile",
    address: { region: "Orhei", locality: "Peresecina", street: "Ștefan cel Mare & Sfânt", house: "12", flat: "4" },
    from: "1998-05-02",
    to: null,
  };
  const person = (count: number): AvroRecord => ({
    status: "found",
    idnp: "2004100010095",
    familyName: "Ciobanu",
    givenName: "Ștefan",
    patronymic: "Ion",
    dateOfBirth: "1961-07-19",
    sex: "M",
    deathDate: null,
    registrations: Array.from({ length: count }, () => registration),
    documents: [],
  });
  const fit = (value: AvroRecord): AvroRecord => type.decode(type.encode(value));
  let count = 1;
  while (service.writeReply("1.1", "GetPerson", fit(person(count))).length < bytes) count += 1;
  const value = fit(person(count));
  const xsd = /<xs:schema[\s\S]*<\/xs:schema>/u.exec(service.wsdl("http://localhost"))?.[0] ?? "";
  return { service, type, value, xml: service.writeReply("1.1", "GetPerson", value), avro: type.encode(value), xsd: namespaced(xsd) };
}

/** The schema as a document of its own: its prefixes may be declared on the WSDL's root. */
function namespaced(xsd: string): string {
  return xsd.includes("xmlns:xs=") ? xsd : xsd.replace("<xs:schema", '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"');
}

function reading(name: string, { service, type, xml, xsd }: Parts): Figure {
  const text = new TextDecoder().decode(xml);
  const body = new TextEncoder().encode(/<(?:\w+:)?Body>([\s\S]*)<\/(?:\w+:)?Body>/u.exec(text)?.[1] ?? "");
  const schema = XmlDocument.fromString(xsd);
  const validator = XsdValidator.fromDoc(schema);
  const fxp = new XMLParser({ ignoreAttributes: false });
  const rates = race({
    bus: () => type.encode(service.readReply("GetPerson", xml)),
    "libxml2-wasm": () => XmlDocument.fromBuffer(xml).dispose(),
    saxes: () => new SaxesParser({ xmlns: true }).write(text).close(),
    "libxml2-wasm + XSD": () => {
      const document = XmlDocument.fromBuffer(inScope(body, text));
      validator.validate(document);
      document.dispose();
    },
    "fast-xml-parser": () => fxp.parse(text) as unknown,
    xml2js: () => parseString(text, { async: false }, () => undefined),
  });
  const { bus = 0, "libxml2-wasm": wasm = 0, saxes = 0, ...others } = rates;
  validator.dispose();
  schema.dispose();
  return figure(name, bus, Math.max(wasm, saxes), { "libxml2-wasm": wasm, saxes, ...others }, xml.length);
}

let scoped: Uint8Array | undefined;
let scopedFor: Uint8Array | undefined;

/** The body's element with the namespaces of the envelope, as XSD validation needs it; made once. */
function inScope(body: Uint8Array, text: string): Uint8Array {
  if (scopedFor === body && scoped) return scoped;
  const declared = [...text.matchAll(/\sxmlns:(\w+)="[^"]*"/gu)].map((found) => found[0]);
  const inner = new TextDecoder().decode(body);
  const missing = declared.filter((one) => !inner.includes(one.trim()));
  scoped = new TextEncoder().encode(inner.replace(/^<[\w:.-]+/u, (tag) => `${tag}${missing.join("")}`));
  scopedFor = body;
  return scoped;
}

function writing(name: string, { service, type, avro, value, xml }: Parts): Figure {
  const builder = new XMLBuilder({ ignoreAttributes: false });
  const xml2js = new Builder({ renderOpts: { pretty: false } });
  const plain = { Envelope: { Body: { GetPersonResponse: value } } };
  const rates = race({
    bus: () => service.writeReply("1.1", "GetPerson", type.decode(avro)),
    template: () => template(value),
    "fast-xml-parser builder": () => builder.build(plain),
    "xml2js builder": () => xml2js.buildObject(plain),
  });
  const { bus = 0, template: limit = 0, ...others } = rates;
  return figure(name, bus, limit, others, xml.length);
}

const escape = (text: unknown): string =>
  String(text).replaceAll(/[&<>]/gu, (found) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;" })[found] ?? "");

type Registration = { type: string; address: Record<string, string>; from: string };

/** What one would write by hand for this one message. */
function template(value: AvroRecord): Uint8Array {
  const registrations = (value["registrations"] as Registration[])
    .map(
      ({ type, address, from }) =>
        `<p:Registrations><p:Type>${escape(type)}</p:Type><p:Address><p:Region>${escape(address["region"])}</p:Region><p:Locality>${escape(address["locality"])}</p:Locality><p:Street>${escape(address["street"])}</p:Street><p:House>${escape(address["house"])}</p:House><p:Flat>${escape(address["flat"])}</p:Flat></p:Address><p:From>${from}</p:From></p:Registrations>`,
    )
    .join("");
  return Buffer.from(
    `<?xml version="1.0" encoding="UTF-8"?><soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body><p:GetPersonResponse xmlns:p="https://mconnect.gov.md/person/v1"><p:Status>${escape(value["status"])}</p:Status><p:IDNP>${escape(value["idnp"])}</p:IDNP><p:FamilyName>${escape(value["familyName"])}</p:FamilyName><p:GivenName>${escape(value["givenName"])}</p:GivenName><p:Patronymic>${escape(value["patronymic"])}</p:Patronymic><p:DateOfBirth>${escape(value["dateOfBirth"])}</p:DateOfBirth><p:Sex>${escape(value["sex"])}</p:Sex>${registrations}</p:GetPersonResponse></soap:Body></soap:Envelope>`,
  );
}

function figure(name: string, value: number, limit: number, peers: Readonly<Record<string, number>>, bytes: number): Figure {
  return { name, value, unit: "messages/s", limit, ratio: value / limit, peers, detail: { bytes } };
}

/** All contestants in turn, round by round; the median of each. */
function race(contestants: Contestants): Record<string, number> {
  const rounds: Record<string, number[]> = {};
  for (const [name, run] of Object.entries(contestants)) time(run, ROUND_MS * 2, (rounds[name] = []));
  for (const list of Object.values(rounds)) list.length = 0;
  for (let round = 0; round < ROUNDS; round += 1)
    for (const [name, run] of Object.entries(contestants)) time(run, ROUND_MS, rounds[name] ?? []);
  return Object.fromEntries(Object.entries(rounds).map(([name, list]) => [name, median(list)]));
}

function time(run: () => unknown, ms: number, into: number[]): void {
  const started = performance.now();
  let count = 0;
  do {
    for (let n = 0; n < 10; n += 1) run();
    count += 10;
  } while (performance.now() - started < ms);
  into.push(count / ((performance.now() - started) / 1000));
}
