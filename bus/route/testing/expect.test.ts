/** What a case expects against what it saw: each difference is told once, by name, and nothing else is. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BusError } from "../../errors.ts";
import type { ExpectDoc } from "../documents-test.ts";
import { compare } from "./expect.ts";
import { newObserved, push, type Observed, type Sent } from "./observed.ts";

const said = (expected: ExpectDoc, seen: Partial<Observed> = {}): readonly string[] =>
  compare(expected, { ...newObserved(), ...seen }).map(({ what, expected: wanted, actual }) => `${what}: ${wanted}, not ${actual}`);
const sent = (over: Partial<Sent> = {}): Sent => ({ contract: "a.b.v1", value: { a: 1 }, wire: { A: 1 }, text: undefined, ...over });
function sentTo(branch: string, ...messages: readonly Sent[]): Observed["sent"] {
  const map: Observed["sent"] = new Map();
  for (const message of messages) push(map, branch, message);
  return map;
}

describe("an expected fault", () => {
  const fault = new BusError("grant-missing", "no grant");

  it.each<[string, ExpectDoc, Partial<Observed>, readonly string[]]>([
    ["by its class", { fault: "access-denied" }, { fault }, []],
    ["by its code", { code: "grant-missing" }, { fault }, []],
    ["by the provider's code", { code: "Locked" }, { fault: new BusError("provider-fault", "x", { providerCode: "Locked" }) }, []],
    ["of another class", { fault: "timeout" }, { fault }, ["fault: timeout, not access-denied (grant-missing: no grant)"]],
    ["of another code", { code: "grant-expired" }, { fault }, ["code: grant-expired, not access-denied (grant-missing: no grant)"]],
    ["that did not come", { fault: "timeout" }, {}, ["fault: timeout, not no fault"]],
    ["that came instead of a reply", { reply: { ok: true } }, { fault }, ["fault: none, not access-denied (grant-missing: no grant)"]],
    ["beside which nothing is expected of a reply", { reply: { ok: false }, fault: "access-denied" }, { fault }, []],
    ["that a case which only counts does not ask for", { attempts: 0 }, { fault }, []],
  ])("%s", (_, expected, seen, problems) => expect(said(expected, seen)).toEqual(problems));
});

describe("an expected reply", () => {
  const reply = { name: "Ana", born: null, list: [1, { a: 2 }], deep: { x: "y", z: 1 } };

  it.each<[string, unknown, readonly string[]]>([
    ["some of its members", { name: "Ana" }, []],
    ["a member deep inside", { deep: { x: "y" } }, []],
    ["null for what is null or absent", { born: null, absent: null }, []],
    ["another text", { name: "Ion" }, ['reply.json.name: "Ion", not "Ana"']],
    ["a number for a text", { deep: { z: "1" } }, ['reply.json.deep.z: "1", not 1']],
    ["a member that is not there", { other: 1 }, ["reply.json.other: 1, not nothing"]],
    ["a list of another length", { list: [1] }, ["reply.json.list: a list of 1, not a list of 2"]],
    ["another item of a list", { list: [1, { a: 3 }] }, ["reply.json.list[1].a: 3, not 2"]],
    ["a list for what is none", { name: ["Ana"] }, ['reply.json.name: a list of 1, not "Ana"']],
    ["an empty list for nothing", { absent: [] }, []],
    ["a record for what is none", { name: { x: 1 } }, ['reply.json.name: {"x":1}, not "Ana"']],
    [
      "all that differs, not only the first",
      { name: "Ion", deep: { x: "z" } },
      ['reply.json.name: "Ion", not "Ana"', 'reply.json.deep.x: "z", not "y"'],
    ],
  ])("with %s", (_, json, problems) => expect(said({ reply: { json: json as Record<string, unknown> } }, { reply })).toEqual(problems));

  it("that did not come", () => {
    expect(said({ reply: { json: { a: 1 } } })).toEqual(["reply: a reply, not none"]);
    expect(said({ reply: { ok: true } })).toEqual(["reply.ok: true, not false"]);
    expect(said({ reply: { ok: false } })).toEqual([]);
    expect(said({ reply: { ok: false } }, { reply })).toEqual(["reply.ok: false, not true"]);
  });

  it("with big whole numbers as YAML writes them", () => {
    expect(said({ reply: { json: { n: 7 } } }, { reply: { n: 7n } })).toEqual([]);
    expect(said({ reply: { json: { n: 7 } } }, { reply: { n: 2n ** 62n } })).toEqual(['reply.json.n: 7, not "4611686018427387904n"']);
  });

  it("as XML, by paths", () => {
    const replyText = "<r:Reply xmlns:r='urn:x'><r:Name> Ana </r:Name><r:Item>1</r:Item><r:Item>2</r:Item></r:Reply>";
    const xml = { "/Reply/Name": "Ana", "/Reply/Item[2]": 2, "count(/Reply/Item)": 2, "/Reply/Gone": null };
    expect(said({ reply: { xml } }, { reply: {}, replyText })).toEqual([]);
    expect(said({ reply: { xml: { "/Reply/Name": "Ion" } } }, { reply: {}, replyText })).toEqual([
      'reply.xml /Reply/Name: "Ion", not "Ana"',
    ]);
    expect(said({ reply: { xml: { "/Reply/Name": "Ana" } } }, { reply: {}, replyText: '{"a":1}' })).toEqual([
      "reply.xml: an XML document, not JSON",
    ]);
    expect(said({ reply: { xml: { "/Reply/Name": "Ana" } } }, { reply: {} })).toEqual(["reply.xml: an XML document, not nothing"]);
  });
});

describe("what was expected to be sent", () => {
  it.each<[string, ExpectDoc["sent"], Observed["sent"], readonly string[]]>([
    ["nothing, and nothing was", { to: "none" }, new Map(), []],
    ["nothing, but something was", { to: "none" }, sentTo("to", sent()), ["sent.to: none, not 1 sent"]],
    ["something, but nothing was", { to: { json: { A: 1 } } }, new Map(), ["sent.to: a message, not none"]],
    ["as the receiver gets it", { to: { json: { A: 1 } } }, sentTo("to", sent()), []],
    ["in the contract's shape", { to: { contract: "a.b.v1", json: { a: 1 } } }, sentTo("to", sent()), []],
    ["under another contract", { to: { contract: "a.c.v1" } }, sentTo("to", sent()), ['sent.to.contract: "a.c.v1", not "a.b.v1"']],
    ["so often", { to: { count: 2 } }, sentTo("to", sent(), sent()), []],
    ["not so often", { to: { count: 3 } }, sentTo("to", sent()), ["sent.to.count: 3, not 1"]],
    ["no time at all", { to: { count: 0 } }, new Map(), []],
    ["the last of several", { to: { json: { A: 2 } } }, sentTo("to", sent(), sent({ wire: { A: 2 } })), []],
    ["to another branch", { to: "none" }, sentTo("other", sent()), []],
  ])("%s", (_, wanted, seen, problems) => expect(said(wanted ? { sent: wanted } : {}, { sent: seen })).toEqual(problems));

  it("is compared for taps by topic likewise", () => {
    expect(said({ tapped: { "a.v1": { json: { A: 2 } } } }, { tapped: sentTo("a.v1", sent()) })).toEqual(["tapped.a.v1.json.A: 2, not 1"]);
    expect(said({ tapped: { "a.v1": "none" } }, { tapped: sentTo("a.v1", sent()) })).toEqual(["tapped.a.v1: none, not 1 sent"]);
  });
});

describe("times and counts", () => {
  it.each<[ExpectDoc, Partial<Observed>, readonly string[]]>([
    [{ attempts: 2 }, { attempts: 3 }, ["attempts: 2, not 3"]],
    [{ deadletters: 0 }, { deadletters: 1 }, ["deadletters: 0, not 1"]],
    [{ dropped: true }, {}, ["dropped: true, not false"]],
    [{ elapsed: { below: 100 } }, { elapsed: 99 }, []],
    [{ elapsed: { below: 100 } }, { elapsed: 100 }, ["elapsed: < 100 ms, not 100 ms"]],
    [{ elapsed: { above: 100 } }, { elapsed: 100 }, ["elapsed: > 100 ms, not 100 ms"]],
    [{ elapsed: { above: 100, below: 200 } }, { elapsed: 150 }, []],
    [{ journal: { outcome: "ok", purpose: "tax" } }, { row: { outcome: "ok", purpose: "tax", more: 1 } }, []],
    [{ journal: { outcom: "ok" } }, { row: { outcome: "ok" } }, ['journal.outcom: "ok", not nothing']],
  ])("%j", (expected, seen, problems) => expect(said(expected, seen)).toEqual(problems));
});

describe("any reply", () => {
  const { value } = fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 3 },
      fc.integer(),
      fc.string({ maxLength: 4 }),
      fc.boolean(),
      fc.constant(null),
      fc.array(tie("value"), { maxLength: 3 }),
      fc.dictionary(fc.constantFrom("a", "b", "c"), tie("value"), { maxKeys: 3 }),
    ),
  }));
  const record = fc.dictionary(fc.constantFrom("a", "b", "c", "d"), value, { maxKeys: 4 });

  it("is what it is, and stays so whatever else it holds", () => {
    fc.assert(
      fc.property(record, fc.integer(), (reply, more) => {
        expect(said({ reply: { json: reply } }, { reply })).toEqual([]);
        expect(said({ reply: { json: reply } }, { reply: { ...reply, other: more } })).toEqual([]);
      }),
    );
  });

  it("is not one with another number in it", () => {
    fc.assert(
      fc.property(record, fc.integer(), (reply, n) => {
        expect(said({ reply: { json: { ...reply, n } } }, { reply: { ...reply, n: n + 1 } })).toEqual([`reply.json.n: ${n}, not ${n + 1}`]);
      }),
    );
  });
});
