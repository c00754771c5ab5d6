import { describe, expect, it } from "vitest";
import { CHANGED, LOOKUP, MAPS, ORDER, routeWorld, type RouteWorld } from "#test/harness/route-world.ts";
import type { Message } from "../envelope.ts";
import { diffRoutes } from "./compile-diff.ts";
import type { Branch, Route } from "./runtime.ts";

const FILES = { "routes/lookup.yaml": LOOKUP, "routes/changed.yaml": CHANGED, "routes/order.yaml": ORDER, ...MAPS };

const errors = (world: RouteWorld): string[] =>
  [...world.lint, ...world.findings]
    .filter((one) => one.severity === "error")
    .map((one) => `${one.file}:${one.line} ${one.rule} ${one.text}`);

function route(world: RouteWorld, id: string): Route {
  const found = world.set.routes.get(id);
  if (found === undefined) throw new Error(`no route ${id}: ${errors(world).join("\n")}`);
  return found;
}

function branch(of: Route, name: string): Branch {
  const found = of.branches.find((one) => one.name === name);
  if (found === undefined) throw new Error(`no branch ${name}`);
  return found;
}

const message = (value: Record<string, unknown>, headers: Record<string, string> = {}): Message => ({
  envelope: {
    id: "1",
    source: "office/erp",
    type: "t",
    time: 0,
    correlationId: "1",
    contract: "c",
    call: {},
    headers,
    body: new Uint8Array(),
  },
  value,
});

describe("compiling documents", () => {
  it("makes routes, grants, systems and contracts that run", async () => {
    const world = await routeWorld(FILES);
    expect(errors(world)).toEqual([]);
    expect([...world.set.routes.keys()].sort()).toEqual(["person-changed", "person-lookup", "person-order"]);
    expect(world.set.systems.get("office/erp")?.institution.name).toBe("Office");
    expect(world.set.grants.find((grant) => grant.id === "erp-person")).toMatchObject({
      system: "office/erp",
      role: "consumer",
      allow: ["status", "name"],
      place: "routes/grants.yaml:2",
    });
    expect(world.set.contracts.get("person.request.v1")?.request.schemaId).toBeGreaterThan(0);
  });

  it("compiles a branch whole: addresses, maps, policy", async () => {
    const lookup = route(await routeWorld(FILES), "person-lookup");
    const to = branch(lookup, "to");
    expect(to.addresses).toEqual(["http://register.test/persons", "http://spare.test/persons"]);
    expect(to.deliver).toMatchObject({ deadline: 9_000, attemptTimeout: 1_000, retry: { attempts: 3 } });
    expect(await to.in?.({ code: "123" }, undefined)).toEqual({ Nr: "123" });
    expect(await to.out?.({ Name: "Ana", Born: "05.03.1994" }, undefined)).toEqual({ status: "found", name: "Ana", born: "1994-03-05" });
    expect(lookup.failures).toEqual([
      { on: ["provider-fault"], code: "NotFound", do: "reply", with: { status: "unknown" } },
      { on: undefined, do: "reject" },
    ]);
  });

  it("speaks the contract's JSON without a map, and any object with one", async () => {
    const world = await routeWorld(FILES);
    const bytes = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
    const { codec } = route(world, "person-lookup").sources[0]?.binding ?? {};
    expect(codec?.read(bytes({ code: "1" }))).toEqual({ code: "1" });
    expect(() => codec?.read(bytes({ cod: "1" }))).toThrow(/cod/);
    const loose = branch(route(world, "person-lookup"), "to").binding.replyCodec;
    expect(loose?.read(bytes({ Any: [1] }))).toEqual({ Any: [1] });
    for (const bad of ["[1]", "{", '"x"', `${'{"a":'.repeat(70)}1${"}".repeat(70)}`]) {
      expect(() => loose?.read(new TextEncoder().encode(bad))).toThrow();
    }
    expect(new TextDecoder().decode(loose?.write({ big: 9007199254740993n, bytes: new Uint8Array([1, 2]) }))).toBe(
      '{"big":"9007199254740993","bytes":"AQI="}',
    );
  });

  it("serves the contract's own SOAP service where a source has no WSDL", async () => {
    const source = route(await routeWorld(FILES), "person-changed").sources[0];
    const { service, operation = "" } = source?.binding ?? {};
    const written = service?.writeRequest("1.1", operation, { code: "1", kind: "k", secret: null, changes: [] });
    expect(service?.readRequest(written ?? new Uint8Array())).toMatchObject({ operation, value: { code: "1", kind: "k" } });
  });

  it("gives conditions, order and index as functions", async () => {
    const world = await routeWorld(FILES);
    const changed = route(world, "person-changed");
    const moves = branch(changed, "moves");
    expect(moves.when?.(message({ changes: [{ field: "residence" }] }))).toBe(true);
    expect(moves.when?.(message({ changes: [] }))).toBe(false);
    expect(moves.order?.(message({ code: "7" }))).toBe("7");
    expect(branch(changed, "erp").order).toBeUndefined();
    expect(moves.addresses).toEqual(["http://elsewhere.test/x"]);
    expect(route(world, "person-lookup").journal.index(message({ code: "7" }, { case: "T-1" }))).toEqual({
      "headers.case": "T-1",
      code: "7",
    });
  });
});

describe("a faulty document", () => {
  it.each([
    [
      "a map that names no field of the contract",
      { "routes/map/request.map.yaml": "map:\n  Nr: cod\n" },
      "routes/map/request.map.yaml:2 map-source-unknown",
      "person-lookup",
    ],
    [
      "a map whose target lacks a required field",
      { "routes/map/reply.map.yaml": "map:\n  name: Name\n" },
      "routes/map/reply.map.yaml:1 map-target-missing",
      "person-lookup",
    ],
    ["a map that is no YAML", { "routes/map/reply.map.yaml": "map: [" }, "routes/map/reply.map.yaml:1 yaml", "person-lookup"],
    ["an expression that is none", { "routes/changed.yaml": CHANGED.replace("> 0", "> > 0") }, "routes/changed.yaml:14", "person-changed"],
    ["a schema that is none", { "contracts/done.avsc": "{}" }, "routes/contracts.yaml", "person-order"],
    ["a file that is missing", { "routes/map/reply.map.yaml": undefined }, "routes/lookup.yaml", "person-lookup"],
  ])("%s leaves out its route alone and says where", async (_, change, place, id) => {
    const world = await routeWorld({ ...FILES, ...change });
    expect(errors(world).join("\n")).toContain(place);
    const all = ["person-changed", "person-lookup", "person-order"];
    expect([...world.set.routes.keys()].sort()).toEqual(all.filter((one) => one !== id));
  });

  it("refuses to delay a query", async () => {
    const world = await routeWorld({
      ...FILES,
      "routes/lookup.yaml": LOOKUP.replace("steps:\n  - choose:", "steps:\n  - delay: { for: 1s }\n  - choose:"),
    });
    expect(errors(world).join("\n")).toContain("delay");
    expect(world.set.routes.has("person-lookup")).toBe(false);
  });

  it("registers no schema that does not compile", async () => {
    const asked: string[] = [];
    const broken = '{"type":"record","name":"Done","fields":[{"name":"x","type":"nope"}]}';
    const world = await routeWorld({ ...FILES, "contracts/done.avsc": broken }, (subject) => asked.push(subject));
    expect(world.set.contracts.has("person.order.v1")).toBe(false);
    expect(asked.sort()).toEqual(["person.changed.v1", "person.reply.v1", "person.request.v1"]);
  });
});

describe("the revision", () => {
  it.each([
    ["the same files", {}, []],
    ["a comment and another place in the file", { "routes/lookup.yaml": `# moved\n\n${LOOKUP}` }, []],
    ["another title", { "routes/lookup.yaml": LOOKUP.replace("title: Lookup", "title: Other") }, ["person-lookup"]],
    ["a map that changed", { "routes/map/request.map.yaml": "map:\n  Number: code\n" }, ["person-lookup"]],
    ["an expression that changed", { "routes/changed.yaml": CHANGED.replace("> 0", "> 1") }, ["person-changed"]],
  ])("tells %s", async (_, change, changed) => {
    const [before, after] = [await routeWorld(FILES), await routeWorld({ ...FILES, ...change })];
    expect(diffRoutes(before.set, after.set).changed).toEqual(changed);
  });

  it("tells an address and a schema of what a route uses", async () => {
    const before = await routeWorld(FILES);
    const { BASE } = await import("#test/harness/route-world.ts");
    const moved = await routeWorld({
      ...FILES,
      "routes/systems.yaml": BASE["routes/systems.yaml"]?.replace("http://spare.test/", "http://third.test/"),
    });
    expect(diffRoutes(before.set, moved.set).changed).toEqual(["person-lookup", "person-order"]);
    const grown = await routeWorld({ ...FILES, "contracts/done.avsc": BASE["contracts/done.avsc"]?.replace('"int"', '"long"') });
    expect(diffRoutes(before.set, grown.set).changed).toEqual(["person-order"]);
  });

  it("sorts routes into added, removed, changed and same", async () => {
    const before = await routeWorld(FILES);
    const after = await routeWorld({
      ...FILES,
      "routes/order.yaml": undefined,
      "routes/second.yaml": ORDER.replace("id: person-order", "id: second"),
      "routes/lookup.yaml": LOOKUP.replace("9s", "8s"),
    });
    expect(diffRoutes(before.set, after.set)).toEqual({
      added: ["second"],
      removed: ["person-order"],
      changed: ["person-lookup"],
      same: ["person-changed"],
    });
  });
});
