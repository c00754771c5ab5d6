/** The messages of the SOAP benchmarks: one request under the contract, one reply of the population register. */
const CONTEXT = `<m:CallingUser>2004100010095</m:CallingUser><m:CallingEntity>1004600030235</m:CallingEntity><m:CallBasis>Law 156/1998 art. 33</m:CallBasis><m:CallReason>pension file 2026-118</m:CallReason>`;

export const REQUEST = `<?xml version="1.0" encoding="UTF-8"?><soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Header xmlns:m="https://mconnect.gov.md">${CONTEXT}</soap:Header><soap:Body><p:GetPerson xmlns:p="https://mconnect.gov.md/person/v1"><p:IDNP>2004100010095</p:IDNP></p:GetPerson></soap:Body></soap:Envelope>`;

const registration = (type: string, locality: string, from: string): string =>
  `<r:Registration><r:Type>${type}</r:Type><r:Address><r:Region>Orhei</r:Region><r:Locality>${locality}</r:Locality><r:Street>Vasile Lupu</r:Street><r:House>12</r:House><r:Flat>4</r:Flat></r:Address><r:From>${from}</r:From></r:Registration>`;
const document = (kind: string, number: string): string =>
  `<r:Document><r:Kind>${kind}</r:Kind><r:Series>A</r:Series><r:Number>${number}</r:Number><r:IssuedOn>2019-03-11</r:IssuedOn><r:ValidUntil>2029-03-11</r:ValidUntil><r:IssuedBy>ASP Orhei</r:IssuedBy></r:Document>`;

export const REPLY = `<?xml version="1.0" encoding="UTF-8"?><soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body><r:GetPersonResponse xmlns:r="urn:rsp:population:2009"><r:Person><r:IDNP>2004100010095</r:IDNP><r:FamilyName>Ciobanu</r:FamilyName><r:GivenName>Ștefan</r:GivenName><r:Patronymic>Ion</r:Patronymic><r:DateOfBirth>1961-07-19</r:DateOfBirth><r:Sex>M</r:Sex><r:DeathDate xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:nil="true"/><r:Registrations>${registration("D", "Orhei", "1998-05-02")}${registration("R", "Peresecina", "2021-09-14")}</r:Registrations><r:Documents>${document("BI", "42001177")}${document("PP", "0912234")}</r:Documents></r:Person></r:GetPersonResponse></soap:Body></soap:Envelope>`;
