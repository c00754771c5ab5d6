/** Consumers that poll: an instance is made, asked for events again and again, and removed; one that nobody asks for is removed for it. */
import { randomUUID } from "node:crypto";
import type { EventDesk, EventOut, EventSession } from "#bus/edge/events.ts";
import { BusError } from "#bus/errors.ts";
import type { Clock } from "#bus/ports.ts";
import type { WebRequest, WebResponse } from "#bus/wire.ts";
import { binary, json, plain, structured } from "./answers.ts";
import { essence, readRaw, readStructured, REQUEST_BYTES } from "./incoming.ts";
import { flag, readOffset, readTimeout, readWish } from "./wish.ts";

export type PollParts = Readonly<{
  desk: EventDesk;
  clock: Clock;
  /** Milliseconds that a poll waits for a first event. */ wait: number;
  /** Milliseconds without a request after which an instance goes. */ expiry: number;
}>;

export interface Poll {
  /** `POST consumers`. */
  create(request: WebRequest, base: string): Promise<WebResponse>;
  /** What stands behind `…/consumers/{group}/instances/{instance}`: `rest` is empty or `/raw`, `/event`, `/events`, `/confirm`, `/dead`. */
  serve(request: WebRequest, address: Readonly<{ group: string; instance: string; rest: string }>): Promise<WebResponse>;
  close(): Promise<void>;
}

type Instance = {
  readonly system: string;
  readonly group: string;
  readonly session: EventSession;
  last: number;
  asking: number;
  newest: number;
};

/** Events of one answer. */
const BATCH = 500;
const BATCH_BYTES = REQUEST_BYTES - 65_536 - 1024;
const MOST_ASKING = 4;

export function createPoll({ desk, clock, wait, expiry }: PollParts): Poll {
  const instances = new Map<string, Instance>();
  const stop = new AbortController();

  const remove = async (id: string): Promise<void> => {
    const instance = instances.get(id);
    instances.delete(id);
    await instance?.session.leave();
  };
  const sweep = (async () => {
    while (!stop.signal.aborted) {
      await clock.sleep(Math.min(expiry, 10_000), stop.signal).catch(() => undefined);
      for (const [id, one] of instances)
        if (one.session.ended.aborted || (one.asking === 0 && clock.now() - one.last >= expiry)) await remove(id);
    }
  })();

  /** Another system's instance is as unknown as one that never was. */
  const find = (request: WebRequest, id: string, group: string): Instance => {
    const one = instances.get(id);
    if (!one || one.system !== request.system || one.group !== group)
      throw new BusError(
        "not-found",
        "there is no such consumer instance: it was removed, it expired, or the platform was restarted. Create another one with POST /ce/consumers",
      );
    return one;
  };

  const take = async (request: WebRequest, one: Instance, most: number): Promise<readonly EventOut[]> => {
    if (flag(request.query, "confirm", false)) await one.session.confirm(one.newest);
    if (one.asking >= MOST_ASKING)
      throw new BusError("inlet-busy", `${MOST_ASKING} requests wait for events of this instance already`, { retryAfter: 1000 });
    one.asking += 1;
    const enough = new AbortController();
    const signal = AbortSignal.any([enough.signal, request.signal, stop.signal]);
    clock.sleep(Math.min(wait, readTimeout(request.query.get("timeout")) ?? wait), signal).then(
      () => enough.abort(),
      () => undefined,
    );
    try {
      const events = await one.session.take(most, BATCH_BYTES, signal);
      one.newest = events.at(-1)?.offset ?? one.newest;
      return events;
    } finally {
      enough.abort();
      one.asking -= 1;
      one.last = clock.now();
    }
  };

  const get = async (request: WebRequest, one: Instance, what: string): Promise<WebResponse> => {
    const events = await take(request, one, what === "/events" ? BATCH : 1);
    const [first] = events;
    if (!first) return { status: 204 };
    if (what === "/raw") return binary(first);
    if (what === "/event")
      return { status: 200, headers: { "content-type": "application/cloudevents+json; charset=utf-8" }, body: structured(first) };
    const type = { "content-type": "application/cloudevents-batch+json; charset=utf-8" };
    return { status: 200, headers: type, body: `[${events.map(structured).join(",")}]` };
  };

  const post = async (request: WebRequest, one: Instance, what: string): Promise<WebResponse> => {
    if (what === "/confirm") {
      await one.session.confirm(readOffset(request.query.get("offset")));
      return { status: 204 };
    }
    const { headers, body } = request;
    const formatted = essence(headers["content-type"]) === "application/cloudevents+json";
    const { "ce-offset": _, ...plainHeaders } = headers;
    await one.session.dead(formatted ? readStructured(body, true) : readRaw(plainHeaders, body));
    return plain(202, "");
  };

  return {
    async create(request, base) {
      const wish = readWish(request.query);
      const session = await desk.consume(request.system, wish);
      const id = randomUUID();
      instances.set(id, { system: request.system ?? "", group: wish.group, session, last: clock.now(), asking: 0, newest: 0 });
      const location = `${request.origin}${base}/ce/consumers/${encodeURIComponent(wish.group)}/instances/${id}`;
      return {
        ...json(201, { group: wish.group, instance: id, base: location }),
        headers: { location, "content-type": "application/json" },
      };
    },
    async serve(request, { group, instance, rest }) {
      const { method } = request;
      if (method === "DELETE" && rest === "") {
        // what is removed already is removed
        const one = instances.get(instance);
        if (one && one.system === request.system && one.group === group) await remove(instance);
        return { status: 204 };
      }
      const one = find(request, instance, group);
      one.last = clock.now();
      if (method === "GET" && ["/raw", "/event", "/events"].includes(rest)) return get(request, one, rest);
      if (method === "POST" && ["/confirm", "/dead"].includes(rest)) return post(request, one, rest);
      return plain(404, "An instance has GET raw, event and events, POST confirm and dead, and DELETE.");
    },
    async close() {
      stop.abort();
      await sweep;
      await Promise.all([...instances.keys()].map(remove));
    },
  };
}
