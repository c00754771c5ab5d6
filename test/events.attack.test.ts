/** MConnect Events attacked: frames, commands, other systems' consumers, JSON tricks, slow consumers. The bus stands and others go on. */
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { BusProcess, Site } from "./harness/bus-process.ts";
import { changedEvent, createEventsSite, idsOf, nextEvent, personData, TYPE } from "./harness/events-site.ts";
import { eventually } from "./harness/receiver.ts";
import { rawHttp } from "./harness/raw-http.ts";
import { openSocket, type TestSocket } from "./harness/web-socket.ts";
import { OPCODES } from "./harness/web-socket-frames.ts";

let site: Site;
let bus: BusProcess;

beforeAll(async () => {
  site = createEventsSite("http://127.0.0.1:9");
  bus = await site.start();
  expect((await batch(Array.from({ length: 20 }, (_, at) => changedEvent(`seed-${at}`)))).status).toBe(202);
}, 60_000);
afterAll(() => site.remove(), 30_000);

type Said = Readonly<{ status: number; text: string; location: string | null }>;

async function call(
  method: string,
  path: string,
  system: string | undefined,
  body?: string,
  type = "application/cloudevents+json",
): Promise<Said> {
  const headers = { ...(system !== undefined && { "x-system": system }), ...(body !== undefined && { "content-type": type }) };
  const answer = await fetch(`${bus.http}/mconnect-events${path}`, { method, headers, ...(body !== undefined && { body }) });
  return { status: answer.status, text: await answer.text(), location: answer.headers.get("location") };
}
const event = (body: string, system = "rsp/population"): Promise<Said> => call("POST", "/ce/produce/event", system, body);
const batch = (events: readonly object[]): Promise<Said> =>
  call("POST", "/ce/produce/events", "rsp/population", JSON.stringify(events), "application/cloudevents-batch+json");
const stream = (query = "", system = "cnas/pensions", protocols = ["cloudevents.json"]): Promise<TestSocket> =>
  openSocket(`${bus.http.replace("http", "ws")}/mconnect-events/ce/consume/ws${query}`, { protocols, headers: { "x-system": system } });

/** The bus serves a new consumer and a producer as if nothing had happened. */
async function stands(): Promise<void> {
  expect((await event(JSON.stringify(changedEvent(`stands-${Math.random()}`)))).status).toBe(202);
  const socket = await stream("?group=stands");
  await socket.next();
  await socket.close();
}

describe("who may not, hears why and gets nothing", () => {
  it.each<[string, () => Promise<Said>, number, string]>([
    [
      "no system at all",
      () => call("POST", "/ce/produce/event", undefined, JSON.stringify(changedEvent("x"))),
      401,
      "did not say which system",
    ],
    ["a system that is not registered", () => event(JSON.stringify(changedEvent("x")), "evil/one"), 401, "is not registered"],
    ["a consumer that produces", () => event(JSON.stringify(changedEvent("x")), "cnas/pensions"), 401, "be a producer"],
    [
      "a source of somebody else",
      () => event(JSON.stringify(changedEvent("x", { source: "/cnas/pensions" }))),
      401,
      "may not speak for source",
    ],
    [
      "a source that only begins alike",
      () => event(JSON.stringify(changedEvent("x", { source: "/rsp/population/more" }))),
      401,
      "may not speak for source",
    ],
    [
      "a type that is none",
      () => event(JSON.stringify(changedEvent("x", { type: "RSP.Population.Person.Deleted" }))),
      404,
      "there is no event type",
    ],
    ["a producer that consumes", () => call("POST", "/ce/consumers", "rsp/population"), 401, "consume any event type"],
    ["a stranger that consumes", () => call("POST", "/ce/consumers", "evil/one"), 401, "is not registered"],
    ["a stranger that asks for settings", () => call("GET", "/ce/tools/my-settings", "evil/one"), 401, "is not registered"],
    [
      "a test of a type that the caller does not consume",
      () => call("POST", "/ce/tools/consumer/test", "rsp/population", JSON.stringify(changedEvent("x"))),
      401,
      "consume any event type",
    ],
  ])("%s", async (_, act, status, words) => {
    const said = await act();
    expect(said.status).toBe(status);
    expect(said.text).toContain(words);
  });

  it("by WebSocket as well, and without the sub-protocol", async () => {
    expect(await stream("", "evil/one")).toMatchObject({ status: 401 });
    expect(await stream("", "rsp/population")).toMatchObject({ status: 401 });
    expect(await stream("", "cnas/pensions", ["cloudevents.avro"])).toMatchObject({ status: 400 });
    expect(await stream("?group=a%2Fb")).toMatchObject({ status: 400 });
    expect(await stream("?events=false&test=false")).toMatchObject({ status: 400 });
    await stands();
  });
});

describe("an instance", () => {
  it("is unknown to every other system, whatever it asks of it", async () => {
    const { location } = await call("POST", "/ce/consumers?group=mine&test=false", "cnas/pensions");
    const at = new URL(location ?? "").pathname.replace("/mconnect-events", "");
    for (const [method, path] of [
      ["GET", "/events"],
      ["GET", "/raw"],
      ["POST", "/confirm?offset=1"],
      ["POST", "/dead"],
    ] as const)
      expect((await call(method, at + path, "primaria/registry")).status).toBe(404);
    expect((await call("DELETE", at, "primaria/registry")).status).toBe(204);
    expect((await call("GET", `${at}/event`, "cnas/pensions")).status).toBe(200);
    expect((await call("GET", `${at.replace("/mine/", "/yours/")}/event`, "cnas/pensions")).status).toBe(404);
    expect((await call("PATCH", at, "cnas/pensions", "{}")).status).toBe(404);
    await call("DELETE", at, "cnas/pensions");
  });

  it("takes no offset that it did not give, no more than four polls at once, and no dead letter that it never got", async () => {
    const { location } = await call("POST", "/ce/consumers?group=bounds&test=false", "cnas/pensions");
    const at = new URL(location ?? "").pathname.replace("/mconnect-events", "");
    expect((await call("GET", `${at}/events`, "cnas/pensions")).status).toBe(200);
    for (const offset of ["1000", "-1", "1.5", "NaN", "1e3", "", "99999999999999999999"])
      expect((await call("POST", `${at}/confirm?offset=${offset}`, "cnas/pensions")).status).toBe(400);
    const foreign = JSON.stringify(changedEvent("never-seen", { offset: "1" }));
    expect(await call("POST", `${at}/dead`, "cnas/pensions", foreign)).toMatchObject({ status: 404 });
    await call("POST", `${at}/confirm?offset=1`, "cnas/pensions");
    const polls = Array.from({ length: 6 }, () => call("GET", `${at}/event?timeout=700`, "cnas/pensions"));
    const statuses = (await Promise.all(polls)).map(({ status }) => status);
    expect(statuses.filter((status) => status === 503).length).toBeGreaterThanOrEqual(1);
    await call("DELETE", at, "cnas/pensions");
  }, 30_000);

  it("is one of at most twelve in its group, and a system has at most thirty-two groups", async () => {
    const made = await Promise.all(Array.from({ length: 13 }, () => call("POST", "/ce/consumers?group=crowd", "cnas/pensions")));
    const statuses = made.map(({ status }) => status);
    expect(statuses.filter((status) => status === 201)).toHaveLength(12);
    expect(made.find(({ status }) => status === 503)?.text).toContain("12 consumers, one for each partition");
    for (const { location } of made)
      if (location) await call("DELETE", new URL(location).pathname.replace("/mconnect-events", ""), "cnas/pensions");
    let last = 201;
    let groups = 0;
    while (last === 201 && groups < 40) {
      const one = await call("POST", `/ce/consumers?group=many-${groups++}&test=false`, "primaria/registry");
      last = one.status;
      if (one.location) await call("DELETE", new URL(one.location).pathname.replace("/mconnect-events", ""), "primaria/registry");
    }
    expect({ last, groups }).toEqual({ last: 503, groups: 33 });
  }, 60_000);
});

describe("what a consumer says on its WebSocket", () => {
  it.each<[string, number, string | undefined, (socket: TestSocket, event: string) => void]>([
    ["a word that is none", 1008, "a consumer says confirm:<offset> or dead:<event>", (socket) => socket.send("ack:1")],
    ["nothing", 1008, undefined, (socket) => socket.send("")],
    ["the right word in capitals", 1008, undefined, (socket) => socket.send("CONFIRM:1")],
    ["an offset that was never handed out", 1008, "was not handed out in this session", (socket) => socket.send("confirm:999999")],
    ["an offset that is none", 1008, "an offset is a whole number", (socket) => socket.send("confirm:1e1")],
    [
      "a foreign offset behind a good one",
      1008,
      undefined,
      (socket) => ["confirm:1", "confirm:888888", "confirm:1"].forEach((text) => socket.send(text)),
    ],
    ["a dead letter that is no JSON", 1008, "the event is not a JSON object", (socket) => socket.send("dead:{")],
    [
      "a dead letter that it never got",
      1008,
      "has no event forged",
      (socket) => socket.send(`dead:${JSON.stringify(changedEvent("forged"))}`),
    ],
    [
      "a dead letter of another source",
      1008,
      "has no event",
      (socket, text) => socket.send(`dead:${text.replace('"source":"/rsp', '"source":"/evil')}`),
    ],
    [
      "a dead letter that repeats a member",
      1008,
      "repeats the member id",
      (socket, text) => socket.send(`dead:${text.replace("{", '{"id":"other",')}`),
    ],
    ["a frame above the bound", 1009, undefined, (socket) => socket.send(`dead:${"x".repeat(70_000)}`)],
    [
      "a frame in pieces above the bound",
      1009,
      undefined,
      (socket) => {
        socket.sendFrame(OPCODES.text, Buffer.alloc(40_000, "x"), { fin: false });
        socket.sendFrame(OPCODES.continuation, Buffer.alloc(40_000, "x"));
      },
    ],
    ["bytes", 1003, undefined, (socket) => socket.sendFrame(OPCODES.binary, Buffer.from("confirm:1"))],
  ])(
    "closes it: %s",
    async (_, code, words, act) => {
      const socket = await stream("?group=words&test=false");
      act(socket, await socket.next());
      const end = await socket.ended;
      expect(end.code).toBe(code);
      if (words !== undefined) expect(end.reason).toContain(words);
      socket.destroy();
    },
    30_000,
  );

  it("confirmed nothing by any of that: the group's first event is still its first", async () => {
    const socket = await stream("?group=words&test=false");
    const first = await nextEvent(socket);
    expect(["seed-0", "seed-1"]).toContain(first.id); // one of the attacks confirmed the first before it went on
    await socket.close();
  });
});

describe("JSON tricks of a producer", () => {
  const data = JSON.stringify(personData("2004100423789", 1)).slice(0, -1);
  const withData = (text: string): string =>
    `${JSON.stringify({ ...changedEvent("trick"), data: undefined }).slice(0, -1)},"data":${text}}`;
  it.each<[string, string, number]>([
    ["a member twice in the data", withData(`${data},"idnp":"2004100000005"}`), 400],
    ["an own __proto__ in the data", withData(`${data},"__proto__":{"admin":true}}`), 422],
    ["a number that would be rounded", withData(`${data.replace('"revision":1', '"revision":9007199254740993')}}`), 422],
    ["an unknown member, which the schema allows and the contract does not", withData(`${data},"extra":1}`), 422],
    ["deep nesting", withData(`${data},"changes":${"[".repeat(10_000)}${"]".repeat(10_000)}}`), 413],
    ["a lone surrogate", withData(`${data.replace("addressChanged", "\\ud800")}}`), 400],
    ["a byte order mark", `\ufeff${withData(`${data}}`)}`, 400],
    ["a comment", withData(`${data}/**/}`), 400],
    ["NaN", withData(`${data.replace('"revision":1', '"revision":NaN')}}`), 400],
    ["data that is a text with JSON in it", withData(JSON.stringify(`${data}}`)), 422],
    [
      "many small items whose absent fields would be written out",
      withData(`${data},"changes":[${Array.from({ length: 3000 }, () => '{"field":""}').join(",")}]}`),
      422,
    ],
  ])("are refused: %s", async (_, body, status) => {
    expect((await event(body)).status).toBe(status);
  });

  it("are refused above 64 KiB an event and 1 MiB a request, with the bound in the text", async () => {
    const big = changedEvent("big", {
      subject: "x",
      data: { ...personData("2004100423789", 1), changes: [{ field: "x".repeat(66_000) }] },
    });
    expect(await event(JSON.stringify(big))).toMatchObject({ status: 413, text: expect.stringContaining("at most 65536") as string });
    const many = Array.from({ length: 3_000 }, (_, at) => changedEvent(`m-${at}`, { subject: "x".repeat(200) }));
    expect(await batch(many)).toMatchObject({ status: 413, text: expect.stringContaining("at most 1048576") as string });
    await stands();
  });

  it("are refused packed, and by any other content type", async () => {
    const packed = await fetch(`${bus.http}/mconnect-events/ce/produce/event`, {
      method: "POST",
      headers: { "x-system": "rsp/population", "content-type": "application/cloudevents+json", "content-encoding": "gzip" },
      body: "x",
    });
    expect(packed.status).toBe(415);
    expect((await call("POST", "/ce/produce/event", "rsp/population", JSON.stringify(changedEvent("x")), "application/json")).status).toBe(
      400,
    );
    expect((await call("POST", "/ce/produce/events", "rsp/population", JSON.stringify([changedEvent("x")]))).status).toBe(400);
    expect((await call("POST", "/ce/produce/raw", "rsp/population", "{}", "application/json")).status).toBe(400);
  });
});

describe("the handshake", () => {
  it("carries no second request behind it", async () => {
    const port = Number(new URL(bus.http).port);
    const head =
      "Host: localhost\r\nX-System: cnas/pensions\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: cloudevents.json\r\n";
    const hidden = "GET /mconnect-events/ce/tools/my-settings HTTP/1.1\r\nHost: localhost\r\nX-System: cnas/pensions\r\n\r\n";
    const refused = await rawHttp(port, `GET /mconnect-events/ce/consume/ws HTTP/1.1\r\n${head}${hidden}`, { quiet: 1500 });
    expect(refused.statuses).toEqual([400]);
    expect(refused.text).not.toContain("consumes");
    const taken = await rawHttp(
      port,
      `GET /mconnect-events/ce/consume/ws?group=hidden HTTP/1.1\r\n${head}Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n${hidden}`,
      { quiet: 1500 },
    );
    expect(taken.statuses).toEqual([101]); // what follows is no frame: the link ends, and no request is served
    expect(taken.text).not.toContain('"consumes"');
    expect((await call("GET", "/ce/consume/ws", "cnas/pensions")).status).toBe(426);
  });
});

describe("a consumer that reads nothing, or confirms nothing", () => {
  it("holds a bounded number of events and no memory beyond it, and the others of the bus go on", async () => {
    const idle = await stream("?group=idle&test=false");
    idle.stall(true);
    const silent = await stream("?group=silent&test=false");
    const memory = (): number => Number(/VmRSS:\s+(\d+)/u.exec(readFileSync(`/proc/${bus.pid}/status`, "latin1"))?.[1] ?? 0) / 1024;
    const large = {
      ...personData("2004100423789", 1),
      changes: [{ field: "address", before: "x".repeat(20_000), after: "y".repeat(20_000) }],
    };
    for (let round = 0; round < 20; round++) {
      const events = Array.from({ length: 20 }, (_, at) => changedEvent(`load-${round}-${at}`, { type: TYPE, data: large }));
      expect((await batch(events)).status).toBe(202);
    }
    const before = memory();
    for (let round = 20; round < 60; round++) {
      const events = Array.from({ length: 20 }, (_, at) => changedEvent(`load-${round}-${at}`, { type: TYPE, data: large }));
      expect((await batch(events)).status).toBe(202);
    }
    // 32 MiB more were published than before; three consumers' windows, stocks and the tail are full already
    expect(memory() - before).toBeLessThan(200);
    // 4 MiB of unconfirmed events and not one more
    await eventually(
      () => silent.waiting > 90,
      () => `${silent.waiting} events came`,
    );
    await new Promise((resolve) => setTimeout(resolve, 300));
    const held = silent.waiting;
    expect(held).toBeLessThan(140);
    const last = JSON.parse((await Promise.all(Array.from({ length: held }, () => silent.next()))).at(-1) ?? "{}") as { offset: string };
    silent.send(`confirm:${last.offset}`);
    expect(await idsOf(silent, 10)).toHaveLength(10);
    idle.destroy();
    silent.destroy();
    await stands();
  }, 90_000);
});
