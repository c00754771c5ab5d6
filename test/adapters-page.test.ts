/** The examples of docs/adapters.md are halves of routes; with the other half each is a route that lints clean. */
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { adapters } from "#adapters/registry.ts";
import { formatFinding } from "#bus/route/findings.ts";
import { lintFiles } from "#bus/route/lint/lint.ts";
import { filesFrom } from "./files-of.ts";

const page = readFileSync(new URL("../docs/adapters.md", import.meta.url), "utf8");
const blocks = [...page.matchAll(/^```yaml\n([\s\S]*?)^```$/gmu)].map((match) => match[1] ?? "");
const systems = ["cnas/benefits", "bns/statistics", "asp/vehicles"];
const FILES = {
  "config/development.yaml": "bus: environment/v1\nid: development\nvars: {}\n",
  "contracts/page.sent.v1.avsc": JSON.stringify({
    type: "record",
    name: "PageSent",
    namespace: "md.example",
    fields: [{ name: "text", type: "string" }],
  }),
};
const head = [
  ...systems.map(
    (id) =>
      `bus: system/v1\nid: ${id}\ntitle: A system\ninstitution: { idno: "1002600024700", name: An agency }\naddresses: [https://provider.example]\n`,
  ),
  "bus: contract/v1\nid: page.sent.v1\ntitle: A page was sent\nowner: pages\npattern: event\nschema: ../contracts/page.sent.v1.avsc\nidempotent: true\n",
  ...systems.flatMap((id) =>
    ["producer", "consumer"].map(
      (role) =>
        `bus: grant/v1\nid: ${id.replace("/", "-")}-${role}\nowner: officer\n${role}: ${id}\ncontract: page.sent.v1\n` +
        `legalBasis: { act: Law 142/2018, section: "art. 6", purpose: exchange }\nvalid: { from: 2026-01-01, until: 2030-12-31 }\n`,
    ),
  ),
];
const route = (block: string): string =>
  [
    "bus: route/v1\nid: page\ntitle: A page\nowner: pages\ncontract: { event: page.sent.v1 }\n",
    block,
    block.startsWith("from:")
      ? "to: { topic: { name: page.sent.v1 } }\n"
      : "from:\n  - name: bns\n    system: bns/statistics\n    http: {}\n",
  ].join("");

it("the page has examples", () => {
  expect(blocks.length).toBeGreaterThanOrEqual(5);
});

it.each(blocks.map((block) => [block.split("\n").slice(0, 4).join(" ").replace(/\s+/gu, " "), block] as const))(
  "%s … lints clean",
  (_, block) => {
    const { findings, documents } = lintFiles(
      filesFrom({ ...FILES, "routes/page.yaml": [...head, route(block)].join("---\n") }),
      adapters,
      {},
      Date.parse("2026-06-01"),
    );
    expect(findings.filter(({ severity }) => severity === "error").map(formatFinding)).toEqual([]);
    expect([...documents.routes.keys()]).toEqual(["page"]);
  },
);
