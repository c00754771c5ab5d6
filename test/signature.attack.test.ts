/**
 * Signed messages as an attacker makes them, against one running bus: signature wrapping, ids, shapes, references, transforms, algorithms,
 * keys, canonical forms, times, headers, replays and downgrades. Each is refused by the right fault, and nothing reaches the provider.
 */
import { createHmac, X509Certificate } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bodyOf, CALL, CALL_IDS, openSignedSite, type SignedSite } from "#test/harness/signed-site.ts";
import {
  canonical,
  DS,
  EXC,
  issuerSerial,
  SOAP11,
  str,
  token,
  tokenReference,
  WSSE,
  WSU,
  x509Data,
  type Wanted,
} from "#test/harness/wss.ts";

const EVIL = "2000000000017";
const evil = bodyOf(EVIL);
let world: SignedSite;
beforeAll(async () => {
  world = await openSignedSite();
});
afterAll(() => world.close());

type Make = () => string | Promise<string>;
/** One attack: its name, the message (made when its test runs), the code of the refusal, and HTTP headers. */
type Attack = readonly [name: string, make: Make, code: string | RegExp, headers?: Readonly<Record<string, string>>];

const signed =
  (wanted: Partial<Wanted> = {}): Make =>
  () =>
    world.message(wanted);
const changed =
  (after: (document: string) => string, wanted: Partial<Wanted> = {}): Make =>
  () =>
    world.message({ ...wanted, after });

async function refused([, make, code, headers]: Attack): Promise<void> {
  const before = world.hits();
  const message = await make();
  const { status, text } = await world.post(message, headers);
  expect(/mbus:([a-z-]+)</u.exec(text)?.[1] ?? text).toMatch(typeof code === "string" ? new RegExp(`^${code}$`, "u") : code);
  expect(status).toBe(500);
  expect(world.hits()).toBe(before);
  expect(text).not.toContain("Ciobanu");
}
function all(title: string, attacks: readonly Attack[]): void {
  describe(title, () => {
    for (const attack of attacks) it(attack[0], () => refused(attack));
  });
}

const between = (document: string, open: string, close: string): string => {
  const from = document.indexOf(open);
  return document.slice(from, document.indexOf(close, from) + close.length);
};
const theBody = (document: string): string => between(document, "<soap:Body", "</soap:Body>");
const theTimestamp = (document: string): string => between(document, "<wsu:Timestamp", "</wsu:Timestamp>");
const theSignature = (document: string): string => between(document, "<ds:Signature ", "</ds:Signature>");
const theInfo = (document: string): string => between(document, "<ds:SignedInfo", "</ds:SignedInfo>");
const idOf = (element: string): string => /wsu:Id="([^"]+)"/u.exec(element)?.[1] ?? "";
const bodyWith = (id: string, content = evil): string => `<soap:Body${id === "" ? "" : ` wsu:Id="${id}"`}>${content}</soap:Body>`;
/** The signed Body goes where `put` says; an evil one takes its place. */
const wrapped = (put: (document: string, body: string) => string, id: (old: string) => string): Make =>
  changed((document) => {
    const body = theBody(document);
    return put(
      document.replace(body, () => bodyWith(id(idOf(body)))),
      body,
    );
  });
const intoHeader = (wrapper: (body: string) => string) => (document: string, body: string) =>
  document.replace("</soap:Header>", () => `${wrapper(body)}</soap:Header>`);

it("takes the message that all attacks below are made from, and signs its answer", async () => {
  const before = world.hits();
  const { status, text } = await world.post(world.message());
  expect([status, text.includes("Ciobanu"), text.includes("<ds:SignatureValue>")]).toEqual([200, true, true]);
  expect(world.hits()).toBe(before + 1);
});

it("answers an attacker with a signed fault that names the standard's code", async () => {
  const { text } = await world.post(world.message({ by: world.stranger }));
  expect(text).toContain(`<faultcode xmlns:wsse="${WSSE}">wsse:FailedAuthentication</faultcode>`);
  expect(text).toContain("<ds:SignatureValue>");
});

all("A21 signature wrapping", [
  [
    "XSW1: the signed Body in a header block, another in its place",
    wrapped(
      intoHeader((body) => `<x:W xmlns:x="urn:x">${body}</x:W>`),
      () => "evil",
    ),
    "signature-coverage",
  ],
  [
    "XSW2: the same with the same id",
    wrapped(
      intoHeader((body) => `<x:W xmlns:x="urn:x">${body}</x:W>`),
      (id) => id,
    ),
    "signature-shape",
  ],
  [
    "XSW3: both Bodies beside each other, the evil one first",
    wrapped(
      (document, body) => document.replace("</soap:Envelope>", () => `${body}</soap:Envelope>`),
      () => "evil",
    ),
    /soap-shape|signature-coverage/u,
  ],
  [
    "XSW3: both Bodies beside each other, the signed one first",
    wrapped(
      (document, body) => document.replace("<soap:Body", () => `${body}<soap:Body`),
      () => "evil",
    ),
    "soap-shape",
  ],
  [
    "XSW4: the signed Body within the evil one",
    wrapped(
      (document, body) => document.replace("</soap:Body>", () => `${body}</soap:Body>`),
      () => "evil",
    ),
    "signature-coverage",
  ],
  [
    "XSW5: the signed Body in an Object of the Signature",
    wrapped(
      (document, body) => document.replace("</ds:Signature>", () => `<ds:Object>${body}</ds:Object></ds:Signature>`),
      () => "evil",
    ),
    "signature-shape",
  ],
  [
    "XSW6: the same with the same id",
    wrapped(
      (document, body) => document.replace("</ds:Signature>", () => `<ds:Object>${body}</ds:Object></ds:Signature>`),
      (id) => id,
    ),
    "signature-shape",
  ],
  [
    "XSW7: the signed Body in a block for another receiver, the evil one without id",
    wrapped(
      intoHeader((body) => `<x:W xmlns:x="urn:x" soap:actor="urn:other">${body}</x:W>`),
      () => "",
    ),
    "signature-coverage",
  ],
  [
    "XSW8: the signed Body within the Security header",
    wrapped(
      (document, body) => document.replace("</wsse:Security>", () => `${body}</wsse:Security>`),
      () => "evil",
    ),
    "signature-shape",
  ],
  [
    "the signed Body as a header block of its own",
    wrapped(
      intoHeader((body) => body),
      () => "evil",
    ),
    "signature-coverage",
  ],
  [
    "a signed header block in a wrapper, another in its place",
    changed((document) => {
      const block = between(document, "<m:CallingUser", "</m:CallingUser>");
      return document.replace(
        block,
        () => `<x:W xmlns:x="urn:x">${block}</x:W>${block.replace('"H0"', '"H9"').replace("2004100010095", EVIL)}`,
      );
    }),
    "signature-coverage",
  ],
  [
    "a fresh Timestamp beside the signed one",
    changed((document) => document.replace(theTimestamp(document), (old) => `${old}${old.replace(idOf(old), "evil")}`)),
    "signature-shape",
  ],
  [
    "a fresh Timestamp, the signed one in a wrapper",
    changed((document) => {
      const old = theTimestamp(document);
      return document
        .replace(old, () => old.replace(idOf(old), "evil"))
        .replace("</soap:Header>", () => `<x:W xmlns:x="urn:x">${old}</x:W></soap:Header>`);
    }),
    "signature-coverage",
  ],
  [
    "another Body under the old signature",
    changed((document) => document.replace(theBody(document), (body) => bodyWith(idOf(body)))),
    "signature-wrong",
  ],
]);

all("A22 ids", [
  [
    "wsu:Id of the Body again on a header block",
    changed((document) =>
      document.replace("</soap:Header>", () => `<x:W xmlns:x="urn:x" wsu:Id="${idOf(theBody(document))}"/></soap:Header>`),
    ),
    "signature-shape",
  ],
  [
    "as plain Id",
    changed((document) => document.replace("</soap:Header>", () => `<x:W xmlns:x="urn:x" Id="${idOf(theBody(document))}"/></soap:Header>`)),
    "signature-shape",
  ],
  [
    "as ID",
    changed((document) => document.replace("</soap:Header>", () => `<x:W xmlns:x="urn:x" ID="${idOf(theBody(document))}"/></soap:Header>`)),
    "signature-shape",
  ],
  [
    "as xml:id",
    changed((document) =>
      document.replace("</soap:Header>", () => `<x:W xmlns:x="urn:x" xml:id="${idOf(theBody(document))}"/></soap:Header>`),
    ),
    "signature-shape",
  ],
  [
    "as id",
    changed((document) => document.replace("</soap:Header>", () => `<x:W xmlns:x="urn:x" id="${idOf(theBody(document))}"/></soap:Header>`)),
    "signature-shape",
  ],
  [
    "on the Envelope",
    changed((document) => document.replace("<soap:Envelope", () => `<soap:Envelope Id="${idOf(theBody(document))}"`)),
    "signature-shape",
  ],
  ["two ids on the Body", changed((document) => document.replace("<soap:Body", '<soap:Body Id="other"')), /signature-(shape|wrong)/u],
  [
    "two elements of the payload with one id",
    signed({ body: bodyOf("2004100010095").replace("<p:IDNP", '<p:IDNP Id="x"').replace("<p:GetPerson", '<p:GetPerson Id="x"') }),
    "signature-shape",
  ],
]);

all("A23 the Signature itself", [
  ["none", changed((document) => document.replace(theSignature(document), "")), "signature-shape"],
  ["an empty SignedInfo", changed((document) => document.replace(theInfo(document), "<ds:SignedInfo/>")), "signature-shape"],
  ["two SignedInfo", changed((document) => document.replace(theInfo(document), (info) => info + info)), "signature-shape"],
  ["two Signatures", changed((document) => document.replace(theSignature(document), (one) => one + one)), "signature-shape"],
  [
    "a Signature within an Object",
    changed((document) =>
      document.replace(theSignature(document), (one) => `<ds:Signature xmlns:ds="${DS}"><ds:Object>${one}</ds:Object></ds:Signature>`),
    ),
    "signature-shape",
  ],
  [
    "outside the Security header",
    changed((document) => {
      const one = theSignature(document);
      return document.replace(one, "").replace("</soap:Header>", () => `${one}</soap:Header>`);
    }),
    "signature-shape",
  ],
  [
    "two Security headers",
    changed((document) =>
      document.replace(between(document, "<wsse:Security", "</wsse:Security>"), (one) => one + one.replaceAll(/ wsu:Id="[^"]*"/gu, "")),
    ),
    "signature-shape",
  ],
  [
    "a UsernameToken beside it",
    signed({ security: (inner) => `<wsse:UsernameToken><wsse:Username>admin</wsse:Username></wsse:UsernameToken>${inner}` }),
    "signature-shape",
  ],
  [
    "in a namespace that looks alike",
    changed((document) => document.replaceAll(`xmlns:ds="${DS}"`, `xmlns:ds="${DS.slice(0, -1)}"`)),
    "signature-shape",
  ],
]);

all("A24 values", [
  [
    "a comment in DigestValue",
    changed((document) => document.replace("<ds:DigestValue>", "<ds:DigestValue><!-- evil -->")),
    "signature-shape",
  ],
  [
    "a comment in SignatureValue",
    changed((document) => document.replace("<ds:SignatureValue>", "<ds:SignatureValue><!-- evil -->")),
    "signature-shape",
  ],
  [
    "CDATA in DigestValue",
    changed((document) => document.replace(/<ds:DigestValue>([^<]*)/u, "<ds:DigestValue><![CDATA[$1]]>")),
    "signature-shape",
  ],
  [
    "an element in DigestValue",
    changed((document) => document.replace(/<ds:DigestValue>/u, "<ds:DigestValue><x xmlns='urn:x'/>")),
    "signature-shape",
  ],
  [
    "a letter that is none of base64",
    changed((document) => document.replace("<ds:SignatureValue>", "<ds:SignatureValue>!")),
    "signature-shape",
  ],
  ["padding twice", changed((document) => document.replace("</ds:DigestValue>", "=</ds:DigestValue>")), "signature-shape"],
  [
    "an empty SignatureValue",
    changed((document) => document.replace(/<ds:SignatureValue>[^<]*/u, "<ds:SignatureValue>")),
    "signature-shape",
  ],
  [
    "a processing instruction",
    changed((document) => document.replace("<ds:SignatureValue>", "<ds:SignatureValue><?x y?>")),
    "xml-forbidden",
  ],
]);

all("A25 references", [
  ["to the whole document", signed({ uri: () => "" }), "signature-shape"],
  ["to another document", signed({ uri: (id) => `http://127.0.0.1:9/#${id}` }), "signature-shape"],
  ["by XPointer", signed({ uri: (id) => `#xpointer(id('${id}'))` }), "signature-shape"],
  ["none", signed({ signs: [] }), "signature-shape"],
  [
    "a thousand",
    changed((document) => document.replace(between(document, "<ds:Reference ", "</ds:Reference>"), (one) => one.repeat(1000))),
    /xml-limit|signature-shape/u,
  ],
  [
    "the same twice",
    changed((document) => document.replace(between(document, "<ds:Reference ", "</ds:Reference>"), (one) => one + one)),
    "signature-shape",
  ],
  [
    "a Manifest instead of the parts",
    changed((document) => document.replace("</ds:Signature>", `<ds:Object><ds:Manifest Id="M"/></ds:Object></ds:Signature>`)),
    "signature-shape",
  ],
  ["to the Timestamp only", signed({ timestampId: "TS", signs: ["TS"] }), "signature-coverage"],
  ["to the Body only", signed({ bodyId: "BO", signs: ["BO", ...CALL_IDS] }), "signature-coverage"],
  [
    "to an element within the Body",
    signed({ body: bodyOf(EVIL).replace("<p:IDNP", '<p:IDNP Id="IN"'), timestampId: "TS", signs: ["IN", "TS", ...CALL_IDS] }),
    "signature-coverage",
  ],
]);

const transforms = (...uris: readonly string[]): Partial<Wanted> => ({
  transforms: uris.map((uri) => `<ds:Transform Algorithm="${uri}"/>`).join(""),
});
all("A26 transforms", [
  ["XSLT", signed(transforms("http://www.w3.org/TR/1999/REC-xslt-19991116")), "signature-algorithm"],
  [
    "XPath",
    signed({
      transforms: `<ds:Transform Algorithm="http://www.w3.org/TR/1999/REC-xpath-19991116"><ds:XPath>false()</ds:XPath></ds:Transform>`,
    }),
    "signature-algorithm",
  ],
  ["base64", signed(transforms("http://www.w3.org/2000/09/xmldsig#base64")), "signature-algorithm"],
  ["the enveloped signature", signed(transforms("http://www.w3.org/2000/09/xmldsig#enveloped-signature", EXC)), "signature-shape"],
  ["hundreds", signed(transforms(...Array.from({ length: 390 }, () => EXC))), "signature-shape"],
  ["none", signed({ transforms: "" }), "signature-shape"],
  ["inclusive canonical form", signed(transforms("http://www.w3.org/TR/2001/REC-xml-c14n-20010315")), "signature-algorithm"],
  ["exclusive form with comments", signed(transforms(`${EXC}WithComments`)), "signature-algorithm"],
  [
    "of security tokens",
    signed(transforms("http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#STR-Transform")),
    "signature-algorithm",
  ],
  ["an inclusive form of SignedInfo", signed({ c14n: "http://www.w3.org/TR/2001/REC-xml-c14n-20010315" }), "signature-algorithm"],
]);

const withHmac = (document: string): string => {
  const key = new X509Certificate(world.soap.cert).publicKey.export({ type: "spki", format: "pem" });
  const value = createHmac("sha256", key).update(canonical(document, "//ds:SignedInfo")).digest("base64");
  return document.replace(/<ds:SignatureValue>[^<]*/u, `<ds:SignatureValue>${value}`);
};
all("A27 algorithms", [
  ["an HMAC with the public key", changed(withHmac, { method: "http://www.w3.org/2000/09/xmldsig#hmac-sha1" }), "signature-algorithm"],
  ["RSA-SHA1", signed({ method: "http://www.w3.org/2000/09/xmldsig#rsa-sha1", hash: "sha1" }), "signature-algorithm"],
  ["RSA-MD5", signed({ method: "http://www.w3.org/2001/04/xmldsig-more#rsa-md5", hash: "md5" }), "signature-algorithm"],
  ["DSA", signed({ method: "http://www.w3.org/2000/09/xmldsig#dsa-sha1" }), "signature-algorithm"],
  ["no algorithm", signed({ method: "" }), "signature-algorithm"],
  ["ECDSA said of an RSA key", signed({ method: "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256" }), "signature-wrong"],
  ["a digest by SHA-1", signed({ digestMethod: "http://www.w3.org/2000/09/xmldsig#sha1", digestHash: "sha1" }), "signature-algorithm"],
  ["a digest by MD5", signed({ digestMethod: "http://www.w3.org/2001/04/xmldsig-more#md5", digestHash: "md5" }), "signature-algorithm"],
]);

all("A28 keys", [
  ["a stranger's key with its certificate", () => world.message({ by: world.stranger }), "signature-key"],
  [
    "a stranger's key in the name of the registered one",
    () => world.message({ by: world.stranger, keyInfo: () => x509Data(world.soap) }),
    "signature-wrong",
  ],
  [
    "a stranger's token",
    () => world.message({ by: world.stranger, keyInfo: tokenReference("T"), security: (inner) => token(world.stranger, "T") + inner }),
    "signature-key",
  ],
  ["a stranger's serial number", () => world.message({ by: world.stranger, keyInfo: issuerSerial }), "signature-key"],
  ["another system's registered certificate", () => world.message({ by: world.rest }), "signature-key"],
  ["a RetrievalMethod", signed({ keyInfo: `<ds:RetrievalMethod URI="http://127.0.0.1:9/key"/>` }), "signature-shape"],
  ["a KeyName", signed({ keyInfo: "<ds:KeyName>cnas/pensions</ds:KeyName>" }), "signature-shape"],
  [
    "a KeyValue",
    signed({
      keyInfo: "<ds:KeyValue><ds:RSAKeyValue><ds:Modulus>AQAB</ds:Modulus><ds:Exponent>AQAB</ds:Exponent></ds:RSAKeyValue></ds:KeyValue>",
    }),
    "signature-shape",
  ],
  ["nothing", signed({ keyInfo: "" }), "signature-shape"],
  ["two forms at once", signed({ keyInfo: (by) => x509Data(by) + str(x509Data(by)) }), "signature-shape"],
  ["a reference to a token that is not there", signed({ keyInfo: tokenReference("nowhere") }), "signature-shape"],
  ["a reference to a token outside", signed({ keyInfo: str(`<wsse:Reference URI="http://127.0.0.1:9/token"/>`) }), "signature-shape"],
]);

all("A29 canonical forms", [
  [
    "a relative namespace in what is signed",
    changed((document) => document.replace("<p:GetPerson", '<p:GetPerson xmlns:r="../r" r:a="1"')),
    "signature-shape",
  ],
  [
    "an attribute of another namespace in the algorithm's place",
    changed((document) => document.replace("<ds:SignatureMethod Algorithm", "<ds:SignatureMethod ds:Algorithm")),
    "signature-algorithm",
  ],
  [
    "the prefix of the Signature without a namespace",
    changed((document) => document.replace(`xmlns:ds="${DS}"`, 'xmlns:ds=""')),
    "xml-malformed",
  ],
  [
    "another default namespace around the payload",
    changed((document) => document.replace("<p:GetPerson xmlns:p=", '<p:GetPerson xmlns:q="urn:q" q:a="1" xmlns:p=')),
    "signature-wrong",
  ],
  [
    "xml:space on the signed Body",
    changed((document) => document.replace("<soap:Body", '<soap:Body xml:space="preserve"')),
    "signature-wrong",
  ],
  ["white space within the signed Body", changed((document) => document.replace("<p:GetPerson", " <p:GetPerson")), "signature-wrong"],
  ["a list of prefixes without end", signed({ prefixes: Array.from({ length: 40 }, (_, i) => `p${i}`).join(" ") }), "signature-shape"],
]);

all("A30 parsers that differ", [
  [
    "a document type that would add attributes",
    changed((document) => `<!DOCTYPE x [<!ATTLIST soap:Body Id ID "x">]>${document}`),
    "xml-forbidden",
  ],
  [
    "a processing instruction in the value",
    changed((document) => document.replace("<p:IDNP>2004", "<p:IDNP><?x 1?>2004")),
    "xml-forbidden",
  ],
  ["two roots", changed((document) => document + document), /xml-malformed|signature-/u],
  ["an attribute twice", changed((document) => document.replace("<soap:Body", '<soap:Body wsu:Id="evil"')), "xml-malformed"],
  [
    "an attribute twice by two prefixes",
    changed((document) => document.replace("<soap:Body", `<soap:Body xmlns:u2="${WSU}" u2:Id="evil"`)),
    "xml-malformed",
  ],
  ["an encoding that is not the document's", changed((document) => `<?xml version="1.0" encoding="UTF-7"?>${document}`), "xml-encoding"],
]);

const minutes = (n: number): number => Date.now() + n * 60_000;
all("A39 times", [
  ["signed in the future", () => world.message({ created: minutes(5) }), "signature-expired"],
  ["past its end", () => world.message({ created: minutes(-10), expires: minutes(-5) }), "signature-expired"],
  [
    "older than anything may be, though it says it lasts",
    () => world.message({ created: minutes(-60), expires: Date.UTC(9999, 0) }),
    "signature-expired",
  ],
  ["ended before it began", () => world.message({ created: minutes(0), expires: minutes(-0.5) }), "signature-expired"],
  ["without a Timestamp", signed({ timestamp: "", signs: ["BO"], bodyId: "BO" }), "signature-shape"],
  ["without Created", signed({ timestamp: `<wsu:Timestamp wsu:Id="TS"/>`, timestampId: "TS" }), "signature-shape"],
  [
    "without a zone",
    signed({ timestamp: `<wsu:Timestamp wsu:Id="TS"><wsu:Created>2026-01-01T00:00:00</wsu:Created></wsu:Timestamp>`, timestampId: "TS" }),
    "signature-shape",
  ],
  [
    "Created twice",
    signed({
      timestamp: `<wsu:Timestamp wsu:Id="TS"><wsu:Created>2026-01-01T00:00:00Z</wsu:Created><wsu:Created>2099-01-01T00:00:00Z</wsu:Created></wsu:Timestamp>`,
      timestampId: "TS",
    }),
    "signature-shape",
  ],
]);

const WSA = "http://www.w3.org/2005/08/addressing";
all("A40 headers around a signed Body", [
  [
    "another caller",
    changed((document) => document.replace(">2004100010095</m:CallingUser>", `>${EVIL}</m:CallingUser>`)),
    "signature-wrong",
  ],
  ["a call context that nobody signed", signed({ headers: CALL.replaceAll(/ wsu:Id="H\d"/gu, ""), alsoSign: [] }), "signature-coverage"],
  [
    "a call context beside the message",
    signed({ headers: "", alsoSign: [] }),
    "signature-coverage",
    { CallingUser: EVIL, CallingEntity: "1004600030235", CallBasis: "x", CallReason: "x" },
  ],
  ["another receiver", signed({ headers: `${CALL}<a:To xmlns:a="${WSA}">urn:other</a:To>` }), "signature-coverage"],
  ["another action", signed({ headers: `${CALL}<a:Action xmlns:a="${WSA}">urn:other</a:Action>` }), "signature-coverage"],
  ["an id of another message", signed({ headers: `${CALL}<a:MessageID xmlns:a="${WSA}">urn:other</a:MessageID>` }), "signature-coverage"],
  [
    "a second, unsigned caller",
    changed((document) =>
      document.replace("</soap:Header>", `<m:CallingUser xmlns:m="https://mconnect.gov.md">${EVIL}</m:CallingUser></soap:Header>`),
    ),
    /soap-shape|signature-coverage/u,
  ],
]);

all("B24 less than what was registered", [
  [
    "no signature at all",
    () =>
      `<soap:Envelope xmlns:soap="${SOAP11}" xmlns:wsu="${WSU}"><soap:Header>${CALL}</soap:Header><soap:Body>${evil}</soap:Body></soap:Envelope>`,
    "signature-missing",
  ],
  ["a Security header with a Timestamp only", changed((document) => document.replace(theSignature(document), "")), "signature-shape"],
  [
    "a Security header for somebody else",
    changed((document) => document.replace('<wsse:Security soap:mustUnderstand="1"', '<wsse:Security soap:actor="urn:other"')),
    "signature-missing",
  ],
]);

describe("B19 replay", () => {
  it("of the same bytes is refused, also in another spelling, from another address, and after a power cut", async () => {
    const message = world.message();
    expect((await world.post(message)).status).toBe(200);
    const before = world.hits();
    const again = async (body: string, headers?: Record<string, string>): Promise<string | undefined> =>
      /mbus:([a-z-]+)</u.exec((await world.post(body, headers)).text)?.[1];
    expect(await again(message)).toBe("signature-replayed");
    expect(await again(message.replace("<soap:Header>", "<soap:Header >").replace("<wsse:Security ", "<wsse:Security  "))).toBe(
      "signature-replayed",
    );
    expect(await again(message, { "x-system": "primaria/registry" })).toMatch(/grant-missing|signature-key/u);
    await world.restart();
    expect(await again(message)).toBe("signature-replayed");
    expect(world.hits()).toBe(before);
    expect((await world.post(world.message())).status).toBe(200);
  });

  it("by many at once lets one through", async () => {
    const message = world.message();
    const before = world.hits();
    const answers = await Promise.all(Array.from({ length: 8 }, () => world.post(message)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(world.hits()).toBe(before + 1);
  });
});
