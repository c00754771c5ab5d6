/** Fields that routes and grants name: they must exist, keys must be there, personal data stays out of open places. */
import { fieldsOf } from "../../edge/template.ts";
import type { Document, Path, RouteDoc } from "../documents.ts";
import { hint } from "../../near.ts";
import type { FieldFacts, Fields } from "./fields.ts";
import type { LintSet, Rule, Say } from "./rule.ts";
import { pathOf, visitRoute } from "./visit.ts";

/** Headers, call context and the message's own facts are no fields of the contract. */
export const isFact = (field: string): boolean => /^(headers|call)\./.test(field) || field.startsWith("$");

/** Facts of a contract's field; says so when there is none. */
export function factsOf(set: LintSet, say: Say, type: string, field: string, document: Document, path: Path): FieldFacts | undefined {
  const fields = isFact(field) ? undefined : set.fields(type);
  if (!fields) return undefined;
  const facts = fields.find(field);
  if (!facts) say({ document, path }, `\`${type}\` has no field \`${field}\`${hint(field, fields.known.keys())}`);
  return facts;
}

export const fields: Rule = {
  name: "contract-field",
  check(set, say) {
    for (const route of set.routes.values()) {
      route.journal.index.forEach((field, index) => factsOf(set, say, route.contract, field, route, ["journal", "index", index]));
      visitRoute(route, (step, shaped) => {
        if (!shaped) return;
        if (step.kind === "tap")
          step.fields.forEach((field, index) => factsOf(set, say, route.contract, field, route, pathOf(step.path, "fields", index)));
        const key = step.kind === "dedupe" ? step.key : step.kind === "aggregate" ? step.correlate : undefined;
        if (key?.language === "path") factsOf(set, say, route.contract, key.field, route, key.path);
      });
    }
    for (const grant of set.grants.values()) {
      const contract = set.contracts.get(grant.contract);
      const type = contract?.pattern === "event" ? contract.id : contract?.reply?.id;
      grant.reply?.allow.forEach((field, index) => type !== undefined && factsOf(set, say, type, field, grant, ["reply", "allow", index]));
    }
    for (const contract of set.contracts.values()) {
      if (contract.subject !== undefined) factsOf(set, say, contract.id, contract.subject, contract, ["subject"]);
    }
  },
};

export const orderKey: Rule = {
  name: "order-key",
  check(set, say) {
    for (const route of set.routes.values()) {
      for (const order of [route.order, ...route.branches.map((branch) => branch.order)]) {
        if (!order || order.by === "none" || order.by.language !== "path") continue;
        const { field, path } = order.by;
        const facts = factsOf(set, say, route.contract, field, route, path);
        if (facts?.nullable)
          say(
            { document: route, path },
            `\`${field}\` may be null in \`${route.contract}\`, then there is no key to order by; choose a field that is always there`,
          );
      }
    }
  },
};

export const personal: Rule = {
  name: "personal-data",
  check(set, say) {
    for (const route of set.routes.values()) {
      const isPersonal = (field: string) => !isFact(field) && holdsPersonal(set.fields(route.contract), field);
      const tell = (path: Path, field: string, place: string) =>
        say(
          { document: route, path },
          `\`${field}\` is personal data and must not stand ${place}; take it out or use an identifier that is not personal`,
        );
      route.journal.index.forEach((field, index) => isPersonal(field) && tell(["journal", "index", index], field, "in the search index"));
      visitRoute(route, (step, shaped) => {
        if (step.kind === "tap" && shaped)
          step.fields.forEach(
            (field, index) => isPersonal(field) && tell(pathOf(step.path, "fields", index), field, "in a copy that no grant covers"),
          );
      });
      urls(route, (field) => isPersonal(field), tell);
    }
  },
};

/** A record is personal when a field anywhere in it is: the copy takes it whole. */
function holdsPersonal(fields: Fields | undefined, field: string): boolean {
  if (fields?.find(field)?.personal === true) return true;
  return [...(fields?.known ?? [])].some(([path, facts]) => facts.personal && path.startsWith(`${field}.`));
}

const URL_OPTIONS = ["url", "path", "exchange", "routingKey", "name"];

/** `{field}` in an address: addresses end up in logs of every hop. */
function urls(route: RouteDoc, isPersonal: (field: string) => boolean, tell: (path: Path, field: string, place: string) => void): void {
  for (const { adapter } of route.branches) {
    for (const option of URL_OPTIONS) {
      const text = adapter.options[option];
      const names = typeof text === "string" ? [...text.matchAll(/(?<!\$)\{([A-Za-z_][\w.-]*)\}/g)].map((match) => match[1] ?? "") : [];
      const field = names.find(isPersonal);
      if (field !== undefined) tell(pathOf(adapter.path, option), field, "in an address");
    }
    const query = (adapter.options["query"] ?? {}) as Readonly<Record<string, string>>;
    for (const [name, text] of Object.entries(query)) {
      const field = fieldsOf(text).find(isPersonal);
      if (field !== undefined) tell(pathOf(adapter.path, "query", name), field, "in an address");
    }
  }
}
