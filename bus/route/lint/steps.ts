/** Steps and expressions that cannot do what they say. */
import jsonata from "jsonata";
import type { ExpressionDoc, FieldTestDoc } from "../documents.ts";
import type { Rule, Say, Where } from "./rule.ts";
import { expressionsOf, pathOf, stepsOf } from "./visit.ts";

export const choose: Rule = {
  name: "choose-otherwise",
  check(set, say) {
    for (const route of set.routes.values()) {
      for (const step of stepsOf(route)) {
        if (step.kind !== "choose") continue;
        const node = set.node(route, step.path);
        const cases = node.kind === "list" ? node.items : [];
        const at = cases.findIndex((one) => one.kind === "map" && one.entries.has("otherwise"));
        if (at < 0)
          say(
            { document: route, path: step.path },
            "`choose` has no `otherwise`; add the case `- otherwise: true` with its `steps:` at the end, `steps: []` if there is nothing to do",
          );
        else if (at < cases.length - 1)
          say({ document: route, path: pathOf(step.path, at) }, "`otherwise` must be the last case; nothing comes to the cases after it");
      }
    }
  },
};

export const expressions: Rule = {
  name: "bad-expression",
  check(set, say) {
    for (const document of set.routes.values()) {
      for (const expression of expressionsOf(document)) {
        const where = { document, path: expression.path };
        if (expression.language === "jsonata") checkJsonata(expression, where, say);
        else if (expression.language === "xpath") checkXPath(expression, where, say);
        else checkField(expression as FieldTestDoc, where, say);
      }
    }
  },
};

function checkJsonata(expression: ExpressionDoc, where: Where, say: Say): void {
  try {
    jsonata(expression.text);
  } catch (error) {
    const { message, position, token } = error as { message?: string; position?: number; token?: string };
    const end = position ?? 0;
    const start = typeof token === "string" && end >= token.length ? end - token.length : end;
    const offset = Math.min(start, Math.max(0, expression.text.length - 1));
    say({ ...where, offset }, `this JSONata cannot be read: ${sentence(message ?? String(error))}`);
  }
}

const sentence = (text: string): string => text.charAt(0).toLowerCase() + text.slice(1).replace(/\s+/g, " ");
const PAIRS: Readonly<Record<string, string>> = { ")": "(", "]": "[" };

/** Brackets and quotes; prefixes must be declared. What more there is to check is found when the route is compiled. */
function checkXPath(expression: ExpressionDoc, where: Where, say: Say): void {
  const bare = expression.text.replace(/"[^"]*"|'[^']*'/g, (text) => " ".repeat(text.length));
  const open: string[] = [];
  for (const [offset, char] of Array.from(bare).entries()) {
    if (char === "(" || char === "[") open.push(char);
    else if (char in PAIRS && open.pop() !== PAIRS[char])
      return say({ ...where, offset }, `this XPath cannot be read: \`${char}\` closes nothing`);
    else if (char === '"' || char === "'") return say({ ...where, offset }, "this XPath cannot be read: the quote never ends");
  }
  if (open.length > 0) return say(where, `this XPath cannot be read: \`${open.at(-1) ?? ""}\` is never closed`);
  for (const match of bare.matchAll(/([A-Za-z_][\w.-]*):(?=[A-Za-z_*])(?!:)/g)) {
    const prefix = match[1] ?? "";
    if (!Object.hasOwn(expression.namespaces, prefix))
      return say(
        { ...where, offset: match.index },
        `prefix \`${prefix}\` is not declared; write \`namespaces: { ${prefix}: "…" }\` beside the XPath`,
      );
  }
}

const TESTS = ["equals", "notEquals", "in", "exists", "matches"] as const;

function checkField(test: FieldTestDoc, where: Where, say: Say): void {
  const there = TESTS.filter((name) => test[name] !== undefined);
  if (there.length !== 1)
    return say(
      where,
      `a test of \`${test.field}\` takes exactly one of ${TESTS.join(", ")}${there.length > 0 ? `, here are ${there.join(" and ")}` : ""}`,
    );
  if (test.matches === undefined) return;
  try {
    "".match(new RegExp(test.matches, "u"));
  } catch {
    say(
      { document: where.document, path: [...where.path.slice(0, -1), "matches"] },
      `\`${test.matches}\` is no pattern; check its brackets and backslashes`,
    );
  }
}

/** One message of the bus has at most this many bytes. */
const MAX_MESSAGE = 10 * 1024 * 1024;

export const pieces: Rule = {
  name: "over-limit",
  check(set, say) {
    for (const route of set.routes.values()) {
      for (const step of stepsOf(route)) {
        if (step.kind === "split" && (step.maxRecord ?? 0) > MAX_MESSAGE) {
          say({ document: route, path: pathOf(step.path, "maxRecord") }, "a message has at most 10MiB; write `maxRecord: 10MiB` or less");
        }
      }
    }
  },
};

export const firstReply: Rule = {
  name: "first-reply",
  check(set, say) {
    for (const route of set.routes.values()) {
      for (const step of stepsOf(route)) {
        if (step.kind !== "dedupe" || step.onDuplicate !== "return-first-reply") continue;
        const where = { document: route, path: pathOf(step.path, "onDuplicate") };
        const { payload } = route.journal;
        if (route.pattern === "event") say(where, "an event has no reply to give; write `onDuplicate: drop` or `fault`");
        else if (route.pattern === "command" && set.contracts.get(route.contract)?.reply === undefined)
          say(
            where,
            `\`${route.contract}\` has no reply to give; write \`onDuplicate: drop\` or \`fault\`, or give the contract a \`reply\``,
          );
        else if (route.pattern === "query" && payload !== "full")
          say(
            where,
            `\`journal: { payload: ${payload} }\` keeps no reply, so a repeated message is refused; write \`payload: full\` or \`onDuplicate: fault\``,
            { severity: "warn" },
          );
      }
    }
  },
};

/** Where a group ends by time: once among the route's own steps, where messages come through an inlet. */
export const aggregates: Rule = {
  name: "aggregate-place",
  check(set, say) {
    for (const route of set.routes.values()) {
      const fromTopic = route.from.some(({ adapter }) => adapter.name === "topic");
      const only = route.steps.find((step) => step.kind === "aggregate");
      for (const step of stepsOf(route)) {
        if (step.kind !== "aggregate") continue;
        const where = { document: route, path: step.path };
        if (route.pattern === "query")
          say(where, "a query cannot wait for others to be gathered: its caller holds the line; take `aggregate` away");
        else if (fromTopic)
          say(
            where,
            "in a route that reads a topic a group would never end by time; gather in the route that takes the messages from outside",
          );
        else if (!route.steps.includes(step))
          say(where, "inside `choose` or in a branch a group would never end by time; write `aggregate` among the route's own `steps:`");
        else if (step !== only)
          say(where, "a route gathers once: the groups of a second `aggregate` would never end by time; use a second route");
      }
    }
  },
};
