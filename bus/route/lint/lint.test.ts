import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { adapters } from "#adapters/registry.ts";
import { filesFrom, textsOf } from "#test/files-of.ts";
import { formatFinding, type Finding } from "../findings.ts";
import { lintFiles } from "./lint.ts";

const good = textsOf("test/good");
const now = Date.parse("2026-06-01T00:00:00Z");
const lint = (texts: Readonly<Record<string, string>>, environment?: Record<string, string>) =>
  lintFiles(filesFrom(texts), adapters, environment, now);
const errors = (findings: readonly Finding[]) => findings.filter(({ severity }) => severity === "error");
const warnings = (findings: readonly Finding[]) => findings.filter(({ severity }) => severity === "warn").map(formatFinding);

/** Replaces one text in one of the good files. */
function changed(path: string, from: string, to: string): Record<string, string> {
  const text = good[path] ?? "";
  expect(text).toContain(from);
  return { ...good, [path]: text.replace(from, to) };
}

/** Each file of test/broken stands beside the good files; the line is `line:column  rule  text`. */
const EXPECTED: Readonly<Record<string, string>> = {
  "01-duplicate-key.yaml": "4:1  yaml-syntax  `title`: this key stands twice in one block; remove one of them",
  "02-tab.yaml": "18:1  yaml-syntax  this line is indented by a tab; YAML takes spaces only, so replace the tab by spaces",
  "03-indent.yaml": "8:1  yaml-syntax  this line is indented less than the `- ` item it belongs to; line up all keys of one item",
  "04-open-quote.yaml": '3:8  yaml-syntax  the text in double quotes never ends; add the closing "',
  "05-open-bracket.yaml": "19:3  yaml-syntax  brackets that open above are not closed; add `}` or `]` at the end of the line before",
  "06-no-kind.yaml": "1:1  no-kind  the first key of a document must be `bus: KIND/v1`, for example `bus: route/v1`",
  "07-unknown-kind.yaml": "1:6  unknown-kind  there is no kind `rout/v1`; did you mean `route/v1`?",
  "08-kind-not-first.yaml": "2:1  no-kind  `bus` must be the first key of the document; move this line to the top",
  "09-unknown-field.yaml": "17:3  unknown-field  there is no field `dedline`; did you mean `deadline`?",
  "10-misspelt-required.yaml": "4:1  unknown-field  there is no field `ownr`; did you mean `owner`?",
  "11-missing-field.yaml": "1:1  missing-field  `route` has no `owner`; write for example `owner: population-registry-team`",
  "12-unknown-step.yaml": "12:5  unknown-step  there is no step `dedup`; did you mean `dedupe`?",
  "13-two-steps-in-one.yaml": "13:5  two-keys  a step has exactly one key, here are `dedupe` and `map`; begin each step with `- `",
  "14-step-not-indented.yaml": "13:5  two-keys  `key` belongs to `dedupe`; indent it below `dedupe:`",
  "15-two-adapters.yaml": "10:5  two-adapters  `from` takes exactly one adapter, here are `http` and `file`; keep one",
  "16-no-adapter.yaml": "14:3  no-adapter  `to` needs exactly one adapter: soap, http, file, sftp, postgres, mail, nats, amqp, topic",
  "17-unknown-adapter.yaml":
    "9:5  unknown-adapter  there is no adapter `gopher`; known are soap, http, file, sftp, postgres, nats, amqp, topic",
  "18-adapter-option.yaml": "15:27  unknown-field  there is no field `metod`; did you mean `method`?",
  "19-adapter-word.yaml": "15:35  unknown-word  `method`: `TRACE` is not known here; known are GET, POST, PUT, PATCH, DELETE",
  "20-choose-otherwise.yaml":
    "13:7  choose-otherwise  `choose` has no `otherwise`; add the case `- otherwise: true` with its `steps:` at the end, `steps: []` if there is nothing to do",
  "21-two-languages.yaml": "12:40  one-of  `when` takes exactly one of jsonata, xpath, field, here are `jsonata` and `xpath`; keep one",
  "22-unknown-contract.yaml": "5:22  unknown-contract  there is no contract `person.requst.v1`; did you mean `person.request.v1`?",
  "23-wrong-pattern.yaml": "5:20  contract-mismatch  `person.request.v1` is a query; write `contract: { request: person.request.v1 }`",
  "24-wrong-reply.yaml": "5:48  contract-mismatch  the reply of `person.request.v1` is `person.response.v1`",
  "25-unknown-grant.yaml": "10:18  unknown-grant  there is no grant `taxofice-person-2026`; did you mean `taxoffice-person-2026`?",
  "26-grant-other.yaml":
    "10:18  grant-other  grant `taxoffice-person-2026` is for `taxoffice/erp`, here sends `benefits/core`; name the grant of `benefits/core` for `person.request.v1`",
  "27-grant-missing.yaml":
    "8:13  grant-missing  no grant lets `transport/mainframe` publish `person.changed.v1`; write a `bus: grant/v1` document with `producer: transport/mainframe` and `contract: person.changed.v1`",
  "28-grant-expired.yaml":
    "27:35  grant-expired  grant `archive-person-2025` ended on 2025-12-31, and route `short-news` needs it for `statistics/archive`; its owner `data-protection-officer` can change `valid`",
  "29-unknown-policy.yaml": "14:17  unknown-policy  there is no policy `async-standart`; did you mean `async-standard`?",
  "30-unknown-system.yaml": "14:11  unknown-system  there is no system `registry/populations`; did you mean `registry/population`?",
  "31-unknown-template.yaml": "3:11  unknown-template  there is no template `vehicle-subscribr`; did you mean `vehicle-subscriber`?",
  "32-template-parameter.yaml": "4:9  unknown-parameter  the template has no parameter `consumr`; did you mean `consumer`?",
  "33-deadline.yaml":
    "17:13  deadline-too-short  deadline 8s, but 3 attempts × 2500ms + backoff ≤ 600ms = 8.1s; raise deadline or lower attempt.timeout",
  "34-retry-class.yaml":
    "19:26  retry-class  `on`: `contract-violation` gives the same result every time, so it is never retried; known are timeout, unreachable, provider-unavailable, throttled and provider-fault:CODE",
  "35-retry-unknown-class.yaml": "19:17  retry-class  `on`: `timeuot` is no class of error; did you mean `timeout`?",
  "36-retry-without-dedupe.yaml":
    "5:22  retry-without-dedupe  a command may be sent 12 times and nothing keeps it from being done twice; add the step `- dedupe: { key: $id, window: 1d }`, write `idempotent: true` in its contract, or `retry: { attempts: 1 }`",
  "37-replay-query.yaml": "20:34  replay-query  a query's caller is gone when it is sent again; write `replay: never`",
  "38-failure-order.yaml": "23:9  failure-rule  nothing comes to a line after `on: default`; move it above",
  "39-loop.yaml":
    "11:18  topic-loop  messages go round for ever: ring.two.v1 → ring.one.v1 → ring.two.v1; send to another topic or take one of these routes away",
  "40-same-path.yaml":
    "9:19  same-path  route `person-changed-fanout` (routes/person-changed.yaml:1) already takes POST /events/person-changed; give this one another path",
  "41-cron-wrong.yaml":
    "9:23  bad-schedule  `0 25 * * *` is no cron line (Invalid value for hour: 25); write minute hour day month weekday, for example `30 2 * * 1-6`",
  "42-cron-never.yaml": "9:23  bad-schedule  `0 3 30 2 *` never comes; check day and month",
  "43-timezone.yaml": "9:46  bad-schedule  `Europe/Kishinow` is no time zone; write for example Europe/Chisinau",
  "44-secret-misplaced.yaml":
    "15:27  secret-misplaced  `${secret:registry/token}` may not stand here: this field is shown in logs and the console; secrets go only into fields made for them, for example `auth`",
  "45-unset-variable.yaml":
    "15:17  unset-variable  variable `statistic.url` has no value; add it under `vars:` of the environment, or set MBUS_VAR_STATISTIC_URL; did you mean `statistics.url`?",
  "46-bad-variable.yaml":
    "15:17  bad-variable  `${REGISTRY_URL}` is not filled in; write `${var:REGISTRY_URL}` or `${secret:REGISTRY_URL}`",
  "47-order-nullable.yaml":
    "10:14  order-key  `idnp` may be null in `person.changed.v1`, then there is no key to order by; choose a field that is always there",
  "48-order-unknown.yaml": "10:14  order-key  `person.changed.v1` has no field `persnKey`; did you mean `personKey`?",
  "49-personal-tap.yaml":
    "12:58  personal-data  `idnp` is personal data and must not stand in a copy that no grant covers; take it out or use an identifier that is not personal",
  "50-personal-index.yaml":
    "20:41  personal-data  `idnp` is personal data and must not stand in the search index; take it out or use an identifier that is not personal",
  "51-personal-address.yaml":
    "15:17  personal-data  `idnp` is personal data and must not stand in an address; take it out or use an identifier that is not personal",
  "52-map-missing.yaml":
    "16:14  file-missing  `map`: there is no file routes/map/registry-requst.map.yaml; did you mean routes/map/registry-request.map.yaml?",
  "53-wsdl-missing.yaml": "15:17  file-missing  `wsdl`: there is no file routes/wsdl/regstry.wsdl; did you mean routes/wsdl/registry.wsdl?",
  "54-duplicate-id.yaml":
    "2:5  duplicate-id  route `person-lookup` stands already at routes/person-lookup.yaml:2; give one of them another id",
  "55-duration-unit.yaml": "17:13  bad-duration  `deadline`: `10` has no unit; write `10s`",
  "56-duration-word.yaml": "12:48  bad-duration  `window`: `min` is no unit of duration; the units are ms, s, m, h, d, w, y",
  "57-percent.yaml": "19:33  bad-percent  `openAtFailureRate`: `50` has no unit; write `50%`",
  "58-rate.yaml": "19:19  bad-rate  `rate`: `50` has no period; write `50/s` or `50/day`",
  "59-size.yaml": "12:49  bad-size  `maxRecord`: `K` is no unit of size; the units are B, KiB, MiB, GiB",
  "60-record-over-limit.yaml": "12:49  over-limit  a message has at most 10MiB; write `maxRecord: 10MiB` or less",
  "61-idno.yaml": "4:22  bad-idno  `idno`: `1006601001183` is no IDNO: its check digit is 3, by the other digits it would be 2",
  "62-date.yaml": "7:16  bad-date  `from`: `2026-02-30` is no date; write for example 2026-12-31 or 2026-12-31T09:00:00Z",
  "63-grant-field.yaml": "7:26  contract-field  `person.response.v1` has no field `famlyName`; did you mean `familyName`?",
  "64-grant-both.yaml": "5:1  one-of  `grant` takes exactly one of consumer, producer, here are `consumer` and `producer`; keep one",
  "65-jsonata.yaml": '12:45  bad-expression  this JSONata cannot be read: expected ")" before end of expression',
  "66-jsonata-block.yaml": '17:18  bad-expression  this JSONata cannot be read: the symbol "]" cannot be used as a unary operator',
  "67-xpath-prefix.yaml": '12:23  bad-expression  prefix `v` is not declared; write `namespaces: { v: "…" }` beside the XPath',
  "68-contract-retired.yaml": "5:22  contract-retired  contract `person.request.v2` is retired; use `person.request.v1`",
  "69-test-branch.yaml": "6:28  unknown-branch  route `person-lookup` sends nothing to `too`; did you mean `to`?",
  "70-test-route.yaml": "2:8  unknown-route  there is no route `person-lokup`; did you mean `person-lookup`?",
  "71-bool-word.yaml": "19:22  wrong-type  `attempts`: write a whole number without quotes instead of `three`",
  "72-null-value.yaml": "4:7  no-value  `owner` has no value; write a text, for example `population-registry-team` or leave the key out",
  "73-list-for-map.yaml": "10:9  wrong-type  `access` takes a block of keys, here stands a list",
  "74-path-outside.yaml":
    "20:8  bad-path  `tests`: `../../../etc/passwd` leaves the folder of the files; write a path relative to this file, for example ./map/person.map.yaml",
  "75-fan-out-query.yaml": "14:3  query-fan-out  a query has one provider; write `to:` instead of `fanOut:`",
  "76-waive-reason.yaml":
    "6:14  bad-form  `because`: `we know` does not fit; say in 20 characters or more why this stage may run so, for example `a developer's machine, its data may be lost`",
  "77-waive-twice.yaml": "6:16  waived-twice  `nats.sync` is waived above; keep one of the two reasons",
  "78-waive-name.yaml":
    "5:16  bad-form  `setting`: `sync` does not fit; write the name that the refused start printed, for example `nats.sync`",
  "81-first-reply-event.yaml": "10:51  first-reply  an event has no reply to give; write `onDuplicate: drop` or `fault`",
  "82-first-reply-command.yaml":
    "13:58  first-reply  `benefit.register.v1` has no reply to give; write `onDuplicate: drop` or `fault`, or give the contract a `reply`",
  "83-aggregate-topic.yaml":
    "10:16  aggregate-place  in a route that reads a topic a group would never end by time; gather in the route that takes the messages from outside",
  "84-aggregate-choose.yaml":
    "14:24  aggregate-place  inside `choose` or in a branch a group would never end by time; write `aggregate` among the route's own `steps:`",
  "85-aggregate-twice.yaml":
    "12:16  aggregate-place  a route gathers once: the groups of a second `aggregate` would never end by time; use a second route",
  "86-aggregate-branch.yaml":
    "15:20  aggregate-place  inside `choose` or in a branch a group would never end by time; write `aggregate` among the route's own `steps:`",
  "87-aggregate-query.yaml":
    "12:16  aggregate-place  a query cannot wait for others to be gathered: its caller holds the line; take `aggregate` away",
  "88-topic-system.yaml":
    "8:11  topic-system  a topic on nats is `from.<system>.<contract>`, and its system is not named here; add `system:`",
  "90-same-topic.yaml":
    "12:11  same-path  route `short-news` (routes/x-90-same-topic.yaml:1) already takes what system `registry/population` publishes over nats under contract `person.changed.v1`; add branches to that route instead",
  "91-mail-no-answer.yaml":
    "13:9  no-answer  `person.request.v1` has a reply, and a mail is not answered; send it over http, soap or a topic, or use a contract without reply",
};

describe("broken files", () => {
  const names = readdirSync("test/broken").toSorted();

  it("has an expectation for every file and no more", () => {
    expect(Object.keys(EXPECTED)).toEqual(names);
    expect(names.length).toBeGreaterThanOrEqual(25);
  });

  it.each(names)("%s gives exactly its one message", (name) => {
    const path = `routes/x-${name}`;
    const { findings, documents } = lint({ ...good, [path]: readFileSync(`test/broken/${name}`, "utf8") });
    const lines = errors(findings).map((finding) => `${finding.line}:${finding.column}  ${finding.rule}  ${finding.text}`);
    expect(lines).toEqual([EXPECTED[name]]);
    expect(errors(findings)[0]?.file).toBe(path);
    expect([...documents.routes.keys()]).toEqual(
      expect.arrayContaining(["person-lookup", "vehicle-nightly-import", "vehicles-to-benefits"]),
    );
  });

  it("tells all of them at once when all stand together", () => {
    const broken = names.filter((name) => /unknown-field|tab|cron-wrong|idno|date/.test(name));
    const ids = (text: string, name: string) => text.replaceAll("short-", `short-${name.slice(0, 2)}-`).replace("/short", `/short/${name}`);
    const texts = Object.fromEntries(broken.map((name) => [`routes/x-${name}`, ids(readFileSync(`test/broken/${name}`, "utf8"), name)]));
    const { findings } = lint({ ...good, ...texts });
    expect(new Set(errors(findings).map(({ file }) => file))).toEqual(new Set(Object.keys(texts)));
    expect(errors(findings)).toHaveLength(broken.length);
  });
});

describe("good files", () => {
  it("lint clean, with every document in the set", () => {
    const { findings, documents } = lint(good);
    expect(findings.map(formatFinding)).toEqual([]);
    expect(documents.leftOut).toEqual([]);
    expect([...documents.routes.keys()]).toHaveLength(5);
    expect(documents.tests).toHaveLength(4);
  });

  it("sees the whole day of `until`", () => {
    const at = (time: string) => errors(lintFiles(filesFrom(good), adapters, undefined, Date.parse(time)).findings).map(({ rule }) => rule);
    expect(at("2026-12-31T23:59:59Z")).toEqual([]);
    expect(new Set(at("2027-01-01T00:00:00Z"))).toEqual(new Set(["grant-expired"]));
    expect(new Set(at("2025-12-31T23:59:59Z"))).toEqual(new Set(["grant-expired"]));
  });

  it("keeps a route whose grant has ended: its messages are refused with the reason", () => {
    const { documents } = lintFiles(filesFrom(good), adapters, undefined, Date.parse("2028-01-01"));
    expect(documents.routes.has("person-lookup")).toBe(true);
    expect(documents.grants.has("taxoffice-person-2026")).toBe(true);
  });
});

describe("one faulty document", () => {
  it("leaves out a route that leans on a faulty contract, and says why, without a second message", () => {
    const { findings, documents } = lint(changed("contracts/contracts.yaml", "pattern: query", "pattern: qwery"));
    expect(errors(findings).map(({ rule }) => rule)).toEqual(["unknown-word"]);
    expect(documents.routes.has("person-lookup")).toBe(false);
    expect(documents.leftOut.find(({ id }) => id === "person-lookup")?.because).toBe("contract `person.request.v1` is left out");
    expect(documents.routes.has("vehicle-nightly-import")).toBe(true);
  });

  it("does not call names unknown that stand in an unreadable document", () => {
    const { findings, documents } = lint(changed("contracts/contracts.yaml", "title: Data of one person by number", 'title: "Data'));
    expect(errors(findings).map(({ rule }) => rule)).toEqual(["yaml-syntax"]);
    expect(documents.routes.has("person-lookup")).toBe(false);
  });

  it("hides nothing of the other documents of its file", () => {
    const text = (good["routes/person-changed.yaml"] ?? "").replace("title: Tell", "titel: Tell");
    const { findings, documents } = lint({ ...good, "routes/person-changed.yaml": text.replace('section: "§ 4"', 'sektion: "§ 4"') });
    expect(errors(findings).map(({ line, rule }) => `${line} ${rule}`)).toEqual(["3 unknown-field", "39 unknown-field"]);
    expect(documents.grants.has("statistics-person-2026")).toBe(true);
  });

  it("gives two findings for two faults in one block", () => {
    const texts = changed(
      "routes/benefit-register.yaml",
      "title: Orders to register a benefit\nowner: benefits-team",
      "titel: Orders\nownr: benefits-team",
    );
    expect(errors(lint(texts).findings).map(({ text }) => text)).toEqual([
      "there is no field `titel`; did you mean `title`?",
      "there is no field `ownr`; did you mean `owner`?",
    ]);
  });
});

describe("warnings", () => {
  it("names a topic that nobody takes from, and one that nobody sends to", () => {
    const texts = changed(
      "routes/vehicle-import.yaml",
      "  topic: { name: vehicle.registered.v1 }\nfailures",
      "  topic: { name: vehicle.regstered.v1 }\nfailures",
    );
    expect(warnings(lint(texts).findings)).toEqual([
      "routes/vehicle-import.yaml:22:18  warn  topic-unused  no route takes from topic `vehicle.regstered.v1`; is the name right?",
    ]);
    const unfed = changed(
      "routes/vehicle-import.yaml",
      "topic: { name: vehicle.registered.v1 }\n  to:",
      "topic: { name: vehicle.regstered.v1 }\n  to:",
    );
    expect(warnings(lint(unfed).findings).map((line) => line.split("  ")[2])).toEqual(["topic-unused", "topic-unfed"]);
  });

  it.each(["hash", "none"])("says that `payload: %s` leaves no first reply to return", (payload) => {
    const texts = changed("routes/person-lookup.yaml", "payload: full", `payload: ${payload}`);
    const { findings, documents } = lint(texts);
    expect(findings.map(formatFinding)).toEqual([
      `routes/person-lookup.yaml:25:66  warn  first-reply  \`journal: { payload: ${payload} }\` keeps no reply, so a repeated message is refused; write \`payload: full\` or \`onDuplicate: fault\``,
    ]);
    expect(documents.routes.has("person-lookup")).toBe(true);
  });

  it("names a map that no route uses and a route without tests", () => {
    const unused = lint({ ...good, "routes/map/old.map.yaml": "map: {}" });
    expect(warnings(unused.findings)).toEqual([
      "routes/map/old.map.yaml:1:1  warn  map-unused  no route uses this map; remove it, or name it where it belongs",
    ]);
    const texts = changed("routes/benefit-register.yaml", "tests: ./tests/benefit-register.test.yaml\n", "");
    delete texts["routes/tests/benefit-register.test.yaml"];
    expect(warnings(lint(texts).findings)[0]).toContain("routes/benefit-register.yaml:2:5  warn  no-tests");
  });
});

describe("variables", () => {
  it("come from the given environment only, when one is given", () => {
    expect(errors(lint(good, {}).findings).map(({ rule, line }) => `${rule} ${line}`)).toEqual(["unset-variable 20"]);
    const { documents } = lint(good, { "statistics.url": "http://stat" });
    const branch = documents.routes.get("person-changed-fanout")?.branches[1];
    expect(branch?.adapter.options).toEqual({ url: "http://stat/events", method: "POST", auth: "${secret:statistics/token}" });
  });

  it("never change the structure of a document", () => {
    const { documents, findings } = lint(good, { "statistics.url": "x\nowner: mallory\n- {" });
    expect(findings).toEqual([]);
    expect(documents.routes.get("person-changed-fanout")?.owner).toBe("population-registry-team");
  });
});

describe("JSONata", () => {
  it("points into the scalar, whatever its quoting", () => {
    const at = (scalar: string) => {
      const texts = changed("routes/person-changed.yaml", "\"$count(changes[field = 'residence']) > 0\"", scalar);
      const [first] = errors(lint(texts).findings);
      return `${first?.line}:${first?.column}`;
    };
    expect(at('"a = ]"')).toBe("14:27");
    expect(at("'a = ]'")).toBe("14:27");
    expect(at("a = )")).toBe("14:26");
    expect(at('"\\u0061 = ]"')).toBe("14:32");
  });
});
