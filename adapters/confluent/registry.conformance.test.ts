import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { startRegistryServer } from "#adapters/schema-registry/face.ts";
import { createEmbeddedRegistry } from "#adapters/schema-registry/registry.ts";
import { checkCompatibility } from "#bus/contract/compatibility.ts";
import { codeOf } from "#test/conformance/cases.ts";
import { registryConformance } from "#test/conformance/registry.ts";
import { createMemoryDisk, createMemoryStore } from "#test/harness/memory.ts";
import { openConfluentRegistry } from "./registry.ts";

async function outside() {
  const embedded = await createEmbeddedRegistry(createMemoryStore(createMemoryDisk()), checkCompatibility);
  const server = await startRegistryServer(embedded, { host: "127.0.0.1", port: 0 });
  return { embedded, server, url: `http://127.0.0.1:${server.port}/` };
}

registryConformance({
  name: "an outside Confluent registry",
  async open() {
    const { server, url } = await outside();
    const open = () => openConfluentRegistry({ url });
    return { registry: await open(), reopen: open, close: () => server.close() };
  },
});

describe("an outside Confluent registry", () => {
  const closing: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const close of closing.splice(0)) await close();
  });
  const PERSON = '{"type":"record","name":"Person","fields":[]}';

  it("obeys the level of a subject and never sets one", async () => {
    const { embedded, server, url } = await outside();
    closing.push(() => server.close());
    const registry = await openConfluentRegistry({ url });
    await embedded.setLevel("strict-value", "FULL_TRANSITIVE");
    expect(await registry.register("strict-value", PERSON)).toBe(await registry.register("new-value", PERSON));
    expect(await embedded.level("strict-value")).toBe("FULL_TRANSITIVE");
    expect(await embedded.level("new-value")).toBeUndefined();
  });

  it("says that it cannot be reached", async () => {
    const { server, url } = await outside();
    await server.close();
    const registry = await openConfluentRegistry({ url });
    expect(await codeOf(registry.register("a-value", PERSON))).toBe("endpoint-unreachable");
    expect(await codeOf(registry.schema(1))).toBe("endpoint-unreachable");
    expect(await codeOf(registry.compatibility("a-value", PERSON))).toBe("endpoint-unreachable");
  });

  it("waits for an answer no longer than it may", async () => {
    const server = createServer(() => undefined);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    closing.push(async () => {
      server.closeAllConnections();
      server.close();
    });
    const registry = await openConfluentRegistry({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, timeout: 50 });
    expect(await codeOf(registry.schema(1))).toBe("attempt-timeout");
  });

  it("sends credentials of its address, and tells a refusal of them", async () => {
    const seen: (string | undefined)[] = [];
    const server = createServer((request, response) => {
      seen.push(request.headers.authorization);
      response.writeHead(401, { "content-type": "application/json" }).end('{"error_code":401,"message":"Unauthorized"}');
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    closing.push(async () => void server.close());
    const registry = await openConfluentRegistry({ url: `http://bus:p%40ss@127.0.0.1:${(server.address() as AddressInfo).port}` });
    expect(await codeOf(registry.schema(1))).toBe("configuration");
    expect(seen).toEqual([`Basic ${Buffer.from("bus:p@ss").toString("base64")}`]);
  });

  it("refuses every call after its end", async () => {
    const { server, url } = await outside();
    closing.push(() => server.close());
    const registry = await openConfluentRegistry({ url });
    await registry.close();
    expect(await codeOf(registry.schema(1))).toBe("bus-stopping");
  });
});
