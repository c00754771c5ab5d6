import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { BusError } from "../../errors.ts";
import { compileSoapService } from "./soap.ts";
import { joinPath } from "./schema.ts";

const resolve = (location: string, base: string | undefined): string | undefined => {
  try {
    return readFileSync(joinPath(base, location), "utf8");
  } catch {
    return undefined;
  }
};
const service = compileSoapService({ wsdl: "test/fixtures/xml/person.wsdl", resolve });
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();
const bytes = (source: string): Uint8Array => Buffer.from(source);

function caught(run: () => unknown): BusError {
  try {
    run();
  } catch (error) {
    if (error instanceof BusError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

const S11 = "http://schemas.xmlsoap.org/soap/envelope/";
const S12 = "http://www.w3.org/2003/05/soap-envelope";
const body = '<p:GetPerson xmlns:p="https://mconnect.gov.md"><p:IDNP>2000000000001</p:IDNP></p:GetPerson>';
const envelope = (inside: string, ns = S11): Uint8Array => bytes(`<s:Envelope xmlns:s="${ns}">${inside}</s:Envelope>`);

describe("a SOAP service compiled from its WSDL", () => {
  it("reads what it writes, in both versions, with the call context", () => {
    for (const version of ["1.1", "1.2"] as const) {
      const request = service.writeRequest(version, "GetPerson", { idnp: "2000000000001" }, { user: "2000000000002", reason: "a<b" });
      const message = service.readRequest(request);
      expect(message).toMatchObject({ version, operation: "GetPerson", value: { idnp: "2000000000001" } });
      expect(message.headers.get("{https://mconnect.gov.md}CallingUser")).toBe("2000000000002");
      expect(message.headers.get("{https://mconnect.gov.md}CallReason")).toBe("a<b");
    }
    expect(service.action("GetPerson")).toBe("GetPerson");
  });

  it("refuses a broken value with place, path and rule, without the value itself", () => {
    const error = caught(() => service.readRequest(envelope(`<s:Body>\n${body.replace("2000000000001", "20")}</s:Body>`)));
    expect(error.code).toBe("xsd-violation");
    expect(error.places[0]).toMatchObject({ line: 2, path: "/p:GetPerson/p:IDNP", rule: "pattern [0-9]{13}" });
    expect(error.places[0]?.column).toBe(body.indexOf("2000000000001") + 1);
  });

  it.each([
    ["an unknown version", envelope(`<s:Body>${body}</s:Body>`, "urn:soap:9"), "soap-version"],
    ["no envelope", bytes(body), "soap-shape"],
    ["no Body", envelope(""), "soap-shape"],
    ["an empty Body", envelope("<s:Body/>"), "soap-shape"],
    ["two children in the Body", envelope(`<s:Body>${body}${body}</s:Body>`), "soap-shape"],
    ["two Bodies", envelope(`<s:Body>${body}</s:Body><s:Body/>`), "soap-shape"],
    ["a Header behind the Body", envelope(`<s:Body>${body}</s:Body><s:Header/>`), "soap-shape"],
    ["two Headers", envelope(`<s:Header/><s:Header/><s:Body>${body}</s:Body>`), "soap-shape"],
    ["a Body of the other version", envelope(`<b:Body xmlns:b="${S12}">${body}</b:Body>`), "soap-shape"],
    ["another operation", envelope('<s:Body><x xmlns="urn:x"/></s:Body>'), "soap-operation"],
    ["the right name in the wrong namespace", envelope('<s:Body><GetPerson xmlns="urn:x"/></s:Body>'), "soap-operation"],
    [
      "an unknown header that must be understood",
      envelope(`<s:Header><h xmlns="urn:h" s:mustUnderstand="1"/></s:Header><s:Body>${body}</s:Body>`),
      "soap-must-understand",
    ],
    [
      "a call context header twice",
      envelope(
        `<s:Header xmlns:m="https://mconnect.gov.md"><m:CallingUser>1</m:CallingUser><m:CallingUser>2</m:CallingUser></s:Header><s:Body>${body}</s:Body>`,
      ),
      "soap-shape",
    ],
    ["something behind the envelope", bytes(`${text(envelope(`<s:Body>${body}</s:Body>`))}<x/>`), "xml-malformed"],
  ])("refuses %s", (_name, message, code) => {
    expect(caught(() => service.readRequest(message)).code).toBe(code);
  });

  it("understands the headers that copied samples carry, and passes over the ones meant for others", () => {
    const header =
      '<Action s:mustUnderstand="1" xmlns="http://schemas.microsoft.com/ws/2005/05/addressing/none">GetPerson</Action>' +
      '<a:MessageID s:mustUnderstand="1" xmlns:a="http://www.w3.org/2005/08/addressing">urn:1</a:MessageID>' +
      '<h xmlns="urn:h" s:mustUnderstand="1" s:actor="urn:somebody-else"><deep><er/></deep></h>';
    const { headers } = service.readRequest(envelope(`<s:Header>${header}</s:Header><s:Body>${body}</s:Body>`));
    expect(headers.get("{http://www.w3.org/2005/08/addressing}MessageID")).toBe("urn:1");
    expect(headers.has("{urn:h}h")).toBe(false);
  });

  it("throws a fault of either version as the provider's, with its code", () => {
    for (const version of ["1.1", "1.2"] as const) {
      const error = caught(() =>
        service.readReply(
          "GetPerson",
          service.writeFault(version, {
            side: "receiver",
            code: "store-conflict",
            text: "no <way>",
            detail: [{ name: "place", text: "/a" }],
          }),
        ),
      );
      expect(error).toMatchObject({ code: "provider-fault", providerCode: "store-conflict" });
      expect(error.message).toContain("no <way>");
    }
    const own = envelope("<s:Body><s:Fault><faultcode>x:PersonNotFound</faultcode><faultstring>none</faultstring></s:Fault></s:Body>");
    expect(caught(() => service.readReply("GetPerson", own)).providerCode).toBe("PersonNotFound");
    const detail = envelope(
      "<s:Body><s:Fault><faultcode>s:Server</faultcode><faultstring>none</faultstring><detail><f:NoPerson xmlns:f='urn:f'/></detail></s:Fault></s:Body>",
    );
    expect(caught(() => service.readReply("GetPerson", detail)).providerCode).toBe("NoPerson");
  });

  it("writes the whole value of a reply and reads it back", () => {
    const person = {
      idnp: "2000000000001",
      familyName: "Ceban & fiul",
      givenName: ["Ion", "Vasile"],
      dateOfBirth: "1980-02-29",
      sex: "M",
      alive: true,
      citizenships: null,
      pension: "1200.50",
      updatedAt: "2026-01-31T08:00:00.000Z",
      photo: Buffer.from("hello"),
      email: null,
      phone: "+373",
      registrations: [{ region: "Chișinău", locality: null, postalCode: "MD-2001", kind: "domicile", since: null }],
      guardian: null,
      version: 3,
    };
    const value = { person: [person, { ...person, registrations: [], guardian: { ...person, registrations: null } }] };
    expect(service.readReply("GetPerson", service.writeReply("1.2", "GetPerson", value))).toEqual(value);
  });
});
