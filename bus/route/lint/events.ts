/** Contracts that are types of MConnect Events: one name each, a schema that is one, producers and fields that exist. */
import type { ContractDoc, Path } from "../documents.ts";
import { DRAFTS, draftOf, MOST_RETENTION, type EventsDoc } from "../documents-events.ts";
import { hint } from "../../near.ts";
import { factsOf } from "./data.ts";
import type { LintSet, Rule, Say } from "./rule.ts";

export const events: Rule = {
  name: "events",
  check(set, say) {
    const first = new Map<string, string>();
    for (const contract of set.contracts.values()) {
      if (!contract.events) continue;
      const { type } = contract.events;
      const other = first.get(type);
      if (other === undefined) first.set(type, contract.id);
      else
        say(
          { document: contract, path: ["events", "type"] },
          `\`${other}\` is \`${type}\` already; one type is one contract, give this one another name`,
        );
      checkContract(set, say, contract, contract.events);
    }
  },
};

function checkContract(set: LintSet, say: Say, contract: ContractDoc, doc: EventsDoc): void {
  const at = (...path: Path): Readonly<{ document: ContractDoc; path: Path }> => ({ document: contract, path: ["events", ...path] });
  if (contract.pattern !== "event")
    say(at(), `\`${contract.id}\` is a ${contract.pattern}; only a contract of \`pattern: event\` can be a type of events`);
  if (contract.requires.length > 0)
    say(
      { document: contract, path: ["requires"] },
      "an event brings no call context through MConnect Events; take `requires` or `events` away",
    );
  if ((doc.retention ?? 0) > MOST_RETENTION) say(at("retention"), "the journal promises 31 days; write 31d or less");
  checkSchema(set, say, doc, at("schema"));
  checkSources(set, say, contract, doc);
  const { personal } = doc;
  const named: readonly (readonly [string | undefined, Path])[] = [
    [doc.partitionKey, ["partitionKey"]],
    [personal?.subject, ["personal", "subject"]],
    [personal?.basisField, ["personal", "basisField"]],
    [personal?.reasonField, ["personal", "reasonField"]],
  ];
  for (const [field, path] of named) if (field !== undefined) factsOf(set, say, contract.id, field, contract, ["events", ...path]);
  for (const one of ["basis", "reason"] as const)
    if (personal?.[one] !== undefined && personal[`${one}Field`] !== undefined)
      say(at("personal", one), `\`${one}\` and \`${one}Field\` say the same twice; keep one`);
}

function checkSchema(set: LintSet, say: Say, doc: EventsDoc, where: Parameters<Say>[0]): void {
  const text = doc.schema === undefined ? undefined : set.files.text(doc.schema);
  if (text === undefined) return;
  let schema: unknown;
  try {
    schema = JSON.parse(text);
  } catch (error) {
    say(where, `${doc.schema} is no JSON: ${(error as Error).message}`, { rule: "bad-schema" });
    return;
  }
  const draft = draftOf(schema);
  if (!DRAFTS.has(draft))
    say(
      where,
      `${doc.schema} has \`$schema\` ${draft === "" ? "missing" : `\`${draft}\``}${hint(draft, DRAFTS, "; write one of the four drafts' names")}`,
      {
        rule: "bad-schema",
      },
    );
}

function checkSources(set: LintSet, say: Say, contract: ContractDoc, doc: EventsDoc): void {
  const systems = set.names("system");
  doc.sources?.forEach(({ system }, index) => {
    const where = { document: contract, path: ["events", "sources", index, "system"] };
    if (!set.hidden && !systems.has(system)) {
      say(where, `there is no system \`${system}\`${hint(system, systems, "; write a `bus: system/v1` document with this id")}`, {
        rule: "unknown-system",
      });
      return;
    }
    const granted = [...set.grants.values()].some(
      (grant) => grant.role === "producer" && grant.system === system && grant.contract === contract.id,
    );
    if (!granted && !set.hidden)
      say(
        where,
        `no grant lets \`${system}\` produce \`${contract.id}\`: write a \`bus: grant/v1\` document with \`producer: ${system}\``,
        {
          severity: "warn",
        },
      );
  });
}
