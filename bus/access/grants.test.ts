import { describe, expect, it } from "vitest";
import { BusError } from "../errors.ts";
import type { Grant, System } from "../route/runtime.ts";
import { findGrant, indexGrants } from "./grants.ts";

const day = 86_400_000;
const noon = Date.UTC(2026, 4, 4, 12);

const grant = (over: Partial<Grant> = {}): Grant => ({
  id: "pensions-person",
  owner: "data-protection-officer",
  system: "cnas/pensions",
  role: "consumer",
  contract: "person.request.v1",
  legalBasis: { act: "Law 489/1999", section: "art. 5", purpose: "pensions" },
  allow: undefined,
  from: Date.UTC(2026, 0, 1),
  until: Date.UTC(2027, 0, 1),
  quota: undefined,
  place: "routes/rsp/grants.yaml:1",
  ...over,
});

const SYSTEM = { addresses: [], contact: undefined, guid: "", certificates: [], settings: {}, actsFor: [], place: "x" } as const;
const system = (id: string): [string, System] => [
  id,
  {
    ...SYSTEM,
    id,
    title: id,
    institution: { idno: "1004600030235", name: id },
    signatures: { required: false, rsaSha1: false, covers: "message" },
  },
];
const systems = new Map([system("cnas/pensions"), system("primaria/registry")]);
const asker = { system: "cnas/pensions", role: "consumer", contract: "person.request.v1" } as const;

function refusal(run: () => unknown): BusError {
  try {
    run();
  } catch (thrown) {
    if (thrown instanceof BusError) return thrown;
  }
  throw new Error("it was not refused");
}

describe("grants", () => {
  it("finds the grant of a system for a contract", () => {
    expect(findGrant(indexGrants([grant()]), systems, asker, [], noon).id).toBe("pensions-person");
  });

  it("denies by default and says what would allow it", () => {
    const error = refusal(() => findGrant(indexGrants([]), systems, asker, [], noon));
    expect(error.code).toBe("grant-missing");
    expect(error.class).toBe("access-denied");
    expect(error.message).toContain("`consumer: cnas/pensions`");
    expect(error.message).toContain("`contract: person.request.v1`");
  });

  it("tells a caller without a name from one that nobody registered", () => {
    const index = indexGrants([grant()]);
    expect(refusal(() => findGrant(index, systems, { ...asker, system: undefined }, [], noon)).code).toBe("system-missing");
    expect(refusal(() => findGrant(index, systems, { ...asker, system: "nobody/here" }, [], noon)).code).toBe("system-unknown");
  });

  it("does not lend one system's grant to another, nor a consumer's to a producer", () => {
    const index = indexGrants([grant()]);
    expect(refusal(() => findGrant(index, systems, { ...asker, system: "primaria/registry" }, [], noon)).code).toBe("grant-missing");
    expect(refusal(() => findGrant(index, systems, { ...asker, role: "producer" }, [], noon)).code).toBe("grant-missing");
    expect(refusal(() => findGrant(index, systems, { ...asker, contract: "person.request.v2" }, [], noon)).code).toBe("grant-missing");
  });

  it("is valid from its first moment until, not at, its last", () => {
    const index = indexGrants([grant({ from: noon, until: noon + day })]);
    expect(findGrant(index, systems, asker, [], noon).id).toBe("pensions-person");
    expect(findGrant(index, systems, asker, [], noon + day - 1).id).toBe("pensions-person");
    const early = refusal(() => findGrant(index, systems, asker, [], noon - 1));
    const late = refusal(() => findGrant(index, systems, asker, [], noon + day));
    expect([early.code, late.code]).toEqual(["grant-expired", "grant-expired"]);
    expect(early.message).toContain("begins on 2026-05-04");
    expect(late.message).toContain("ended on 2026-05-05");
    expect(late.message).toContain("routes/rsp/grants.yaml:1");
  });

  it("takes the valid one of several", () => {
    const index = indexGrants([grant({ id: "old", until: noon - day }), grant({ id: "new" })]);
    expect(findGrant(index, systems, asker, [], noon).id).toBe("new");
  });

  it("takes only grants that the route names, where it names some", () => {
    const index = indexGrants([grant({ id: "one" }), grant({ id: "two" })]);
    expect(findGrant(index, systems, asker, ["two"], noon).id).toBe("two");
    expect(refusal(() => findGrant(index, systems, asker, ["three"], noon)).message).toContain("three");
  });
});
