/** WebSockets of the host, spoken to with a client of our own making. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { SocketLink } from "#bus/wire.ts";
import { rawHttp } from "#test/harness/raw-http.ts";
import { openSocket, type SocketOptions, type TestSocket } from "#test/harness/web-socket.ts";
import { OPCODES } from "#test/harness/web-socket-frames.ts";
import { createWebHost, type RunningWebHost } from "./host.ts";

let host: RunningWebHost;
let links: SocketLink[];
let heard: string[];
let ended: number;

type Identify = Parameters<typeof createWebHost>[0]["identify"];
const start = (pingEvery = 60_000, identify: Identify = ({ header }) => header): Promise<RunningWebHost> =>
  createWebHost({
    http: { host: "127.0.0.1", port: 0 },
    samples: true,
    identify,
    maxBytes: 1000,
    drainTimeout: 500,
    pingEvery,
  });

function mount(): void {
  host.mountSocket("systems", "/talk", async (request, protocols) => {
    if (request.system === undefined) return { status: 401, headers: { "content-type": "text/plain" }, body: "who are you?" };
    if (request.query.get("fail") === "true") throw new Error("inside");
    return {
      protocol: protocols[0] ?? "",
      maxBytes: 100,
      open(link) {
        links.push(link);
        return {
          text(text) {
            heard.push(text);
            link.send(`you said ${text}`);
          },
          ended: () => void ended++,
        };
      },
    };
  });
}

beforeEach(async () => {
  [links, heard, ended] = [[], [], 0];
  host = await start();
  mount();
});
afterEach(() => host.close());

const url = (path = "/talk"): string => host.address.http.replace("http", "ws") + path;
const dial = (options: SocketOptions = {}, path?: string): Promise<TestSocket> =>
  openSocket(url(path), { protocols: ["say.text"], headers: { "x-system": "a/b" }, ...options });

describe("a WebSocket of the host", () => {
  it("carries texts both ways, under the sub-protocol that the handler chose", async () => {
    const socket = await dial();
    expect(socket.status).toBe(101);
    expect(socket.headers["sec-websocket-protocol"]).toBe("say.text");
    socket.send("Bună ziua");
    expect(await socket.next()).toBe("you said Bună ziua");
    expect((await socket.close()).code).toBe(1000);
    await expect.poll(() => ended).toBe(1);
  });

  it("is closed with the next ping when the registry does not know its caller any more, and says so", async () => {
    await host.close();
    let known: string | undefined = "a/b";
    host = await start(30, () => known);
    mount();
    const socket = await dial();
    socket.send("still there");
    expect(await socket.next()).toBe("you said still there");
    await new Promise((resolve) => setTimeout(resolve, 150)); // some pings go by
    socket.send("and still");
    expect(await socket.next()).toBe("you said and still");
    known = undefined;
    expect(await socket.ended).toMatchObject({ code: 1008, reason: expect.stringContaining("not registered any more") as string });
    await expect.poll(() => ended).toBe(1);
  });

  it("is closed when its caller stands for another system, or is refused with a reason", async () => {
    await host.close();
    let said: string | Readonly<{ refused: string }> = "a/b";
    host = await start(30, () => said);
    mount();
    const first = await dial();
    said = "other/system";
    expect((await first.ended).code).toBe(1008);
    const second = await dial();
    expect(second.status).toBe(101);
    said = { refused: "it was revoked on 2026-11-25" };
    expect(await second.ended).toMatchObject({ code: 1008, reason: expect.stringContaining("it was revoked") as string });
  });

  it("sends each text as one frame, however long it is", async () => {
    const socket = await dial();
    links[0]?.send("x".repeat(200_000));
    expect(await socket.next()).toHaveLength(200_000);
    socket.destroy();
  });

  it("tells when nothing waits to leave any more, also when the link ends meanwhile", async () => {
    const socket = await dial();
    socket.stall(true);
    for (let i = 0; i < 100; i++) links[0]?.send("x".repeat(100_000));
    expect(links[0]?.waiting).toBeGreaterThan(0);
    const drained = links[0]?.drained();
    socket.stall(false);
    await drained;
    expect(links[0]?.waiting).toBe(0);
    socket.stall(true);
    for (let i = 0; i < 100; i++) links[0]?.send("x".repeat(100_000));
    const gone = links[0]?.drained();
    socket.destroy();
    await gone;
    await links[0]?.drained();
  });

  it("refuses with what the handler answers, and by the checks of every request", async () => {
    expect(await dial({ headers: {} })).toMatchObject({ status: 401, body: "who are you?" });
    expect((await dial({}, "/nothing")).status).toBe(404);
    expect((await dial({ headers: { "x-system": "a/b", host: "evil.example" } })).status).toBe(400);
    expect((await dial({}, "/talk/%00")).status).toBe(400);
    expect((await dial({}, "/talk?fail=true")).status).toBe(500);
    expect(links).toEqual([]);
  });

  it("ends a link whose caller does not answer pings", async () => {
    await host.close();
    host = await start(500);
    mount();
    const deaf = await dial({ deaf: true });
    const well = await dial();
    expect((await deaf.ended).code).toBe(1006);
    well.send("still here");
    expect(await well.next()).toBe("you said still here");
    well.destroy();
  });

  it("says goodbye with 1001 when the host closes, and waits for nobody who does not answer", async () => {
    const [polite, hanging] = [await dial(), await dial()];
    hanging.stall(true);
    await host.close();
    expect((await polite.ended).code).toBe(1001);
    hanging.destroy();
    expect(ended).toBe(2);
  });

  it("cuts a long reason between characters", async () => {
    const socket = await dial();
    links[0]?.close(1008, "ș".repeat(100));
    const { code, reason } = await socket.ended;
    expect(code).toBe(1008);
    expect(reason).toMatch(/^ș+…$/u);
    expect(Buffer.byteLength(reason)).toBeLessThanOrEqual(123);
  });
});

describe("what breaks the protocol", () => {
  it.each<[string, number, (socket: TestSocket) => void]>([
    ["a text above the bound", 1009, (socket) => socket.send("x".repeat(101))],
    [
      "a text whose parts pass the bound together",
      1009,
      (socket) => {
        socket.sendFrame(OPCODES.text, Buffer.alloc(60, "x"), { fin: false });
        socket.sendFrame(OPCODES.continuation, Buffer.alloc(60, "x"));
      },
    ],
    ["a binary frame", 1003, (socket) => socket.sendFrame(OPCODES.binary, Buffer.from("x"))],
    ["a text that is no UTF-8", 1007, (socket) => socket.sendFrame(OPCODES.text, Buffer.from([0xc3, 0x28]))],
    ["a frame that is not masked", 1002, (socket) => socket.sendFrame(OPCODES.text, Buffer.from("x"), { masked: false })],
    ["an opcode that nobody knows", 1002, (socket) => socket.sendFrame(3, Buffer.from("x"))],
    ["a continuation of nothing", 1002, (socket) => socket.sendFrame(OPCODES.continuation, Buffer.from("x"))],
    ["a ping in parts", 1002, (socket) => socket.sendFrame(OPCODES.ping, Buffer.from("x"), { fin: false })],
    ["a packed frame, which was not agreed on", 1002, (socket) => socket.sendFrame(OPCODES.text | 0x40, Buffer.from("x"))],
  ])("ends the link: %s", async (_, code, act) => {
    const socket = await dial({ headers: { "x-system": "a/b", "sec-websocket-extensions": "permessage-deflate" } });
    expect(socket.headers["sec-websocket-extensions"]).toBeUndefined();
    act(socket);
    expect((await socket.ended).code).toBe(code);
    expect(heard).toEqual([]);
  });

  const head = "Host: localhost\r\nX-System: a/b\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n";
  const key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: say.text\r\n";
  it.each([
    [
      "a handshake with a body, behind which a request hides",
      `GET /talk HTTP/1.1\r\n${head}${key}Content-Length: 40\r\n\r\nGET /talk HTTP/1.1\r\nHost: localhost\r\n\r\n`,
    ],
    ["a chunked handshake", `GET /talk HTTP/1.1\r\n${head}${key}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
    ["a handshake without a key", `GET /talk HTTP/1.1\r\n${head}\r\n`],
    ["a handshake with a short key", `GET /talk HTTP/1.1\r\n${head}Sec-WebSocket-Key: abc\r\n\r\n`],
    ["two Host headers", `GET /talk HTTP/1.1\r\nHost: localhost\r\n${head}${key}\r\n`],
  ])("is refused, and nothing behind it is served: %s", async (_, request) => {
    const answer = await rawHttp(Number(new URL(host.address.http).port), request, { quiet: 1000 });
    expect(answer.statuses).toEqual([400]);
    expect(answer.closed).toBe(true);
    expect(links).toEqual([]);
  });

  it("is an upgrade to anything else, or by another method: answered as if it had not been asked for", async () => {
    const port = Number(new URL(host.address.http).port);
    host.mount("systems", "/talk", async () => ({ status: 200, body: "plain" }));
    for (const request of [
      `POST /talk HTTP/1.1\r\n${head}${key}Content-Length: 0\r\n\r\n`,
      `GET /talk HTTP/1.1\r\n${head.replace("websocket", "h2c")}\r\n`,
    ])
      expect(await rawHttp(port, request)).toMatchObject({ statuses: [200] });
    expect(links).toEqual([]);
  });
});
