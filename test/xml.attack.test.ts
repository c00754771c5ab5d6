/** XML and SOAP shapes of attack, each refused by the codec that the edges use. CPU bounds stand only where the attack is about time. */
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { BusError } from "#bus/errors.ts";
import type { ErrorCode } from "#bus/errors.ts";
import { joinPath } from "#bus/contract/xml/schema.ts";
import { compileSoapService } from "#bus/contract/xml/soap.ts";

const resolve = (location: string, base: string | undefined): string | undefined => {
  try {
    return readFileSync(joinPath(base, location), "utf8");
  } catch {
    return undefined;
  }
};
const service = compileSoapService({ wsdl: "test/fixtures/xml/person.wsdl", resolve });
const P = "https://mconnect.gov.md";
const S = "http://schemas.xmlsoap.org/soap/envelope/";

const envelope = (idnp: string, head = "", more = ""): string =>
  `${head}<s:Envelope xmlns:s="${S}"><s:Body><p:GetPerson xmlns:p="${P}"${more}><p:IDNP>${idnp}</p:IDNP></p:GetPerson></s:Body></s:Envelope>`;

/** `most`: milliseconds of processor time, not of the clock: the machine may do other work. */
function refusal(source: string | Uint8Array, most = 500): BusError {
  const bytes = typeof source === "string" ? Buffer.from(source) : source;
  const started = process.cpuUsage();
  let error: unknown;
  try {
    const message = service.readRequest(bytes);
    throw new Error(`accepted: ${JSON.stringify(message.value)}`);
  } catch (caught) {
    error = caught;
  }
  expect(process.cpuUsage(started).user / 1000).toBeLessThan(most);
  if (!(error instanceof BusError)) throw error;
  return error;
}
const refused = (source: string | Uint8Array, code: ErrorCode): void => {
  const error = refusal(source);
  expect([error.code, error.message]).toEqual([code, error.message]);
  expect(error.places.length).toBeGreaterThan(0);
};
const GOOD = "2000000000001";
const value = (source: string): unknown => service.readRequest(Buffer.from(source)).value["idnp"];

it("accepts the message that all attacks below are made from", () => {
  expect(value(envelope(GOOD, '<?xml version="1.0" encoding="utf-8"?>\n'))).toBe(GOOD);
  expect(value(`\ufeff${envelope(GOOD)}`)).toBe(GOOD);
});

describe("entities and DTDs", () => {
  let connections = 0;
  const canary = createServer((socket) => {
    connections++;
    socket.destroy();
  });
  let port = 0;
  beforeAll(async () => {
    await new Promise<void>((done) => canary.listen(0, "127.0.0.1", done));
    port = (canary.address() as AddressInfo).port;
  });
  afterAll(() => new Promise((done) => canary.close(done)));

  it("A01 XXE to a file", () => {
    refused(envelope("&x;", '<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]>'), "xml-forbidden");
    refused(envelope("&x;"), "xml-malformed");
  });

  it("A02 XXE to a server, external DTD: nobody is called", async () => {
    const url = `http://127.0.0.1:${port}/x.dtd`;
    for (const target of [url, `jar:${url}!/x`, `netdoc:${url}`, `\\\\127.0.0.1@${port}\\x`]) {
      refused(envelope(GOOD, `<!DOCTYPE r SYSTEM "${target}">`), "xml-forbidden");
      refused(envelope("&x;", `<!DOCTYPE r [<!ENTITY x SYSTEM "${target}">]>`), "xml-forbidden");
    }
    await new Promise((done) => setTimeout(done, 50));
    expect(connections).toBe(0);
  });

  it("A03 parameter entities", () => {
    refused(envelope(GOOD, `<!DOCTYPE r [<!ENTITY % p SYSTEM "http://127.0.0.1:${port}/"> %p;]>`), "xml-forbidden");
    refused(envelope(GOOD, "<!ENTITY % p 'x'>"), "xml-forbidden");
  });

  it("A04 billion laughs", () => {
    const laughs = Array.from({ length: 9 }, (_, i) => `<!ENTITY a${i + 1} "${`&a${i};`.repeat(10)}">`).join("");
    refused(envelope("&a9;", `<!DOCTYPE r [<!ENTITY a0 "ha">${laughs}]>`), "xml-forbidden");
  });

  it("A05 quadratic blow-up", () => {
    refused(envelope("&a;".repeat(2000), `<!DOCTYPE r [<!ENTITY a "${"x".repeat(50_000)}">]>`), "xml-forbidden");
  });

  it("A06 a flood of character references", () => {
    refused(envelope("&#65;".repeat(1_000_000)), "xml-limit");
    refused(envelope("&amp;".repeat(1_000_000)), "xml-limit");
    refused(envelope("&#0;"), "xml-malformed");
    refused(envelope("&#xD800;"), "xml-malformed");
    refused(envelope("&#x110000;"), "xml-malformed");
  });

  it("a DTD or an instruction anywhere else is refused too", () => {
    refused(envelope("<!DOCTYPE r>"), "xml-forbidden");
    refused(`${envelope(GOOD)}<!DOCTYPE r>`, "xml-forbidden");
    refused(envelope(GOOD).replace("<s:Body>", "<s:Body><!DOCTYPE r>"), "xml-forbidden");
  });
});

describe("size and depth", () => {
  it("A07 deep nesting, closed or not, in body and header", () => {
    const deep = "<a>".repeat(100_000);
    refused(`<s:Envelope xmlns:s="${S}"><s:Header>${deep}`, "xml-limit");
    refused(`<s:Envelope xmlns:s="${S}"><s:Header>${deep}${"</a>".repeat(100_000)}</s:Header></s:Envelope>`, "xml-limit");
    refused(deep, "soap-shape");
    refused(envelope(deep), "xsd-violation");
  });

  it("A08 many attributes, prefixes and names", () => {
    const many = (count: number, of: (i: number) => string): string => Array.from({ length: count }, (_, i) => of(i)).join("");
    refused(
      envelope(
        GOOD,
        "",
        many(100_000, (i) => ` a${i}="1"`),
      ),
      "xml-limit",
    );
    refused(
      envelope(
        GOOD,
        "",
        many(10_000, (i) => ` xmlns:n${i}="urn:${i}"`),
      ),
      "xml-limit",
    );
    expect(
      value(
        envelope(
          GOOD,
          "",
          many(63, (i) => ` xmlns:n${i}="urn:${i}"`),
        ),
      ),
    ).toBe(GOOD);
    const headers = many(10_000, (i) => `<h${i} xmlns="urn:${i}"/>`);
    refused(`<s:Envelope xmlns:s="${S}"><s:Header>${headers}</s:Header><s:Body/></s:Envelope>`, "xml-limit");
  });

  it("A09 giant tokens", () => {
    refused(envelope(GOOD, "", ` a="${"x".repeat(5_000_000)}"`), "xml-limit");
    refused(`<${"a".repeat(1_000_000)}/>`, "xml-limit");
    refused(envelope(GOOD, "", ` ${"a".repeat(1_000_000)}="1"`), "xml-limit");
    expect(refusal(envelope("x".repeat(50_000_000))).code).toBe("message-too-large");
  });

  it("scopes and names of strangers do not pile up", () => {
    for (let i = 0; i < 5000; i++) {
      const more = ` xmlns:x${i}="urn:x${i}"`;
      expect(value(envelope(GOOD, "", more))).toBe(GOOD);
    }
    const before = process.memoryUsage().heapUsed;
    for (let i = 5000; i < 20_000; i++) value(envelope(GOOD, "", ` xmlns:x${i}="urn:x${i}"`));
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(100_000_000);
  });
});

describe("A10 encodings", () => {
  it.each([
    ["UTF-16 with a byte order mark", Buffer.from(`\ufeff${envelope(GOOD)}`, "utf16le")],
    ["UTF-16 without one", Buffer.from(envelope(GOOD), "utf16le")],
    ["UTF-16, big-endian", Buffer.from(envelope(GOOD), "utf16le").swap16()],
    ["UTF-7 declared", Buffer.from(envelope("+ADw-", '<?xml version="1.0" encoding="UTF-7"?>'))],
    ["UTF-16 declared, UTF-8 sent", Buffer.from(envelope(GOOD, '<?xml version="1.0" encoding="UTF-16"?>'))],
    ["an overlong slash", Buffer.concat([Buffer.from("<a>"), Buffer.from([0xc0, 0xaf]), Buffer.from("</a>")])],
    ["a lone surrogate", Buffer.concat([Buffer.from("<a>"), Buffer.from([0xed, 0xa0, 0x80]), Buffer.from("</a>")])],
    ["a cut sequence", Buffer.from([0x3c, 0x61, 0x3e, 0xc4])],
    ["EBCDIC", Buffer.from([0x4c, 0x6f, 0xa7, 0x94, 0x93, 0x40])],
  ])("%s is refused", (_name, bytes) => {
    const error = refusal(bytes);
    expect(["xml-encoding", "xml-forbidden", "xml-malformed"]).toContain(error.code);
    if (!_name.startsWith("EBCDIC")) expect(error.code).toBe("xml-encoding");
  });

  it.each(["\u0000", "\u0001", "\u000b", "\u001b", "\ufffe", "\uffff"])("the character %j is refused wherever it stands", (char) => {
    for (const source of [
      envelope(char),
      envelope(GOOD, `<!--${char}-->`),
      envelope(GOOD, "", ` a="${char}"`),
      envelope(`<![CDATA[${char}]]>`),
    ]) {
      expect(["xml-forbidden", "xml-encoding"]).toContain(refusal(source).code);
    }
  });
});

describe("A11 references to elsewhere", () => {
  it("does not follow XInclude, a stylesheet, or schema locations", () => {
    refused(envelope(`<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="file:///etc/passwd"/>`), "xsd-violation");
    refused(envelope(GOOD, '<?xml-stylesheet href="http://127.0.0.1:9/x"?>'), "xml-forbidden");
    const hint = ` xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:schemaLocation="${P} http://127.0.0.1:9/x.xsd"`;
    expect(value(envelope(GOOD, "", hint))).toBe(GOOD);
  });
});

describe("A12 not quite XML", () => {
  it.each([
    ["two roots", `${envelope(GOOD)}${envelope(GOOD)}`],
    ["text behind the root", `${envelope(GOOD)}x`],
    ["text before the root", `x${envelope(GOOD)}`],
    ["the same attribute twice", envelope(GOOD, "", ' a="1" a="2"')],
    ["the same attribute by two prefixes", envelope(GOOD, "", ' xmlns:x="urn:u" xmlns:y="urn:u" x:b="1" y:b="2"')],
    ["]]> in text", envelope("]]>")],
    ["an unbound prefix", envelope("<q:x/>")],
    ["an unbound attribute prefix", envelope(GOOD, "", ' q:a="1"')],
    ["xmlns:xml bound elsewhere", envelope(GOOD, "", ' xmlns:xml="http://evil"')],
    ["another prefix for xml's namespace", envelope(GOOD, "", ' xmlns:x="http://www.w3.org/XML/1998/namespace"')],
    ["xmlns declared", envelope(GOOD, "", ' xmlns:xmlns="urn:x"')],
    ["a prefix bound to nothing", envelope(GOOD, "", ' xmlns:x=""')],
    ["a prefix declared twice", envelope(GOOD, "", ' xmlns:x="urn:1" xmlns:x="urn:2"')],
    ["< in an attribute", envelope(GOOD, "", ' a="<"')],
    ["an attribute without quotes", envelope(GOOD, "", " a=1")],
    ["an attribute without a value", envelope(GOOD, "", " a")],
    ["attributes without a space", envelope(GOOD, "", ' a="1"b="2"')],
    ["a bare &", envelope("a & b")],
    ["an unfinished reference", envelope("&amp")],
    ["an undefined entity", envelope("&nbsp;")],
    ["-- in a comment", envelope(GOOD, "<!-- a -- b -->")],
    ["a comment that does not end", envelope(GOOD, "<!-- ")],
    ["a name with a digit first", envelope("<1a/>")],
    ["a name with two colons", envelope("<p:a:b/>")],
    ["a space behind <", envelope("< a/>")],
    ["end tags in the wrong order", envelope(GOOD).replace("</p:GetPerson></s:Body>", "</s:Body></p:GetPerson>")],
    ["an end tag with an attribute", envelope(GOOD).replace("</p:IDNP>", '</p:IDNP b="1">')],
    ["a half tag", "<a"],
    ["nothing", ""],
    ["white space only", " \n"],
    ["XML 1.1", envelope(GOOD, '<?xml version="1.1"?>')],
  ])("%s is refused as malformed", (_name, source) => {
    refused(source, "xml-malformed");
  });

  it("an XML declaration that is not at the very start is a processing instruction", () => {
    refused(` <?xml version="1.0"?>${envelope(GOOD)}`, "xml-forbidden");
  });
});

describe("one reading of a value", () => {
  it("A13 comments and CDATA do not split a value: it is the full text, or refused", () => {
    expect(value(envelope("2000000<!---->000001"))).toBe(GOOD);
    expect(value(envelope("<![CDATA[2000000]]>000001"))).toBe(GOOD);
    expect(value(envelope("2000000000<![CDATA[001]]><!-- x -->"))).toBe(GOOD);
    refused(envelope("2000000000001<!---->.evil"), "xsd-violation");
    refused(envelope("2000000000001<![CDATA[1]]>"), "xsd-violation");
  });

  it("A14 a processing instruction inside a value is refused", () => {
    refused(envelope("<?p not-an-?>2000000000001"), "xml-forbidden");
    refused(envelope("2000000<?p ?>000001"), "xml-forbidden");
  });

  it("A19 a second Body, a Body elsewhere, and a wrapped operation are not read", () => {
    const body = `<s:Body><p:GetPerson xmlns:p="${P}"><p:IDNP>2000000000009</p:IDNP></p:GetPerson></s:Body>`;
    refused(envelope(GOOD).replace("</s:Envelope>", `${body}</s:Envelope>`), "soap-shape");
    const inHeader = envelope(GOOD).replace("<s:Body>", `<s:Header><w>${body}</w></s:Header><s:Body>`);
    expect(value(inHeader)).toBe(GOOD);
    refused(`<s:Envelope xmlns:s="${S}"><w>${body}</w></s:Envelope>`, "soap-shape");
  });

  it("A15 names that mean something in JavaScript are names like any other", () => {
    for (const name of ["__proto__", "constructor", "hasOwnProperty", "toString"]) {
      refused(envelope(GOOD).replace("<p:IDNP>", `<${name}>1</${name}><p:IDNP>`), "xsd-violation");
      refused(envelope(GOOD, "", ` ${name}="1"`), "xsd-violation");
      const header = envelope(GOOD).replace("<s:Body>", `<s:Header><${name}>evil</${name}></s:Header><s:Body>`);
      expect(service.readRequest(Buffer.from(header)).headers.get(name)).toBe("evil");
    }
    expect(({} as Record<string, unknown>)["evil"]).toBeUndefined();
  });
});

describe("A16 injection through values", () => {
  it.each(["x' or '1'='1", "2000000000001'] | //*", '"><evil/>', "${jndi:ldap://x}", "{{7*7}}"])(
    "%s is a value that breaks its pattern, nothing more",
    (text) => {
      const escaped = text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
      refused(envelope(escaped), "xsd-violation");
      const reply = service.writeFault("1.1", { side: "sender", code: "xsd-violation", text, detail: [{ name: text, text }] });
      expect(Buffer.from(reply).toString()).not.toContain("<evil");
    },
  );
});

describe("SOAP shapes", () => {
  it("A17 an action or operation other than the body's is never taken from elsewhere", () => {
    const header = '<s:Header><a:Action xmlns:a="http://www.w3.org/2005/08/addressing">DeleteEverything</a:Action></s:Header><s:Body>';
    const message = service.readRequest(Buffer.from(envelope(GOOD).replace("<s:Body>", header)));
    expect(message.operation).toBe("GetPerson");
    expect(message.headers.get("{http://www.w3.org/2005/08/addressing}Action")).toBe("DeleteEverything");
  });

  it("A18 an address to answer to is told to the edge, whatever its shape, and reading it calls nobody", () => {
    const wsa = "http://www.w3.org/2005/08/addressing";
    const told = (inner: string): string | undefined => {
      const header = `<s:Header><a:ReplyTo xmlns:a="${wsa}">${inner}</a:ReplyTo></s:Header><s:Body>`;
      return service.readRequest(Buffer.from(envelope(GOOD).replace("<s:Body>", header))).headers.get(`{${wsa}}ReplyTo`);
    };
    expect(told("<a:Address>http://169.254.169.254/</a:Address>")).toBe("http://169.254.169.254/");
    expect(told("<a:Address> http://x.example/ </a:Address><a:ReferenceParameters/>")).toBe("http://x.example/");
    expect(told("<a:Adress>http://x.example/</a:Adress>")).toBe("an endpoint without an address");
    expect(told("http://x.example/")).toBe("http://x.example/");
  });

  it("A19 a header that must be understood and is not known", () => {
    for (const mark of ["1", "true", " 1 "]) {
      const header = `<s:Header><x xmlns="urn:x" s:mustUnderstand="${mark}"/></s:Header><s:Body>`;
      refused(envelope(GOOD).replace("<s:Body>", header), "soap-must-understand");
    }
    const security =
      '<s:Header><w:Security xmlns:w="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd" s:mustUnderstand="1"/></s:Header><s:Body>';
    refused(envelope(GOOD).replace("<s:Body>", security), "soap-must-understand");
  });

  it("A19 versions are not mixed", () => {
    const other = envelope(GOOD).replace(`xmlns:s="${S}"`, 'xmlns:s="http://www.w3.org/2003/05/soap-envelope"');
    expect(service.readRequest(Buffer.from(other)).version).toBe("1.2");
    refused(envelope(GOOD).replace(`xmlns:s="${S}"`, 'xmlns:s="http://www.w3.org/2002/12/soap-envelope"'), "soap-version");
    refused(envelope(GOOD).replace(`xmlns:s="${S}"`, ""), "xml-malformed");
    refused(envelope(GOOD).replace("<s:Body>", '<s:Body xmlns:s="http://www.w3.org/2003/05/soap-envelope">'), "soap-shape");
  });

  it("no fault shows the value it refuses", () => {
    const error = refusal(envelope("secret-value"));
    expect(JSON.stringify([error.message, error.places])).not.toContain("secret-value");
  });
});
