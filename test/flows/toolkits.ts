/** Providers in the manner of six SOAP toolkits: what their callers send, what they answer, how it looks as JSON. */

export type Toolkit = Readonly<{
  name: string;
  /** Folder and file below test/fixtures/wsdl, and the address that stands in it. */
  folder: string;
  wsdl: string;
  address: string;
  system: string;
  operation: string;
  contract: string;
  /** What a caller of the old service sends in the body. */
  request: string;
  /** The same as the contract's JSON. */
  json: unknown;
  /** The provider's answer, as its toolkit writes it; SOAP version of the service. */
  version: "1.1" | "1.2";
  answer: string;
  reply: unknown;
}>;

const SOAP11 = "http://schemas.xmlsoap.org/soap/envelope/";
const SOAP12 = "http://www.w3.org/2003/05/soap-envelope";
const GUID = "6f9619ff-8b86-d011-b42d-00c04fc964ff";

export const toolkits: readonly Toolkit[] = [
  {
    name: "WCF",
    folder: "wcf",
    wsdl: "CivilStatus.svc.wsdl",
    address: "http://civil.example.md",
    system: "asp/civil",
    operation: "FindActs",
    contract: "asp.civil.find-acts.request.v1",
    version: "1.1",
    request: `<FindActs xmlns="urn:civilstatus:services:2016"><query xmlns:a="http://schemas.datacontract.org/2004/07/CivilStatus.Contracts" xmlns:i="http://www.w3.org/2001/XMLSchema-instance"><a:IDNP>2004100423789</a:IDNP><a:Kinds xmlns:b="http://schemas.microsoft.com/2003/10/Serialization/Arrays"><b:string>Birth</b:string><b:string i:nil="true"/></a:Kinds><a:Since>2020-01-01T00:00:00</a:Since></query></FindActs>`,
    json: { query: { idnp: "2004100423789", kinds: ["Birth", null], since: "2020-01-01T00:00:00.000Z" } },
    answer: `<s:Envelope xmlns:s="${SOAP11}"><s:Body><FindActsResponse xmlns="urn:civilstatus:services:2016"><FindActsResult xmlns:a="http://schemas.datacontract.org/2004/07/CivilStatus.Contracts" xmlns:i="http://www.w3.org/2001/XMLSchema-instance"><a:Acts><a:Act><a:Id>${GUID}</a:Id><a:IssuedAt>2020-05-01T10:15:30.1234567</a:IssuedAt><a:Fee i:nil="true"/><a:Kind>Birth</a:Kind><a:Scan>AAEC</a:Scan><a:Validity>P30DT2H</a:Validity></a:Act><a:Act i:nil="true"/></a:Acts><a:Total>1</a:Total></FindActsResult></FindActsResponse></s:Body></s:Envelope>`,
    reply: {
      findActsResult: {
        acts: [{ id: GUID, issuedAt: "2020-05-01T10:15:30.123Z", fee: null, kind: "Birth", scan: "AAEC", validity: "P30DT2H" }, null],
        total: 1,
      },
    },
  },
  {
    name: "CXF",
    folder: "cxf",
    wsdl: "LandRegister.wsdl",
    address: "http://land.example.md",
    system: "asp/land",
    operation: "getParcel",
    contract: "asp.land.get-parcel.request.v1",
    version: "1.1",
    request: `<ns2:getParcel xmlns:ns2="http://ws.land.example.md/"><cadastralNumber>0100205.033</cadastralNumber></ns2:getParcel>`,
    json: { cadastralNumber: "0100205.033" },
    answer: `<soap:Envelope xmlns:soap="${SOAP11}"><soap:Body><ns2:getParcelResponse xmlns:ns2="http://ws.land.example.md/" xmlns:ns3="http://ws.land.example.md/reference"><return revision="7"><areaM2>612.5</areaM2><address><ns3:locality>Orhei</ns3:locality><ns3:district>6401</ns3:district></address><owners><idnp>2004100423789</idnp><share>1/1</share></owners><owners xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:nil="true"/><registeredOn>2011-03-04+02:00</registeredOn><value currency="MDL">120000.50</value><usage>BUILDING-PLOT</usage></return></ns2:getParcelResponse></soap:Body></soap:Envelope>`,
    reply: {
      return: {
        revision: 7,
        areaM2: 612.5,
        address: { locality: "Orhei", district: "6401" },
        owners: [{ idnp: "2004100423789", share: "1/1" }, null],
        registeredOn: "2011-03-04",
        value: { currency: "MDL", value: "120000.50" },
        usage: "BUILDING-PLOT",
      },
    },
  },
  {
    name: "PHP",
    folder: "php",
    wsdl: "school.wsdl",
    address: "http://school.example.md",
    system: "mec/school",
    operation: "getPupils",
    contract: "mec.school.get-pupils.request.v1",
    version: "1.1",
    request: `<ns1:getPupils xmlns:ns1="urn:school"><school_code>LT-12</school_code><year>2026</year></ns1:getPupils>`,
    json: { school_code: "LT-12", year: 2026 },
    answer: `<?xml version="1.0" encoding="UTF-8"?>\n<SOAP-ENV:Envelope xmlns:SOAP-ENV="${SOAP11}" xmlns:ns1="urn:school"><SOAP-ENV:Body><ns1:getPupilsResponse><return><item><name>Ion Ceban</name><class>7</class><average>8.5</average></item><item><average>9</average><class>7</class><name>Ana Rusu</name></item></return></ns1:getPupilsResponse></SOAP-ENV:Body></SOAP-ENV:Envelope>\n`,
    reply: {
      return: [
        { name: "Ion Ceban", class: 7, average: 8.5 },
        { name: "Ana Rusu", class: 7, average: 9 },
      ],
    },
  },
  {
    name: "gSOAP",
    folder: "gsoap",
    wsdl: "meter.wsdl",
    address: "http://meter.example.md:8090",
    system: "anre/meter",
    operation: "readings",
    contract: "anre.meter.readings.request.v1",
    version: "1.1",
    request: `<m:readings xmlns:m="urn:energy:meter"><meter>MD000042</meter><month>2026-10</month></m:readings>`,
    json: { meter: "MD000042", month: "2026-10" },
    answer: `<?xml version="1.0" encoding="UTF-8"?>\n<SOAP-ENV:Envelope xmlns:SOAP-ENV="${SOAP11}" xmlns:SOAP-ENC="http://schemas.xmlsoap.org/soap/encoding/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:m="urn:energy:meter"><SOAP-ENV:Body><m:readingsResult><reading><at>2026-10-01T00:00:00Z</at><kWh>4294967295</kWh><total>18446744073709551615</total><phase>1.5</phase><phase>2.5</phase></reading><reading q="estimated"><at>2026-10-02T00:00:00Z</at><kWh>0</kWh><total>0</total></reading><checksum>0AFF</checksum></m:readingsResult></SOAP-ENV:Body></SOAP-ENV:Envelope>`,
    reply: {
      reading: [
        { at: "2026-10-01T00:00:00.000Z", kWh: 4294967295, total: "18446744073709551615", phase: [1.5, 2.5], q: "measured" },
        { at: "2026-10-02T00:00:00.000Z", kWh: 0, total: "0", phase: [], q: "estimated" },
      ],
      checksum: "Cv8=",
    },
  },
  {
    name: "X-Road",
    folder: "xroad",
    wsdl: "population.wsdl",
    address: "http://example.org",
    system: "rsp/xroad",
    operation: "personData",
    contract: "rsp.xroad.person-data.request.v1",
    version: "1.1",
    request: `<p:personData xmlns:p="http://population.x-road.example"><p:request><p:personalCode>2004100423789</p:personalCode></p:request></p:personData>`,
    json: { request: { personalCode: "2004100423789" } },
    answer: `<SOAP-ENV:Envelope xmlns:SOAP-ENV="${SOAP11}" xmlns:xrd="http://x-road.eu/xsd/xroad.xsd" xmlns:id="http://x-road.eu/xsd/identifiers"><SOAP-ENV:Header><xrd:client id:objectType="SUBSYSTEM"><id:xRoadInstance>MD</id:xRoadInstance><id:memberClass>GOV</id:memberClass><id:memberCode>1002600024700</id:memberCode></xrd:client><xrd:id>4894e35d-bf0f-44a6-867a-8e51f1daa7e0</xrd:id><xrd:protocolVersion>4.0</xrd:protocolVersion></SOAP-ENV:Header><SOAP-ENV:Body><p:personDataResponse xmlns:p="http://population.x-road.example"><p:request><p:personalCode>2004100423789</p:personalCode></p:request><p:response><p:givenName>Mihaela</p:givenName><p:surname>Guțu</p:surname></p:response></p:personDataResponse></SOAP-ENV:Body></SOAP-ENV:Envelope>`,
    reply: {
      request: { personalCode: "2004100423789" },
      response: { givenName: "Mihaela", surname: "Guțu", faultCode: null, faultString: null },
    },
  },
  {
    name: "Axis",
    folder: "axis",
    wsdl: "Customs.wsdl",
    address: "http://customs.example.md",
    system: "customs/declarations",
    operation: "getDeclaration",
    contract: "customs.declarations.get-declaration.request.v1",
    version: "1.2",
    request: `<getDeclaration xmlns="http://customs.example.md/services/Customs"><in0>D-77</in0></getDeclaration>`,
    json: { in0: "D-77" },
    answer: `<?xml version="1.0" encoding="utf-8"?><soapenv:Envelope xmlns:soapenv="${SOAP12}" xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body><getDeclarationResponse xmlns="http://customs.example.md/services/Customs"><getDeclarationReturn><ns1:number xmlns:ns1="http://model.customs.md">D-77</ns1:number><ns2:weight xmlns:ns2="http://model.customs.md">1200.0</ns2:weight><ns3:items xmlns:ns3="http://model.customs.md"><ns3:code>8703</ns3:code><ns3:count>2</ns3:count><ns3:parent><ns3:code>87</ns3:code><ns3:count>1</ns3:count><ns3:parent xsi:nil="true"/></ns3:parent></ns3:items></getDeclarationReturn></getDeclarationResponse></soapenv:Body></soapenv:Envelope>`,
    reply: {
      getDeclarationReturn: {
        number: "D-77",
        weight: 1200,
        items: [{ code: "8703", count: 2, parent: { code: "87", count: 1, parent: null } }],
      },
    },
  },
];

const CALL = { CallingUser: "2004100020188", CallingEntity: "1007601008122", CallBasis: "Law 142/2018", CallReason: "trial" };
export const callHeaders: Readonly<Record<string, string>> = { ...CALL };

/** An envelope as an old caller sends it, with the call context in its header. */
export function envelopeOf(toolkit: Toolkit): string {
  const blocks = Object.entries(CALL).map(([name, text]) => `<m:${name}>${text}</m:${name}>`);
  return `<e:Envelope xmlns:e="${toolkit.version === "1.1" ? SOAP11 : SOAP12}"><e:Header xmlns:m="https://mconnect.gov.md">${blocks.join("")}</e:Header><e:Body>${toolkit.request}</e:Body></e:Envelope>`;
}

export const mediaOf = ({ version }: Toolkit): string =>
  version === "1.1" ? "text/xml; charset=utf-8" : "application/soap+xml; charset=utf-8";

/** What stands in the body of an envelope, with the prefixes that the envelope declares around it left to the element itself. */
export const bodyOf = (envelope: string): string => /<[\w-]+:Body>([\s\S]*)<\/[\w-]+:Body>/u.exec(envelope)?.[1] ?? "";
