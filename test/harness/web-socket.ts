/** A WebSocket client of our own making (RFC 6455), so that frames no library would send can be sent. Node's own TLS below it. */
import { createHash, randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { createFrames, frameOf, OPCODES } from "./web-socket-frames.ts";

export type SocketEnd = Readonly<{ code: number; reason: string }>;

export type TestSocket = Readonly<{
  /** Of the handshake: 101 when the link is open. */
  status: number;
  headers: Readonly<Record<string, string>>;
  /** What was answered to a refused handshake. */
  body: string;
  /** The next text; rejects when the link ends first or nothing comes within `ms` (default 20 s). */
  next(ms?: number): Promise<string>;
  /** Texts that came and were not asked for yet. */
  readonly waiting: number;
  send(text: string): void;
  /** Any frame; `fin` and `masked` as a client must not. */
  sendFrame(opcode: number, bytes: Uint8Array, options?: Readonly<{ fin?: boolean; masked?: boolean }>): void;
  /** Reads nothing more from the socket, as a consumer that hangs. */
  stall(stalled: boolean): void;
  /** Code and reason of the server's close; 1006 when the connection ended without one. */
  ended: Promise<SocketEnd>;
  /** Says goodbye and waits until the server answered. */
  close(): Promise<SocketEnd>;
  /** Ends the connection without a word. */
  destroy(): void;
}>;

export type SocketOptions = Readonly<{
  protocols?: readonly string[];
  headers?: Readonly<Record<string, string>>;
  tls?: Readonly<{ cert: string; key: string; ca: string }>;
  /** Does not answer pings. */
  deaf?: boolean;
}>;

const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/** `url` begins with ws: or wss:. Resolves also for a refused handshake. */
export async function openSocket(url: string, options: SocketOptions = {}): Promise<TestSocket> {
  const at = new URL(url);
  const socket = await dial(at, options);
  const key = randomBytes(16).toString("base64");
  const lines = {
    host: at.host,
    connection: "Upgrade",
    upgrade: "websocket",
    "sec-websocket-version": "13",
    "sec-websocket-key": key,
    ...(options.protocols && { "sec-websocket-protocol": options.protocols.join(", ") }),
    ...options.headers,
  };
  const head = Object.entries(lines).map(([name, value]) => `${name}: ${value}`);
  socket.write(`GET ${at.pathname}${at.search} HTTP/1.1\r\n${head.join("\r\n")}\r\n\r\n`);
  const answer = await readHead(socket);
  if (
    answer.status === 101 &&
    answer.headers["sec-websocket-accept"] !==
      createHash("sha1")
        .update(key + GUID)
        .digest("base64")
  )
    throw new Error("the server's Sec-WebSocket-Accept is wrong");
  return speak(socket, answer, options.deaf === true);
}

function dial(at: URL, { tls }: SocketOptions): Promise<Socket> {
  const to = { host: at.hostname, port: Number(at.port) };
  return new Promise((resolve, reject) => {
    const socket: Socket = tls ? connectTls({ ...to, ...tls, servername: "localhost" }) : connect(to);
    socket.once(tls ? "secureConnect" : "connect", () => resolve(socket));
    socket.once("error", reject);
  });
}

type Head = Readonly<{ status: number; headers: Record<string, string>; rest: Buffer; body: string }>;

function readHead(socket: Socket): Promise<Head> {
  return new Promise((resolve, reject) => {
    let seen = Buffer.alloc(0);
    const done = (): void => {
      const end = seen.indexOf("\r\n\r\n");
      if (end < 0) return reject(new Error("the server ended the connection without an answer"));
      socket.removeAllListeners("data").removeAllListeners("end");
      const [first = "", ...lines] = seen.subarray(0, end).toString("latin1").split("\r\n");
      const headers = Object.fromEntries(
        lines.map((line) => [line.split(":", 1)[0]?.toLowerCase(), line.slice(line.indexOf(":") + 1).trim()]),
      );
      const rest = seen.subarray(end + 4);
      resolve({ status: Number(first.split(" ")[1]), headers, rest, body: rest.toString("utf8") });
    };
    socket.on("data", (bytes: Buffer) => {
      seen = Buffer.concat([seen, bytes]);
      const open = seen.includes("\r\n\r\n") && seen.toString("latin1", 0, 12).endsWith("101");
      if (open) done();
    });
    socket.once("end", done);
  });
}

function speak(socket: Socket, answer: Head, deaf: boolean): TestSocket {
  const texts: string[] = [];
  const asking: { resolve: (text: string) => void; reject: (error: Error) => void }[] = [];
  const end = Promise.withResolvers<SocketEnd>();
  let over: SocketEnd | undefined = answer.status === 101 ? undefined : { code: 1006, reason: "" };
  const finish = (how: SocketEnd): void => {
    over ??= how;
    end.resolve(over);
    for (const { reject } of asking.splice(0)) reject(new Error(`the link ended: ${over.code} ${over.reason}`));
  };
  const write = (opcode: number, bytes: Uint8Array, more?: Readonly<{ fin?: boolean; masked?: boolean }>): void =>
    void (socket.writable && socket.write(frameOf(opcode, bytes, more)));
  const frames = createFrames((opcode, payload) => {
    if (opcode === OPCODES.text) {
      const first = asking.shift();
      if (first) first.resolve(payload.toString("utf8"));
      else texts.push(payload.toString("utf8"));
    } else if (opcode === OPCODES.ping && !deaf) write(OPCODES.pong, payload);
    else if (opcode === OPCODES.close) {
      write(OPCODES.close, payload);
      finish({ code: payload.length < 2 ? 1005 : payload.readUInt16BE(0), reason: payload.subarray(2).toString("utf8") });
    }
  });
  if (answer.status === 101) {
    frames(answer.rest);
    socket.on("data", frames);
  } else finish({ code: 1006, reason: "" });
  socket.on("error", () => finish({ code: 1006, reason: "" }));
  socket.on("close", () => finish({ code: 1006, reason: "" }));
  return {
    status: answer.status,
    headers: answer.headers,
    body: answer.body,
    get waiting() {
      return texts.length;
    },
    next(ms = 20_000) {
      const text = texts.shift();
      if (text !== undefined) return Promise.resolve(text);
      if (over) return Promise.reject(new Error(`the link ended: ${over.code} ${over.reason}`));
      return new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error(`no text within ${ms} ms`)), ms);
        const settled = (): void => clearTimeout(timer);
        const one = {
          resolve: (value: string) => (settled(), resolve(value)),
          reject: (error: Error) => (settled(), reject(error)),
        };
        asking.push(one);
        timer.unref();
      });
    },
    send: (text) => write(OPCODES.text, Buffer.from(text)),
    sendFrame: write,
    stall: (stalled) => void (stalled ? socket.pause() : socket.resume()),
    ended: end.promise,
    close() {
      write(OPCODES.close, Buffer.from([0x03, 0xe8]));
      return end.promise.finally(() => socket.destroy());
    },
    destroy: () => socket.destroy(),
  };
}
