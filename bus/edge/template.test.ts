import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { messageOf } from "#test/harness/message.ts";
import { compileOnly, compileTemplate, fieldsOf } from "./template.ts";

const plain = (text: string | undefined): string => text ?? "";
const message = messageOf(
  { name: "Ana", home: { city: "Bălți" }, count: 7, nothing: null, list: [1, 2] },
  { id: "m-9", headers: { "case-number": "D-1" }, call: { reason: "audit" } },
);
const fill = (template: string): string => compileTemplate(template, plain)(message);

describe("a template", () => {
  it.each([
    ["no field", "no field"],
    ["", ""],
    ["{name}", "Ana"],
    ["Dear {name} of {home.city}, {count}!", "Dear Ana of Bălți, 7!"],
    ["{name}{name}", "AnaAna"],
    ["{headers.case-number}/{call.reason}/{$id}", "D-1/audit/m-9"],
    ["{nothing}|{missing}|{home.street}", "||"],
    ["{list}", "[1,2]"],
  ])("%j reads fields and facts of the message", (template, wanted) => {
    expect(fill(template)).toBe(wanted);
  });

  it.each(["p { color: red }", "{}", "{ name }", "{1}", "{a b}", "{{}}", "{", "}", "{name"])("leaves %j as it stands", (template) => {
    expect(fill(template)).toBe(template);
  });

  it("never reads a value again, whatever stands in it", () => {
    expect(compileTemplate("{name}{count}", plain)(messageOf({ name: "{count}", count: "{name}" }))).toBe("{count}{name}");
  });

  it("gives each value to the encoder of the place, with its path, and takes only what that says", () => {
    const seen: unknown[] = [];
    const encode = (text: string | undefined, path: string): string => (seen.push([path, text]), "x");
    expect(compileTemplate("a{name}b{nothing}c", encode)(message)).toBe("axbxc");
    expect(seen).toEqual([
      ["name", "Ana"],
      ["nothing", undefined],
    ]);
  });

  it.each(["{name..x}", "{$other}", "{a.__proto__}"])("%j is refused when it is made, not when it is used", (template) => {
    expect(() => compileTemplate(template, plain)).toThrow(expect.objectContaining({ code: "configuration" }) as Error);
  });

  it("keeps everything around a value, whatever the value is", () => {
    fc.assert(
      fc.property(fc.string(), fc.stringMatching(/^[^{}]*$/u), fc.stringMatching(/^[^{}]*$/u), (value, before, after) => {
        expect(compileTemplate(`${before}{v}${after}`, plain)(messageOf({ v: value }))).toBe(before + value + after);
      }),
    );
  });
});

it("the fields of a template are told in order", () => {
  expect(fieldsOf("{b} {a.c} {b} {$id} { no }")).toEqual(["b", "a.c", "b", "$id"]);
});

describe("a template that is one field", () => {
  it("gives the value itself", () => {
    expect(compileOnly("{list}")?.(message)).toEqual([1, 2]);
    expect(compileOnly("{nothing}")?.(message)).toBeNull();
  });
  it.each(["", "text", "{name} ", "{name}{name}", "{name}x{name}"])("is not %j", (template) => {
    expect(compileOnly(template)).toBeUndefined();
  });
});
