/** The reply of a command as SOAP: it says to which message it is the reply (WS-Addressing 1.0), the same at every attempt. */
import { describe, expect, it } from "vitest";
import { loadWsdl } from "#bus/contract/xml/wsdl.ts";
import { serviceOf } from "#bus/contract/xml/soap.ts";
import type { SoapVersion, WebCall } from "#bus/wire.ts";
import { messageOf } from "#test/harness/message.ts";
import { createSoapOutlet } from "./outlet.ts";

const WSDL = `<definitions xmlns="http://schemas.xmlsoap.org/wsdl/" xmlns:s="http://schemas.xmlsoap.org/wsdl/soap/" xmlns:x="http://www.w3.org/2001/XMLSchema" xmlns:t="urn:counter" targetNamespace="urn:counter">
<types><x:schema targetNamespace="urn:counter" elementFormDefault="qualified"><x:element name="Done"><x:complexType><x:sequence><x:element name="number" type="x:int"/></x:sequence></x:complexType></x:element></x:schema></types>
<message name="m"><part name="p" element="t:Done"/></message>
<portType name="P"><operation name="Done"><input message="t:m"/></operation></portType>
<binding name="B" type="t:P"><s:binding transport="http://schemas.xmlsoap.org/soap/http"/><operation name="Done"><s:operation soapAction="urn:counter/Done"/><input><s:body use="literal"/></input></operation></binding>
<service name="S"><port name="p" binding="t:B"><s:address location="http://counter.test"/></port></service></definitions>`;

const service = serviceOf(loadWsdl({ wsdl: "a.wsdl", resolve: () => WSDL }), new Map([["Done", { request: "derive" }]]));

async function pushed(id: string, replies: boolean, version: SoapVersion = "1.1"): Promise<readonly string[]> {
  const calls: WebCall[] = [];
  const outlet = createSoapOutlet({
    client: {
      request: (call) => {
        calls.push(call);
        return Promise.resolve({ status: 202, headers: {}, body: new Uint8Array(0) });
      },
      close: () => Promise.resolve(),
    },
    address: "http://counter.test/Replies",
    version,
    service,
    operation: "Done",
    callContext: "none",
    headers: {},
    maxBytes: 10_000,
    ...(replies ? { replies } : undefined),
  });
  await outlet.send(messageOf({ number: 5 }, { id }), new AbortController().signal);
  await outlet.send(messageOf({ number: 5 }, { id }), new AbortController().signal);
  return calls.map(({ body }) => new TextDecoder().decode(body));
}
const header = (text: string, local: string): string | undefined =>
  new RegExp(`<wsa:${local} xmlns:wsa="http://www\\.w3\\.org/2005/08/addressing">([^<]*)</wsa:${local}>`, "u").exec(text)?.[1];

describe("a pushed reply in SOAP", () => {
  it.each(["1.1", "1.2"] as const)("names in %s the message that it answers, its own id and its action", async (version) => {
    const [text = ""] = await pushed("c-1", true, version);
    expect([header(text, "RelatesTo"), header(text, "MessageID"), header(text, "Action")]).toEqual([
      "urn:mconnect-bus:message:c-1",
      "urn:mconnect-bus:reply:c-1",
      "urn:counter/Done",
    ]);
    expect(text).toContain("number>5<");
  });

  it("gives a sender's own wsa:MessageID back as it was", async () => {
    const [text = ""] = await pushed("urn:uuid:0d5ff9f6-1b7e-4a0b-9c9e-1f2f6f1d7c11", true);
    expect(header(text, "RelatesTo")).toBe("urn:uuid:0d5ff9f6-1b7e-4a0b-9c9e-1f2f6f1d7c11");
  });

  it("is byte for byte the same when it is sent again", async () => {
    const [first, second] = await pushed("c-1", true);
    expect(second).toBe(first);
  });

  it("writes an id with characters of XML as text", async () => {
    const [text = ""] = await pushed("urn:x:<&>", true);
    expect(header(text, "RelatesTo")).toBe("urn:x:&lt;&amp;&gt;");
  });

  it("is the only message that carries addressing: others go as before", async () => {
    const [text = ""] = await pushed("c-1", false);
    expect(text).not.toContain("addressing");
  });
});
