/** One edit in one good file gives one message: where it is, which rule speaks, and what to write instead. */
import { describe, expect, it } from "vitest";
import { adapters } from "#adapters/registry.ts";
import { filesFrom, textsOf } from "#test/files-of.ts";
import { formatFinding } from "../findings.ts";
import { lintFiles } from "./lint.ts";

const good = textsOf("test/good");
const now = Date.parse("2026-06-01T00:00:00Z");

/** What was done, the text that was replaced and by what, and the finding. */
type Edit = readonly [what: string, from: string, to: string, finding: string];

const EDITS: Readonly<Record<string, readonly Edit[]>> = {
  "config/policies.yaml": [
    [
      "a policy that leans on one that is not there",
      "deliver:\n",
      "deliver:\n  use: nowhere\n",
      "config/policies.yaml:4:8  error  unknown-policy  there is no policy `nowhere`; known are async-standard",
    ],
  ],
  "config/systems.yaml": [
    [
      "a system without institution",
      "institution",
      "institutions",
      "config/systems.yaml:4:1  error  unknown-field  there is no field `institutions`; did you mean `institution`?",
    ],
  ],
  "contracts/contracts.yaml": [
    [
      "a query without a reply",
      "reply: { id: person.response.v1, schema: ./person.response.v1.avsc }\nrequires",
      "requires",
      "contracts/contracts.yaml:1:1  error  contract-mismatch  a query has a reply; write `reply: { id: …, schema: … }`",
    ],
    [
      "an event with a reply",
      "pattern: event\nschema: ./person.changed.v1.avsc",
      "pattern: event\nreply: { id: person.response.v1, schema: ./person.response.v1.avsc }\nschema: ./person.changed.v1.avsc",
      "contracts/contracts.yaml:16:8  error  contract-mismatch  an event has no reply; remove `reply`, or write `pattern: query`",
    ],
    [
      "a schema file that is missing",
      "./vehicle.registered.v1.avsc",
      "./vehicle.registred.v1.avsc",
      "contracts/contracts.yaml:24:9  error  file-missing  `schema`: there is no file contracts/vehicle.registred.v1.avsc; did you mean contracts/vehicle.registered.v1.avsc?",
    ],
    [
      "a subject that is no field",
      "requires: [user, entity, basis, reason]\nsubject: idnp",
      "requires: [user, entity, basis, reason]\nsubject: idpn",
      "contracts/contracts.yaml:9:10  error  contract-field  `person.request.v1` has no field `idpn`; did you mean `idnp`?",
    ],
    [
      "a required value that a call has not",
      "requires: [user, entity, basis, reason]",
      "requires: [user, entity, basis, reasons]",
      "contracts/contracts.yaml:8:33  error  unknown-word  `requires`: `reasons` is not known here; did you mean `reason`?",
    ],
    [
      "a compatibility level that is none",
      "compatibility: full",
      "compatibility: total",
      "contracts/contracts.yaml:25:16  error  unknown-word  `compatibility`: `total` is not known here; known are backward, forward, full, none",
    ],
  ],
  "contracts/person.changed.v1.avsc": [
    [
      "a schema that is no record",
      '"record"',
      '"enum"',
      "contracts/contracts.yaml:16:9  error  bad-schema  contracts/person.changed.v1.avsc is no Avro record in JSON; check it with `mbus contract check`",
    ],
  ],
  "routes/benefit-register.yaml": [
    [
      "a filter on a field that is not there",
      "{ field: amount, notEquals: 0 }",
      "{ field: amont, notEquals: 0 }",
      "routes/benefit-register.yaml:11:30  error  contract-field  `benefit.register.v1` has no field `amont`; did you mean `amount`?",
    ],
    [
      "two tests in one condition",
      "{ field: amount, notEquals: 0 }",
      "{ field: amount, notEquals: 0, exists: true }",
      "routes/benefit-register.yaml:11:30  error  bad-expression  a test of `amount` takes exactly one of equals, notEquals, in, exists, matches, here are notEquals and exists",
    ],
    [
      "no test in a condition",
      "{ field: amount, notEquals: 0 }",
      "{ field: amount }",
      "routes/benefit-register.yaml:11:30  error  bad-expression  a test of `amount` takes exactly one of equals, notEquals, in, exists, matches",
    ],
    [
      "a pattern that cannot be read",
      "{ field: amount, notEquals: 0 }",
      '{ field: amount, matches: "[0-9" }',
      "routes/benefit-register.yaml:11:47  error  bad-expression  `[0-9` is no pattern; check its brackets and backslashes",
    ],
    [
      "a tests reference that leads nowhere",
      "./tests/benefit-register.test.yaml",
      "./tests/benefit.test.yaml",
      "routes/benefit-register.yaml:15:8  error  file-missing  `tests`: there is no file routes/tests/benefit.test.yaml; did you mean routes/tests/benefit-register.test.yaml?",
    ],
    [
      "an adapter option of the wrong kind",
      "path: /benefits",
      "path: [a]",
      "routes/benefit-register.yaml:14:17  error  wrong-type  `path` takes a text, here stands a list",
    ],
    [
      "a step of two steps",
      "- filter: { when: { field: amount, notEquals: 0 } }",
      "- filter: { when: { field: amount, notEquals: 0 } }\n    tap: { topic: a.b.v1, fields: [amount] }",
      "routes/benefit-register.yaml:12:5  error  two-keys  a step has exactly one key, here are `filter` and `tap`; begin each step with `- `",
    ],
    [
      "two contracts at once",
      "{ command: benefit.register.v1 }",
      "{ command: benefit.register.v1, event: person.changed.v1 }",
      "routes/benefit-register.yaml:5:43  error  one-of  `contract` takes exactly one of request, command, event, here are `command` and `event`; keep one",
    ],
    [
      "two sources of one name",
      "    http: { path: /commands/benefit, method: POST }\n",
      "    http: { path: /commands/benefit, method: POST }\n  - name: any\n    http: { path: /commands/other }\n",
      "routes/benefit-register.yaml:9:11  error  duplicate-name  a source of this route is called `any` already; give this one another name",
    ],
    [
      "an adapter that is not there",
      "    http: { path: /commands/benefit, method: POST }",
      "    htp: { path: /commands/benefit, method: POST }",
      "routes/benefit-register.yaml:8:5  error  unknown-field  there is no field `htp`; did you mean `http`?",
    ],
    [
      "an adapter nobody knows",
      "    http: { path: /commands/benefit, method: POST }",
      "    kafka: { topic: benefit }",
      "routes/benefit-register.yaml:8:5  error  unknown-adapter  there is no adapter `kafka`; known are soap, http, file, sftp, postgres, nats, amqp, topic",
    ],
  ],
  "routes/person-changed.yaml": [
    [
      "two branches of one name",
      "- name: statistics\n",
      "- name: benefits\n",
      "routes/person-changed.yaml:17:11  error  duplicate-name  a branch of this route is called `benefits` already, and each message would reach only one of them; give this one another name",
    ],
    [
      "an order by a field that is not there",
      "order: { by: personKey }",
      "order: { by: persnKey }",
      "routes/person-changed.yaml:10:14  error  order-key  `person.changed.v1` has no field `persnKey`; did you mean `personKey`?",
    ],
    [
      "a second route at one address",
      "path: /events/person-changed",
      "path: /commands/benefit",
      "routes/person-changed.yaml:9:19  error  same-path  route `benefit-register` (routes/benefit-register.yaml:1) already takes POST /commands/benefit; give this one another path",
    ],
    [
      "a variable without a value",
      "${var:statistics.url}",
      "${var:statistics.uri}",
      "routes/person-changed.yaml:20:19  error  unset-variable  variable `statistics.uri` has no value; add it under `vars:` of the environment, or set MBUS_VAR_STATISTICS_URI; did you mean `statistics.url`?",
    ],
    [
      "a secret where everybody sees it",
      '"${var:statistics.url}/events"',
      '"${secret:statistics.url}/events"',
      "routes/person-changed.yaml:20:19  error  secret-misplaced  `${secret:statistics.url}` may not stand here: this field is shown in logs and the console; secrets go only into fields made for them, for example `auth`",
    ],
  ],
  "routes/person-lookup.yaml": [
    [
      "a grant for a producer of a query",
      "consumer: taxoffice/erp\ncontract: person.request.v1",
      "producer: taxoffice/erp\ncontract: person.request.v1",
      "routes/person-lookup.yaml:74:11  error  grant-role  a query has consumers only; write `consumer: taxoffice/erp`",
    ],
    [
      "a grant that ends before it begins",
      "valid: { from: 2026-01-01, until: 2026-12-31 }\nquota",
      "valid: { from: 2026-12-31, until: 2026-01-01 }\nquota",
      "routes/person-lookup.yaml:78:8  error  grant-period  `until` is not after `from`",
    ],
    [
      "a grant that begins later",
      "valid: { from: 2026-01-01, until: 2026-12-31 }\nquota",
      "valid: { from: 2026-07-01, until: 2026-12-31 }\nquota",
      "routes/person-lookup.yaml:78:16  error  grant-expired  grant `taxoffice-person-2026` begins only on 2026-07-01, and route `person-lookup` needs it for `taxoffice/erp`; its owner `data-protection-officer` can change `valid`",
    ],
    [
      "a grant for a system nobody registered",
      "consumer: taxoffice/erp\ncontract",
      "consumer: taxofice/erp\ncontract",
      "routes/person-lookup.yaml:74:11  error  unknown-system  there is no system `taxofice/erp`; did you mean `taxoffice/erp`?",
    ],
    [
      "a grant for a contract that is not there",
      "contract: person.request.v1\nlegalBasis",
      "contract: person.reqest.v1\nlegalBasis",
      "routes/person-lookup.yaml:75:11  error  unknown-contract  there is no contract `person.reqest.v1`; did you mean `person.request.v1`?",
    ],
    [
      "a quota of zero",
      "quota: 5000/day",
      "quota: 0/day",
      "routes/person-lookup.yaml:79:8  error  bad-quota  `quota`: `0/day` is not a count per period; write for example 20/s, 600/minute or 5000/day",
    ],
    [
      "a quota per fortnight",
      "quota: 5000/day",
      "quota: 5000/fortnight",
      "routes/person-lookup.yaml:79:8  error  bad-quota  `quota`: `5000/fortnight` is not a count per period; write for example 20/s, 600/minute or 5000/day",
    ],
    [
      "a journal index of a field that is not there",
      "index: [headers.case-number, headers.official-id]",
      "index: [headers.case-number, purposCode]",
      "routes/person-lookup.yaml:68:66  error  contract-field  `person.request.v1` has no field `purposCode`; did you mean `purposeCode`?",
    ],
    [
      "a tap of a field that is not there",
      "fields: [purposeCode, headers.case-number]",
      "fields: [purposeCod, headers.case-number]",
      "routes/person-lookup.yaml:32:60  error  contract-field  `person.request.v1` has no field `purposeCod`; did you mean `purposeCode`?",
    ],
    [
      "a dedupe key that is no field",
      "key: headers.message-id",
      "key: purposeCods",
      "routes/person-lookup.yaml:25:20  error  contract-field  `person.request.v1` has no field `purposeCods`; did you mean `purposeCode`?",
    ],
    [
      "a failure code without provider-fault",
      "- on: [provider-fault]\n    code: PersonNotFound",
      "- on: [timeout]\n    code: PersonNotFound",
      "routes/person-lookup.yaml:61:11  error  failure-rule  `code` goes only with `on: [provider-fault]`",
    ],
    [
      "a reply given where none is sent",
      "do: reply\n    with: { status: not-found }",
      "do: reject\n    with: { status: not-found }",
      "routes/person-lookup.yaml:63:11  error  failure-rule  `with` goes only with `do: reply`",
    ],
    [
      "a WSDL of another name",
      "wsdl: ./wsdl/erp.wsdl",
      "wsdl: ./wsdl/epr.wsdl",
      "routes/person-lookup.yaml:13:13  error  file-missing  `wsdl`: there is no file routes/wsdl/epr.wsdl; did you mean routes/wsdl/erp.wsdl?",
    ],
    [
      "a state that is none",
      "state: active",
      "state: activ",
      "routes/person-lookup.yaml:6:8  error  unknown-word  `state`: `activ` is not known here; did you mean `active`?",
    ],
    [
      "a text where a block belongs",
      "access:\n  grant: taxoffice-person-2026\n  require: [headers.official-id, headers.case-number]",
      "access: taxoffice-person-2026",
      "routes/person-lookup.yaml:20:9  error  wrong-type  `access` takes a block of keys, here stands a single value",
    ],
    [
      "a required header of no form",
      "require: [headers.official-id, headers.case-number]",
      "require: [official-id]",
      "routes/person-lookup.yaml:22:13  error  bad-form  `require`: `official-id` does not fit; write `headers.` and the header's name in lower case, for example `headers.case-number`",
    ],
    [
      "a deadline without unit",
      "deadline: 9s",
      "deadline: 9",
      "routes/person-lookup.yaml:41:13  error  bad-duration  `deadline`: `9` has no unit; write `9s`",
    ],
    [
      "a deadline that the attempts do not fit into",
      "deadline: 9s",
      "deadline: 5s",
      "routes/person-lookup.yaml:41:13  error  deadline-too-short  deadline 5s, but 3 attempts × 2500ms + backoff ≤ 600ms = 8.1s; raise deadline or lower attempt.timeout",
    ],
    [
      "attempts beyond reason",
      "attempts: 3",
      "attempts: 100000",
      "routes/person-lookup.yaml:45:15  error  out-of-range  `attempts`: 100000 is outside 1..1000",
    ],
    [
      "attempts that are no number",
      "attempts: 3",
      "attempts: 2.5",
      "routes/person-lookup.yaml:45:15  error  wrong-type  `attempts`: write a whole number instead of `2.5`",
    ],
    [
      "jitter of an unknown kind",
      "jitter: full",
      "jitter: ful",
      "routes/person-lookup.yaml:46:58  error  unknown-word  `jitter`: `ful` is not known here; did you mean `full`?",
    ],
    [
      "a retry of what never gets better",
      "on: [timeout, unreachable, provider-unavailable, provider-fault:Busy]",
      "on: [timeout, access-denied]",
      "routes/person-lookup.yaml:44:19  error  retry-class  `on`: `access-denied` gives the same result every time, so it is never retried; known are timeout, unreachable, provider-unavailable, throttled and provider-fault:CODE",
    ],
    [
      "a retry of any fault of the provider",
      "provider-fault:Busy]",
      "provider-fault]",
      "routes/person-lookup.yaml:44:54  error  retry-class  `on`: a provider-fault is retried only with its code; write `provider-fault:CODE`",
    ],
    [
      "a retry code of a class that has none",
      "provider-fault:Busy]",
      "timeout:Busy]",
      "routes/person-lookup.yaml:44:54  error  retry-class  `on`: only provider-fault takes a code; write `timeout`",
    ],
    [
      "a breaker that opens at more than all",
      "openAtFailureRate: 50%",
      "openAtFailureRate: 150%",
      "routes/person-lookup.yaml:51:24  error  bad-percent  `openAtFailureRate`: `150%` is outside 1%..100%",
    ],
    [
      "a window of retention in months",
      "keep: 7y",
      "keep: 84months",
      "routes/person-lookup.yaml:68:33  error  bad-duration  `keep`: `months` is no unit of duration; the units are ms, s, m, h, d, w, y",
    ],
    [
      "an unknown word for the payload",
      "payload: full",
      "payload: all",
      "routes/person-lookup.yaml:68:21  error  unknown-word  `payload`: `all` is not known here; known are full, hash, none",
    ],
    [
      "an empty choose",
      '- choose:\n      - when: { jsonata: "$length(idnp) != 13" }\n        steps:\n          - reject: { code: bad-idnp, reason: An IDNP has 13 digits }\n      - otherwise: true\n        steps:\n          - tap: { topic: audit.person-lookup.v1, fields: [purposeCode, headers.case-number] }',
      "- choose: []",
      "routes/person-lookup.yaml:26:13  error  choose-otherwise  `choose` has no `otherwise`; add the case `- otherwise: true` with its `steps:` at the end, `steps: []` if there is nothing to do",
    ],
  ],
  "routes/tests/person-lookup.test.yaml": [
    [
      "a test of a source that the route has not",
      '{ from: erp, file: ./given/erp-query.xml, headers: { official-id: "A77", case-number: "T-2026-1" } }\n    mocks: { to: { reply: ./mock',
      '{ from: epr, file: ./given/erp-query.xml, headers: { official-id: "A77", case-number: "T-2026-1" } }\n    mocks: { to: { reply: ./mock',
      "routes/tests/person-lookup.test.yaml:6:20  error  unknown-source  route `person-lookup` has no source `epr`; known are erp",
    ],
    [
      "a test of a branch that the route has not",
      "sent: { to: none }",
      "sent: { too: none }",
      "routes/tests/person-lookup.test.yaml:19:50  error  unknown-branch  route `person-lookup` sends nothing to `too`; did you mean `to`?",
    ],
    [
      "a test file that is not there",
      "./mock/registry-person.xml",
      "./mock/registry-persn.xml",
      "routes/tests/person-lookup.test.yaml:7:27  error  file-missing  `reply`: there is no file routes/tests/mock/registry-persn.xml; did you mean routes/tests/mock/registry-person.xml?",
    ],
    [
      "a test whose bound has no sign",
      'elapsed: "< 9s"',
      "elapsed: 9s",
      'routes/tests/person-lookup.test.yaml:15:37  error  bad-duration  `elapsed`: `9s` is no bound; write `"< 9s"` or `"> 1s"`',
    ],
    [
      "a test without anything expected",
      'expect: { attempts: 3, elapsed: "< 9s", reply: { ok: true } }',
      "expect: {}",
      "routes/tests/person-lookup.test.yaml:15:13  error  empty  `expect` is empty; known here: reply, sent, tapped, journal, fault, code, attempts, elapsed, dropped, deadletters",
    ],
    [
      "a class of error that is none",
      "fault: access-denied",
      "fault: access-denid",
      "routes/tests/person-lookup.test.yaml:19:22  error  unknown-word  `fault`: `access-denid` is not known here; did you mean `access-denied`?",
    ],
  ],
  "routes/vehicle-import.yaml": [
    [
      "an event answered by a failure rule",
      "mapping-error]\n    do: deadletter",
      "mapping-error]\n    do: reply",
      "routes/vehicle-import.yaml:25:9  error  failure-rule  an event cannot be answered; write deadletter, drop, reject or stop",
    ],
    [
      "an XSD that is not there",
      "./xsd/vehicles.xsd",
      "./xsd/vehicle.xsd",
      "routes/vehicle-import.yaml:17:101  error  file-missing  `xsd`: there is no file routes/xsd/vehicle.xsd; did you mean routes/xsd/vehicles.xsd?",
    ],
    [
      "a schedule that is no cron line",
      'cron: "30 2 * * 1-6"',
      'cron: "half past two"',
      "routes/vehicle-import.yaml:9:23  error  bad-schedule  `half past two` is no cron line (invalid configuration format ('half past two'), exactly five, six, or seven space separated parts are required.); write minute hour day month weekday, for example `30 2 * * 1-6`",
    ],
    [
      "a parameter of the wrong type",
      "with: { consumer: benefits/core, path: /incoming/vehicles }",
      "with: { consumer: benefits/core, attempts: many }",
      "routes/vehicle-import.yaml:62:44  error  wrong-type  `attempts`: takes a value of type integer",
    ],
    [
      "a parameter that is missing",
      "with: { consumer: benefits/core, path: /incoming/vehicles }",
      "with: { path: /incoming/vehicles }",
      "routes/vehicle-import.yaml:62:7  error  missing-parameter  `with` has no `consumer` (System that receives); the template needs it",
    ],
    [
      "a placeholder that the template does not declare",
      'http: { path: "${param:path}" }',
      'http: { path: "${param:pth}" }',
      "routes/vehicle-import.yaml:56:20  error  unknown-parameter  `${param:pth}`: the template has no value for this parameter; did you mean `path`?",
    ],
    [
      "a field beside the template that is not its own",
      "template: vehicle-subscriber\n",
      "template: vehicle-subscriber\ndeadletter: { keep: 1d }\n",
      "routes/vehicle-import.yaml:62:1  error  unknown-field  there is no field `deadletter`; known here: bus, id, title, owner, state, template, with",
    ],
    [
      "a JSONata that ends too early",
      "vin & ':' & $string(revision)",
      "vin & ':' & $string(revision",
      'routes/vehicle-import.yaml:20:55  error  bad-expression  this JSONata cannot be read: expected ")" before end of expression',
    ],
    [
      "a grant that allows a field that is not there",
      "allow: [vin, owner.idnp]",
      "allow: [vin, owner.idpn]",
      "routes/vehicle-import.yaml:70:23  error  contract-field  `vehicle.registered.v1` has no field `owner.idpn`; did you mean `owner.idnp`?",
    ],
  ],
};

describe.each(Object.entries(EDITS))("%s with", (path, edits) => {
  it.each(edits)("%s", (_, from, to, finding) => {
    const text = good[path] ?? "";
    expect(text).toContain(from);
    const { findings } = lintFiles(filesFrom({ ...good, [path]: text.replace(from, () => to) }), adapters, undefined, now);
    expect(findings.map(formatFinding)).toEqual([finding]);
  });
});
