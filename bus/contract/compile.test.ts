import { describe, expect, it } from "vitest";
import { BusError } from "../errors.ts";
import { compileContract, parseContractId } from "./compile.ts";

const REQUEST = JSON.stringify({
  type: "record",
  name: "PersonRequest",
  fields: [
    { name: "idnp", type: "string", personal: true },
    { name: "at", type: { type: "record", name: "Place", fields: [{ name: "office", type: "string" }] } },
  ],
});
const REPLY = JSON.stringify({ type: "record", name: "PersonReply", fields: [{ name: "surname", type: "string" }] });
const FILE = {
  bus: "contract/v1",
  id: "person.request.v1",
  title: "Person lookup",
  owner: "population-registry-team",
  pattern: "query",
  schema: "./request.avsc",
  reply: { id: "person.response.v1", schema: "./reply.avsc" },
};

const compile = (document: unknown) => compileContract(document, { request: REQUEST, reply: REPLY }, { request: 1, reply: 2 });

function refusal(document: unknown): BusError {
  try {
    compile(document);
  } catch (error) {
    if (error instanceof BusError) return error;
    throw error;
  }
  throw new Error("was not refused");
}

describe("compileContract", () => {
  it("compiles a query with defaults for its SOAP names", () => {
    const contract = compile(FILE);
    expect(contract).toMatchObject({ id: "person.request.v1", name: "request", version: 1, requires: [], pattern: "query" });
    expect(contract.soap).toEqual({ namespace: "urn:mconnect:person:request:v1", service: "PersonRequest", operation: "PersonRequest" });
    expect(contract.subject).toBeUndefined();
    expect(contract.reply?.decode(contract.reply.encode({ surname: "Rusu" }))).toEqual({ surname: "Rusu" });
    expect(contract.request.schemaId).toBe(1);
  });

  it("takes requirements, subject and SOAP names from the file", () => {
    const soap = { namespace: "https://mconnect.gov.md", service: "Persons", operation: "GetPerson" };
    const contract = compile({ ...FILE, requires: ["user", "basis"], subject: "at.office", soap, compatibility: "FULL" });
    expect(contract).toMatchObject({ requires: ["user", "basis"], subject: "at.office", soap });
  });

  it.each([
    ["an unknown member", { ...FILE, titel: "x" }, "titel", "did you mean `title`?"],
    ["a wrong id", { ...FILE, id: "Person.request.v1" }, "id", "person.request.v1"],
    ["a wrong pattern", { ...FILE, pattern: "querry" }, "pattern", "did you mean `query`?"],
    ["a query without a reply", { ...FILE, reply: undefined }, "reply", "a query has a reply"],
    ["an event with a reply", { ...FILE, pattern: "event" }, "reply", "an event has no reply"],
    ["an unknown requirement", { ...FILE, requires: ["users"] }, "requires", "did you mean `user`?"],
    ["a subject that is no field", { ...FILE, subject: "idmp" }, "subject", "did you mean `idnp`?"],
    ["an unknown level", { ...FILE, compatibility: "BACKWARDS" }, "compatibility", "did you mean `BACKWARD`?"],
    ["an operation that is no XML name", { ...FILE, soap: { operation: "Get Person" } }, "soap.operation", "no XML name"],
    ["no title", { ...FILE, title: undefined }, "title", "must be text"],
  ])("refuses %s", (_, document, path, hint) => {
    const error = refusal(document);
    expect(error.code).toBe("configuration");
    expect(error.places[0]?.path).toBe(path);
    expect(error.message).toContain(hint);
  });

  it("refuses a document that is no map", () => {
    expect(refusal(["x"]).code).toBe("configuration");
  });
});

describe("parseContractId", () => {
  it.each(["person.request.v1", "md.civil-status.birth.registered.v12"])("reads %s", (id) => {
    expect(parseContractId(id)?.id).toBe(id);
  });
  it("tells the parts", () => {
    expect(parseContractId("md.civil-status.birth.v12")).toEqual({
      id: "md.civil-status.birth.v12",
      domain: "md",
      name: "civil-status.birth",
      version: 12,
    });
  });
  it.each([
    "person.v1",
    "person.request",
    "person.request.v0",
    "person..v1",
    "person.request-.v1",
    "pérson.request.v1",
    `a.${"b".repeat(200)}.v1`,
  ])("refuses %s", (id) => {
    expect(parseContractId(id)).toBeUndefined();
  });
});
