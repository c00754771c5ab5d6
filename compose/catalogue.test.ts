/** The catalogue's documents as they are served to systems. */
import { describe, expect, it } from "vitest";
import type { View } from "#bus/passage.ts";
import type { WebHandler, WebHost, WebRequest, WebResponse } from "#bus/wire.ts";
import { sampleView } from "#test/harness/catalogue.ts";
import { openCatalogue } from "./catalogue.ts";

const NOTHING: View = { routes: new Map(), grants: { consumer: new Map(), producer: new Map() }, systems: new Map(), contracts: new Map() };

async function served() {
  let view = await sampleView();
  const mounted = new Map<string, WebHandler>();
  const host: WebHost = {
    mount(face, prefix, handler) {
      mounted.set(`${face} ${prefix}`, handler);
      return () => undefined;
    },
  };
  const catalogue = openCatalogue({
    host,
    bus: { view: () => view },
    version: "1.2.3",
    origin: "https://bus.example",
    natsUrl: "nats://u:p@n.example:4222",
    amqpUrl: undefined,
  });
  const get = async (path: string, more: Partial<WebRequest> = {}): Promise<WebResponse & { json: Record<string, unknown> }> => {
    const handler = mounted.get(`systems ${path}`);
    if (!handler) throw new Error(`nothing is mounted at ${path}`);
    const request: WebRequest = {
      method: "GET",
      path,
      query: new URLSearchParams(),
      headers: {},
      system: undefined,
      origin: "http://asked.example:8080",
      body: new Uint8Array(0),
      signal: new AbortController().signal,
      ...more,
    };
    const response = await handler(request);
    return { ...response, json: JSON.parse(String(response.body)) as Record<string, unknown> };
  };
  return { run: (next: View) => void (view = next), catalogue, get };
}

describe("what is served below /mconnect", () => {
  it.each([
    ["/mconnect/openapi.json", "openapi", "application/vnd.oai.openapi+json;version=3.1"],
    ["/mconnect/asyncapi.json", "asyncapi", "application/vnd.aai.asyncapi+json;version=3.0.0"],
    ["/mconnect/catalogue.jsonld", "@graph", "application/ld+json"],
  ])("%s has its media type, and says where the caller asked", async (path, member, media) => {
    const { get } = await served();
    const { status, headers, json, body } = await get(path);
    expect([status, headers?.["content-type"]]).toEqual([200, media]);
    expect(json[member]).toBeDefined();
    expect(String(body)).toContain("asked.example:8080");
    expect(String(body)).not.toContain("u:p@");
  });

  it("refuses what it does not serve: another method, a path below, a system that nobody knows", async () => {
    const { get } = await served();
    expect(await get("/mconnect/openapi.json", { method: "POST" })).toMatchObject({ status: 405, json: { title: "http-request" } });
    expect(await get("/mconnect/openapi.json", { path: "/mconnect/openapi.json/x" })).toMatchObject({ status: 404 });
    const query = new URLSearchParams({ system: "no/system" });
    expect(await get("/mconnect/asyncapi.json", { query })).toMatchObject({ status: 404, json: { title: "not-found" } });
  });

  it("is what runs now: a reload is seen at once", async () => {
    const { run, catalogue } = await served();
    const before = catalogue.search({ kind: "contract", limit: 100 }).items.length;
    expect(before).toBeGreaterThan(0);
    run(NOTHING);
    expect(catalogue.search({ limit: 100 }).items).toEqual([]);
  });
});
