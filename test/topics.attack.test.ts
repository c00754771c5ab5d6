/** Ids that hold wildcards, separators or line breaks on the topics of brokers: none crosses into another system's, whatever it is called. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { namesOf } from "#adapters/amqp/names.ts";
import { definitionsFor } from "#adapters/amqp/permissions.ts";
import { userOf } from "#adapters/amqp/received.ts";
import { subjectOf, tokenOf } from "#adapters/nats/names.ts";
import { writePermissions } from "#adapters/nats/permissions.ts";

const HOSTILE = [
  "*",
  ">",
  "#",
  ".",
  "\r\n",
  "\n",
  "\0",
  "\t",
  " ",
  "/",
  "_",
  "-",
  "$",
  "a",
  "b",
  "2f",
  "ț",
  "😀",
  "\ud800",
  "from.",
  "to.",
  "\\",
  "|",
  "^",
];
const id = fc.oneof(
  fc.array(fc.constantFrom(...HOSTILE), { minLength: 1, maxLength: 6 }).map((parts) => parts.join("")),
  fc.string({ unit: "binary", minLength: 1, maxLength: 200 }),
);
const contract = fc.stringMatching(/^[a-z][a-z-]{0,10}\.[a-z-]{1,10}\.v[1-9]$/u);
const amqp = namesOf("mbus");

/** Does a NATS subject fit a permission's pattern? */
function fits(subject: string, pattern: string): boolean {
  const [words, marks] = [subject.split("."), pattern.split(".")];
  return (
    marks.every((mark, at) => (mark === ">" ? words.length > at : mark === "*" ? words[at] !== undefined : words[at] === mark)) &&
    (marks.at(-1) === ">" || words.length === marks.length)
  );
}
/** What the server's configuration lets a system publish and read. */
function natsRights(system: string): Readonly<{ publish: string[]; subscribe: string[] }> {
  const text = writePermissions({ user: "the-bus", password: "x" }, [{ system, password: "p" }]);
  const line = text.split("\n").find((one) => one.includes("allow:")) ?? "";
  const list = (word: string): string[] =>
    [...(new RegExp(`${word}: \\{ allow: \\[([^\\]]*)\\]`, "u").exec(line)?.[1] ?? "").matchAll(/"([^"]*)"/gu)].map(
      (match) => match[1] ?? "",
    );
  return { publish: list("publish"), subscribe: list("subscribe") };
}
type Definitions = Readonly<{
  permissions: readonly Readonly<{ configure: string; write: string; read: string }>[];
  topic_permissions: readonly Readonly<{ exchange: string; write: string; read: string }>[];
  bindings: readonly Readonly<{ destination: string; routing_key: string }>[];
}>;
const amqpRights = (system: string): Definitions => definitionsFor([{ system }]) as Definitions;
/** RabbitMQ's expressions are PCRE: `\A` and `\z` are the ends of the whole text, and a hyphen may be escaped. */
const matches = (pattern: string, text: string): boolean =>
  new RegExp(pattern.replace("\\A", "^").replace("\\z", "$(?![^])").replaceAll("\\-", "-"), "u").test(text);

describe("a topic", () => {
  it("is plain words with the system as exactly one of them, whatever the system is called", () => {
    fc.assert(
      fc.property(id, contract, (system, name) => {
        const topics = [
          ...(["from", "ask", "to"] as const).map((first) => subjectOf(first, system, name)),
          amqp.fromKey(system, name),
          amqp.askKey(system, name),
          amqp.toKey(system, name),
        ];
        for (const topic of topics) {
          expect(topic).toMatch(/^(from|ask|to)\.[A-Za-z0-9_-]+\.[a-z-]+\.[a-z_0-9-]+\.v[1-9]$/u);
          expect(Buffer.byteLength(topic)).toBeLessThan(255);
        }
        for (const queue of [amqp.inbox(system), amqp.source(amqp.fromKey(system, name))])
          expect(queue).toMatch(/^[A-Za-z0-9_.-]{1,255}$/u);
      }),
      { numRuns: 2_000 },
    );
  });

  it("of two systems are never the same, so that none finds another's messages in its own", () => {
    fc.assert(
      fc.property(id, id, contract, (a, b, name) => {
        fc.pre(a !== b);
        expect(subjectOf("to", a, name)).not.toBe(subjectOf("to", b, name));
        expect(amqp.toKey(a, name)).not.toBe(amqp.toKey(b, name));
        expect(amqp.inbox(a)).not.toBe(amqp.inbox(b));
      }),
      { numRuns: 3_000 },
    );
  });

  it.each(["a.*", "a.>", "a b", "a\r\nPUB x", "", ".", "a..b", "a.#"])("is not made of a contract that is called %j", (name) => {
    expect(() => subjectOf("from", "a/b", name)).toThrow(expect.objectContaining({ code: "configuration" }));
    expect(amqp.fromKey("a/b", name)).not.toMatch(/[*#>\s]/u);
  });
});

describe("a permission", () => {
  it("on NATS lets a system publish and ask under its own name and under no other's, nor read another's", () => {
    fc.assert(
      fc.property(id, id, contract, (mine, other, name) => {
        fc.pre(mine !== other && tokenOf(mine) !== "the-bus");
        const { publish, subscribe } = natsRights(mine);
        const may = (subject: string): boolean => publish.some((pattern) => fits(subject, pattern));
        expect([may(subjectOf("from", mine, name)), may(subjectOf("ask", mine, name))]).toEqual([true, true]);
        for (const first of ["from", "ask", "to"] as const) expect(may(subjectOf(first, other, name)), first).toBe(false);
        expect(may(subjectOf("to", mine, name))).toBe(false);
        const reads = (subject: string): boolean => subscribe.some((pattern) => fits(subject, pattern));
        expect([reads(`_INBOX.${tokenOf(mine)}.x`), reads(`_INBOX.${tokenOf(other)}.x`)]).toEqual([true, false]);
        expect(reads(subjectOf("to", other, name))).toBe(false);
      }),
      { numRuns: 1_000 },
    );
  });

  it("on RabbitMQ does the same, and a line break or wildcard behind the key gains nothing", () => {
    fc.assert(
      fc.property(id, id, contract, fc.constantFrom("", "\n", "\r\n", "*", "#", "\0"), (mine, other, name, tail) => {
        fc.pre(mine !== other);
        const { permissions, topic_permissions: topics, bindings } = amqpRights(mine);
        const may = (key: string): boolean => topics.every(({ write }) => matches(write, key));
        expect(may(amqp.fromKey(mine, name) + tail)).toBe(tail === "");
        expect(may(amqp.askKey(mine, name) + tail)).toBe(tail === "");
        for (const key of [amqp.fromKey(other, name), amqp.askKey(other, name), amqp.toKey(other, name), amqp.toKey(mine, name)])
          expect([may(key + tail), may(`${key}.${amqp.fromKey(mine, name)}`)]).toEqual([false, false]);
        for (const { configure, write, read } of permissions) {
          expect(matches(configure, "x")).toBe(false);
          expect([matches(write, "mbus.from"), matches(write, "mbus.to"), matches(write, `mbus.from${tail}x`)]).toEqual([
            true,
            false,
            false,
          ]);
          expect([matches(read, amqp.inbox(mine)), matches(read, amqp.inbox(other))]).toEqual([true, false]);
        }
        expect(bindings.filter(({ destination }) => destination === amqp.inbox(mine)).map(({ routing_key: key }) => key)).toEqual([
          `to.${userOf(mine)}.#`,
        ]);
      }),
      { numRuns: 1_000 },
    );
  });
});
