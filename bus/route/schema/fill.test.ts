/** `${var:…}` and `${secret:…}`: filled in once, into texts, from what the stage says; everything else is told at its place. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fill, fillSecrets, maskSecrets } from "./fill.ts";

const vars = { "a.b": "1", "statistics.url": "https://stat.example", empty: "" };
const filled = (text: string): unknown => fill(text, false, vars);

describe("a variable", () => {
  it.each([
    ["no variable at all", "no variable at all"],
    ["<${var:a.b}>", "<1>"],
    ["${var:a.b}${var:a.b}-${var:empty}.", "11-."],
    ["$ { } $a {b} $$ }{ {{x}}", "$ { } $a {b} $$ }{ {{x}}"],
    ["price: 5$", "price: 5$"],
  ])("stands where it is written: %s", (text, value) => expect(filled(text)).toEqual({ value }));

  it.each([
    [
      "that is not set",
      "x ${var:a.c}",
      "unset-variable",
      2,
      "variable `a.c` has no value; add it under `vars:` of the environment, or set MBUS_VAR_A_C",
    ],
    ["that every object inherits", "${var:constructor}", "unset-variable", 0, "variable `constructor` has no value"],
    ["written like a shell's", "${HOME}/x", "bad-variable", 0, "`${HOME}` is not filled in; write `${var:HOME}` or `${secret:HOME}`"],
    ["of another source", "${env:HOME}", "bad-variable", 0, "`${env:HOME}` is not filled in; write `${var:HOME}` or `${secret:HOME}`"],
    ["of a template, outside of one", "a ${param:x}", "bad-variable", 2, "`${param:x}` is not filled in"],
    ["with a space before its name", "${var: a.b}", "bad-variable", 0, "write `${var:a.b}`"],
    ["in capitals", "${VAR:a.b}", "bad-variable", 0, "write `${var:a.b}`"],
    ["with a default, as elsewhere", "${var:a.b:-2}", "bad-variable", 0, "`${var:a.b:-2}` is not filled in"],
    ["without a name", "${var:}", "bad-variable", 0, "write `${var:name}`"],
    ["that never ends", "https://${var:a.b/path", "bad-variable", 8, "`${` begins a name that is not written to its end"],
    ["that ends in another one", "${var:${var:a.b}}", "bad-variable", 0, "`${` begins a name that is not written to its end"],
    ["between doubled braces", "x${{var:a.b}}", "bad-variable", 1, "`${` begins a name that is not written to its end"],
    ["after a sound one", "${var:a.b} ${var:", "bad-variable", 11, "`${` begins a name that is not written to its end"],
  ])("%s is told at its place: %s", (_, text, rule, offset, words) => {
    const found = fill(text, false, vars);
    expect(found).toMatchObject({ rule, offset });
    expect("fault" in found ? found.fault : "").toContain(words);
  });

  it("says which name was meant, or which there are", () => {
    expect(fill("${var:statistic.url}", false, vars)).toMatchObject({ fault: expect.stringContaining("did you mean `statistics.url`?") });
    expect(fill("${var:zzzzzzzzzzz}", false, vars)).toMatchObject({
      fault: expect.stringContaining("known are a.b, statistics.url, empty"),
    });
  });

  it.each(["${secret:token}", "x${var:a.b}", "${", "a${HOME}"])(
    "whose own value is %j is refused where it is used: nothing is filled in twice",
    (value) => {
      expect(fill("<${var:nested}>", true, { ...vars, nested: value })).toMatchObject({
        rule: "bad-variable",
        offset: 1,
        fault: "the value of variable `nested` holds `${` itself, and nothing is filled in twice; give the variable its whole value",
      });
    },
  );
});

describe("a secret", () => {
  it("stays as it is written where it may stand, and is refused anywhere else", () => {
    expect(fill("Bearer ${secret:s/t}", true, vars)).toEqual({ value: "Bearer ${secret:s/t}" });
    expect(fill("a ${secret:s}", false, vars)).toMatchObject({ rule: "secret-misplaced", offset: 2 });
  });

  it("is shown to nobody", () => {
    expect(maskSecrets("Bearer ${secret:s/t} and ${secret:u}")).toBe("Bearer *** and ***");
    expect(maskSecrets("nothing ${var:x}")).toBe("nothing ${var:x}");
  });

  it("is put in as it stands, whatever it holds", () => {
    const held: Readonly<Record<string, string>> = { s: "$& $1 $$", t: "${secret:s}" };
    const secret = (name: string): string => held[name] ?? "";
    expect(fillSecrets("A ${secret:s} ${secret:s}", secret)).toBe("A $& $1 $$ $& $1 $$");
    expect(fillSecrets("${secret:t}", secret)).toBe("${secret:s}");
  });

  it("that is not there ends the filling with the reason of whoever keeps it", () => {
    const secret = (name: string): string => {
      throw new Error(`secret ${name} is not set`);
    };
    expect(() => fillSecrets("x ${secret:gone}", secret)).toThrow("secret gone is not set");
    expect(fillSecrets("x", secret)).toBe("x");
  });
});

describe("any text", () => {
  const piece = fc.oneof(fc.constantFrom("${", "}", "$", "{", "var:", "secret:", "a.b", "param:", ":", " "), fc.string({ maxLength: 4 }));
  const text = fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join(""));

  it("is filled in so that nothing is left to fill, or has a fault that points into it", () => {
    fc.assert(
      fc.property(text, fc.boolean(), (given, secretAllowed) => {
        const found = fill(given, secretAllowed, vars);
        if ("value" in found) {
          expect(found.value.replaceAll(/\$\{secret:[A-Za-z0-9][A-Za-z0-9._/-]*\}/g, "")).not.toContain("${");
          expect(fill(found.value, secretAllowed, {})).toEqual({ value: found.value });
        } else expect(given.slice(found.offset)).toMatch(/^\$\{/);
      }),
      { numRuns: 1000 },
    );
  });

  it("without a dollar and a brace is itself", () => {
    fc.assert(
      fc.property(
        fc.string().filter((given) => !given.includes("${")),
        (given) => {
          expect(fill(given, false, vars)).toEqual({ value: given });
        },
      ),
    );
  });

  it("shows no name of a secret once it is masked", () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom("${secret:hidden}", "a", "${var:x}", "}", "$"), { maxLength: 8 }), (pieces) => {
        expect(maskSecrets(pieces.join(""))).not.toContain("hidden");
      }),
    );
  });
});
