/** MConnect Events from outside to outside: a client of our own making, written from the guide, with the certificates of its systems. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { BusProcess, Site } from "#test/harness/bus-process.ts";
import {
  changedEvent,
  clientOf,
  createEventsSite,
  identityOf,
  idsOf,
  nextEvent,
  personData,
  TYPE,
  type Event,
  type EventsClient,
  type Identity,
} from "#test/harness/events-site.ts";
import { eventually, openReceiver, type Receiver } from "#test/harness/receiver.ts";

let site: Site;
let bus: BusProcess;
let receiver: Receiver;
let register: EventsClient;
let pensions: EventsClient;
let identities: Readonly<Record<"register" | "pensions" | "statistics", Identity>>;

beforeAll(async () => {
  receiver = await openReceiver();
  site = createEventsSite(receiver.url);
  bus = await site.start();
  identities = {
    register: await identityOf(site, "rsp/population"),
    pensions: await identityOf(site, "cnas/pensions"),
    statistics: await identityOf(site, "bns/lake"),
  };
  connect();
}, 60_000);

afterAll(async () => {
  await site.remove();
  await receiver.close();
}, 30_000);

function connect(): void {
  register = clientOf(bus, identities.register);
  pensions = clientOf(bus, identities.pensions);
}

describe("produced events", () => {
  it("reach a consumer as they were produced, one by one, raw and as a batch, and an ordinary receiver as well", async () => {
    const socket = await pensions.stream("?group=first");
    expect(socket.headers["sec-websocket-protocol"]).toBe("cloudevents.json");
    const more = { time: "2026-11-20T10:00:00+02:00", subject: "persoană", partitionkey: "idnp:2004100423789", sequence: "7" };
    expect((await register.event(changedEvent("one", more))).status).toBe(202);
    const raw = {
      "content-type": "application/json",
      "ce-specversion": "1.0",
      "ce-id": "two",
      "ce-source": "/rsp/population",
      "ce-type": TYPE,
    };
    expect((await register.send("POST", "/ce/produce/raw", raw, JSON.stringify(personData("2004100423789", 2)))).status).toBe(202);
    expect((await register.batch([changedEvent("three"), changedEvent("four")])).status).toBe(202);
    const first = await nextEvent(socket);
    expect(first).toMatchObject({
      specversion: "1.0",
      id: "one",
      source: "/rsp/population",
      type: TYPE,
      ...more,
      datacontenttype: "application/json",
      offset: "1",
    });
    expect(first.data).toMatchObject(personData("2004100423789", 1));
    expect(await idsOf(socket, 3)).toEqual(["two", "three", "four"]);
    socket.send("confirm:4");
    await eventually(
      () => receiver.effects.size === 4,
      () => `${receiver.effects.size} of 4 reached the ordinary receiver`,
    );
    expect(new Set(receiver.received.map(({ headers }) => headers["ce-id"]))).toEqual(new Set(["one", "two", "three", "four"]));
    await socket.close();
  }, 60_000);

  it("come to a consumer cut to what its grant allows", async () => {
    const socket = await clientOf(bus, identities.statistics).stream();
    const event = await nextEvent(socket);
    expect(event.data).toMatchObject({ idnp: "", kind: "addressChanged", revision: 0 });
    await socket.close();
  }, 60_000);

  it("may come by an ordinary route: the consumer gets them under the source of their system", async () => {
    const socket = await pensions.stream("?group=first");
    const answer = await register.send("POST", "/mconnect-events/../in/person-changed");
    expect(answer.status).toBe(400);
    const sent = await fetch(`${bus.http}/in/person-changed`, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        "x-system": "rsp/population",
        "x-message-id": "ordinary",
        "ce-source": "/somebody/else",
      },
      body: JSON.stringify(personData("2004100423789", 5)),
    });
    expect(sent.status).toBe(202);
    expect(await nextEvent(socket)).toMatchObject({ id: "ordinary", source: "/rsp/population", type: TYPE, data: { revision: 5 } });
    socket.send("confirm:1");
    await socket.close();
  }, 60_000);

  it("are taken all or none, and the answer names the bad one, the place and what to send", async () => {
    const socket = await pensions.stream("?group=first");
    const bad = changedEvent("bad", { data: personData("12", 1) });
    const refused = await register.batch([changedEvent("good"), bad]);
    expect(refused).toMatchObject({ status: 422, headers: { "content-type": "text/plain; charset=utf-8" } });
    expect(refused.text).toBe('event 1 (from 0; id bad): data.idnp must match pattern "^[0-9]{13}$". Nothing of this request was taken.');
    expect((await register.event(changedEvent("after"))).status).toBe(202);
    expect((await nextEvent(socket)).id).toBe("after");
    socket.send("confirm:1");
    await socket.close();
  }, 60_000);

  it("are taken once when the same request comes again, as it does after a lost answer", async () => {
    const socket = await pensions.stream("?group=first");
    for (let again = 0; again < 3; again++)
      expect((await register.batch([changedEvent("once-1"), changedEvent("once-2")])).status).toBe(202);
    expect((await register.event(changedEvent("behind"))).status).toBe(202);
    expect(await idsOf(socket, 3)).toEqual(["once-1", "once-2", "behind"]);
    socket.send("confirm:3");
    await socket.close();
  }, 60_000);
});

describe("confirmation", () => {
  it("is cumulative; what was not confirmed comes again to the next consumer of the group, and to no other group's", async () => {
    const socket = await pensions.stream("?group=second");
    const all = await idsOf(socket, 9);
    socket.send("confirm:3");
    // closing waits for what was said before it
    await socket.close();
    const next = await pensions.stream("?group=second");
    expect(await idsOf(next, 6)).toEqual(all.slice(3));
    next.destroy(); // not a word: nothing is confirmed
    const last = await pensions.stream("?group=second");
    expect(await idsOf(last, 6)).toEqual(all.slice(3));
    last.send("confirm:6");
    await last.close();
    const other = await pensions.stream("?group=third");
    expect(await idsOf(other, 9)).toEqual(all);
    await other.close();
  }, 60_000);

  it("leaves a row of what was passed on: to whom, and under which grant", async () => {
    const { out } = await site.mbus("journal", "find", "--id", "one", "--json");
    const rows = JSON.parse(out) as readonly Readonly<Record<string, unknown>>[];
    const row = rows.find(({ step, branch }) => step === "delivered" && branch === "events second");
    expect(row).toMatchObject({ target: "cnas/pensions", outcome: "ok", grant: "cnas-person-changed-2026" });
  }, 60_000);
});

describe("consumers of one group", () => {
  it("share its events, and events of one key go to one of them in order", async () => {
    const sockets = [await pensions.stream("?group=shared"), await pensions.stream("?group=shared")];
    const got: Event[][] = [[], []];
    const taking = sockets.map(async (socket, at) => {
      for (;;) {
        const event = await nextEvent(socket).catch(() => undefined);
        if (!event) return;
        if (event.id.startsWith("key-")) got[at]?.push(event);
        socket.send(`confirm:${event.offset}`);
      }
    });
    const events = Array.from({ length: 240 }, (_, at) => changedEvent(`key-${at}`, { partitionkey: `k${at % 24}` }));
    expect((await register.batch(events)).status).toBe(202);
    await expect.poll(() => got.flat().length, { timeout: 30_000 }).toBe(240);
    for (const list of got) expect(list.length).toBeGreaterThan(0);
    for (let key = 0; key < 24; key++) {
      const lists = got.map((list) => list.filter(({ partitionkey }) => partitionkey === `k${key}`).map(({ id }) => Number(id.slice(4))));
      expect(lists.filter((list) => list.length > 0)).toEqual([Array.from({ length: 10 }, (_, at) => key + at * 24)]);
    }
    for (const socket of sockets) await socket.close();
    await Promise.all(taking);
  }, 60_000);
});

describe("dead letters and tests", () => {
  it("are the group's own: an event put aside comes to its consumer that asks for them, and to nobody else", async () => {
    const socket = await pensions.stream("?group=dead");
    const text = await socket.next();
    socket.send(`dead:${text}`);
    socket.send("confirm:1");
    await socket.close();
    const [mine, others] = [
      await pensions.stream("?group=dead&dead=true&events=false"),
      await pensions.stream("?group=other&dead=true&events=false"),
    ];
    const dead = await nextEvent(mine);
    expect({ ...dead, offset: "" }).toEqual({ ...(JSON.parse(text) as Event), offset: "" });
    mine.send("confirm:1");
    const type = { "content-type": "application/cloudevents+json" };
    expect((await pensions.send("POST", "/ce/tools/consumer/test", type, JSON.stringify(changedEvent("a-test")))).status).toBe(202);
    // the other group's first is the test event that both asked for
    expect((await nextEvent(others)).id).toBe("a-test");
    expect((await nextEvent(mine)).id).toBe("a-test");
    for (const one of [mine, others]) await one.close();
  }, 60_000);
});

describe("a consumer that polls", () => {
  it("takes raw, one and many, confirms by request or by its next poll, puts aside, and goes", async () => {
    const { at } = await pensions.poll("?group=polling&test=false");
    expect(at).toMatch(/^\/mconnect-events\/ce\/consumers\/polling\/instances\/[0-9a-f-]{36}$/u);
    const raw = await pensions.send("GET", `${at}/raw`);
    expect(raw).toMatchObject({
      status: 200,
      headers: { "content-type": "application/json", "ce-id": "one", "ce-offset": "1", "ce-source": "/rsp/population" },
    });
    expect(raw.headers["ce-datacontenttype"]).toBeUndefined();
    expect(JSON.parse(raw.text)).toMatchObject(personData("2004100423789", 1));
    const one = await pensions.send("GET", `${at}/event?confirm=true`);
    expect(one.headers["content-type"]).toContain("application/cloudevents+json");
    const event = JSON.parse(one.text) as Event;
    expect(event).toMatchObject({ id: "two", offset: "2" });
    expect((await pensions.send("POST", `${at}/dead`, { "content-type": "application/cloudevents+json" }, one.text)).status).toBe(202);
    expect((await pensions.send("POST", `${at}/confirm?offset=2`)).status).toBe(204);
    const many = await pensions.send("GET", `${at}/events`);
    expect(many.headers["content-type"]).toContain("application/cloudevents-batch+json");
    expect((JSON.parse(many.text) as readonly Event[]).map(({ offset }) => offset)).toEqual(
      Array.from({ length: 247 }, (_, index) => String(index + 3)),
    );
    expect(await pensions.send("GET", `${at}/events?confirm=true&timeout=50`)).toMatchObject({ status: 204, text: "" });
    expect((await pensions.send("DELETE", at)).status).toBe(204);
    expect((await pensions.send("DELETE", at)).status).toBe(204);
    expect((await pensions.send("GET", `${at}/events`)).status).toBe(404);
    const again = await pensions.poll("?group=polling&test=false");
    expect((await pensions.send("GET", `${again.at}/events?timeout=50`)).status).toBe(204);
  }, 60_000);
});

describe("tools", () => {
  it("say what the calling system may do, and describe the face", async () => {
    const mine = JSON.parse((await register.send("GET", "/ce/tools/my-settings")).text) as object;
    expect(mine).toMatchObject({
      system: "rsp/population",
      produces: [{ type: TYPE, contract: "person.changed.v1", sources: ["/rsp/population"], grant: "rsp-person-changed-2026" }],
      consumes: [],
    });
    const theirs = JSON.parse((await pensions.send("GET", "/ce/tools/my-settings")).text) as {
      consumes: readonly object[];
      groups: readonly string[];
    };
    expect(theirs.consumes).toMatchObject([{ type: TYPE, grant: "cnas-person-changed-2026" }]);
    expect(theirs.groups).toContain("polling");
    const described = JSON.parse((await pensions.send("GET", "/swagger")).text) as {
      openapi: string;
      servers: readonly Readonly<{ url: string }>[];
    };
    expect(described.openapi).toBe("3.1.0");
    expect(described.servers[0]?.url).toBe(`${bus.https}/mconnect-events`);
  }, 60_000);
});

describe("a bus that is killed", () => {
  const COUNT = 1_500;
  const taken = new Set<string>();

  /** Sends batches until each was answered with 202, over the death of the bus. */
  const produceAll = async (): Promise<void> => {
    for (let from = 0; from < COUNT; from += 50) {
      const events = Array.from({ length: 50 }, (_, at) => changedEvent(`kill-${from + at}`, { partitionkey: `k${at % 7}` }));
      for (;;) {
        const answer = await register.batch(events).catch(() => undefined);
        if (answer?.status === 202) break;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      for (let at = 0; at < 50; at++) taken.add(`kill-${from + at}`);
    }
  };

  it("loses nothing: a stream and a poll get every event that was acknowledged, whatever they had confirmed", async () => {
    const streamed = new Set<string>();
    const polled = new Set<string>();
    const confirmed = new Set<string>();
    const again: string[] = [];
    const producing = produceAll();
    const streaming = (async () => {
      while (streamed.size < COUNT) {
        const socket = await pensions.stream("?group=kill-stream&test=false").catch(() => undefined);
        if (socket?.status !== 101) {
          await new Promise((resolve) => setTimeout(resolve, 50));
          continue;
        }
        for (let event = await nextEvent(socket).catch(() => undefined); event; event = await nextEvent(socket).catch(() => undefined)) {
          if (confirmed.has(event.id)) again.push(event.id);
          if (event.id.startsWith("kill-")) streamed.add(event.id);
          if (Number(event.offset) % 20 === 0 || streamed.size === COUNT) socket.send(`confirm:${event.offset}`);
          if (streamed.size === COUNT) break;
        }
        if (streamed.size === COUNT) await socket.close().catch(() => undefined);
      }
    })();
    const polling = (async () => {
      let at: string | undefined;
      while (polled.size < COUNT) {
        at ??= await pensions.poll("?group=kill-poll&test=false").then(
          (made) => made.at,
          () => undefined,
        );
        const answer = at && (await pensions.send("GET", `${at}/events?confirm=true&timeout=500`).catch(() => undefined));
        if (!answer || answer.status >= 400) {
          at = undefined;
          await new Promise((resolve) => setTimeout(resolve, 50));
          continue;
        }
        if (answer.status === 200)
          for (const { id } of JSON.parse(answer.text) as readonly Event[]) if (id.startsWith("kill-")) polled.add(id);
      }
    })();
    for (let kill = 1; kill <= 2; kill++) {
      await expect.poll(() => streamed.size, { timeout: 60_000, interval: 5 }).toBeGreaterThan((COUNT / 4) * kill);
      await bus.end("SIGKILL");
      bus = await site.start();
      connect();
    }
    await producing;
    await Promise.all([streaming, polling]);
    expect(taken.size).toBe(COUNT);
    expect([...taken].filter((id) => !streamed.has(id) || !polled.has(id))).toEqual([]);
    expect(again).toEqual([]);
  }, 120_000);
});
