/** A bus whose sample event is carried by MConnect Events and by two ordinary routes, and clients with the certificates of its systems. */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import { join } from "node:path";
import { createSite, type BusProcess, type Site } from "./bus-process.ts";
import { openSocket, type TestSocket } from "./web-socket.ts";

export type Identity = Readonly<{ cert: string; key: string; ca: string }>;
export type Answered = Readonly<{ status: number; text: string; headers: Readonly<Record<string, string | string[] | undefined>> }>;
export type Event = Readonly<Record<string, unknown> & { id: string; offset: string; data: Readonly<Record<string, unknown>> }>;

export const TYPE = "RSP.Population.Person.Changed";

/** `receiver`: where the ordinary route delivers. */
export function createEventsSite(receiver: string, env: Readonly<Record<string, string>> = {}): Site {
  const site = createSite({ MBUS_VAR_PRIMARIA_URL: receiver, ...env });
  rmSync(join(site.root, "routes/rsp/tests/person-changed.test.yaml"));
  writeFileSync(
    join(site.root, "routes/rsp/person-changed.yaml"),
    `bus: route/v1
id: person-changed
title: What the register publishes by an ordinary route, and what an ordinary receiver gets
owner: population-registry-team
contract: { event: person.changed.v1 }
from: [{ name: register, system: rsp/population, http: { path: /in/person-changed } }]
to: { system: primaria/registry, http: { path: /events } }
`,
  );
  return site;
}

/** Certificates as an administrator issues them. */
export async function identityOf(site: Site, system: string): Promise<Identity> {
  const folder = join(site.root, "certs", system.replace("/", "-"));
  const { code, err } = await site.mbus("system", "cert", system, "-o", folder);
  if (code !== 0) throw new Error(err);
  const read = (name: string): string => readFileSync(join(folder, name), "utf8");
  return { cert: read("cert.pem"), key: read("key.pem"), ca: read("ca.pem") };
}

export type EventsClient = Readonly<{
  send(method: string, path: string, headers?: Readonly<Record<string, string>>, body?: string): Promise<Answered>;
  event(event: object): Promise<Answered>;
  batch(events: readonly object[]): Promise<Answered>;
  stream(query?: string): Promise<TestSocket>;
  /** A polling consumer; `at` is the path of its instance. */
  poll(query?: string): Promise<Readonly<{ at: string }>>;
}>;

export function clientOf(bus: Pick<BusProcess, "https">, identity: Identity): EventsClient {
  const at = new URL(bus.https);
  const send: EventsClient["send"] = (method, path, headers = {}, body = "") =>
    new Promise((resolve, reject) => {
      const options = {
        method,
        host: at.hostname,
        port: at.port,
        path: path.startsWith("/mconnect-events") ? path : `/mconnect-events${path}`,
      };
      const call = request({ ...options, ...identity, servername: "localhost", headers, agent: false }, (answer) => {
        let text = "";
        answer.setEncoding("utf8");
        answer.on("data", (chunk: string) => (text += chunk));
        answer.on("end", () => resolve({ status: answer.statusCode ?? 0, text, headers: answer.headers }));
      });
      call.on("error", reject);
      call.end(body);
    });
  return {
    send,
    event: (event) => send("POST", "/ce/produce/event", { "content-type": "application/cloudevents+json" }, JSON.stringify(event)),
    batch: (events) => send("POST", "/ce/produce/events", { "content-type": "application/cloudevents-batch+json" }, JSON.stringify(events)),
    stream: (query = "") =>
      openSocket(`wss://${at.host}/mconnect-events/ce/consume/ws${query}`, { protocols: ["cloudevents.json"], tls: identity }),
    async poll(query = "") {
      const { status, headers, text } = await send("POST", `/ce/consumers${query}`);
      if (status !== 201) throw new Error(`${status} ${text}`);
      return { at: new URL(String(headers["location"])).pathname };
    },
  };
}

export const personData = (idnp: string, revision: number): object => ({
  idnp,
  changedAt: "2026-11-23T08:59:00.000Z",
  kind: "addressChanged",
  revision,
});

export function changedEvent(id: string, over: Readonly<Record<string, unknown>> = {}): object {
  return { specversion: "1.0", id, source: "/rsp/population", type: TYPE, data: personData("2004100423789", 1), ...over };
}

export async function nextEvent(socket: TestSocket, ms?: number): Promise<Event> {
  return JSON.parse(await socket.next(ms)) as Event;
}

/** The next so many ids. */
export async function idsOf(socket: TestSocket, count: number): Promise<readonly string[]> {
  const ids: string[] = [];
  while (ids.length < count) ids.push((await nextEvent(socket)).id);
  return ids;
}
