/** Documentation that runs: snippets are executed against a started bus, tables are held against the code, both ways. */
import { spawn, type ChildProcess, execFile } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { adapters } from "#adapters/registry.ts";
import { CLASSES, CODES } from "#bus/errors.ts";
import { formatFinding } from "#bus/route/findings.ts";
import { lintFiles } from "#bus/route/lint/lint.ts";
import { filesFrom } from "./files-of.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const read = (path: string): string => readFileSync(join(root, path), "utf8");
const decisions = readdirSync(join(root, "docs/decisions")).map((name) => `docs/decisions/${name}`);
const pages = [
  "README.md",
  "CHANGELOG.md",
  ...readdirSync(join(root, "docs"))
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`),
  ...decisions,
];

type Snippet = Readonly<{ page: string; line: number; tag: string; text: string }>;
const snippets: readonly Snippet[] = pages.flatMap((page) => {
  const text = read(page);
  return [...text.matchAll(/^```([^\n]*)\n([\s\S]*?)^```$/gmu)].map((match) => ({
    page,
    line: text.slice(0, match.index).split("\n").length,
    tag: (match[1] ?? "").trim(),
    text: match[2] ?? "",
  }));
});
const tagged = (tag: string): readonly Snippet[] => snippets.filter((snippet) => snippet.tag === tag);

/** Cells of a page's tables, without the quotes of code. */
const rows = (page: string): readonly (readonly string[])[] =>
  read(page)
    .split("\n")
    .filter((line) => line.startsWith("| ") && !line.startsWith("|---"))
    .map((line) => line.slice(2, -2).split(" | "));
const code = (cell: string | undefined): string => /^`([^`]+)`$/u.exec(cell ?? "")?.[1] ?? "";

describe("snippets", () => {
  it("are as many as were counted: a new one is checked, none is lost", () => {
    const counts = Object.fromEntries(["sh run", "json", "yaml lint"].map((tag) => [tag, tagged(tag).length]));
    expect(counts).toEqual({ "sh run": 15, json: 18, "yaml lint": 3 });
  });

  it("of JSON are JSON", () => {
    for (const { page, line, text } of tagged("json")) expect(() => JSON.parse(text) as unknown, `${page}:${line}`).not.toThrow();
  });

  it("of YAML lint clean", () => {
    for (const { page, line, text } of tagged("yaml lint")) {
      const fields = [{ name: "text", type: "string" }];
      const schema = JSON.stringify({ type: "record", name: "NoteSent", namespace: "md.example", fields });
      const files = filesFrom({ "config/development.yaml": text, "contracts/note.sent.v1.avsc": schema });
      const { findings } = lintFiles(files, adapters, { "archive.url": "http://127.0.0.1:9200" });
      expect(findings.filter(({ severity }) => severity === "error").map(formatFinding), `${page}:${line}`).toEqual([]);
    }
  });
});

describe("snippets to run", () => {
  let bus: ChildProcess;
  let http = "";
  const dir = mkdtempSync(join(tmpdir(), "mbus-docs-"));
  const env = {
    ...process.env,
    PATH: `${dirname(process.execPath)}:${process.env["PATH"] ?? ""}`,
    MBUS_HTTP_PORT: "0",
    MBUS_TLS_PORT: "0",
    MBUS_REGISTRY_PORT: "0",
    MBUS_DATA_DIR: join(dir, "data"),
    TMP: dir,
  };

  beforeAll(async () => {
    bus = spawn(process.execPath, [join(root, "cli/mbus.js"), "start", "--samples", "--json"], {
      cwd: root,
      env,
      stdio: ["ignore", "pipe", "inherit"],
    });
    const { stdout } = bus;
    if (!stdout) throw new Error("the bus has no output");
    http = await new Promise<string>((done, failed) => {
      bus.once("exit", (status) => failed(new Error(`the bus ended with ${status}`)));
      createInterface({ input: stdout }).on("line", (line) => done((JSON.parse(line) as { http: string }).http));
    });
  }, 30_000);

  afterAll(async () => {
    const gone = new Promise((done) => bus.once("exit", done));
    bus.kill("SIGTERM");
    await gone;
    rmSync(dir, { recursive: true, force: true });
  }, 30_000);

  it.each(tagged("sh run").map((snippet) => [`${snippet.page}:${snippet.line}`, snippet] as const))(
    "%s",
    async (_, { text }) => {
      const script = text
        .replaceAll("http://127.0.0.1:8080", http)
        .replaceAll("curl -s ", "curl -sf ")
        .replaceAll("npx mbus ", `"${process.execPath}" cli/mbus.js `);
      const { stdout } = await promisify(execFile)("sh", ["-euc", script], { cwd: root, env });
      expect(stdout.trim()).not.toBe("");
    },
    30_000,
  );
});

describe("pages and code say the same", () => {
  it("of error classes", () => {
    const said = rows("docs/errors.md").filter((row) => row.length === 5 && code(row[0]) !== "");
    const yes = (value: boolean): string => (value ? "yes" : "no");
    const meant = Object.entries(CLASSES).map(([name, { http, side, retryable, meaning }]) => [
      `\`${name}\``,
      String(http),
      side,
      yes(retryable),
      meaning,
    ]);
    expect(said).toEqual(meant);
  });

  it("of error codes", () => {
    const said = rows("docs/errors.md").filter((row) => row.length === 4 && code(row[0]) !== "");
    expect(said.map((row) => row.slice(0, 3))).toEqual(
      Object.entries(CODES).map(([name, [group, text]]) => [`\`${name}\``, `\`${group}\``, text]),
    );
    expect(said.filter((row) => (row[3] ?? "").trim() === "")).toEqual([]);
  });

  it("of metrics", () => {
    const said = rows("docs/metrics.md").map((row) => code(row[0]));
    const kept = [...read("compose/health.ts").matchAll(/"(mbus_[a-z0-9_]+)"/gu)].map((match) => match[1]);
    expect(said.filter((name) => name !== "")).toEqual(kept);
  });

  it("of dependencies, each with a reason", () => {
    type Manifest = Record<"dependencies" | "devDependencies" | "optionalDependencies", Record<string, string>>;
    const { dependencies, devDependencies, optionalDependencies } = JSON.parse(read("package.json")) as Manifest;
    const page = read("docs/dependencies.md");
    const table = rows("docs/dependencies.md").slice(1);
    expect(table.filter((row) => (row[1] ?? "").length < 10)).toEqual([]);
    const named = table.map((row) => row[0] ?? "").filter((name) => !name.startsWith("node-"));
    expect(named.toSorted()).toEqual(Object.keys(dependencies).toSorted());
    expect(Object.keys(optionalDependencies).filter((name) => !name.startsWith("node-"))).toEqual([]);
    const dev = page.slice(page.indexOf("For development only"));
    expect(Object.keys(devDependencies).filter((name) => !name.startsWith("@types/") && !dev.includes(name))).toEqual([]);
  });

  it("of invariants: each has a test of that title at that path", () => {
    const promises = rows("docs/invariants.md").filter((row) => /^\d/u.test(row[0] ?? ""));
    expect(promises.length).toBeGreaterThan(30);
    const missing = promises.filter(([, , path, title]) => {
      const file = code(path);
      return !existsSync(join(root, file)) || !read(file).includes(`"${title}"`);
    });
    expect(missing.map((row) => row[0])).toEqual([]);
    const numbers = promises.map((row) => Number((row[0] ?? "").split(".")[0]));
    expect([...new Set(numbers)]).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });

  it("of verbs: the command line and its page name the same", () => {
    const page = read("docs/cli.md");
    const names = [
      ...(read("cli/main.ts") + read("cli/change-verbs.ts")).matchAll(
        /(program|journal|contract|system|letters|revisions),\s*[`"]([a-z]+)/gu,
      ),
    ];
    expect(names.length).toBeGreaterThan(20);
    expect(names.map((match) => match[2] ?? "").filter((name) => !new RegExp(`\\b${name}\\b`, "u").test(page))).toEqual([]);
  });

  it("of files: each one named is there", () => {
    const top = readdirSync(root).filter((name) => !name.includes("."));
    const missing = pages.flatMap((page) =>
      [
        ...read(page)
          .replaceAll(/^```[\s\S]*?^```$/gmu, "")
          .matchAll(/`([\w./-]+)`/gu),
      ]
        .map((match) => match[1] ?? "")
        .filter((name) => top.includes(name.split("/")[0] ?? "") && name.includes("/") && !name.includes("*"))
        .filter((name) => !existsSync(join(root, name)))
        .map((name) => `${page}: ${name}`),
    );
    expect(missing).toEqual([]);
  });
});

describe("the style of the pages", () => {
  it("keeps a decision under 40 lines, with context, choice and cost", () => {
    for (const page of decisions) {
      expect(read(page).split("\n").length, page).toBeLessThan(40);
      for (const word of ["Context", "Choice", "Cost"]) expect(read(page), page).toMatch(new RegExp(`^(?:${word}\\.|## ${word}$)`, "mu"));
    }
  });

  it("names no machine's folders and no package registry", () => {
    const forbidden = /\/(?:work|tmp|home|root)\/|registry\.npmjs|npmjs\.(?:org|com)|proxy\.golang/u;
    expect(pages.filter((page) => forbidden.test(read(page)))).toEqual([]);
  });
});
