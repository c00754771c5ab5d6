import { describe, expect, it } from "vitest";
import { refusal } from "#test/harness/refusal.ts";
import { checkAction, contentType, readMedia, versionOf } from "./media.ts";

describe("a content type", () => {
  it.each<[string, "1.1" | "1.2", string | undefined]>([
    ["text/xml", "1.1", undefined],
    ["text/xml; charset=utf-8", "1.1", undefined],
    ["TEXT/XML;CHARSET=UTF-8", "1.1", undefined],
    ['text/xml; charset="utf-8"', "1.1", undefined],
    [" text/xml ; charset = utf-8 ", "1.1", undefined],
    ["application/soap+xml", "1.2", undefined],
    ['application/soap+xml; charset=utf-8; action="urn:x/Do"', "1.2", "urn:x/Do"],
    ["application/soap+xml; action=urn:x", "1.2", "urn:x"],
    ['application/soap+xml; action="urn:x;y=1"; charset=utf-8', "1.2", "urn:x;y=1"],
    ['application/soap+xml; action="say \\"hi\\""', "1.2", 'say "hi"'],
    ['application/soap+xml; action=""', "1.2", ""],
    ["text/xml; boundary=x; start", "1.1", undefined],
    ["text/xml; charset=utf-8; charset=utf-8", "1.1", undefined],
    ['application/soap+xml; action="a"; action="a"', "1.2", "a"],
  ])("%s is SOAP %s with the action %s", (text, version, action) => {
    expect(readMedia(text)).toEqual({ version, action });
    expect(readMedia(text)).toEqual({ version, action });
    expect(versionOf(text)).toBe(version);
  });

  it.each([
    ["", "Content-Type is"],
    ["application/xml", "send text/xml for SOAP 1.1"],
    ["application/json", "send text/xml"],
    ["text/xmlx", "send text/xml"],
    ['multipart/related; type="text/xml"', "send text/xml"],
    ['multipart/related; type="application/xop+xml"; start-info="text/xml"', "send text/xml"],
    ["text/xml; charset=iso-8859-1", 'the charset is "iso-8859-1"'],
    ["text/xml; charset=utf-16", 'the charset is "utf-16"'],
    ['text/xml; charset="utf-7"', 'the charset is "utf-7"'],
    ["text/xml; charset=", 'the charset is ""'],
    ["text/xml; charset=utf-8; charset=utf-16", 'the charset is "utf-16"'],
    ["text/xml; charset=utf-16; charset=utf-8", 'the charset is "utf-16"'],
    ['application/soap+xml; action="Read"; action="Delete"', "names two actions"],
  ])("%j is refused: %s", (text, hint) => {
    const error = refusal(() => readMedia(text));
    expect([error.code, error.message]).toEqual(["media-type", expect.stringContaining(hint)]);
  });

  it("that is missing is SOAP 1.1 for the fault that says so", () => {
    expect(refusal(() => readMedia(undefined)).code).toBe("media-type");
    expect([versionOf(undefined), versionOf("application/json"), versionOf("application/soap+xml; charset=x")]).toEqual([
      "1.1",
      "1.1",
      "1.2",
    ]);
  });

  it("from a stranger is not repeated at its full length, nor remembered without bound", () => {
    const long = `application/${"x".repeat(10_000)}`;
    expect(refusal(() => readMedia(long)).message.length).toBeLessThan(200);
    for (let i = 0; i < 1_000; i++) expect(readMedia(`text/xml; x=${i}`).version).toBe("1.1");
    expect(readMedia('application/soap+xml; action="after"').action).toBe("after");
  });

  it("that we write is one that we read, with its action", () => {
    for (const version of ["1.1", "1.2"] as const)
      for (const action of [undefined, "", "urn:x/Do", "urn:x;y"]) {
        const read = readMedia(contentType(version, action));
        expect(read).toEqual({ version, action: version === "1.2" && action !== "" ? action : undefined });
      }
  });
});

describe("an action", () => {
  const declared = "urn:registry/GetPerson";
  it.each([
    undefined,
    "",
    '""',
    declared,
    `"${declared}"`,
    "GetPerson",
    '"GetPerson"',
    "http://x/y#GetPerson",
    "urn:a:GetPerson",
    "http://x/GetPersonRequest",
    ` "${declared}" `,
  ])("%j fits the operation of the body", (action) => {
    expect(() => checkAction("SOAPAction", action, "GetPerson", declared)).not.toThrow();
  });
  it.each([
    "Delete",
    "urn:registry/Delete",
    "getperson",
    "GetPersonX",
    "urn:registry/GetPerson/Delete",
    "GetPerson, Delete",
    "x".repeat(5_000),
  ])("%j names another one, and is refused with its place", (action) => {
    const error = refusal(() => checkAction("SOAPAction", action, "GetPerson", declared));
    expect([error.code, error.places[0]?.path]).toEqual(["soap-action", "SOAPAction"]);
    expect(error.message.length).toBeLessThan(400);
  });
  it("of a service that declares none is asked for by the operation's name", () => {
    expect(refusal(() => checkAction("wsa:Action", "Delete", "GetPerson", "")).message).toContain('send "GetPerson"');
  });
});
