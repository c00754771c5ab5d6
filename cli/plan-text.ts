/** A plan in words for a terminal: what a person must know before they say yes. */
import type { Plan } from "#bus/admin.ts";
import { formatFinding } from "#bus/route/findings.ts";
import { plain } from "./output.ts";

const SIGN = { starts: "+", begins: "+", changes: "~", stops: "-", ends: "-" } as const;

export function planText(plan: Plan): string {
  const sections = [
    section("routes", plan.routes.flatMap(routeLines)),
    section("grants", plan.grants.flatMap(grantLines)),
    section("contracts", plan.contracts.flatMap(contractLines)),
    section(
      "systems",
      plan.systems.map(({ system, change, parts }) => `${SIGN[change]} ${system}${listed(parts)}`),
    ),
    section("findings", plan.findings.map(formatFinding)),
    verdictLines(plan),
  ];
  return sections
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.map(plain).join("\n"))
    .join("\n\n");
}

const section = (title: string, lines: readonly string[]): readonly string[] =>
  lines.length === 0 ? [] : [title, ...lines.map((line) => `  ${line}`)];
const listed = (names: readonly string[]): string => (names.length === 0 ? "" : `: ${names.join(", ")}`);

function routeLines(route: Plan["routes"][number]): readonly string[] {
  const why =
    route.change === "changes" && route.parts.length === 0 ? ": what it refers to (a map, a policy, a schema)" : listed(route.parts);
  return [
    `${SIGN[route.change]} ${route.route} ${route.change}${why}`,
    ...route.renamed.map(({ from, to }) => `    ${from} is called ${to}: its cursor ends, the new one begins with the next message`),
    ...route.gone.map(
      ({ name, waiting }) => `    branch ${name} goes, ${waiting === 0 ? "nothing waits in it" : `${waiting} messages wait in it`}`,
    ),
    ...route.begin.map((name) => `    branch ${name} begins with the next message`),
  ];
}

function grantLines(grant: Plan["grants"][number]): readonly string[] {
  const act = grant.role === "producer" ? "publish" : "use";
  const may = { begins: `may ${act}`, changes: `may ${act}`, ends: `may no longer ${act}` }[grant.change];
  return [
    `${SIGN[grant.change]} ${grant.grant}: ${grant.system} ${may} ${grant.contract}`,
    ...(grant.gains.length === 0 ? [] : [`    gains ${grant.gains.join(", ")}`]),
    ...(grant.loses.length === 0 ? [] : [`    loses ${grant.loses.join(", ")}`]),
    ...grant.terms.map((term) => `    ${term}`),
  ];
}

function contractLines(contract: Plan["contracts"][number]): readonly string[] {
  const verdict = contract.change === "changes" ? (contract.compatible ? ", compatible" : ", NOT COMPATIBLE") : "";
  const level = verdict === "" ? "" : ` (${contract.level.toLowerCase()})`;
  return [
    `${SIGN[contract.change]} ${contract.type}${listed(contract.parts)}${verdict}${level}`,
    ...contract.rules.map((rule) => `    ${rule}`),
  ];
}

function verdictLines({ verdict, because, files }: Plan): readonly string[] {
  const count = `${files.changed.length} changed, ${files.added.length} new, ${files.removed.length} gone`;
  const says = {
    same: "nothing would change: these files run already",
    sound: `this change is sound; files: ${count}`,
    strands: `this change leaves messages behind; files: ${count}`,
    faulty: `this change is not applied; files: ${count}`,
  }[verdict];
  return [says, ...because.map((reason) => `  ${reason}`)];
}
