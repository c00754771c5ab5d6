/** Edges whose far side is no partner of a talk: a broker's topic names the system, and nobody answers to a mail or a file. */
import { isTopicEdge } from "../compile-topics.ts";
import type { Rule } from "./rule.ts";

export const namedSystem: Rule = {
  name: "topic-system",
  check(set, say) {
    for (const route of set.routes.values()) {
      const sides = [
        { edges: route.from, word: "from" },
        { edges: route.branches, word: "to" },
      ];
      for (const { edges, word } of sides)
        for (const { adapter, system } of edges)
          if (isTopicEdge(adapter.name) && system === undefined)
            say(
              { document: route, path: adapter.path },
              `a topic on ${adapter.name} is \`${word}.<system>.<contract>\`, and its system is not named here; add \`system:\``,
            );
    }
  },
};

/** Adapters that only bring something there. */
const SILENT: Readonly<Record<string, string>> = { file: "a file", sftp: "a file", mail: "a mail" };

export const silent: Rule = {
  name: "no-answer",
  check(set, say) {
    for (const route of set.routes.values()) {
      const reply = set.contracts.get(route.contract)?.reply ?? route.reply;
      if (route.pattern === "event" || reply === undefined) continue;
      for (const { adapter } of route.branches) {
        const what = SILENT[adapter.name];
        if (what !== undefined)
          say(
            { document: route, path: adapter.path },
            `\`${route.contract}\` has a reply, and ${what} is not answered; send it over http, soap or a topic, or use a contract without reply`,
          );
      }
    }
  },
};
