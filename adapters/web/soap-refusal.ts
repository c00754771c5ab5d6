/** A refusal of the host itself to a caller that speaks SOAP: a fault it can read, in the shape of every other fault of the bus. */
import type { WebResponse } from "#bus/wire.ts";
import type { Problem } from "./answer.ts";

const FAULTS = "urn:mconnect-bus:fault";
const ENVELOPES = { "1.1": "http://schemas.xmlsoap.org/soap/envelope/", "1.2": "http://www.w3.org/2003/05/soap-envelope" } as const;

/** Undefined where the content type is none of SOAP. SOAP 1.1 binds every fault to 500, SOAP 1.2 a sender's to 400. */
export function soapRefusal(problem: Problem, contentType: string | undefined): WebResponse | undefined {
  const type = (contentType ?? "").split(";", 1)[0]?.trim().toLowerCase();
  if (type !== "text/xml" && type !== "application/soap+xml") return undefined;
  const version = type === "text/xml" ? "1.1" : "1.2";
  const code = problem.code ?? "http-request";
  const text = escape(problem.detail);
  const detail = `<m:code xmlns:m="${FAULTS}">mbus:${code}</m:code>`;
  const fault =
    version === "1.1"
      ? `<faultcode>soap:Client</faultcode><faultstring>${text}</faultstring><detail>${detail}</detail>`
      : `<soap:Code><soap:Value>soap:Sender</soap:Value><soap:Subcode><soap:Value xmlns:m="${FAULTS}">m:${code}</soap:Value></soap:Subcode></soap:Code>` +
        `<soap:Reason><soap:Text xml:lang="en">${text}</soap:Text></soap:Reason><soap:Detail>${detail}</soap:Detail>`;
  return {
    status: version === "1.1" ? 500 : 400,
    headers: { "content-type": version === "1.1" ? "text/xml; charset=utf-8" : "application/soap+xml; charset=utf-8", ...problem.headers },
    body: `<?xml version="1.0" encoding="UTF-8"?><soap:Envelope xmlns:soap="${ENVELOPES[version]}"><soap:Body><soap:Fault>${fault}</soap:Fault></soap:Body></soap:Envelope>`,
  };
}

function escape(text: string): string {
  return (
    text
      .toWellFormed()
      // oxlint-disable-next-line no-control-regex -- these are the characters that XML 1.0 forbids
      .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, "?")
      .replaceAll("&", "&amp;")
      .replaceAll("<", "&lt;")
      .replaceAll(">", "&gt;")
  );
}
