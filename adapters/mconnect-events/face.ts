/** The face of MConnect Events: which part answers which address below its prefix. */
import type { EventDesk } from "#bus/edge/events.ts";
import { asBusError, BusError } from "#bus/errors.ts";
import type { Clock } from "#bus/ports.ts";
import type { SocketHost, WebHost, WebRequest, WebResponse } from "#bus/wire.ts";
import { json, plain, refusal, statusOf } from "./answers.ts";
import { essence, readBatch, readRaw, readStructured, REQUEST_BYTES } from "./incoming.ts";
import { openApi } from "./openapi.ts";
import { createPoll, type Poll } from "./poll.ts";
import { PROTOCOL, streamHandler } from "./stream.ts";

export type FaceParts = Readonly<{
  host: WebHost & SocketHost;
  desk: EventDesk;
  clock: Clock;
  onError: (error: unknown, where: string) => void;
  /** Milliseconds that a long poll waits for a first event (default 20 s), and after which an instance that nobody asks is removed (5 min). */
  wait?: number;
  expiry?: number;
}>;

export const PREFIX = "/mconnect-events";
const STREAM = `${PREFIX}/ce/consume/ws`;

/** Mounts it; gives what ends its long polls, its consumers, and the mounts. */
export function mountEvents(parts: FaceParts): () => Promise<void> {
  const { host, desk, clock } = parts;
  const poll = createPoll({ desk, clock, wait: parts.wait ?? 20_000, expiry: parts.expiry ?? 300_000 });
  const unmount = [
    host.mount("systems", PREFIX, async (request) => {
      try {
        return await answer(desk, poll, request);
      } catch (error) {
        if (statusOf(asBusError(error)) === 500) parts.onError(error, "MConnect Events");
        return refusal(error);
      }
    }),
    host.mountSocket("systems", STREAM, streamHandler(desk)),
  ];
  return async () => {
    await poll.close();
    await desk.close();
    for (const each of unmount) each();
  };
}

const INSTANCE = /^\/ce\/consumers\/([^/]+)\/instances\/([0-9a-f-]{36})(\/[a-z]+)?$/u;

async function answer(desk: EventDesk, poll: Poll, request: WebRequest): Promise<WebResponse> {
  if (request.body.byteLength > REQUEST_BYTES)
    throw new BusError(
      "message-too-large",
      `the request has ${request.body.byteLength} bytes; at most ${REQUEST_BYTES} are taken, send fewer events at once`,
    );
  const path = request.path.slice(PREFIX.length);
  const at = `${request.method} ${path}`;
  switch (at) {
    case "POST /ce/produce/raw":
    case "POST /ce/produce/event":
    case "POST /ce/produce/events":
      return produce(desk, request, path.slice("/ce/produce/".length));
    case "POST /ce/consumers":
      return poll.create(request, PREFIX);
    case "GET /ce/tools/my-settings":
      return json(200, await desk.settings(request.system));
    case "POST /ce/tools/consumer/test":
      return test(desk, request);
    case "GET /swagger":
    case "GET /swagger/v1/swagger.json":
      return json(200, openApi(`${request.origin}${PREFIX}`));
    case "GET /ce/consume/ws":
      return plain(426, `This address is a WebSocket with the sub-protocol ${PROTOCOL}.`, { upgrade: "websocket" });
    default:
  }
  const instance = INSTANCE.exec(path);
  if (instance) return poll.serve(request, { group: instance[1] ?? "", instance: instance[2] ?? "", rest: instance[3] ?? "" });
  return plain(404, `Nothing is served at ${request.method} ${path.slice(0, 200)}. ${PREFIX}/swagger describes what is.`);
}

async function produce(desk: EventDesk, request: WebRequest, how: string): Promise<WebResponse> {
  await desk.produce(request.system, read(request, how));
  return plain(202, "");
}

function read(request: WebRequest, how: string): Parameters<EventDesk["produce"]>[1] {
  const { headers, body } = request;
  if (how === "raw") return [readRaw(headers, body)];
  const wanted = how === "event" ? "application/cloudevents+json" : "application/cloudevents-batch+json";
  const type = essence(headers["content-type"]);
  if (type !== wanted)
    throw new BusError("media-type", `Content-Type is ${type === "" ? "missing" : `"${type}"`}; send ${wanted} to produce/${how}`);
  return how === "event" ? [readStructured(body)] : readBatch(body);
}

async function test(desk: EventDesk, request: WebRequest): Promise<WebResponse> {
  const { headers, body } = request;
  const formatted = essence(headers["content-type"]) === "application/cloudevents+json";
  await desk.test(request.system, formatted ? readStructured(body) : readRaw(headers, body));
  return plain(202, "The event is on its way to your consumers that asked for test events.");
}
