/** The semantic catalogue on the administrators' face. */
import { BusError } from "#bus/errors.ts";
import type { Endpoint } from "./call.ts";

const KINDS = ["contract", "classifier", "system"];
const MOST = 200;

export const catalogueEndpoints: readonly Endpoint[] = [
  {
    method: "GET",
    path: "/catalogue",
    title: "Contracts, classifiers and systems: `text`, `kind`, `limit`, and `cursor` of the page before",
    run: async (admin, { query }) => {
      const limit = Number(query.get("limit") ?? 50);
      if (!Number.isInteger(limit) || limit < 1) throw new BusError("json-violation", "`limit` is a whole number from 1");
      const kind = query.get("kind") ?? undefined;
      if (kind !== undefined && !KINDS.includes(kind)) throw new BusError("json-violation", `\`kind\` is one of ${KINDS.join(", ")}`);
      const [text, cursor] = [query.get("text") ?? undefined, query.get("cursor") ?? undefined];
      return admin.catalogue.search({ text, kind, cursor, limit: Math.min(limit, MOST) });
    },
  },
  {
    method: "GET",
    path: "/catalogue/openapi",
    title: "OpenAPI 3.1 of the REST faces, of one `system` or of all",
    run: async (admin, { query }) => admin.catalogue.openapi(query.get("system") ?? undefined),
  },
  {
    method: "GET",
    path: "/catalogue/asyncapi",
    title: "AsyncAPI 3.0 of topics and events, of one `system` or of all",
    run: async (admin, { query }) => admin.catalogue.asyncapi(query.get("system") ?? undefined),
  },
  {
    method: "GET",
    path: "/catalogue/dcat",
    title: "The catalogue as DCAT-AP and ADMS in JSON-LD",
    run: async (admin) => admin.catalogue.dcat(),
  },
  ...KINDS.map((kind): Endpoint => ({
    method: "GET",
    path: `/catalogue/${kind}/{id}`,
    title: `One ${kind} of the catalogue`,
    run: async (admin, { values }) => admin.catalogue.entry(kind, values["id"] ?? ""),
  })),
];
