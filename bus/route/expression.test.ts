import * as fc from "fast-check";
import jsonata from "jsonata";
import { describe, expect, it, vi } from "vitest";
import type { Message } from "../envelope.ts";
import { BusError } from "../errors.ts";
import { compileExpression, compilePredicate, LIMITS } from "./expression.ts";

function message(value: Record<string, unknown>, extra: Partial<Message["envelope"]> = {}): Message {
  return {
    envelope: {
      id: "m-1",
      source: "taxoffice/erp",
      type: "mbus.person.request.v1",
      time: 1_700_000_000_000,
      correlationId: "c-1",
      contract: "person.request.v1",
      call: { user: "2000000000001" },
      headers: { "official-id": "A77" },
      body: new Uint8Array(),
      ...extra,
    },
    value,
  };
}

const caught = async (run: () => unknown): Promise<BusError> => {
  try {
    await run();
  } catch (error) {
    if (error instanceof BusError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
};

describe("expressions over a message", () => {
  it.each([
    ["$length(personalCode) != 11", { personalCode: "123" }, true],
    ["$length(personalCode) != 11", { personalCode: "12345678901" }, false],
    ["$count(changes[field = 'residence']) > 0", { changes: [{ field: "name" }, { field: "residence" }] }, true],
    ["$count(changes[field = 'residence']) > 0", { changes: [] }, false],
    ["status in ['new', 'open']", { status: "open" }, true],
    ["kind = 'a' and $not($exists(withdrawn))", { kind: "a" }, true],
    ["$headers.`official-id` = 'A77'", {}, true],
    ["$call.user = '2000000000001' or $source = 'x'", {}, true],
    ["amount > 10 ? flag : false", { amount: 11, flag: true }, true],
  ])("%s", async (text, value, expected) => {
    const predicate = compilePredicate(text, "routes/a.yaml:1");
    expect(compileExpression(text, "x:1").fast).toBe(true);
    expect(await predicate(message(value))).toBe(expected);
  });

  it("takes the slow way for what the fast way does not know, with the same facts", async () => {
    const expression = compileExpression("$sum(items.price) & $headers.`official-id`", "x:1");
    expect(expression.fast).toBe(false);
    expect(await expression.evaluate({ items: [{ price: 1 }, { price: 2 }] }, message({}))).toBe("3A77");
  });

  it("gives plain lists, without JSONata's own members", async () => {
    const result = await compileExpression("$map(items, function($v){ {'a': [$v.p]} })", "x:1").evaluate(
      { items: [{ p: 1 }, { p: 2 }] },
      undefined,
    );
    expect(result).toStrictEqual([{ a: [1] }, { a: [2] }]);
  });

  it("says where a broken expression stands", async () => {
    const error = await caught(() => compileExpression("a = = b", "routes/a.yaml:12"));
    expect(error.code).toBe("configuration");
    expect(error.message).toMatch(/routes\/a\.yaml:12.*not JSONata at its character 5/);
  });

  it("fails with its place, and shows no value of the message", async () => {
    for (const text of ["secret > 5", "$sum(secret)", "$number(secret)"]) {
      const error = await caught(() => compileExpression(text, "routes/a.yaml:3").evaluate({ secret: "49x00101" }, undefined));
      expect(error.code).toBe("expression-failed");
      expect(error.message).toContain("routes/a.yaml:3");
      expect(error.message).not.toContain("49x00101");
    }
  });

  it("ends an endless recursion at its limits", async () => {
    const error = await caught(() => compileExpression("($f := function($n){ $f($n + 1) }; $f(1))", "x:1").evaluate({}, undefined));
    expect(error.message).toMatch(/deep|longer/);
  });

  it("is judged by its own time, not by that of all that run beside it", async () => {
    const busy = compileExpression("$count($map([1..2000], function($n) { $n * $n }))", "x:1");
    const began = performance.now();
    const counts = await Promise.all(Array.from({ length: 100 }, () => busy.evaluate({}, undefined)));
    expect(counts).toEqual(Array.from({ length: 100 }, () => 2000));
    expect(performance.now() - began, "or it proves nothing").toBeGreaterThan(LIMITS.timeout);
  });

  it("that found the processor elsewhere once has another turn, and no third", async () => {
    const now = vi.spyOn(Date, "now");
    const away = (times: number): void => {
      let time = 0;
      let left = times;
      now.mockImplementation(() => (left-- > 0 ? (time += LIMITS.timeout + 1) : time));
    };
    try {
      const slow = compileExpression("$map([1, 2], function($n) { $n })", "x:1");
      away(2);
      expect(await slow.evaluate({}, undefined)).toEqual([1, 2]);
      away(Number.POSITIVE_INFINITY);
      expect((await caught(() => slow.evaluate({}, undefined))).message).toMatch(/longer than 100 ms/);
    } finally {
      now.mockRestore();
    }
  });

  it("ends a list that grows too long", async () => {
    const error = await caught(() => compileExpression("[1..1000000]", "x:1").evaluate({}, undefined));
    expect(error.message).toMatch(/10000 items/);
  });

  it.each(["$eval(a)", "($e := $eval; $e(a))", "$toMillis(a, b)", "[1, {'x': $fromMillis(1, b)}]"])("refuses %s", async (text) => {
    expect((await caught(() => compileExpression(text, "x:1"))).code).toBe("configuration");
  });
});

// ── the fast way against JSONata itself ────────────────────────────────────────────────────────────────────────────

const names = ["a", "b", "c"] as const;
const scalar = fc.oneof(
  fc.constantFrom("", "x", "y", "10", "😀"),
  fc.integer({ min: -3, max: 3 }),
  fc.constantFrom(0.1, 0.30000000000000004, 1e21),
  fc.boolean(),
  fc.constant(null),
);
const { value: anyValue } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3, depthSize: "small" },
    scalar,
    fc.array(tie("value"), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom(...names), tie("value"), { maxKeys: 3, noNullPrototype: true }),
  ),
}));
const root = fc.dictionary(fc.constantFrom(...names), anyValue, { maxKeys: 3, noNullPrototype: true });

const { text: anyText } = fc.letrec<{ text: string; test: string }>((tie) => ({
  text: fc.oneof(
    { maxDepth: 3, depthSize: "small" },
    fc.constantFrom("'x'", "'10'", "0", "1", "-1", "true", "null", "$", "$key", "['x', 1]", "[]"),
    fc.array(fc.constantFrom(...names), { minLength: 1, maxLength: 3 }).map((path) => path.join(".")),
    fc.constantFrom("$headers.a", "$headers.a.b", "$$.a.b", "$.a", "a[0]", "a[-1].b", "a.b[1]", "a[b].c"),
    tie("test"),
    fc
      .tuple(tie("text"), fc.constantFrom("=", "!=", "and", "or", "in", "&", "<", ">=", "+", "-"), tie("text"))
      .map(([l, o, r]) => `(${l}) ${o} (${r})`),
    fc
      .tuple(fc.constantFrom("exists", "count", "length", "not", "boolean", "string", "lowercase"), tie("text"))
      .map(([f, x]) => `$${f}(${x})`),
    fc.tuple(tie("text"), tie("text")).map(([l, r]) => `$contains(${l}, ${r})`),
    fc.tuple(tie("text"), tie("text"), tie("text")).map(([i, t, e]) => `(${i}) ? (${t}) : (${e})`),
  ),
  test: fc
    .tuple(fc.constantFrom("a", "a.b", "b.a"), tie("text"), fc.constantFrom("", ".b", ".c"))
    .map(([path, x, rest]) => `${path}[${x}]${rest}`),
}));

describe("the fast way", () => {
  it("gives what JSONata gives, or fails where JSONata fails", async () => {
    let fast = 0;
    await fc.assert(
      fc.asyncProperty(anyText, root, root, async (text, value, headers) => {
        const expression = compileExpression(text, "x:1");
        if (!expression.fast) return;
        fast++;
        const given = message(value, { key: "k", headers: headers as never });
        let expected: unknown;
        let expectedFailure: unknown;
        try {
          const { id, source, key, subject, correlationId, time, call } = given.envelope;
          expected = await jsonata(text).evaluate(value, { headers, id, source, key, subject, correlationId, time, call });
        } catch (error) {
          expectedFailure = error;
        }
        if (expectedFailure !== undefined) {
          expect((await caught(() => expression.evaluate(value, given))).code).toBe("expression-failed");
          return;
        }
        const actual = expression.evaluate(value, given);
        expect(JSON.stringify(actual)).toBe(JSON.stringify(expected));
      }),
      { numRuns: 4_000 },
    );
    expect(fast).toBeGreaterThan(2_000);
  });
});
