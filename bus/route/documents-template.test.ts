/** Templates: what a route made from one is, what a template may not say, and where each fault is told. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { GOOD, lintTexts, saidOf, type Texts } from "#test/harness/good-files.ts";
import type { RouteDoc } from "./documents.ts";

const FILE = "routes/template.yaml";
const GRANT = `---
bus: grant/v1
id: lake-vehicles
owner: data-protection-officer
consumer: statistics/lake
contract: vehicle.registered.v1
legalBasis: { act: Act, section: "1", purpose: test }
valid: { from: 2026-01-01, until: 2026-12-31 }
`;
const PARAMETERS = `  receiver: { type: string, description: System that receives }
  path: { type: string, description: Path, default: /vehicles }
  attempts: { type: integer, description: Attempts, default: 6 }
  wait: { type: duration, description: First wait, default: 5s }
`;
const BODY = `  title: News for \${param:receiver} at \${param:path}
  owner: team
  contract: { event: vehicle.registered.v1 }
  from:
    - { name: news, topic: { name: vehicle.registered.v1 } }
  to: { system: "\${param:receiver}", http: { path: "\${param:path}" } }
  deliver: { retry: { attempts: "\${param:attempts}", backoff: { first: "\${param:wait}" } } }
`;
const template = (parameters = PARAMETERS, body = BODY): string => `bus: template/v1\nid: news\nparameters:\n${parameters}route:\n${body}`;
const instance = (given: string, more = ""): string => `---\nbus: route/v1\nid: news-lake\ntemplate: news\n${more}with: ${given}\n`;
const files = (text: string): Texts => ({ ...GOOD, [FILE]: text + GRANT });
const said = (text: string): readonly string[] => saidOf(files(text)).map((line) => line.replace(`${FILE}:`, ""));

function made(given: string, more = ""): RouteDoc {
  const { documents, findings } = lintTexts(files(template() + instance(given, more)));
  expect(findings).toEqual([]);
  const route = documents.routes.get("news-lake");
  if (!route) throw new Error("no route");
  return route;
}

describe("a route made from a template", () => {
  it("has its parameters in texts and whole values in their types", () => {
    const route = made("{ receiver: statistics/lake, path: /in, attempts: 3, wait: 2m }");
    expect(route.title).toBe("News for statistics/lake at /in");
    expect(route.branches[0]).toMatchObject({ system: "statistics/lake", adapter: { options: { path: "/in" } } });
    expect(route.deliver?.retry).toEqual({ attempts: 3, backoff: { first: 120_000 } });
  });

  it("takes defaults for what it does not give", () => {
    const route = made("{ receiver: statistics/lake }");
    expect(route.title).toBe("News for statistics/lake at /vehicles");
    expect(route.deliver?.retry).toEqual({ attempts: 6, backoff: { first: 5000 } });
  });

  it("may set title, owner and state itself", () => {
    expect(made("{ receiver: statistics/lake }", "title: Own\nstate: paused\n")).toMatchObject({
      title: "Own",
      state: "paused",
      owner: "team",
    });
  });

  it("knows both its places: the template's lines, and where its `with` stands", () => {
    const route = made("{ receiver: statistics/lake }");
    expect(route.source.place(["to"])).toMatchObject({ file: FILE, line: 14 });
    expect(route.template).toMatchObject({ id: "news", at: { file: FILE, line: 17 } });
  });

  it("takes a value for text, never for more structure", () => {
    const title = "x\ny: z\n- {";
    const parameters = `${PARAMETERS}  words: { type: string, description: Words }\n`;
    const body = BODY.replace("News for ${param:receiver} at ${param:path}", '"${param:words}"');
    const { documents } = lintTexts(
      files(template(parameters, body) + instance(`{ receiver: statistics/lake, words: ${JSON.stringify(title)} }`)),
    );
    expect(documents.routes.get("news-lake")?.title).toBe(title);
  });

  it.each(["1.10", "007", "1e3", "0x1F", "yes"])("takes the text %s as it is written, given or by default", (written) => {
    const body = BODY.replace("at ${param:path}", "at ${param:words}");
    const words = "  words: { type: string, description: Words";
    const given = template(`${PARAMETERS}${words} }\n`, body) + instance(`{ receiver: statistics/lake, words: ${written} }`);
    const byDefault = template(`${PARAMETERS}${words}, default: ${written} }\n`, body) + instance("{ receiver: statistics/lake }");
    for (const text of [given, byDefault])
      expect(lintTexts(files(text)).documents.routes.get("news-lake")?.title).toBe(`News for statistics/lake at ${written}`);
  });

  it("puts in each value once: a parameter in a parameter stays a fault", () => {
    expect(said(template() + instance('{ receiver: statistics/lake, path: "${param:receiver}" }')).join()).toContain("bad-variable");
  });

  it("fills in variables that a parameter brings, like any other text", () => {
    const route = lintTexts(
      files(template() + instance('{ receiver: statistics/lake, path: "/${var:statistics.url}" }')),
    ).documents.routes.get("news-lake");
    expect(route?.title).toBe("News for statistics/lake at /http://localhost:9300");
  });

  it("may not bring a secret where everybody sees it", () => {
    expect(said(template() + instance('{ receiver: statistics/lake, path: "${secret:x}" }')).join()).toContain("secret-misplaced");
  });
});

describe("a route made from a template is refused", () => {
  it.each([
    [
      "without a value it must give",
      "{ path: /in }",
      "20:7  error  missing-parameter  `with` has no `receiver` (System that receives); the template needs it",
    ],
    [
      "with a value nobody asks for",
      "{ receiver: statistics/lake, pth: /in }",
      "20:36  error  unknown-parameter  the template has no parameter `pth`; did you mean `path`?",
    ],
    [
      "with a text for a number",
      "{ receiver: statistics/lake, attempts: three }",
      "20:46  error  wrong-type  `attempts`: takes a value of type integer",
    ],
    [
      "with a fraction for a whole number",
      "{ receiver: statistics/lake, attempts: 2.5 }",
      "20:46  error  wrong-type  `attempts`: takes a value of type integer",
    ],
    [
      "with a duration without unit",
      "{ receiver: statistics/lake, wait: 5 }",
      "20:42  error  wrong-type  `wait`: `5` has no unit; write `5s`",
    ],
    ["with a list for a text", "{ receiver: [a] }", "20:19  error  wrong-type  `receiver`: takes a value of type string"],
    ["with nothing for a text", "{ receiver: }", "20:19  error  wrong-type  `receiver`: takes a value of type string"],
  ])("%s", (_, given, finding) => expect(said(template() + instance(given))).toEqual([finding]));

  it("when the template is broken, and only the template is told", () => {
    const text = template(PARAMETERS, BODY.replace("contract:", "contrct:")) + instance("{ receiver: statistics/lake }");
    const { findings, documents } = lintTexts(files(text));
    expect(documents.routes.has("news-lake")).toBe(false);
    expect(findings.map(({ line, rule }) => `${line} ${rule}`)).toEqual(["11 unknown-field"]);
  });
});

describe("a template is refused before any route is made from it", () => {
  it.each([
    [
      "a default of another type",
      PARAMETERS.replace("default: 6", "default: six"),
      BODY,
      "6:67  error  wrong-type  `attempts`: takes a value of type integer",
    ],
    [
      "a default duration without unit",
      PARAMETERS.replace("default: 5s", "default: 5"),
      BODY,
      "7:65  error  wrong-type  `wait`: `5` has no unit; write `5s`",
    ],
    [
      "a parameter that it does not declare",
      PARAMETERS,
      BODY.replace('path: "${param:path}"', 'path: "/x/${param:pth}"'),
      "14:58  error  unknown-parameter  `${param:pth}`: the template has no value for this parameter; did you mean `path`?",
    ],
    [
      "a value that no route need give and that has no default",
      PARAMETERS.replace("description: Path, default: /vehicles", "description: Path, required: false"),
      BODY,
      "5:9  error  missing-default  `path` is used in the route but a route need not give it; write a `default`, or `required: true`",
    ],
  ])("for %s", (_, parameters, body, finding) => {
    const lines = said(template(parameters, body));
    expect(lines.map((line) => line.replace(/^\d+:\d+/, ""))).toEqual([finding.replace(/^\d+:\d+/, "")]);
    expect(lines[0]?.split(":")[0]).toBe(finding.split(":")[0]);
  });

  it("for each thing once, however often it is used", () => {
    const parameters = PARAMETERS.replace("description: Path, default: /vehicles", "description: Path, required: false");
    expect(said(template(parameters, BODY)).filter((line) => line.includes("missing-default"))).toHaveLength(1);
  });

  it("and a sound one that nobody uses is no fault", () => expect(said(template())).toEqual([]));
});

describe("any value of a text parameter", () => {
  it("comes out in the title as it went in", () => {
    const body = BODY.replace("at ${param:path}", "at ${param:words}");
    const base = template(`${PARAMETERS}  words: { type: string, description: Words }\n`, body);
    const value = fc.string({ minLength: 1, maxLength: 30, unit: "grapheme" }).filter((text) => !text.includes("${"));
    fc.assert(
      fc.property(value, (text) => {
        const { documents } = lintTexts(files(base + instance(`{ receiver: statistics/lake, words: ${JSON.stringify(text)} }`)));
        expect(documents.routes.get("news-lake")?.title).toBe(`News for statistics/lake at ${text}`);
      }),
      { numRuns: 40 },
    );
  }, 60_000);
});
