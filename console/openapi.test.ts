/** The published description of the administrators' face is true to the table that serves it, both ways. */
import { describe, expect, it } from "vitest";
import type { Admin } from "#bus/admin.ts";
import { endpoints } from "./endpoints.ts";
import { openapi } from "./openapi.ts";

type Operation = Readonly<{
  summary: string;
  parameters: readonly Readonly<{ name: string; in: string; required: boolean; schema: unknown }>[];
  requestBody?: Readonly<{
    required: boolean;
    content: Readonly<Record<string, Readonly<{ schema: { type: string; properties: object } }>>>;
  }>;
  responses: Readonly<Record<string, Readonly<{ description: string; content: object }>>>;
}>;
const document = openapi(endpoints) as Readonly<{
  openapi: string;
  info: Readonly<Record<string, unknown>>;
  security: unknown;
  components: Readonly<{ securitySchemes: Readonly<Record<string, unknown>> }>;
  paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}>;
const described = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ name: `${method.toUpperCase()} ${path}`, path, operation })),
);

describe("the description", () => {
  it("names every call that is served, and no other", () => {
    const served = endpoints.map(({ method, path }) => `${method} /api/v1${path}`);
    expect(described.map(({ name }) => name).toSorted()).toEqual(served.toSorted());
    expect(new Set(served).size).toBe(served.length);
  });

  it.each(endpoints.map((endpoint) => [`${endpoint.method} ${endpoint.path}`, endpoint] as const))("of %s is the row's own", (_, row) => {
    const operation = document.paths[`/api/v1${row.path}`]?.[row.method.toLowerCase()];
    expect(operation?.summary).toBe(row.title);
    const names = [...row.path.matchAll(/\{(\w+)\}/gu)].map(([, name]) => name);
    expect(operation?.parameters.map(({ name }) => name)).toEqual(names);
    for (const parameter of operation?.parameters ?? []) expect(parameter).toMatchObject({ in: "path", required: true });
    expect(operation?.requestBody?.content["application/json"]?.schema.properties).toEqual(row.body);
    expect(Object.keys(operation?.responses ?? {})).toEqual(["200", "default"]);
    expect(Object.keys(operation?.responses["default"]?.content ?? {})).toEqual(["application/problem+json"]);
  });

  it("asks for the token everywhere", () => {
    expect(document.security).toEqual([{ token: [] }]);
    expect(document.components.securitySchemes["token"]).toEqual({ type: "http", scheme: "bearer" });
  });

  it("is JSON, OpenAPI 3.1, with what the specification demands of info", () => {
    expect(JSON.parse(JSON.stringify(document))).toEqual(document);
    expect(document.openapi).toBe("3.1.0");
    expect([typeof document.info["title"], typeof document.info["version"]]).toEqual(["string", "string"]);
  });

  it("gives one path one value at most, so that an id may hold slashes", () => {
    for (const { path } of endpoints) expect(path.split("{").length, path).toBeLessThanOrEqual(2);
  });

  it("knows no two rows of one method that an address could mean", () => {
    const fits = (pattern: string, path: string): boolean => {
      const [before = "", name, after = ""] = pattern.split(/[{}]/u);
      return name === undefined
        ? pattern === path
        : path.startsWith(before) && path.endsWith(after) && path.length > before.length + after.length;
    };
    const sample = (path: string): string => path.replaceAll(/\{\w+\}/gu, "x1");
    for (const [index, row] of endpoints.entries()) {
      const first = endpoints.findIndex(({ method, path }) => method === row.method && fits(path, sample(row.path)));
      expect(first, `${row.method} ${row.path} is hidden`).toBe(index);
    }
  });
});

/** What only asks changes nothing, and needs nobody to answer for it. */
const ASKING = ["/journal/searches", "/access/explanations"];

describe("the members of bodies", () => {
  /** Every member that a row's code reads, found by handing it a body that notes what is asked of it. */
  async function read(row: (typeof endpoints)[number], given: Readonly<Record<string, unknown>>): Promise<ReadonlySet<string>> {
    const asked = new Set<string>();
    const body = new Proxy(given, {
      get(target, name) {
        if (typeof name === "string") asked.add(name);
        return Reflect.get(target, name) as unknown;
      },
    });
    const nothing: unknown = new Proxy(() => Promise.resolve({ records: [], cursor: undefined }), { get: () => nothing });
    await row.run(nothing as Admin, { values: { id: "x", position: "1" }, query: new URLSearchParams(), body }).catch(() => undefined);
    return asked;
  }

  const whole = { operator: "ana", reason: "why", route: "r", ids: ["a"] };
  it.each(endpoints.filter(({ method }) => method === "POST").map((row) => [row.path, row] as const))(
    "of POST %s are those that its code reads",
    async (_, row) => {
      expect([...new Set([...(await read(row, whole)), ...(await read(row, { ...whole, dryRun: true }))])].toSorted()).toEqual(
        Object.keys(row.body ?? {}).toSorted(),
      );
    },
  );

  it.each(endpoints.filter(({ method }) => method === "GET").map((row) => [row.path, row] as const))(
    "of GET %s are none",
    async (_, row) => {
      expect(row.body).toBeUndefined();
      expect([...(await read(row, whole))]).toEqual([]);
    },
  );

  it("of what changes something always hold operator and reason", () => {
    for (const { method, path, body } of endpoints)
      if (method === "POST" && !ASKING.includes(path))
        expect(Object.keys(body ?? {}), path).toEqual(expect.arrayContaining(["operator", "reason"]));
  });
});
