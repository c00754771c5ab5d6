import { describe, expect, it } from "vitest";
import { BusError, type ErrorClass } from "#bus/errors.ts";
import { everyError } from "#test/harness/every-error.ts";
import { problemAnswer } from "./problem.ts";

const STATUS: Readonly<Record<ErrorClass, number>> = {
  timeout: 504,
  unreachable: 502,
  "provider-unavailable": 503,
  throttled: 429,
  "provider-fault": 502,
  "contract-violation": 400,
  "mapping-error": 422,
  "access-denied": 403,
  "signature-invalid": 401,
  "too-large": 413,
  duplicate: 409,
  expired: 504,
  internal: 500,
};
const OTHER: Readonly<Record<string, number>> = { "media-type": 415, "inlet-busy": 503 };
const bodyOf = (answer: ReturnType<typeof problemAnswer>): Record<string, unknown> =>
  JSON.parse(String(answer.body)) as Record<string, unknown>;

describe("every error as a problem document", () => {
  it.each(everyError)("$code has the status of its class, its type and its title", ({ code, kind, error, meaning }) => {
    const answer = problemAnswer(error, "/mconnect/rest/x", "00-trace");
    const status = OTHER[code] ?? STATUS[kind];
    expect(answer.status).toBe(status);
    expect(answer.headers?.["content-type"]).toBe("application/problem+json");
    expect(answer.headers?.["retry-after"]).toBe(status === 429 || status === 503 ? "1" : undefined);
    expect(bodyOf(answer)).toEqual({
      type: `urn:mconnect-bus:error:${code}`,
      title: meaning,
      status,
      ...(kind !== "internal" && { detail: `what happened: ${code}` }),
      instance: "/mconnect/rest/x",
      traceId: "00-trace",
      providerCode: "P-1",
      errors: { "/a/b": ["expected a whole number"] },
    });
  });
});

describe("what a problem says", () => {
  const shown = (places: readonly object[]): unknown =>
    bodyOf(
      problemAnswer(new BusError("json-violation", "x", { places: places.map((place) => ({ text: "t", ...place })) }), "/", undefined),
    )["errors"];
  it("of fields is every fault by its path, or by where it stands", () => {
    expect(shown([{ path: "a" }, { path: "a", text: "u" }, { line: 2 }, { line: 2, column: 5 }, {}])).toEqual({
      a: ["t", "u"],
      "line 2, column 1": ["t"],
      "line 2, column 5": ["t"],
      body: ["t"],
    });
    expect(shown([])).toBeUndefined();
  });
  it("of fields with names that mean something in JavaScript is the same", () => {
    const answer = problemAnswer(
      new BusError("json-violation", "x", {
        places: [
          { path: "__proto__", text: "t" },
          { path: "constructor", text: "t" },
        ],
      }),
      "/",
      undefined,
    );
    expect(String(answer.body)).toContain('"errors":{"__proto__":["t"],"constructor":["t"]}');
  });
  it("of thousands of faults is the first fifty", () => {
    expect(Object.keys(shown(Array.from({ length: 5_000 }, (_, i) => ({ path: `f${i}` }))) as object)).toHaveLength(50);
  });
  it("of when to come again is whole seconds, rounded up", () => {
    for (const [wait, seconds] of [
      [1, "1"],
      [1500, "2"],
      [60_000, "60"],
    ] as const)
      expect(problemAnswer(new BusError("queue-full", "x", { retryAfter: wait }), "/", undefined).headers?.["retry-after"]).toBe(seconds);
  });
  it("with a status of its own keeps everything else", () => {
    expect(problemAnswer(new BusError("http-request", "x"), "/", undefined, 405)).toMatchObject({ status: 405 });
  });
});
