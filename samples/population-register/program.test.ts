import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  envelope,
  listen,
  startSample,
  temporaryFolder,
  until,
  type Heard,
  type RunningSample,
  type Saying,
} from "#test/harness/sample.ts";
import { idnpOf } from "./persons.ts";

const PROGRAM = "samples/population-register/main.ts";
const SOAP = { "content-type": "text/xml; charset=utf-8" };
const IDNP = idnpOf(42);
const ask = (idnp: string): string => `<GetPerson xmlns="urn:rsp:population:2009"><IDNP>${idnp}</IDNP></GetPerson>`;

/** A WSDL such as the bus serves for the contract: element names are the contract's field names. */
const NAMESPACE = "urn:test:changes";
const wsdl = (address: string): string => `<wsdl:definitions targetNamespace="${NAMESPACE}" xmlns:tns="${NAMESPACE}"
  xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/">
  <wsdl:types><xs:schema targetNamespace="${NAMESPACE}" elementFormDefault="qualified">
    <xs:element name="PersonChanged"><xs:complexType><xs:sequence>
      <xs:element name="idnp" type="xs:string"/><xs:element name="revision" type="xs:int"/>
    </xs:sequence></xs:complexType></xs:element>
    <xs:element name="PersonChangedResponse"><xs:complexType><xs:sequence/></xs:complexType></xs:element>
  </xs:schema></wsdl:types>
  <wsdl:message name="In"><wsdl:part name="parameters" element="tns:PersonChanged"/></wsdl:message>
  <wsdl:message name="Out"><wsdl:part name="parameters" element="tns:PersonChangedResponse"/></wsdl:message>
  <wsdl:portType name="P"><wsdl:operation name="PersonChanged"><wsdl:input message="tns:In"/><wsdl:output message="tns:Out"/></wsdl:operation></wsdl:portType>
  <wsdl:binding name="B" type="tns:P"><soap:binding style="document" transport="http://schemas.xmlsoap.org/soap/http"/>
    <wsdl:operation name="PersonChanged"><soap:operation soapAction="PersonChanged"/><wsdl:input><soap:body use="literal"/></wsdl:input><wsdl:output><soap:body use="literal"/></wsdl:output></wsdl:operation>
  </wsdl:binding>
  <wsdl:service name="PersonChanges"><wsdl:port name="Port" binding="tns:B"><soap:address location="${address}"/></wsdl:port></wsdl:service>
</wsdl:definitions>`;

const XML = "text/xml";
const accepted: Saying = { status: 200, type: XML, body: envelope("1.1", `<PersonChangedResponse xmlns="${NAMESPACE}"/>`) };
const refused: Saying = {
  status: 503,
  type: XML,
  body: envelope("1.1", "<s:Fault><faultcode>s:Server</faultcode><faultstring>the bus is stopping</faultstring></s:Fault>"),
};
const answering = (answer: (post: number) => Saying) => {
  let posts = 0;
  return (heard: Heard): Saying =>
    heard.method === "GET" ? { status: 200, type: XML, body: wsdl("http://unused") } : answer((posts += 1));
};
const posts = (heard: readonly Heard[]): readonly Heard[] => heard.filter((one) => one.method === "POST");
const messageId = (heard: Heard | undefined): string => /MessageID[^>]*>([^<]+)</u.exec(heard?.body ?? "")?.[1] ?? "none";

describe("the population register", () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let register: RunningSample;
  beforeAll(async () => {
    folder = await temporaryFolder();
    register = await startSample(PROGRAM, { dir: folder.path });
  });
  afterAll(async () => {
    await register.end();
    await folder.remove();
  });

  it("says where it listens and who it is", () => {
    expect(register.said).toEqual({ listening: register.url, system: "rsp/population" });
  });

  it("serves its WSDL with its own address in both ports", async () => {
    const { text } = await register.get("/PopulationRegister?wsdl");
    expect(text.match(/address location="([^"]*)"/gu)).toEqual(Array(2).fill(`address location="${register.url}/PopulationRegister"`));
  });

  it.each(["1.1", "1.2"] as const)("gives a person in SOAP %s, in that version's envelope", async (version) => {
    const { status, text } = await register.post("/PopulationRegister", envelope(version, ask(IDNP)), SOAP);
    expect(status).toBe(200);
    expect(text).toContain(version === "1.1" ? "http://schemas.xmlsoap.org/soap/envelope/" : "http://www.w3.org/2003/05/soap-envelope");
    expect(text).toContain("<FamilyName>Guțu</FamilyName>");
    expect(text).toContain('xsi:nil="true"');
    expect(text).toContain("xmlns:xsi=");
  });

  it.each(["1.1", "1.2"] as const)("answers PersonNotFound in SOAP %s with the fault's element in its own namespace", async (version) => {
    const unknown = await register.post("/PopulationRegister", envelope(version, ask("2004100000012")), SOAP);
    expect(unknown.status).toBe(version === "1.1" ? 500 : 400);
    expect(unknown.text).toContain("tns:PersonNotFound");
    expect(unknown.text).toContain('<PersonNotFound xmlns="urn:rsp:population:2009"><IDNP>2004100000012</IDNP></PersonNotFound>');
  });

  it("survives what is not SOAP at all", async () => {
    const { status } = await register.post("/PopulationRegister", "not xml", SOAP);
    expect(status).toBe(500);
    expect((await register.post("/PopulationRegister", envelope("1.1", ask(IDNP)), SOAP)).status).toBe(200);
  });

  it("enters a move: the new domicile first, the old one ended", async () => {
    const address = { Region: "Raionul Orhei", Locality: "Orhei", House: "7" };
    const moved = (await register.post(`/ui/persons/${IDNP}/move`, JSON.stringify(address))).json();
    expect(moved).toMatchObject({ revision: 1, address });
    const { text } = await register.post("/PopulationRegister", envelope("1.1", ask(IDNP)), SOAP);
    expect(text).toMatch(/<Registration><Type>D<\/Type><Address><Region>Raionul Orhei.*?<To>/su);
    expect((await register.get("/ui/state")).json()).toEqual({ changes: 1, pending: 1 });
    expect((await register.post("/ui/persons/2004100000012/move", "{}")).status).toBe(404);
    expect((await register.post(`/ui/persons/${IDNP}/move`, "{")).status).toBe(400);
  });

  it("knows its addresses and no others", async () => {
    expect((await register.get("/nothing")).status).toBe(404);
    expect((await register.post("/PopulationRegister", "x".repeat(1_100_000), SOAP)).status).toBe(413);
  });
});

describe("the register's outbox", () => {
  it("sends again under the same message id until the bus accepts, then no more", async () => {
    const folder = await temporaryFolder();
    const bus = await listen(answering((post) => (post < 3 ? refused : accepted)));
    const register = await startSample(PROGRAM, { dir: folder.path, bus: bus.url });
    try {
      const moved = (await register.post(`/ui/persons/${IDNP}/move`, "{}")).json();
      await until(async () => (await register.get("/ui/state")).json()["pending"] === 0);
      expect(posts(bus.heard)).toHaveLength(3);
      expect(new Set(posts(bus.heard).map(messageId))).toEqual(new Set([moved["messageId"]]));
      expect(posts(bus.heard)[0]?.headers["x-system"]).toBe("rsp/population");
      expect(posts(bus.heard)[0]?.body).toContain(`>${IDNP}<`);
    } finally {
      await register.end();
      await bus.close();
      await folder.remove();
    }
  });

  it("goes on after a kill, in the order of the changes, with the ids of before", async () => {
    const folder = await temporaryFolder();
    const first = await startSample(PROGRAM, { dir: folder.path });
    const ids: unknown[] = [];
    for (let move = 0; move < 3; move += 1) ids.push((await first.post(`/ui/persons/${IDNP}/move`, "{}")).json()["messageId"]);
    await first.end("SIGKILL");
    const bus = await listen(answering(() => accepted));
    const second = await startSample(PROGRAM, { dir: folder.path, bus: bus.url });
    try {
      await until(async () => (await second.get("/ui/state")).json()["pending"] === 0);
      expect(posts(bus.heard).map(messageId)).toEqual(ids);
      expect(posts(bus.heard).map((one) => /<(?:\w+:)?revision>(\d+)</u.exec(one.body)?.[1])).toEqual(["1", "2", "3"]);
    } finally {
      await second.end();
      await bus.close();
      await folder.remove();
    }
  });

  it("ends when its parent does", async () => {
    const folder = await temporaryFolder();
    const register = await startSample(PROGRAM, { dir: folder.path });
    const ended = new Promise((resolve) => register.child.once("exit", resolve));
    register.child.stdin?.end();
    expect(await ended).toBe(0);
    await folder.remove();
  });
});
