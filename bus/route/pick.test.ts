import { expect, it } from "vitest";
import { messageOf } from "#test/harness/message.ts";
import { pickFields } from "./pick.ts";

const message = messageOf(
  { status: "found", residence: { country: "MD", street: "x" }, children: [{ name: "a" }, { name: "b" }], none: null },
  { call: { user: "2000000000001", reason: "tax" }, headers: { "case-number": "T-1", "a.b": "dotted" } },
);

it.each<[string, readonly string[], unknown]>([
  ["a field", ["status"], { status: "found" }],
  ["a nested field, and nothing beside it", ["residence.country"], { residence: { country: "MD" } }],
  ["two of one record together", ["residence.street", "residence.country"], { residence: { street: "x", country: "MD" } }],
  ["the call context", ["call.user"], { call: { user: "2000000000001" } }],
  ["a header under its own name", ["headers.case-number"], { "case-number": "T-1" }],
  ["a header whose name has a dot", ["headers.a.b"], { "a.b": "dotted" }],
  ["a field of each item of a list", ["children.name"], { children: { name: ["a", "b"] } }],
  ["null, which is something", ["none"], { none: null }],
  ["nothing that is not there", ["missing", "residence.missing", "call.entity", "headers.missing"], {}],
])("takes %s", (_, fields, expected) => {
  expect(pickFields(message, fields)).toEqual(expected);
});
