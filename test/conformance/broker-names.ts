/** Names of topics and groups are the administrator's: none may be read by a broker as a pattern, a path or two names. */
import { expect } from "vitest";
import type { Broker } from "#bus/broker.ts";
import { carriedEnvelope, collect } from "./broker-parts.ts";
import { pause, type Cases } from "./cases.ts";

/** Each pair or more of these is alike under some careless encoding. */
const NAMES: readonly string[] = [
  "a",
  "A",
  "a.b",
  "a_b",
  "a_2eb",
  "a-b",
  "a b",
  "a/b",
  "a%2eb",
  "a\\b",
  "*",
  ">",
  "#",
  "a.*",
  "a.>",
  "a.#",
  ".",
  "..",
  "$SYS",
  " ",
  "\r\n",
  "a\u0000b",
  "ț",
  "t\u0326",
  "😀",
  "x".repeat(200),
  `${"x".repeat(199)}y`,
  "ț".repeat(200),
  `${"ț".repeat(199)}ă`,
];

export function brokerNames(test: Cases<Broker>): void {
  test("topics of any name neither meet nor mingle", async ({ port }) => {
    const lanes = await Promise.all(NAMES.map((topic) => collect(port, { topic, group: "g", partition: 0 }, true)));
    await Promise.all(NAMES.map((topic, n) => port.send(topic, 0, { envelope: carriedEnvelope(n), position: n + 1, after: 0 })));
    for (const lane of lanes) await lane.count(1);
    await pause(300);
    expect(lanes.map((lane) => lane.positions())).toEqual(NAMES.map((_, n) => [n + 1]));
  });
  test("groups of any name each get every message, once", async ({ port }) => {
    const lanes = await Promise.all(NAMES.map((group) => collect(port, { topic: "a.b", group, partition: 0 }, true)));
    await port.send("a.b", 0, { envelope: carriedEnvelope(1), position: 1, after: 0 });
    for (const lane of lanes) await lane.count(1);
    await pause(300);
    expect(lanes.map((lane) => lane.positions())).toEqual(NAMES.map(() => [1]));
  });
  test("where topic ends and group begins is never in doubt", async ({ port }) => {
    const pairs = [
      ["a", "b.c"],
      ["a.b", "c"],
      ["a.0", "b"],
      ["a", "0.b"],
    ] as const;
    const lanes = await Promise.all(pairs.map(([topic, group]) => collect(port, { topic, group, partition: 0 }, true)));
    await port.send("a", 0, { envelope: carriedEnvelope(1), position: 1, after: 0 });
    for (const at of [0, 3]) await lanes[at]?.count(1);
    await pause(300);
    expect(lanes.map((lane) => lane.positions())).toEqual([[1], [], [], [1]]);
  });
  test("responders of any name answer only their own topic", async ({ port }) => {
    for (const topic of NAMES) await port.respond(topic, (asked) => Promise.resolve({ ...asked, subject: `by ${topic}` }));
    const answers = await Promise.all(NAMES.map((topic, n) => port.request(topic, carriedEnvelope(n), 30_000)));
    expect(answers.map((answer) => answer.subject)).toEqual(NAMES.map((topic) => `by ${topic}`));
  });
}
