/** Route files that name topics of modern systems: what is compiled, explained, shown and tested of them. */
import { describe, expect, it } from "vitest";
import { AT, MAPS, routeWorld, type RouteWorld } from "#test/harness/route-world.ts";
import type { BusError } from "../errors.ts";
import { effectiveRoute } from "./effective.ts";
import { explainRoute } from "./explain.ts";
import type { Binding, Route } from "./runtime.ts";
import { runRouteTests } from "./testing/run.ts";

const EVENT = `
bus: route/v1
id: person-changed
title: Changes
owner: register
contract: { event: person.changed.v1 }
from:
  - { name: register, system: register/main, nats: { headers: [case] } }
fanOut:
  - { name: erp, system: office/erp, amqp: { format: avro } }
  - { name: desk, system: office/erp, nats: {} }
`;
const QUERY = `
bus: route/v1
id: person-lookup
title: Lookup
owner: register
contract: { request: person.request.v1, reply: person.reply.v1 }
from:
  - { name: portal, system: office/erp, amqp: {} }
to: { system: register/main, http: { path: /persons }, in: { map: ./map/request.map.yaml }, out: { map: ./map/reply.map.yaml } }
`;

const route = async (text: string, more: Readonly<Record<string, string>> = {}): Promise<readonly [Route, RouteWorld]> => {
  const world = await routeWorld({ "routes/r.yaml": text, ...MAPS, ...more });
  const [found] = [...world.set.routes.values()];
  if (!found) throw new Error([...world.lint, ...world.findings].map(({ text: words }) => words).join("\n"));
  return [found, world];
};
const findings = async (text: string): Promise<string[]> => {
  const world = await routeWorld({ "routes/r.yaml": text, ...MAPS });
  return [...world.lint, ...world.findings].filter(({ severity }) => severity === "error").map(({ line, rule }) => `${line} ${rule}`);
};
const VALUE = { code: "123", kind: "x", secret: null, changes: [{ field: "residence" }] };

function through(binding: Binding, format: "codec" | "avro"): unknown {
  const codec = binding[format];
  return codec?.read(codec.write(VALUE));
}

describe("a topic of a modern system", () => {
  it("reads and writes the contract as JSON and as Avro in Confluent framing", async () => {
    const [{ sources, branches, contract }] = await route(EVENT);
    for (const { binding } of [...sources, ...branches]) {
      expect(through(binding, "codec")).toEqual(VALUE);
      expect(through(binding, "avro")).toEqual(VALUE);
      const framed = Buffer.from(binding.avro?.write(VALUE) ?? []);
      expect([framed[0], framed.readUInt32BE(1)]).toEqual([0, contract.request.schemaId]);
    }
    expect(sources[0]?.binding).toMatchObject({ kind: "nats", options: { headers: ["case"] } });
    expect(branches.map(({ binding, addresses }) => [binding.kind, addresses])).toEqual([
      ["amqp", []],
      ["nats", []],
    ]);
  });

  it("refuses Avro that is none, and JSON that breaks the contract", async () => {
    const [{ sources }] = await route(EVENT);
    const { codec, avro } = sources[0]?.binding ?? {};
    const codeOf = (run: () => unknown): string => {
      try {
        run();
      } catch (error) {
        return (error as BusError).code;
      }
      return "read";
    };
    expect(codeOf(() => avro?.read(Buffer.from("{}")))).toMatch(/^avro-|^schema-unknown/u);
    expect(codeOf(() => avro?.read(Buffer.from([0, 0, 0, 3, 231, 2])))).toBe("schema-unknown");
    expect(codeOf(() => codec?.read(Buffer.from('{"code":1}')))).toBe("json-violation");
  });

  it("answers a question in both formats too", async () => {
    const [{ sources }] = await route(QUERY);
    const { replyCodec, avroReply } = sources[0]?.binding ?? {};
    const value = { status: "found", name: "Ana", born: null };
    expect(replyCodec?.read(replyCodec.write(value))).toEqual(value);
    expect(avroReply?.read(avroReply.write(value))).toEqual(value);
  });

  it("is asked where the contract has a reply: its answer is read in both formats, or as a map says", async () => {
    const asked = (to: string): string => QUERY.replace(/^to: .*$/mu, `to: { system: register/main, ${to} }`);
    const [{ branches }, { documents }] = await route(asked("nats: { format: avro }"));
    const { codec, avro, replyCodec, avroReply } = branches[0]?.binding ?? {};
    const value = { status: "found", name: "Ana", born: null };
    expect([codec?.mediaType, avro?.mediaType]).toEqual(["application/json", "application/vnd.confluent.avro"]);
    expect(replyCodec?.read(replyCodec.write(value))).toEqual(value);
    expect(avroReply?.read(avroReply.write(value))).toEqual(value);
    expect(explainRoute(documents, "person-lookup")).toContain("through nats (call.register_2fmain.person.request.v1 as Avro)");
    const maps = "amqp: {}, in: { map: ./map/request.map.yaml }, out: { map: ./map/reply.map.yaml }";
    const [mapped] = await route(asked(maps));
    expect(mapped.branches[0]?.binding).not.toHaveProperty("avroReply");
    expect(mapped.branches[0]?.binding.replyCodec?.read(Buffer.from('{"Anything":1}'))).toEqual({ Anything: 1 });
  });

  it("with a map speaks JSON only: nothing describes other bytes", async () => {
    const mapped = QUERY.replace("amqp: {} }", "amqp: {}, in: { map: ./map/in.map.yaml } }");
    const [{ sources }] = await route(mapped, { "routes/map/in.map.yaml": "map:\n  code: Nr\n" });
    expect(sources[0]?.binding.avro).toBeUndefined();
    expect(sources[0]?.binding.codec?.read(Buffer.from('{"Nr":"1"}'))).toEqual({ Nr: "1" });
  });

  it("whose map should leave as Avro is refused where it says so", async () => {
    const text = EVENT.replace("amqp: { format: avro } }", "amqp: { format: avro }, map: ./map/request.map.yaml }");
    expect(await findings(text)).toEqual(["10 format-map"]);
  });

  it.each([
    ["an unknown option", EVENT.replace("nats: { headers: [case] }", "nats: { subject: x }"), ["8 unknown-field"]],
    ["an unknown format", EVENT.replace("format: avro", "format: xml"), ["10 unknown-word"]],
    ["a source of no system", EVENT.replace("system: register/main, nats", "nats"), ["8 topic-system"]],
    ["a receiver of no system", EVENT.replace("system: office/erp, nats", "nats"), ["11 topic-system"]],
    ["two edges at one place", EVENT.replace("nats: {} }", "nats: {}, amqp: {} }"), ["11 two-adapters"]],
  ])("in a route file with %s is refused at its line", async (_, text, expected) => {
    expect((await findings(text)).filter((found) => !/grant|order|idempot|fan-out/u.test(found))).toEqual(expected);
  });

  it("is explained by the topic that its system writes, and shown whole", async () => {
    const [{ id }, { documents }] = await route(EVENT);
    const said = explainRoute(documents, id) ?? "";
    expect(said).toContain("register: register/main through nats (from.register_2fmain.person.changed.v1).");
    expect(said).toContain("erp: office/erp through amqp (to.office_2ferp.person.changed.v1 as Avro).");
    expect(said).toContain("desk: office/erp through nats (to.office_2ferp.person.changed.v1 as JSON).");
    const [query, world] = await route(QUERY);
    expect(explainRoute(world.documents, query.id)).toContain("through amqp (ask.office_2ferp.person.request.v1)");
    const { yaml } = effectiveRoute(documents, id) ?? { yaml: "" };
    expect(yaml).toMatch(/nats:\n +headers:.*case/u);
    expect(yaml).toMatch(/amqp:\n +format: avro/u);
  });

  it("is tested in route files without a broker: what is sent there needs no mock", async () => {
    const cases = `bus: test/v1
route: person-changed
cases:
  - name: it
    given: { from: register, json: { code: "123", kind: x, secret: hidden, changes: [] } }
    expect:
      sent: { erp: { contract: person.changed.v1, json: { code: "123" } }, desk: { count: 1, json: { secret: null } } }
`;
    const [, world] = await route(EVENT, { "routes/t.test.yaml": cases });
    const report = await runRouteTests(world.set, world.documents.tests, { files: world.files, at: AT });
    expect(report.cases.map(({ problems }) => problems)).toEqual([[]]);
    const failing = cases.replace('code: "123" } }, desk', 'code: "124" } }, desk');
    const [, wrong] = await route(EVENT, { "routes/t.test.yaml": failing });
    const second = await runRouteTests(wrong.set, wrong.documents.tests, { files: wrong.files, at: AT });
    expect(second.cases[0]?.problems).not.toEqual([]);
  });

  it("changes the route's revision with its options, so that a reload takes them", async () => {
    const [before] = await route(EVENT);
    const [after] = await route(EVENT.replace("format: avro", "format: json"));
    expect(after.revision).not.toBe(before.revision);
  });
});
