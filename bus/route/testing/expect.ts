/** Compares what a case saw with what it expects. Each difference says what was looked at, what was expected and what was there. */
import type { ExpectDoc, SentDoc } from "../documents-test.ts";
import { textOf } from "../field-path.ts";
import type { Observed, Sent } from "./observed.ts";
import { evaluateXmlPath, parseXml } from "./xml-path.ts";

/** `what` names the expectation (`reply.json.status`). */
export type Problem = Readonly<{ what: string; expected: string; actual: string }>;

type Check = Readonly<{ problems: Problem[] }>;

export function compare(expected: ExpectDoc, seen: Observed): readonly Problem[] {
  const check: Check = { problems: [] };
  compareFault(check, expected, seen);
  compareReply(check, expected, seen);
  for (const [name, wanted] of Object.entries(expected.sent ?? {})) compareSent(check, `sent.${name}`, wanted, seen.sent.get(name) ?? []);
  for (const [topic, wanted] of Object.entries(expected.tapped ?? {}))
    compareSent(check, `tapped.${topic}`, wanted, seen.tapped.get(topic) ?? []);
  for (const [name, wanted] of Object.entries(expected.journal ?? {})) same(check, `journal.${name}`, wanted, seen.row[name]);
  if (expected.attempts !== undefined) same(check, "attempts", expected.attempts, seen.attempts);
  if (expected.dropped !== undefined) same(check, "dropped", expected.dropped, seen.dropped);
  if (expected.deadletters !== undefined) same(check, "deadletters", expected.deadletters, seen.deadletters);
  const { below, above } = expected.elapsed ?? {};
  if (below !== undefined && seen.elapsed >= below) add(check, "elapsed", `< ${below} ms`, `${seen.elapsed} ms`);
  if (above !== undefined && seen.elapsed <= above) add(check, "elapsed", `> ${above} ms`, `${seen.elapsed} ms`);
  return check.problems;
}

function add(check: Check, what: string, expected: string, actual: string): void {
  check.problems.push({ what, expected, actual });
}

/** A case that expects no fault but a reply, a message or a row `ok` fails with the fault it met; a case that only counts does not. */
function compareFault(check: Check, expected: ExpectDoc, seen: Observed): void {
  const actual = seen.fault === undefined ? "no fault" : `${seen.fault.class} (${seen.fault.code}: ${seen.fault.message})`;
  if (expected.fault !== undefined && seen.fault?.class !== expected.fault) add(check, "fault", expected.fault, actual);
  if (expected.code !== undefined && seen.fault?.code !== expected.code && seen.fault?.providerCode !== expected.code)
    add(check, "code", expected.code, actual);
  const wantsNone = expected.reply !== undefined && expected.reply.ok !== false;
  if (expected.fault === undefined && wantsNone && seen.fault !== undefined) add(check, "fault", "none", actual);
}

function compareReply(check: Check, expected: ExpectDoc, seen: Observed): void {
  const { reply } = expected;
  if (reply === undefined || (seen.fault !== undefined && reply.ok !== false)) return;
  const got = seen.reply !== undefined && seen.fault === undefined;
  if (reply.ok !== undefined) same(check, "reply.ok", reply.ok, got);
  else if (!got) add(check, "reply", "a reply", "none");
  if (reply.json !== undefined && seen.reply !== undefined) subset(check, "reply.json", reply.json, seen.reply);
  if (reply.xml !== undefined) compareXml(check, "reply.xml", reply.xml, seen.replyText);
}

function compareXml(check: Check, what: string, paths: Readonly<Record<string, unknown>>, text: string | undefined): void {
  if (text === undefined || !text.trimStart().startsWith("<")) {
    add(check, what, "an XML document", text === undefined ? "nothing" : "JSON");
    return;
  }
  const root = parseXml(text);
  for (const [path, wanted] of Object.entries(paths)) {
    const actual = evaluateXmlPath(path, root);
    if (textOf(wanted) !== textOf(actual)) add(check, `${what} ${path}`, show(wanted), show(actual));
  }
}

/** `count` counts attempts. With `contract` the JSON is the message in the contract's shape, else as the receiver gets it. */
function compareSent(check: Check, what: string, wanted: SentDoc, sent: readonly Sent[]): void {
  if (wanted === "none") {
    if (sent.length > 0) add(check, what, "none", `${sent.length} sent`);
    return;
  }
  const last = sent.at(-1);
  if (wanted.count !== undefined) same(check, `${what}.count`, wanted.count, sent.length);
  if (last === undefined) {
    if (wanted.count !== 0) add(check, what, "a message", "none");
    return;
  }
  if (wanted.contract !== undefined) same(check, `${what}.contract`, wanted.contract, last.contract);
  if (wanted.json !== undefined) subset(check, `${what}.json`, wanted.json, wanted.contract === undefined ? last.wire : last.value);
  if (wanted.xml !== undefined) compareXml(check, `${what}.xml`, wanted.xml, last.text);
}

/** Members that are named must be equal; others may be there. Lists have equal length, item by item. null equals absent. */
function subset(check: Check, what: string, wanted: unknown, actual: unknown): void {
  if (Array.isArray(wanted)) {
    if (!Array.isArray(actual) || actual.length !== wanted.length) {
      if (!(wanted.length === 0 && (actual === undefined || actual === null)))
        add(check, what, `a list of ${wanted.length}`, Array.isArray(actual) ? `a list of ${actual.length}` : show(actual));
      return;
    }
    for (const [index, item] of (wanted as readonly unknown[]).entries())
      subset(check, `${what}[${index}]`, item, actual[index] as unknown);
  } else if (typeof wanted === "object" && wanted !== null && !(wanted instanceof Date)) {
    if (typeof actual !== "object" || actual === null) {
      add(check, what, show(wanted), show(actual));
      return;
    }
    for (const [name, inner] of Object.entries(wanted))
      subset(check, `${what}.${name}`, inner, (actual as Readonly<Record<string, unknown>>)[name]);
  } else same(check, what, wanted, actual);
}

/** Scalars as YAML writes them: `2026-11` and "2026-11" are one text, but 5 and "5" are not. */
function same(check: Check, what: string, wanted: unknown, actual: unknown): void {
  const [left, right] = [plain(wanted), plain(actual)];
  if (left !== right) add(check, what, show(wanted), show(actual));
}

function plain(value: unknown): unknown {
  if (value === undefined) return null;
  if (value instanceof Date) return value.toISOString();
  return typeof value === "bigint" && value <= Number.MAX_SAFE_INTEGER && value >= Number.MIN_SAFE_INTEGER ? Number(value) : value;
}

function show(value: unknown): string {
  return value === undefined
    ? "nothing"
    : (JSON.stringify(value, (_, inner: unknown) => (typeof inner === "bigint" ? `${inner}n` : inner)) ?? "nothing").slice(0, 300);
}
