import { describe, expect, it } from "vitest";
import { BusError } from "../errors.ts";
import type { Accept } from "../ports.ts";
import type { WebHandler, WebHost, WebRequest, WebResponse } from "../wire.ts";
import { createDoorway } from "./doorway.ts";

type Mounted = Readonly<{ face: string; prefix: string; handler: WebHandler }>;

function openHost(): Readonly<{ host: WebHost; mounts: Mounted[] }> {
  const mounts: Mounted[] = [];
  const host: WebHost = {
    mount(face, prefix, handler) {
      const mounted = { face, prefix, handler };
      mounts.push(mounted);
      return () => void mounts.splice(mounts.indexOf(mounted), 1);
    },
  };
  return { host, mounts };
}

const request = (method = "POST"): WebRequest => ({
  method,
  path: "/x",
  query: new URLSearchParams(),
  headers: {},
  system: undefined,
  origin: "http://localhost",
  body: new Uint8Array(0),
  signal: new AbortController().signal,
});

const never: Accept = () => Promise.reject(new BusError("unexpected", "nobody asked"));

function open(take: () => Promise<WebResponse>, maxInFlight = 1, drain = 5000) {
  const { host, mounts } = openHost();
  const inlet = createDoorway({ host, path: "/x", limits: { maxBytes: 10, maxInFlight } }, drain, {
    aside: (asked) => (asked.method === "POST" ? undefined : { status: 405 }),
    refuse: (error) => ({ status: 503, body: error.code }),
    take,
  });
  const ask = (method?: string): Promise<WebResponse> => mounts[0]?.handler(request(method)) ?? Promise.reject(new Error("not mounted"));
  return { inlet, mounts, ask };
}

describe("a doorway", () => {
  it("is mounted for systems while it is open, and only then", async () => {
    const { inlet, mounts } = open(async () => ({ status: 200 }));
    expect(mounts).toEqual([]);
    await inlet.start(never);
    expect(mounts.map(({ face, prefix }) => [face, prefix])).toEqual([["systems", "/x"]]);
    await Promise.all([inlet.close(), inlet.close()]);
    expect(mounts).toEqual([]);
  });

  it("gives each message the accept it was started with", async () => {
    const seen: Accept[] = [];
    const { host, mounts } = openHost();
    const inlet = createDoorway({ host, path: "/x", limits: { maxBytes: 10, maxInFlight: 1 } }, 10, {
      aside: () => undefined,
      refuse: () => ({ status: 503 }),
      take: async (_, accept) => (seen.push(accept), { status: 200 }),
    });
    await inlet.start(never);
    await mounts[0]?.handler(request());
    expect(seen).toEqual([never]);
  });

  it("lets in as many as it may, and the next one when one has left", async () => {
    const gate = Promise.withResolvers<WebResponse>();
    const { inlet, ask } = open(() => gate.promise, 2);
    await inlet.start(never);
    const inside = [ask(), ask()];
    expect(await ask()).toEqual({ status: 503, body: "inlet-busy" });
    gate.resolve({ status: 200 });
    await Promise.all(inside);
    expect((await ask()).status).toBe(200);
  });

  it("counts a message out though taking it failed", async () => {
    const { inlet, ask } = open(() => Promise.reject(new Error("broken")));
    await inlet.start(never);
    for (let i = 0; i < 3; i++) await expect(ask()).rejects.toThrow("broken");
    await inlet.close();
  });

  it("answers what is no message though it is full or closing", async () => {
    const gate = Promise.withResolvers<WebResponse>();
    const { inlet, ask } = open(() => gate.promise);
    await inlet.start(never);
    const inside = ask();
    expect((await ask("GET")).status).toBe(405);
    const closing = inlet.close();
    expect((await ask("GET")).status).toBe(405);
    expect(await ask()).toEqual({ status: 503, body: "bus-stopping" });
    gate.resolve({ status: 200 });
    expect((await inside).status).toBe(200);
    await closing;
  });

  it("stays mounted until the last message has its answer", async () => {
    const gate = Promise.withResolvers<WebResponse>();
    const { inlet, ask, mounts } = open(() => gate.promise);
    await inlet.start(never);
    const inside = ask();
    const closing = inlet.close();
    await Promise.resolve();
    expect(mounts).toHaveLength(1);
    gate.resolve({ status: 200 });
    await inside;
    await closing;
    expect(mounts).toEqual([]);
  });

  it("may be closed without ever having been opened", async () => {
    const { inlet } = open(async () => ({ status: 200 }));
    await inlet.close();
  });
});
