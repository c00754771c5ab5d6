/** A modern system that is asked by the bus and answers, in words that both brokers have: NATS by bare lines, RabbitMQ by python3-pika. */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { openRawNats } from "./raw-nats.ts";

export type Asked = Readonly<{
  topic: string;
  contentType: string;
  id: string | undefined;
  /** Names in small letters. */
  headers: Readonly<Record<string, string>>;
  bytes: Buffer;
  replyTo: string;
}>;

/** `contentType`: default application/json; `null` leaves it out. `userId`: on RabbitMQ, default the user's own; `null` leaves it out. */
export type Answer = Readonly<{
  body: string | Uint8Array;
  contentType?: string | null;
  headers?: Readonly<Record<string, string>>;
  userId?: string | null;
}>;

/** What it answers; undefined = nothing. */
export type Handle = (asked: Asked) => Answer | undefined;
export type Responder = Readonly<{ close(): Promise<void> }>;

/** `user`: the token of a system. */
export async function respondOnNats(url: string, user: string, password: string, handle: Handle): Promise<Responder> {
  const raw = await openRawNats(url, user, password);
  await raw.serve(`call.${user}.>`, "workers", (message) => {
    const headers = Object.fromEntries(Object.entries(message.headers).map(([name, value]) => [name.toLowerCase(), value]));
    const replyTo = message.reply ?? "";
    const answer = handle({
      topic: message.subject,
      contentType: headers["content-type"] ?? "",
      id: headers["x-message-id"],
      headers,
      bytes: message.bytes,
      replyTo,
    });
    if (answer === undefined) return;
    const type = answer.contentType === null ? {} : { "Content-Type": answer.contentType ?? "application/json" };
    raw.publish(replyTo, answer.body, { ...type, ...answer.headers });
  });
  return { close: () => Promise.resolve(raw.close()) };
}

const SCRIPT = fileURLToPath(new URL("../clients/pika_responder.py", import.meta.url));
type Line = Readonly<{
  ready?: boolean;
  refused?: number;
  key: string;
  contentType: string;
  messageId: string | null;
  expiration: string;
  replyTo: string;
  headers: Readonly<Record<string, string>>;
  base64: string;
}>;

export async function respondOnRabbit(server: string, user: string, password: string, handle: Handle): Promise<Responder> {
  const url = new URL(server);
  url.username = user;
  url.password = password;
  const child = spawn("/usr/bin/python3", [SCRIPT, url.href, `call.${user}`], { stdio: ["pipe", "pipe", "pipe"] });
  let errors = "";
  child.stderr.on("data", (chunk: Buffer) => (errors += chunk.toString()));
  child.stdin.on("error", () => undefined);
  const gone = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const ready = Promise.withResolvers<void>();
  void gone.then(() => ready.reject(new Error(`the client of ${user} failed: ${errors}`)));
  createInterface({ input: child.stdout }).on("line", (text) => {
    const line = JSON.parse(text) as Line;
    if (line.ready === true) return ready.resolve();
    if (line.refused !== undefined) return;
    const headers = Object.fromEntries(Object.entries(line.headers).map(([name, value]) => [name.toLowerCase(), value]));
    const asked: Asked = {
      topic: line.key,
      contentType: line.contentType,
      id: line.messageId ?? undefined,
      headers: { ...headers, expiration: line.expiration },
      bytes: Buffer.from(line.base64, "base64"),
      replyTo: line.replyTo,
    };
    const answer = handle(asked);
    const said = answer && {
      ...(answer.contentType !== null && { contentType: answer.contentType ?? "application/json" }),
      ...(answer.userId !== null && { userId: answer.userId ?? user }),
      headers: answer.headers ?? {},
      base64: Buffer.from(answer.body).toString("base64"),
    };
    child.stdin.write(`${JSON.stringify(said ?? null)}\n`);
  });
  await ready.promise;
  return {
    async close() {
      child.kill("SIGKILL");
      await gone;
    },
  };
}
