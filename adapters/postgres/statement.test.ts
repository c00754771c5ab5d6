import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { messageOf } from "#test/harness/message.ts";
import { databaseOf } from "./connect.ts";
import { databaseFailure } from "./failure.ts";
import { compileStatement, quoted } from "./statement.ts";
import { parameterOf, types } from "./values.ts";

const message = messageOf(
  { name: "Ana", home: { city: "Bălți" }, list: [1], nothing: null, big: 2n ** 60n, bytes: new Uint8Array([1, 2]) },
  { id: "m-9" },
);
const compiled = (sql: string) => {
  const { text, values } = compileStatement(sql);
  return [text, values(message)];
};

describe("a statement", () => {
  it.each([
    ["INSERT INTO t VALUES (:name, :home.city, :$id)", "INSERT INTO t VALUES ($1, $2, $3)", ["Ana", "Bălți", "m-9"]],
    ["SELECT :name, :name, :home.city", "SELECT $1, $1, $2", ["Ana", "Bălți"]],
    ["SELECT :name::text, 1::int", "SELECT $1::text, 1::int", ["Ana"]],
    ["SELECT ':name', \":name\", ':a '':b', :name", "SELECT ':name', \":name\", ':a '':b', $1", ["Ana"]],
    ["SELECT E'\\':name', :name", "SELECT E'\\':name', $1", ["Ana"]],
    ["SELECT $$ :name; $$, $x$ :b $$ :c $x$, :name", "SELECT $$ :name; $$, $x$ :b $$ :c $x$, $1", ["Ana"]],
    ["SELECT 1 -- :name ; '\n, :name", "SELECT 1 -- :name ; '\n, $1", ["Ana"]],
    ["SELECT /* :name ; ' */ :name ;", "SELECT /* :name ; ' */ $1", ["Ana"]],
    [
      "SELECT :nothing, :missing, :list, :big, :bytes",
      "SELECT $1, $2, $3, $4, $5",
      [null, null, "[1]", "1152921504606846976", Buffer.from([1, 2])],
    ],
    ["SELECT a[1:2], a[low:high], '12:30', :name", "SELECT a[1:2], a[low:high], '12:30', $1", ["Ana"]],
  ])("%j binds its parameters by number", (sql, text, values) => {
    expect(compiled(sql)).toEqual([text, values]);
  });

  it.each([
    ["DELETE FROM a; DELETE FROM b", "several"],
    ["SELECT 'never ends", "that end"],
    ["SELECT 1 /* never ends", "that end"],
    ["SELECT $1", "by name"],
    ["SELECT :$other", "$id, $source"],
  ])("%j is refused when the route is loaded", (sql, why) => {
    expect(() => compileStatement(sql)).toThrow(why);
  });

  it("never has a value in its text", () => {
    fc.assert(
      fc.property(fc.string(), (value) => {
        const { text, values } = compileStatement("UPDATE t SET a = :v WHERE b = ':v'");
        expect([text, values(messageOf({ v: value }))]).toEqual(["UPDATE t SET a = $1 WHERE b = ':v'", [value]]);
      }),
    );
  });
});

it.each([
  ["outbox", '"outbox"'],
  ["exchange.Outbox", '"exchange"."Outbox"'],
  ['a"b; DROP', '"a""b; DROP"'],
])("the name %s is %s to the server", (name, wanted) => {
  expect(quoted(name)).toBe(wanted);
});

it.each([
  [16, "t", true],
  [17, "\\x0102", "AQI="],
  [20, "42", 42],
  [20, "9007199254740993", "9007199254740993"],
  [23, "-7", -7],
  [701, "1.5", 1.5],
  [1082, "2026-01-31", "2026-01-31"],
  [1114, "2026-01-31 08:00:00.123456", "2026-01-31T08:00:00.123456Z"],
  [1184, "2026-01-31 08:00:00+00", "2026-01-31T08:00:00Z"],
  [1184, "infinity", "infinity"],
  [1700, "12.50", "12.50"],
  [3802, '{"a":[1]}', { a: [1] }],
  [25, "text", "text"],
])("a column of type %i that holds %s is %j", (oid, text, wanted) => {
  expect(types.getTypeParser(oid)(text)).toEqual(wanted);
});

it("a parameter of a record is JSON, with whole numbers as text where they are too big", () => {
  expect(parameterOf({ a: 2n ** 60n, b: [true] })).toBe('{"a":"1152921504606846976","b":[true]}');
});

describe("an address of a database", () => {
  it("is taken apart, and only host, port and name are told on", () => {
    const { name, config } = databaseOf({ url: "postgres://bus:p%40ss@db.example:6432/exchange", security: "tls", ca: undefined });
    expect([name, config.user, config.password]).toEqual(["db.example:6432/exchange", "bus", "p@ss"]);
    expect(config.ssl).toMatchObject({ rejectUnauthorized: true });
  });
  it.each([
    "",
    "postgres://db/exchange",
    "postgres://u:hunter2@db",
    "mysql://u:hunter2@db/x",
    "postgres://u:hunter2@db/x?sslmode=disable",
    "u:hunter2",
  ])("%j is refused, and not repeated", (url) => {
    const fault = (() => {
      try {
        return databaseOf({ url, security: "tls", ca: undefined }).name;
      } catch (error) {
        return (error as Error).message;
      }
    })();
    expect(fault).toMatch(/must be postgres:/u);
    expect(fault).not.toContain("hunter2");
  });
});

it.each([
  [{ code: "57014" }, "attempt-timeout"],
  [{ message: "timeout expired" }, "attempt-timeout"],
  [{ code: "40P01" }, "endpoint-unavailable"],
  [{ code: "53300" }, "endpoint-unavailable"],
  [{ code: "57P01" }, "endpoint-unavailable"],
  [{ code: "28P01" }, "configuration"],
  [{ code: "42P01" }, "configuration"],
  [{ code: "3D000" }, "configuration"],
  [{ code: "23505" }, "provider-fault"],
  [{ code: "22P02" }, "provider-fault"],
  [{ code: "08006" }, "endpoint-unreachable"],
  [{ code: "ECONNREFUSED" }, "endpoint-unreachable"],
  [{ code: "DEPTH_ZERO_SELF_SIGNED_CERT" }, "endpoint-unreachable"],
])("a driver's error %j is %s, without its words", (facts, wanted) => {
  const error = databaseFailure(Object.assign(new Error("key (idnp)=(2000000000001) exists"), facts), "db:5432/x");
  expect(error.code).toBe(wanted);
  expect(error.message).not.toContain("2000000000001");
});
