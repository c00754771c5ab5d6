/** The document of tests: cases of one route, with what comes in, what others answer, and what must come out. */
import { ERROR_CLASSES } from "./common.ts";
import {
  anything,
  contractId,
  dictionary,
  file,
  id,
  list,
  map,
  matching,
  moment,
  oneOf,
  systemId,
  text,
  whole,
  yesNo,
  type Schema,
} from "./schema.ts";

const errorClass = oneOf(ERROR_CLASSES, "Class of error.");
const member = anything("Members to compare, by name.", { idnp: "2000000000007" });
const paths = anything("XPath and the text it must give.", { "/e:PersonReply/e:Surname": "RUSU" });

const answer: Schema = map(
  {
    reply: {
      type: ["string", "object"],
      additionalProperties: true,
      description: "File with the reply's bytes, or the reply itself.",
      examples: ["./mock/person.xml", { status: "found" }],
      "x-literal": true,
      "x-kind": "file",
    },
    fail: errorClass,
    code: text("The provider's fault code, with fail: provider-fault.", "PersonNotFound"),
  },
  [],
  "One answer: `reply` or `fail`.",
  { "x-one": ["reply", "fail"] },
);
const mock: Schema = {
  ...answer,
  type: ["object", "array"],
  items: answer,
  description: "One answer, or a list of them in order; the last repeats.",
  examples: [{ fail: "timeout" }],
};

const sent: Schema = {
  ...map(
    {
      contract: contractId("Contract of what was sent.", "person.request.v1"),
      count: whole("How many were sent.", 1, 0),
      json: member,
      xml: paths,
    },
    [],
    "What must have been sent; `none` for nothing.",
  ),
  type: ["object", "string"],
  pattern: "^none$",
  "x-write": "write what was sent, or `none`",
  examples: [{ json: { idnp: "2000000000007" } }, "none"],
};

const given = map(
  {
    from: id("Name of the source.", "erp"),
    file: file("File with the bytes that come in.", "./given/erp-query.xml"),
    json: member,
    headers: dictionary(text("Value.", "T-2026-1"), "Headers.", { "case-number": "T-2026-1" }),
    system: systemId("System that sends; default: the source's system.", "taxoffice/erp"),
    call: map(
      {
        user: text("IDNP of the person behind the call.", "2000000000007"),
        entity: text("IDNO of the calling entity.", "1003600034203"),
        basis: text("Legal basis.", "§ 27(1)2", { maxLength: 256 }),
        reason: text("Purpose.", "tax-assessment", { maxLength: 512 }),
      },
      [],
      "Call context.",
    ),
  },
  [],
  "What comes in: `file` or `json`.",
  { "x-one": ["file", "json"] },
);

const expected = map(
  {
    reply: map({ ok: yesNo("A reply came.", true), json: member, xml: paths }, [], "What the caller gets."),
    sent: dictionary(sent, "What went out, by branch.", { to: { json: { idnp: "2000000000007" } } }),
    tapped: dictionary(sent, "What was tapped, by topic.", { "audit.person.v1": { count: 1 } }),
    journal: anything("Members of the last journal record.", { outcome: "ok" }),
    fault: errorClass,
    code: text("Code of the error.", "grant-expired"),
    attempts: whole("Attempts made.", 3, 0, 1000),
    elapsed: matching("^[<>] *[0-9.]+(ms|s|m|h|d)$", 'write `"< 9s"` or `"> 1s"`', "Virtual time it took.", "< 9s", { "x-kind": "bounds" }),
    dropped: yesNo("The message was dropped.", true),
    deadletters: whole("Dead letters made.", 1, 0, 1000),
  },
  [],
  "What must come out.",
  { minProperties: 1 },
);

const oneCase = map(
  {
    name: text("What is shown, as a sentence.", "a known person comes back", { maxLength: 200 }),
    at: moment("Virtual time at the start.", "2026-05-04T09:00:00Z"),
    given,
    mocks: dictionary(mock, "Answers by branch (`to`) or enriched contract.", { to: { fail: "timeout" } }),
    expect: expected,
  },
  ["name", "given", "expect"],
  "One case.",
);

export const testSchema: Schema = map(
  {
    bus: text("Kind and version of this document.", "test/v1"),
    route: id("Route under test.", "person-lookup"),
    cases: list(oneCase, "Cases.", [{ name: "a known person comes back" }], { minItems: 1 }),
  },
  ["bus", "route", "cases"],
  "Tests of a route.",
);
