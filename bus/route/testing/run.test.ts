import { describe, expect, it } from "vitest";
import { AT, CHANGED, LOOKUP, MAPS, ORDER, routeWorld } from "#test/harness/route-world.ts";
import { runRouteTests, type CaseResult, type TestReport } from "./run.ts";

const FILES = { "routes/lookup.yaml": LOOKUP, "routes/changed.yaml": CHANGED, "routes/order.yaml": ORDER, ...MAPS };

/** Runs the cases of one test file for a route, at a fixed virtual time. */
async function run(route: string, cases: string, more: Readonly<Record<string, string>> = {}): Promise<TestReport> {
  const world = await routeWorld({ ...FILES, "routes/t.test.yaml": `bus: test/v1\nroute: ${route}\ncases:\n${cases}`, ...more });
  const faults = [...world.lint, ...world.findings].filter((one) => one.severity === "error");
  expect(faults).toEqual([]);
  return runRouteTests(world.set, world.documents.tests, { files: world.files, at: AT });
}

async function one(route: string, body: string, more: Readonly<Record<string, string>> = {}): Promise<CaseResult> {
  const report = await run(route, `  - name: it\n${body.replaceAll(/^/gm, "    ")}\n`, more);
  const [result] = report.cases;
  if (result === undefined) throw new Error("no case ran");
  return result;
}

const problems = (result: CaseResult): string[] =>
  result.problems.map(({ what, expected, actual }) => `${what}: expected ${expected}, got ${actual}`);
const GIVEN = 'given: { json: { code: "123" }, headers: { case: T-1 } }';
const FOUND = 'mocks: { to: { reply: { Name: Ana, Born: "05.03.1994" } } }';

describe("a query", () => {
  it("goes from JSON to the provider's shape and back, cut to the grant", async () => {
    const result = await one(
      "person-lookup",
      `${GIVEN}\n${FOUND}\nexpect:\n  reply: { ok: true, json: { status: found, name: Ana, born: null } }\n  sent: { to: { contract: person.request.v1, json: { code: "123" }, count: 1 } }\n  tapped: { person.changed.v1: { json: { code: "123", case: T-1 } } }\n  journal: { outcome: ok, grant: erp-person, legalBasis: art. 1 }\n  attempts: 1`,
    );
    expect(problems(result)).toEqual([]);
  });

  it("compares what is sent in the receiver's shape without `contract`", async () => {
    expect(problems(await one("person-lookup", `${GIVEN}\n${FOUND}\nexpect: { sent: { to: { json: { Nr: "123" } } } }`))).toEqual([]);
  });

  it("waits for timeouts and back-off on the virtual clock", async () => {
    const mocks = 'mocks: { to: [{ fail: timeout }, { fail: unreachable }, { reply: { Name: Ana, Born: "05.03.1994" } }] }';
    const result = await one("person-lookup", `${GIVEN}\n${mocks}\nexpect: { attempts: 3, elapsed: "< 2s", reply: { ok: true } }`);
    expect(problems(result)).toEqual([]);
    // One timeout of 1 s; the spare address is asked at once; then 200 ms of back-off.
    expect(result.elapsed).toBe(1_200);
  });

  it("ends with the provider's failure, or with the reply that a failure rule gives", async () => {
    expect(
      problems(
        await one(
          "person-lookup",
          `${GIVEN}\nmocks: { to: { fail: unreachable } }\nexpect: { fault: unreachable, attempts: 3, journal: { outcome: failed, errorClass: unreachable } }`,
        ),
      ),
    ).toEqual([]);
    expect(
      problems(
        await one(
          "person-lookup",
          `${GIVEN}\nmocks: { to: { fail: provider-fault, code: NotFound } }\nexpect: { attempts: 1, reply: { json: { status: unknown } } }`,
        ),
      ),
    ).toEqual([]);
    expect(
      problems(
        await one(
          "person-lookup",
          `${GIVEN}\nmocks: { to: { fail: provider-fault, code: Other } }\nexpect: { fault: provider-fault, code: Other }`,
        ),
      ),
    ).toEqual([]);
  });

  it("is refused by steps, grants and contracts before anything is sent", async () => {
    const none = "sent: { to: none }";
    expect(
      problems(
        await one(
          "person-lookup",
          `given: { json: { code: "1" } }\nexpect: { fault: contract-violation, code: rejected-by-step, ${none} }`,
        ),
      ),
    ).toEqual([]);
    expect(problems(await one("person-lookup", `given: { json: { cod: "1" } }\nexpect: { fault: contract-violation, ${none} }`))).toEqual(
      [],
    );
    expect(
      problems(
        await one(
          "person-lookup",
          `at: 2027-01-01T00:00:00Z\n${GIVEN}\nexpect: { fault: access-denied, code: grant-expired, ${none}, journal: { outcome: denied } }`,
        ),
      ),
    ).toEqual([]);
    expect(
      problems(
        await one("person-lookup", `given: { json: { code: "123" }, system: register/main }\nexpect: { fault: access-denied, ${none} }`),
      ),
    ).toEqual([]);
  });

  it("reads given and mocked files", async () => {
    const files = { "routes/given.json": '{"code":"123"}', "routes/mock.json": '{"Name":"Ana"}' };
    expect(
      problems(
        await one(
          "person-lookup",
          "given: { file: ./given.json }\nmocks: { to: { reply: ./mock.json } }\nexpect: { reply: { json: { name: Ana } } }",
          files,
        ),
      ),
    ).toEqual([]);
  });
});

describe("an event", () => {
  const MOVED = 'given: { json: { code: "7", kind: moved, secret: s, changes: [{ field: residence }] } }';
  const OTHER = 'given: { json: { code: "7", kind: other, changes: [] } }';

  it("reaches each branch as its condition and its receiver's grant allow", async () => {
    const result = await one(
      "person-changed",
      `${MOVED}\nmocks: { erp: { reply: {} }, moves: { reply: {} } }\nexpect: { sent: { erp: { count: 1, json: { code: "7", secret: null } }, moves: { count: 1 } }, journal: { outcome: ok } }`,
    );
    expect(problems(result)).toEqual([]);
    expect(
      problems(
        await one("person-changed", `${OTHER}\nmocks: { erp: { reply: {} } }\nexpect: { sent: { moves: none, erp: { count: 1 } } }`),
      ),
    ).toEqual([]);
  });

  it("tries again without holding up the others, and ends in a dead letter", async () => {
    const result = await one(
      "person-changed",
      `${MOVED}\nmocks: { erp: { reply: {} }, moves: { fail: unreachable } }\nexpect: { deadletters: 1, elapsed: "> 9s", sent: { erp: { count: 1 }, moves: { count: 2 } }, journal: { outcome: dead } }`,
    );
    expect(problems(result)).toEqual([]);
  });

  it("is what a receiver without a grant does not get", async () => {
    const { BASE } = await import("#test/harness/route-world.ts");
    const grants = (BASE["routes/grants.yaml"] ?? "")

      .replace(/(id: erp-changed[\s\S]*?until: )2026-12-31/, "$12026-06-01");
    const result = await one(
      "person-changed",
      `at: 2026-07-01T00:00:00Z\n${MOVED}\nmocks: { erp: { reply: {} }, moves: { reply: {} } }\nexpect: { sent: { erp: none, moves: none }, deadletters: 2 }`,
      { "routes/grants.yaml": grants },
    );
    expect(problems(result)).toEqual([]);
  });

  it("waits for a step that delays, on the virtual clock", async () => {
    const delayed = CHANGED.replace("fanOut:", "steps:\n  - delay: { for: 2h }\nfanOut:");
    const result = await one(
      "person-changed",
      `${OTHER}\nmocks: { erp: { reply: {} } }\nexpect: { elapsed: "> 1h", sent: { erp: { count: 1 } } }`,
      { "routes/changed.yaml": delayed },
    );
    expect(problems(result)).toEqual([]);
    expect(result.elapsed).toBe(2 * 3_600_000);
  });
});

describe("a command", () => {
  it("gives the provider's reply when it comes, and a fault when it ends badly", async () => {
    const given = 'given: { json: { code: "7" } }';
    expect(
      problems(
        await one(
          "person-order",
          `${given}\nmocks: { to: [{ fail: unreachable }, { reply: { number: 5 } }] }\nexpect: { attempts: 2, reply: { json: { number: 5 } } }`,
        ),
      ),
    ).toEqual([]);
    expect(
      problems(
        await one(
          "person-order",
          `${given}\nmocks: { to: { fail: provider-fault, code: No } }\nexpect: { attempts: 1, deadletters: 1, fault: provider-fault }`,
        ),
      ),
    ).toEqual([]);
  });
});

describe("a file of records", () => {
  const ROUTE = CHANGED.replace(
    "{ name: register, system: register/main, soap: {} }",
    "{ name: drop, system: register/main, file: { directory: in, match: '*.csv', format: csv } }",
  ).replace("order: { by: code }\n", "order: { by: code }\nsteps:\n  - dedupe: { key: code, window: 1h, onDuplicate: drop }\n");
  const csv = "code,kind\n1,a\n2,a\n1,b\n3,a\n";

  it("is as many messages as it has records: a second one of a key is a duplicate, not the same message again", async () => {
    const result = await one(
      "person-changed",
      "given: { file: ./given/x.csv }\nmocks: { erp: { reply: {} }, moves: { reply: {} } }\nexpect: { sent: { erp: { count: 3, contract: person.changed.v1, json: { code: '3' } } }, dropped: true }",
      {
        "routes/changed.yaml": ROUTE,
        "routes/given/x.csv": csv,
      },
    );
    expect(problems(result)).toEqual([]);
  });
});

describe("a case that fails", () => {
  it("says what was expected and what was there, with file and line", async () => {
    const report = await run(
      "person-lookup",
      `  - name: first\n    ${GIVEN.replaceAll("\n", "\n    ")}\n    ${FOUND}\n    expect: { reply: { json: { name: Ion, status: found } }, attempts: 2, elapsed: "> 1s", sent: { to: none }, tapped: { x.v1: { count: 1 } }, journal: { outcome: denied } }\n`,
    );
    const [result] = report.cases;
    expect([report.passed, report.failed, result?.ok, result?.file, result?.line]).toEqual([0, 1, false, "routes/t.test.yaml", 4]);
    expect(result === undefined ? [] : problems(result)).toEqual([
      'reply.json.name: expected "Ion", got "Ana"',
      "sent.to: expected none, got 1 sent",
      "tapped.x.v1.count: expected 1, got 0",
      "tapped.x.v1: expected a message, got none",
      'journal.outcome: expected "denied", got "ok"',
      "attempts: expected 2, got 1",
      "elapsed: expected > 1000 ms, got 0 ms",
    ]);
  });

  it("fails when a reply was expected and a fault came, and the other way round", async () => {
    expect(
      problems(await one("person-lookup", `${GIVEN}\nmocks: { to: { fail: unreachable } }\nexpect: { reply: { ok: true } }`))[0],
    ).toContain("fault: expected none, got unreachable");
    expect(problems(await one("person-lookup", `${GIVEN}\n${FOUND}\nexpect: { fault: timeout }`))).toEqual([
      "fault: expected timeout, got no fault",
    ]);
  });

  it("says that a mock is missing, or a file", async () => {
    expect(problems(await one("person-lookup", `${GIVEN}\nexpect: { reply: { ok: true } }`))[0]).toContain("no mock for `to`");
  });

  it("does not fail the other cases, or routes that are left out", async () => {
    const world = await routeWorld({
      ...FILES,
      "routes/map/reply.map.yaml": "map: [",
      "routes/t.test.yaml": `bus: test/v1\nroute: person-lookup\ncases:\n  - name: it\n    ${GIVEN}\n    expect: { attempts: 1 }\n`,
    });
    const report = await runRouteTests(world.set, world.documents.tests, { files: world.files, at: AT });
    expect(report.cases.map(problems)).toEqual([["route: expected route `person-lookup`, got it is unknown, or left out for its faults"]]);
  });
});

describe("coverage", () => {
  it("names branches, sides of conditions, failure rules and steps that no case exercised", async () => {
    const report = await run("person-lookup", `  - name: it\n    ${GIVEN}\n    ${FOUND}\n    expect: { attempts: 1 }\n`);
    expect(report.uncovered.filter(({ route }) => route === "person-lookup").map(({ what }) => what)).toEqual([
      "failures[0] (provider-fault: NotFound → reply)",
      "failures[1] (default → reject)",
    ]);
    expect(report.uncovered.filter(({ route }) => route === "person-changed").map(({ what }) => what)).toEqual([
      "branch erp",
      "branch moves",
      "when of moves is never true",
      "when of moves is never false",
    ]);
  });

  it("wants both sides of a condition", async () => {
    const given = (field: string): string => `given: { json: { code: "7", kind: k, changes: [{ field: ${field} }] } }`;
    const cases = (...fields: readonly string[]): string =>
      fields
        .map(
          (field) =>
            `  - name: ${field}\n    ${given(field)}\n    mocks: { erp: { reply: {} }, moves: { reply: {} } }\n    expect: { sent: { erp: { count: 1 } } }\n`,
        )
        .join("");
    const left = async (...fields: readonly string[]): Promise<readonly string[]> =>
      (await run("person-changed", cases(...fields))).uncovered.filter(({ route }) => route === "person-changed").map(({ what }) => what);
    expect(await left("residence")).toEqual(["when of moves is never false"]);
    expect(await left("name")).toEqual(["branch moves", "when of moves is never true"]);
    expect(await left("residence", "name")).toEqual([]);
  });
});
