/** A NATS client of bare protocol lines over a socket: what any program of an institution could be. */
import { once } from "node:events";
import { connect } from "node:net";

export type RawMessage = Readonly<{
  subject: string;
  reply: string | undefined;
  headers: Readonly<Record<string, string>>;
  body: string;
  bytes: Buffer;
}>;

export type RawNats = Readonly<{
  publish(subject: string, body: string | Uint8Array, headers?: Readonly<Record<string, string>>, reply?: string): void;
  subscribe(subject: string): void;
  /** Subscribes in a group, as one of several that answer; resolves when the server has taken it. */
  serve(subject: string, group: string, handle: (message: RawMessage) => void): Promise<void>;
  /** Publishes and waits for the first message on an inbox of its own. */
  request(subject: string, body: string | Uint8Array, headers: Readonly<Record<string, string>>): Promise<RawMessage>;
  /** The next message of the system's consumer of MBUS_TO, settled; fails when none comes. */
  fetch(token: string, ms?: number): Promise<RawMessage>;
  /** The server's error line that an act brings about. */
  violates(act: () => void): Promise<string>;
  close(): void;
}>;

export async function openRawNats(url: string, user: string, password: string): Promise<RawNats> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  const waiting = new Map<string, (message: RawMessage) => void>();
  const errors: string[] = [];
  let pongs = 0;
  let sid = 0;
  let inboxes = 0;
  let rest: Buffer = Buffer.alloc(0);
  const inbox = `_INBOX.${user}.${process.pid}`;

  function read(): void {
    for (;;) {
      const end = rest.indexOf("\r\n");
      if (end < 0) return;
      const line = rest.toString("utf8", 0, end);
      const [verb = "", ...words] = line.split(" ");
      if (verb !== "MSG" && verb !== "HMSG") {
        rest = rest.subarray(end + 2);
        if (verb === "PING") socket.write("PONG\r\n");
        if (verb === "PONG") pongs++;
        if (verb === "-ERR") errors.push(line);
        continue;
      }
      const total = Number(words.at(-1));
      if (rest.length < end + 4 + total) return;
      const head = verb === "HMSG" ? Number(words.at(-2)) : 0;
      const bytes = rest.subarray(end + 2, end + 2 + total);
      rest = rest.subarray(end + 4 + total);
      const extra = verb === "HMSG" ? 4 : 3;
      const reply = words.length > extra ? words[2] : undefined;
      const message = {
        subject: words[0] ?? "",
        reply,
        headers: headersOf(bytes.toString("utf8", 0, head)),
        body: bytes.toString("utf8", head),
        bytes: Buffer.from(bytes.subarray(head)),
      };
      waiting.get(words[1] ?? "")?.(message);
    }
  }
  socket.on("data", (chunk: Buffer) => {
    rest = Buffer.concat([rest, chunk]);
    read();
  });
  socket.on("error", (error) => errors.push(String(error)));

  const until = async (done: () => boolean, ms: number): Promise<boolean> => {
    const end = performance.now() + ms;
    while (!done() && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, 5));
    return done();
  };
  const settled = async (): Promise<void> => {
    const before = pongs;
    socket.write("PING\r\n");
    await until(() => pongs > before || errors.length > 0, 20_000);
  };
  const publish: RawNats["publish"] = (subject, body, headers, reply) => {
    const to = reply === undefined ? subject : `${subject} ${reply}`;
    const size = Buffer.byteLength(body);
    const lines = Object.entries(headers ?? {}).map(([name, value]) => `${name}: ${value}\r\n`);
    const head = headers ? `NATS/1.0\r\n${lines.join("")}\r\n` : "";
    const sizes = headers ? `${Buffer.byteLength(head)} ${Buffer.byteLength(head) + size}` : `${size}`;
    socket.write(`${headers ? "HPUB" : "PUB"} ${to} ${sizes}\r\n${head}`);
    socket.write(body);
    socket.write("\r\n");
  };
  /** The first message on a new inbox that is no bare status. */
  const first = async (act: (reply: string) => void, ms: number): Promise<RawMessage> => {
    const reply = `${inbox}.${++inboxes}`;
    const got: RawMessage[] = [];
    waiting.set(String(++sid), (message) => got.push(message));
    socket.write(`SUB ${reply} ${sid}\r\n`);
    act(reply);
    if (!(await until(() => got.length > 0, ms))) throw new Error(`nothing came within ${ms} ms; ${errors.join("; ")}`);
    return got[0] as RawMessage;
  };

  await once(socket, "connect");
  const options = { verbose: false, pedantic: false, headers: true, no_responders: true, user, pass: password, lang: "raw", version: "1" };
  socket.write(`CONNECT ${JSON.stringify(options)}\r\n`);
  await settled();
  if (errors.length > 0) {
    socket.destroy();
    throw new Error(errors.join("; "));
  }
  return {
    publish,
    subscribe: (subject) => void socket.write(`SUB ${subject} ${++sid}\r\n`),
    async serve(subject, group, handle) {
      waiting.set(String(++sid), handle);
      socket.write(`SUB ${subject} ${group} ${sid}\r\n`);
      await settled();
    },
    request: (subject, body, headers) => first((reply) => publish(subject, body, headers, reply), 30_000),
    async fetch(token, ms = 30_000) {
      const pull = JSON.stringify({ batch: 1, expires: ms * 1_000_000 });
      const message = await first((reply) => publish(`$JS.API.CONSUMER.MSG.NEXT.MBUS_TO.${token}`, pull, undefined, reply), ms + 2_000);
      if (message.subject.startsWith("_INBOX.")) throw new Error("nothing for this system");
      publish(message.reply ?? "", "+ACK");
      await settled();
      return message;
    },
    async violates(act) {
      errors.length = 0;
      act();
      await settled();
      await until(() => errors.length > 0, 1_000);
      return errors.splice(0).join("; ");
    },
    close: () => void socket.destroy(),
  };
}

function headersOf(text: string): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const line of text.split("\r\n").slice(1)) {
    const at = line.indexOf(":");
    if (at > 0) headers[line.slice(0, at)] = line.slice(at + 1).trim();
  }
  return headers;
}
