import { describe, expect, it } from "vitest";
import { writePermissions } from "./permissions.ts";

describe("the authorization of a NATS server", () => {
  it("lets each system speak under its own tokens and read its own consumer, and nothing else", () => {
    const text = writePermissions({ user: "bus", password: "$2a$11$abc" }, [{ system: "taxoffice/erp", password: 'p"\\q' }]);
    expect(text).toContain('{ user: "bus", password: "$2a$11$abc", permissions: { publish: ">", subscribe: ">" } }');
    const line = text.split("\n").find((one) => one.includes("taxoffice_2ferp")) ?? "";
    expect(line).toContain('password: "p\\"\\\\q"');
    expect(line.match(/"[^" ]*\.>"/gu)).toEqual([
      '"from.taxoffice_2ferp.>"',
      '"ask.taxoffice_2ferp.>"',
      '"answer.taxoffice_2ferp.>"',
      '"$JS.ACK.MBUS_TO.taxoffice_2ferp.>"',
      '"$JS.ACK.*.*.MBUS_TO.taxoffice_2ferp.>"',
      '"_INBOX.taxoffice_2ferp.>"',
      '"call.taxoffice_2ferp.>"',
    ]);
  });
  it("refuses what would give two systems one name, or a system the bus's rights", () => {
    const bus = { user: "bus", password: "b" };
    const twice = [
      { system: "a/b", password: "1" },
      { system: "a/b", password: "2" },
    ];
    expect(() => writePermissions(bus, twice)).toThrow(expect.objectContaining({ code: "configuration" }));
    expect(() => writePermissions(bus, [{ system: "bus", password: "1" }])).toThrow(expect.objectContaining({ code: "configuration" }));
    expect(() => writePermissions(bus, [{ system: "a", password: "1\n}" }])).toThrow(expect.objectContaining({ code: "configuration" }));
  });
});
