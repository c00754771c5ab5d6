import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { envelope, listen, startSample, temporaryFolder, type Answer, type RunningSample } from "#test/harness/sample.ts";

const PROGRAM = "samples/pensions/main.ts";
const SOAP = { "content-type": "text/xml; charset=utf-8" };
const NAMESPACE = "urn:cnas:pensii:2014";

const notify = (id: string): string =>
  `<NotifyPersonChange xmlns="${NAMESPACE}"><MesajId>${id}</MesajId><CodPersonal>2004100423789</CodPersonal><Data>23.11.2026</Data><Tip>DOMICILIU</Tip>` +
  `<Modificare><Camp>address</Camp><Nou>Orhei</Nou></Modificare></NotifyPersonChange>`;
const benefit = (number: string, sum = "800.00", from = "01.11.2026"): string =>
  `<RegisterBenefit xmlns="${NAMESPACE}"><NrCerere>${number}</NrCerere><CodPersonal>2004100423789</CodPersonal><Tip>AJUTOR</Tip>` +
  `<Suma>${sum}</Suma><DinData>${from}</DinData><Primaria>Primăria Orhei</Primaria></RegisterBenefit>`;
const valueOf = (answer: Answer, element: string): string | undefined => new RegExp(`<${element}>([^<]*)<`, "u").exec(answer.text)?.[1];

describe("the pensions system", () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let pensions: RunningSample;
  const send = (element: string, version: "1.1" | "1.2" = "1.1"): Promise<Answer> =>
    pensions.post("/Pensii", envelope(version, element), SOAP);
  const ledger = async (): Promise<Readonly<Record<string, unknown>>> => (await pensions.get("/ui/ledger")).json();
  beforeAll(async () => {
    folder = await temporaryFolder();
    pensions = await startSample(PROGRAM, { dir: folder.path });
  });
  afterEach(async () => {
    await pensions.end();
    await folder.remove();
    folder = await temporaryFolder();
    pensions = await startSample(PROGRAM, { dir: folder.path });
  });
  afterAll(async () => {
    await pensions.end();
    await folder.remove();
  });

  it("takes a change once, however often it is told, in either SOAP version", async () => {
    const first = await send(notify("m-1"));
    const second = await send(notify("m-1"), "1.2");
    const other = await send(notify("m-2"));
    expect([valueOf(first, "NrInregistrare"), valueOf(first, "Repetat")]).toEqual(["1", "false"]);
    expect([valueOf(second, "NrInregistrare"), valueOf(second, "Repetat")]).toEqual(["1", "true"]);
    expect(valueOf(other, "NrInregistrare")).toBe("2");
    expect(await ledger()).toMatchObject({ effects: 2, duplicates: 1, kinds: { NotifyPersonChange: 2 } });
  });

  it("still knows what it took after it was killed", async () => {
    await send(notify("m-3"));
    await pensions.end("SIGKILL");
    pensions = await startSample(PROGRAM, { dir: folder.path });
    expect(valueOf(await send(notify("m-3")), "Repetat")).toBe("true");
    expect(await ledger()).toMatchObject({ effects: 1, duplicates: 1 });
  });

  it("opens one case for one application and gives its number again", async () => {
    const [first, second] = [await send(benefit("A-1")), await send(benefit("A-1"), "1.2")];
    expect(valueOf(first, "NrDosar")).toMatch(/^CNAS-\d{4}-000001$/u);
    expect(valueOf(second, "NrDosar")).toBe(valueOf(first, "NrDosar"));
    expect([valueOf(first, "Suma"), valueOf(first, "Stare")]).toEqual(["800.00", "INREGISTRAT"]);
    expect(valueOf(first, "Data")).toMatch(/^\d{2}\.\d{2}\.\d{4}$/u);
    expect(await ledger()).toMatchObject({ effects: 1, duplicates: 1, kinds: { RegisterBenefit: 1 } });
  });

  it.each([
    ["no money", benefit("A-2", "0.00")],
    ["too much of it", benefit("A-3", "100000.01")],
    ["a day that is none", benefit("A-4", "10.00", "31.02.2026")],
  ])("refuses %s with its own fault and keeps nothing", async (_, element) => {
    const refused = await send(element);
    expect(refused.status).toBe(500);
    expect(refused.text).toContain("tns:BenefitRefused");
    expect(refused.text).toContain(`<BenefitRefused xmlns="${NAMESPACE}"><Motiv>`);
    expect(await ledger()).toMatchObject({ effects: 0 });
  });

  it("asks the bus as itself, with the four values of the call context as SOAP headers", async () => {
    const namespace = "urn:test:persons";
    const wsdl = `<wsdl:definitions targetNamespace="${namespace}" xmlns:tns="${namespace}" xmlns:xs="http://www.w3.org/2001/XMLSchema"
      xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/">
      <wsdl:types><xs:schema targetNamespace="${namespace}" elementFormDefault="qualified">
        <xs:element name="GetPerson"><xs:complexType><xs:sequence><xs:element name="idnp" type="xs:string"/></xs:sequence></xs:complexType></xs:element>
        <xs:element name="GetPersonResponse"><xs:complexType><xs:sequence><xs:element name="status" type="xs:string"/></xs:sequence></xs:complexType></xs:element>
      </xs:schema></wsdl:types>
      <wsdl:message name="In"><wsdl:part name="p" element="tns:GetPerson"/></wsdl:message>
      <wsdl:message name="Out"><wsdl:part name="p" element="tns:GetPersonResponse"/></wsdl:message>
      <wsdl:portType name="P"><wsdl:operation name="GetPerson"><wsdl:input message="tns:In"/><wsdl:output message="tns:Out"/></wsdl:operation></wsdl:portType>
      <wsdl:binding name="B" type="tns:P"><soap:binding style="document" transport="http://schemas.xmlsoap.org/soap/http"/>
        <wsdl:operation name="GetPerson"><soap:operation soapAction="GetPerson"/><wsdl:input><soap:body use="literal"/></wsdl:input><wsdl:output><soap:body use="literal"/></wsdl:output></wsdl:operation></wsdl:binding>
      <wsdl:service name="PersonRegistry"><wsdl:port name="Port" binding="tns:B"><soap:address location="http://unused"/></wsdl:port></wsdl:service>
      </wsdl:definitions>`;
    const type = "text/xml";
    const fault = envelope("1.1", "<s:Fault><faultcode>s:Client</faultcode><faultstring>no grant</faultstring></s:Fault>");
    const person = envelope("1.1", `<GetPersonResponse xmlns="${namespace}"><status>found</status></GetPersonResponse>`);
    const bus = await listen(({ method, body }) => {
      if (method === "GET") return { status: 200, type, body: wsdl };
      return body.includes("curiosity") ? { status: 500, type, body: fault } : { status: 200, type, body: person };
    });
    await pensions.end();
    pensions = await startSample(PROGRAM, { dir: folder.path, bus: bus.url });
    const found = await pensions.post("/ui/persons/ask", JSON.stringify({ idnp: "2004100423789", reason: "R&D <test>" }));
    expect(found.json()).toMatchObject({ status: "found" });
    const denied = await pensions.post("/ui/persons/ask", JSON.stringify({ idnp: "2004100423789", reason: "curiosity" }));
    expect([denied.status, denied.json()]).toEqual([502, { fault: "no grant" }]);
    const [, asked] = bus.heard;
    expect(asked?.url).toBe("/mconnect/soap/rsp/population/PersonRegistry");
    expect(asked?.headers["x-system"]).toBe("cnas/pensions");
    expect(asked?.body).toMatch(/<mc:CallingUser xmlns:mc="https:\/\/mconnect\.gov\.md">\d{13}</u);
    expect(asked?.body).toContain(">R&amp;D &lt;test&gt;</mc:CallReason>");
    expect(bus.heard.at(-1)?.body.match(/<mc:CallReason/gu)).toHaveLength(1);
    await bus.close();
  });
});
