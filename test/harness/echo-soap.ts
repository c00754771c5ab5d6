/** A SOAP service of two operations, small enough to read at a glance: the SOAP edge is tested without the XML codec. */
import { BusError } from "#bus/errors.ts";
import type { CallContext } from "#bus/envelope.ts";
import type { SoapFault, SoapService, SoapVersion } from "#bus/wire.ts";

const NAMESPACES: Readonly<Record<SoapVersion, string>> = {
  "1.1": "http://schemas.xmlsoap.org/soap/envelope/",
  "1.2": "http://www.w3.org/2003/05/soap-envelope",
};
const NAMES = { user: "CallingUser", entity: "CallingEntity", basis: "CallBasis", reason: "CallReason" } as const;

export function envelopeXml(version: SoapVersion, body: string, headers = ""): string {
  return `<s:Envelope xmlns:s="${NAMESPACES[version]}"><s:Header>${headers}</s:Header><s:Body>${body}</s:Body></s:Envelope>`;
}

export function echoSoap(operations: readonly string[] = ["Echo", "Delete"]): SoapService {
  const read = (bytes: Uint8Array, suffix: string) => {
    const xml = Buffer.from(bytes).toString("utf8");
    const version = xml.includes(NAMESPACES["1.1"]) ? "1.1" : xml.includes(NAMESPACES["1.2"]) ? "1.2" : undefined;
    if (version === undefined)
      throw new BusError("xml-malformed", "line 1: this is no envelope", { places: [{ line: 1, column: 1, text: "no envelope" }] });
    const fault = /<s:Fault><code>(.*?)<\/code>/.exec(xml);
    if (fault?.[1] !== undefined) throw new BusError("provider-fault", "the provider answered with a fault", { providerCode: fault[1] });
    const body = /<s:Body><(\w+)>(.*)<\/\1><\/s:Body>/s.exec(xml);
    const operation = body?.[1]?.endsWith(suffix) === true ? body[1].slice(0, body[1].length - suffix.length) : "";
    if (!operations.includes(operation)) throw new BusError("soap-operation", `the body's first child is no operation of this service`);
    const headers = new Map<string, string>();
    for (const [, prefix, name, text] of xml.matchAll(/<(m|w):(\w+)>([^<]*)</g))
      headers.set(`{${prefix === "m" ? "https://mconnect.gov.md" : "http://www.w3.org/2005/08/addressing"}}${name}`, text ?? "");
    return { version, operation, value: { text: body?.[2] ?? "" }, headers } as const;
  };
  const header = (call: CallContext = {}) =>
    (Object.keys(NAMES) as (keyof typeof NAMES)[])
      .map((key) => (call[key] === undefined ? "" : `<m:${NAMES[key]}>${call[key]}</m:${NAMES[key]}>`))
      .join("");
  const write = (version: SoapVersion, body: string, headers = "") => Buffer.from(envelopeXml(version, body, headers));
  return {
    operations,
    readRequest: (bytes) => read(bytes, ""),
    readReply: (_, bytes) => read(bytes, "Reply").value,
    writeRequest: (version, operation, value, call) =>
      write(version, `<${operation}>${String(value["text"])}</${operation}>`, header(call)),
    writeReply: (version, operation, value) => write(version, `<${operation}Reply>${String(value["text"])}</${operation}Reply>`),
    writeFault: (version, fault: SoapFault) =>
      write(
        version,
        `<s:Fault><code>${fault.code}</code><side>${fault.side}</side><text>${fault.text}</text>${(fault.detail ?? []).map((part) => `<${part.name}>${part.text}</${part.name}>`).join("")}</s:Fault>`,
      ),
    action: (operation) => `urn:echo/${operation}`,
    wsdl: (address) => `<definitions address="${address}"/>`,
  };
}
