import { readFileSync } from "node:fs";
import { SaxesParser } from "saxes";
import { describe, expect, it } from "vitest";
import { BusError, type ErrorClass, type ErrorCode } from "#bus/errors.ts";
import { compileSoapService } from "#bus/contract/xml/soap.ts";
import { joinPath } from "#bus/contract/xml/schema.ts";
import { everyError } from "#test/harness/every-error.ts";
import { refusal } from "#test/harness/refusal.ts";
import { faultAnswer } from "./fault.ts";

const service = compileSoapService({
  wsdl: "test/fixtures/xml/person.wsdl",
  resolve: (location, base) => readFileSync(joinPath(base, location), "utf8"),
});

/** Side and HTTP status in SOAP 1.1 and in SOAP 1.2 (SOAP 1.1 §6.2, SOAP 1.2 part 2 §7.5.2). */
const TABLE: Readonly<Record<ErrorClass, readonly [side: "sender" | "receiver", in11: number, in12: number]>> = {
  timeout: ["receiver", 500, 500],
  unreachable: ["receiver", 500, 500],
  "provider-unavailable": ["receiver", 503, 503],
  throttled: ["receiver", 503, 503],
  "provider-fault": ["receiver", 500, 500],
  "contract-violation": ["sender", 500, 400],
  "mapping-error": ["sender", 500, 400],
  "access-denied": ["sender", 500, 400],
  "signature-invalid": ["sender", 500, 400],
  "too-large": ["sender", 500, 400],
  duplicate: ["sender", 500, 400],
  expired: ["receiver", 500, 500],
  internal: ["receiver", 500, 500],
};

/** Codes of WS-Security 1.0 §12 for what is wrong with a signature: they stand where a client of that standard looks. */
const STANDARD: Readonly<Partial<Record<ErrorCode, string>>> = {
  "signature-missing": "wsse:InvalidSecurity",
  "signature-shape": "wsse:InvalidSecurity",
  "signature-algorithm": "wsse:UnsupportedAlgorithm",
  "signature-coverage": "wsse:InvalidSecurity",
  "signature-key": "wsse:FailedAuthentication",
  "signature-wrong": "wsse:FailedCheck",
  "signature-expired": "wsu:MessageExpired",
  "signature-replayed": "wsse:InvalidSecurity",
};

const textOf = (answer: ReturnType<typeof faultAnswer>): string => Buffer.from(answer.body ?? "").toString();

describe("every error", () => {
  it.each(
    everyError.flatMap((one) => [
      { ...one, version: "1.1" as const },
      { ...one, version: "1.2" as const },
    ]),
  )("$code is a whole SOAP $version fault of its side, with its status and its code", ({ code, kind, error, version, meaning }) => {
    const [side, in11, in12] = TABLE[kind];
    const answer = faultAnswer(service, version, error, "m-1");
    const xml = textOf(answer);
    const words =
      version === "1.1" ? { sender: "soap:Client", receiver: "soap:Server" } : { sender: "soap:Sender", receiver: "soap:Receiver" };
    expect(answer.status).toBe(version === "1.1" ? in11 : in12);
    expect(answer.headers?.["content-type"]).toBe(version === "1.1" ? "text/xml; charset=utf-8" : "application/soap+xml; charset=utf-8");
    expect(answer.headers?.["x-message-id"]).toBe("m-1");
    expect(answer.headers?.["retry-after"]).toBe(answer.status === 503 ? "1" : undefined);
    expect(xml).toContain(
      version === "1.1"
        ? STANDARD[code] === undefined
          ? `<faultcode>${words[side]}</faultcode>`
          : `">${STANDARD[code]}</faultcode>`
        : `<soap:Code><soap:Value>${words[side]}</soap:Value>`,
    );
    if (version === "1.2" && STANDARD[code] !== undefined) expect(xml).toContain(`">${STANDARD[code]}</soap:Value><soap:Subcode>`);
    expect(xml).toContain(
      version === "1.1" ? `<m:code xmlns:m="urn:mconnect-bus:fault">mbus:${code}</m:code>` : `>m:${code}</soap:Value></soap:Subcode>`,
    );
    expect(xml).toContain('<m:item name="place">/a/b, line 3, column 7, rule type int: expected a whole number</m:item>');
    // What failed inside stays inside.
    expect(xml.includes("what happened")).toBe(kind !== "internal");
    expect(xml).toContain(kind === "internal" ? meaning : `what happened: ${code}`);
    new SaxesParser({ xmlns: true }).write(xml).close();
  });

  it.each(everyError)("$code reads back, in both versions, as a fault of the provider with a code to route by", ({ error }) => {
    for (const version of ["1.1", "1.2"] as const) {
      const back = refusal(() => service.readReply("GetPerson", Buffer.from(textOf(faultAnswer(service, version, error)))));
      const own = version === "1.1" ? `mbus:${error.code}` : error.code;
      expect([back.code, back.providerCode]).toEqual(["provider-fault", STANDARD[error.code]?.replace(/^.*:/u, "") ?? own]);
    }
  });
});

describe("what a fault says", () => {
  it("of when to come again is whole seconds, rounded up, never none", () => {
    for (const [wait, seconds] of [
      [1, "1"],
      [1000, "1"],
      [1001, "2"],
      [90_000, "90"],
      [0, "1"],
    ] as const)
      expect(faultAnswer(service, "1.1", new BusError("rate-exceeded", "x", { retryAfter: wait })).headers?.["retry-after"]).toBe(seconds);
  });
  it("of a document with thousands of faults is the first twenty places", () => {
    const places = Array.from({ length: 5_000 }, (_, i) => ({ path: `/a[${i}]`, text: "x" }));
    const xml = textOf(faultAnswer(service, "1.1", new BusError("xsd-violation", "x", { places })));
    expect(xml.match(/name="place"/gu)).toHaveLength(20);
  });
  it("of a place is as much as is known of it", () => {
    const shown = (place: object): string | undefined =>
      /name="place">([^<]*)</u.exec(
        textOf(faultAnswer(service, "1.1", new BusError("xsd-violation", "x", { places: [{ text: "t", ...place }] }))),
      )?.[1];
    expect([shown({}), shown({ line: 2 }), shown({ path: "/a" }), shown({ rule: "r" }), shown({ line: 2, column: 3, path: "p" })]).toEqual([
      "t",
      "line 2: t",
      "/a: t",
      "rule r: t",
      "p, line 2, column 3: t",
    ]);
  });
  it("is escaped: a message holds what a stranger wrote", () => {
    const xml = textOf(
      faultAnswer(service, "1.2", new BusError("http-request", '</soap:Text><evil a="1">&', { places: [{ path: '"<x>', text: "]]>" }] })),
    );
    expect(xml).not.toContain("<evil");
    new SaxesParser({ xmlns: true }).write(xml).close();
  });
});
