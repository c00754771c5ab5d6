/** A provider on a real socket that behaves as it is told; outlets are tried against it. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Message } from "#bus/envelope.ts";
import type { Outlet } from "#bus/ports.ts";
import type { WebClient } from "#bus/wire.ts";
import type { Behaviour, OutletWorld } from "#test/conformance/outlet.ts";

export type Seen = Readonly<{
  method: string;
  url: string;
  headers: Readonly<Record<string, string | string[] | undefined>>;
  body: string;
}>;
export type Canned = Readonly<{ status: number; headers: Readonly<Record<string, string>>; body: string }>;

export type FarSide = Readonly<{
  world: OutletWorld;
  seen: readonly Seen[];
  address: string;
  answerWith(answer: Canned | undefined): void;
}>;

export type FarSideOptions = Readonly<{
  client: WebClient;
  outlet(address: string): Outlet;
  message(id: string): Message;
  good(request: Seen): Canned;
  fault: Canned;
}>;

export async function openFarSide(options: FarSideOptions): Promise<FarSide> {
  const seen: Seen[] = [];
  let behaviour: Behaviour = "ok";
  let canned: Canned | undefined;
  let held = Promise.withResolvers<void>();
  const brokenOff = Promise.withResolvers<void>();
  const server = createServer((request, response) => void serve(request, response));
  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    response.on("close", () => void (response.writableFinished || brokenOff.resolve()));
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const one: Seen = {
      method: request.method ?? "",
      url: request.url ?? "",
      headers: request.headers,
      body: Buffer.concat(chunks).toString("utf8"),
    };
    seen.push(one);
    if (behaviour === "silent") return;
    if (behaviour === "reset") return void request.socket.resetAndDestroy();
    if (behaviour === "hold") await held.promise;
    const answer = canned ?? answerOf(behaviour, one, options);
    response.writeHead(answer.status, answer.headers).end(answer.body);
  };
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/service`;
  const outlet = options.outlet(address);
  const stop = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  const world: OutletWorld = {
    outlet,
    message: options.message,
    keys: () => seen.map((one) => String(one.headers["idempotency-key"])),
    brokenOff: () => brokenOff.promise,
    release: () => held.resolve(),
    async behave(next) {
      behaviour = next;
      if (next === "hold") held = Promise.withResolvers();
      if (next === "gone") await stop();
    },
    async close() {
      held.resolve();
      await outlet.close();
      await options.client.close();
      await stop();
    },
  };
  return { world, seen, address, answerWith: (answer) => void (canned = answer) };
}

function answerOf(behaviour: Behaviour, request: Seen, options: FarSideOptions): Canned {
  const good = options.good(request);
  switch (behaviour) {
    case "unavailable":
      return { status: 503, headers: { "retry-after": "7" }, body: "closed for the night" };
    case "throttled":
      return { status: 429, headers: { "retry-after": "7" }, body: "" };
    case "fault":
      return options.fault;
    case "garbage":
      return { ...good, body: "}<not what was agreed" };
    case "huge":
      return { ...good, body: " ".repeat(300_000) };
    default:
      return good;
  }
}
