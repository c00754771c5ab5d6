/**
 * Attacks as bytes on the wire of a running bus that takes the sample routes: XML and SOAP (A), HTTP and JSON and names (B). Each is the
 * good message with one thing wrong, so that what refuses it is what should.
 */
export type Attack = Readonly<{
  name: string;
  /** Path, and what is sent there. */
  path: string;
  headers: Readonly<Record<string, string>>;
  body: Uint8Array;
  /** Codes of docs/errors.md, one of which the refusal must show. */
  codes: readonly string[];
}>;

export const GOOD = "2004100010095";
export const SOAP_PATH = "/mconnect/soap/rsp/population/PersonRegistry";
export const REST_PATH = "/mconnect/rest/person.request.v1";
const S = "http://schemas.xmlsoap.org/soap/envelope/";
const S12 = "http://www.w3.org/2003/05/soap-envelope";
const P = "https://mconnect.gov.md/person/v1";
const WSA = "http://www.w3.org/2005/08/addressing";
const CALL =
  `<m:CallingUser>2004100010095</m:CallingUser><m:CallingEntity>1004600030235</m:CallingEntity>` +
  `<m:CallBasis>Law 156/1998 art. 6</m:CallBasis><m:CallReason>pension</m:CallReason>`;
const HTTP_CALL = {
  CallingUser: "2004100010095",
  CallingEntity: "1007601008122",
  CallBasis: "Law 436/2006 art. 29",
  CallReason: "certificate",
};

type Shape = Readonly<{ head?: string; header?: string; value?: string; more?: string; tail?: string }>;

/** The good envelope with something put in. */
export function envelope({ head = "", header = "", value = GOOD, more = "", tail = "" }: Shape = {}): string {
  return (
    `${head}<s:Envelope xmlns:s="${S}"><s:Header xmlns:m="https://mconnect.gov.md">${CALL}${header}</s:Header>` +
    `<s:Body><p:GetPerson xmlns:p="${P}"${more}><p:IDNP>${value}</p:IDNP></p:GetPerson></s:Body></s:Envelope>${tail}`
  );
}

const SOAP_HEADERS = { "content-type": "text/xml; charset=utf-8", "x-system": "cnas/pensions" };
const REST_HEADERS = { "content-type": "application/json", "x-system": "primaria/registry", ...HTTP_CALL };

const soap = (
  name: string,
  body: string | Uint8Array,
  codes: readonly string[],
  headers: Readonly<Record<string, string>> = {},
): Attack => ({
  name,
  path: SOAP_PATH,
  headers: { ...SOAP_HEADERS, ...headers },
  body: typeof body === "string" ? Buffer.from(body) : body,
  codes,
});
const rest = (
  name: string,
  body: string | Uint8Array,
  codes: readonly string[],
  headers: Readonly<Record<string, string>> = {},
): Attack => ({
  name,
  path: REST_PATH,
  headers: { ...REST_HEADERS, ...headers },
  body: typeof body === "string" ? Buffer.from(body) : body,
  codes,
});

export const goodSoap = (): Attack => soap("the good message", envelope(), []);
export const goodRest = (): Attack => rest("the good message in JSON", JSON.stringify({ idnp: GOOD }), []);

const times = (count: number, of: (i: number) => string): string => Array.from({ length: count }, (_, i) => of(i)).join("");
const dtd = (inside: string): string => `<!DOCTYPE r [${inside}]>`;

/** `canary`: port on loopback that nobody may ever connect to. */
export function catalogue(canary: number): readonly Attack[] {
  const url = `http://127.0.0.1:${canary}/x`;
  const addressed = (name: string, address: string): string => `<a:${name} xmlns:a="${WSA}"><a:Address>${address}</a:Address></a:${name}>`;
  const laughs = times(9, (i) => `<!ENTITY a${i + 1} "${`&a${i};`.repeat(10)}">`);
  const FORBIDDEN = ["xml-forbidden"];
  const MALFORMED = ["xml-malformed"];
  return [
    soap("A01 XXE to a file", envelope({ head: dtd('<!ENTITY x SYSTEM "file:///etc/passwd">'), value: "&x;" }), FORBIDDEN),
    soap("A01 an entity that nobody declared", envelope({ value: "&x;" }), MALFORMED),
    soap("A02 XXE to a server", envelope({ head: dtd(`<!ENTITY x SYSTEM "${url}">`), value: "&x;" }), FORBIDDEN),
    soap("A02 an external DTD", envelope({ head: `<!DOCTYPE r SYSTEM "${url}">` }), FORBIDDEN),
    soap("A02 an external DTD by another scheme", envelope({ head: `<!DOCTYPE r SYSTEM "jar:${url}!/x">` }), FORBIDDEN),
    soap("A03 a parameter entity", envelope({ head: dtd(`<!ENTITY % p SYSTEM "${url}"> %p;`) }), FORBIDDEN),
    soap("A04 billion laughs", envelope({ head: dtd(`<!ENTITY a0 "ha">${laughs}`), value: "&a9;" }), FORBIDDEN),
    soap("A05 quadratic blow-up", envelope({ head: dtd(`<!ENTITY a "${"x".repeat(50_000)}">`), value: "&a;".repeat(2_000) }), FORBIDDEN),
    soap("A06 a flood of character references", envelope({ value: "&#65;".repeat(200_000) }), ["xml-limit", "xsd-violation"]),
    soap("A06 a reference to no character", envelope({ value: "&#0;" }), MALFORMED),
    soap("A07 100,000 open elements in the header", envelope({ header: "<a>".repeat(100_000) }), ["xml-limit"]),
    soap("A07 100,000 open elements in a value", envelope({ value: "<a>".repeat(100_000) }), ["xml-limit", "xsd-violation"]),
    soap("A08 10,000 attributes", envelope({ more: times(10_000, (i) => ` a${i}="1"`) }), ["xml-limit"]),
    soap("A08 10,000 prefixes", envelope({ more: times(10_000, (i) => ` xmlns:n${i}="urn:${i}"`) }), ["xml-limit"]),
    soap("A08 10,000 header blocks", envelope({ header: times(10_000, (i) => `<h${i} xmlns="urn:${i}"/>`) }), ["xml-limit"]),
    soap("A09 an attribute of a megabyte", envelope({ more: ` a="${"x".repeat(1_000_000)}"` }), ["xml-limit"]),
    soap("A09 a name of a megabyte", `<${"a".repeat(1_000_000)}/>`, ["xml-limit"]),
    soap("A10 UTF-16", Buffer.from(`\ufeff${envelope()}`, "utf16le"), ["xml-encoding"]),
    soap("A10 UTF-7", envelope({ head: '<?xml version="1.0" encoding="UTF-7"?>', value: "+ADw-" }), ["xml-encoding"]),
    soap("A10 an overlong slash", Buffer.concat([Buffer.from("<a>"), Buffer.of(0xc0, 0xaf), Buffer.from("</a>")]), ["xml-encoding"]),
    soap("A10 a lone surrogate", Buffer.concat([Buffer.from("<a>"), Buffer.of(0xed, 0xa0, 0x80), Buffer.from("</a>")]), ["xml-encoding"]),
    soap("A10 a NUL", envelope({ value: "\u0000" }), ["xml-forbidden", "xml-encoding"]),
    soap("A11 XInclude", envelope({ value: `<i:include xmlns:i="http://www.w3.org/2001/XInclude" href="${url}"/>` }), ["xsd-violation"]),
    soap("A11 a stylesheet", envelope({ head: `<?xml-stylesheet href="${url}"?>` }), FORBIDDEN),
    soap("A12 two roots", envelope({ tail: "<x/>" }), MALFORMED),
    soap("A12 an attribute twice", envelope({ more: ' a="1" a="2"' }), MALFORMED),
    soap("A12 an attribute twice by two prefixes", envelope({ more: ' xmlns:x="urn:u" xmlns:y="urn:u" x:b="1" y:b="2"' }), MALFORMED),
    soap("A12 an unbound prefix", envelope({ value: "<q:x/>" }), MALFORMED),
    soap("A12 ]]> in text", envelope({ value: "]]>" }), MALFORMED),
    soap("A12 xmlns:xml bound elsewhere", envelope({ more: ' xmlns:xml="http://evil"' }), MALFORMED),
    soap("A13 a value that a comment splits", envelope({ value: `${GOOD}<!---->.evil` }), [
      "xsd-violation",
      "rejected-by-step",
      "avro-violation",
    ]),
    soap("A13 a value that CDATA lengthens", envelope({ value: `${GOOD}<![CDATA[1]]>` }), [
      "xsd-violation",
      "rejected-by-step",
      "avro-violation",
    ]),
    soap("A14 an instruction in a value", envelope({ value: `<?p not-an-?>${GOOD}` }), FORBIDDEN),
    soap("A15 __proto__ as element", envelope().replace("<p:IDNP>", "<__proto__>1</__proto__><p:IDNP>"), ["xsd-violation"]),
    soap("A15 constructor as attribute", envelope({ more: ' constructor="1"' }), ["xsd-violation"]),
    soap("A16 an XPath in a value", envelope({ value: "x' or '1'='1" }), ["xsd-violation", "rejected-by-step"]),
    soap("A16 a template in a value", envelope({ value: "{{7*7}}" }), ["xsd-violation", "rejected-by-step"]),
    soap("A17 a SOAPAction of another operation", envelope(), ["soap-action"], { soapaction: '"DeletePerson"' }),
    soap("A17 a wsa:Action of another operation", envelope({ header: `<a:Action xmlns:a="${WSA}">DeletePerson</a:Action>` }), [
      "soap-action",
    ]),
    soap("A17 an operation that is none", envelope().replaceAll("GetPerson", "DeletePerson"), ["soap-operation"]),
    soap("A18 ReplyTo an inner address", envelope({ header: addressed("ReplyTo", url) }), ["soap-shape"]),
    soap("A18 FaultTo a file", envelope({ header: addressed("FaultTo", "file:///etc/passwd") }), ["soap-shape"]),
    soap(
      "A18 ReplyTo an inner address, in the older namespace",
      envelope({ header: addressed("ReplyTo", url).replace(WSA, "http://schemas.xmlsoap.org/ws/2004/08/addressing") }),
      ["soap-shape"],
    ),
    soap("A18 ReplyTo no address", envelope({ header: `<a:ReplyTo xmlns:a="${WSA}"><a:Adress>${url}</a:Adress></a:ReplyTo>` }), [
      "soap-shape",
    ]),
    soap("A19 a second Body", envelope().replace("</s:Envelope>", `<s:Body/></s:Envelope>`), ["soap-shape"]),
    soap("A19 a Body with two operations", envelope().replace("</s:Body>", `<p:GetPerson xmlns:p="${P}"/></s:Body>`), ["soap-shape"]),
    soap("A19 a header behind the Body", envelope().replace("</s:Envelope>", "<s:Header/></s:Envelope>"), ["soap-shape"]),
    soap("A19 an unknown header that must be understood", envelope({ header: '<x xmlns="urn:x" s:mustUnderstand="1"/>' }), [
      "soap-must-understand",
    ]),
    soap("A19 an envelope of no version", envelope().replace(S, "urn:soap"), ["soap-version"]),
    soap("A19 SOAP 1.2 in the media type of 1.1", envelope().replace(S, S12), ["media-type"]),
    soap("A20 MTOM with a reference to a server", envelope(), ["media-type"], {
      "content-type": 'multipart/related; type="application/xop+xml"; boundary=x',
    }),
    soap(
      "A20 an xop:Include in a value",
      envelope({ value: `<x:Include xmlns:x="http://www.w3.org/2004/08/xop/include" href="${url}"/>` }),
      ["xsd-violation"],
    ),
    soap("A39 a call context twice", envelope({ header: "<m:CallingUser>2004100010096</m:CallingUser>" }), ["soap-shape"]),
    soap("B18 a system that is not registered", envelope(), ["system-unknown", "grant-missing"], { "x-system": "evil/corp" }),
    soap("B18 a system without a grant", envelope(), ["grant-missing"], { "x-system": "bns/statistics" }),
    soap("B26 a system in other letters", envelope(), ["system-unknown", "grant-missing"], { "x-system": "CNAS/pensions" }),
    soap("B26 a message id of ten thousand letters", envelope(), ["http-request", "soap-shape"], { "x-message-id": "x".repeat(10_000) }),
    rest("B13 a member twice", `{"idnp":"${GOOD}","idnp":"2000000000001"}`, ["json-malformed"]),
    rest("B13 __proto__", `{"idnp":"${GOOD}","__proto__":{"admin":true}}`, ["json-violation"]),
    rest("B13 a number where text belongs", `{"idnp":${GOOD}}`, ["json-violation"]),
    rest("B13 100,000 deep", `${"[".repeat(100_000)}${"]".repeat(100_000)}`, ["json-limit", "json-violation", "json-malformed"]),
    rest("B13 NaN", '{"idnp":NaN}', ["json-malformed"]),
    rest("B13 invalid UTF-8", Buffer.concat([Buffer.from('{"idnp":"'), Buffer.of(0xff, 0xfe), Buffer.from('"}')]), ["json-malformed"]),
    rest("B13 a lone surrogate", '{"idnp":"\\ud800"}', ["json-violation", "json-malformed", "rejected-by-step", "avro-violation"]),
    rest("B13 text behind the document", `{"idnp":"${GOOD}"} x`, ["json-malformed"]),
    rest("B13 a member that the contract has not", `{"idnp":"${GOOD}","admin":true}`, ["json-violation"]),
    rest("B12 a Mongo operator", '{"idnp":{"$gt":""}}', ["json-violation"]),
    rest("B06 a packed body", Buffer.from("1f8b0800000000000003", "hex"), ["media-type", "http-request"], { "content-encoding": "gzip" }),
    rest("B06 a body in brotli", Buffer.of(1, 2, 3), ["media-type", "http-request"], { "content-encoding": "br" }),
    rest("B09 a media type of another kind", envelope(), ["media-type"], { "content-type": "text/xml" }),
    rest("B17 escape codes in a value", '{"idnp":"\\u001b[31m2004100010095"}', ["json-violation", "rejected-by-step", "avro-violation"]),
    rest("B26 full-width digits", '{"idnp":"\uff12004100010095"}', ["json-violation", "rejected-by-step", "avro-violation"]),
    rest("B26 a legal entity of letters", JSON.stringify({ idnp: GOOD }), ["call-context-invalid"], { CallingEntity: "abcdefghijklm" }),
    rest("B18 in another institution's name", JSON.stringify({ idnp: GOOD }), ["call-context-invalid", "call-context-foreign"], {
      CallingEntity: "1003600034203",
    }),
    rest("B24 without the legal basis that the contract requires", JSON.stringify({ idnp: GOOD }), ["call-context-missing"], {
      CallBasis: "",
    }),
  ];
}
