/** A stock client of another language on RabbitMQ: test/clients/pika_system.py does a list of acts under one user. */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

/** `do`: publish, receive or ask; the rest is what the script reads of it. */
export type Act = Readonly<Record<string, unknown>>;
export type PikaAnswer = Readonly<{
  ok: boolean;
  /** AMQP reply code of a refusal. */
  code?: number;
  key?: string;
  contentType?: string;
  messageId?: string;
  correlationId?: string;
  headers?: Record<string, string>;
  body?: string;
  base64?: string;
}>;

const SCRIPT = fileURLToPath(new URL("../clients/pika_system.py", import.meta.url));

/** One answer for each act, in order. */
export async function actAs(server: string, user: string, password: string, acts: readonly Act[]): Promise<readonly PikaAnswer[]> {
  const url = new URL(server);
  url.username = user;
  url.password = password;
  const child = spawn("/usr/bin/python3", [SCRIPT, url.href], { stdio: ["pipe", "pipe", "pipe"] });
  let out = "";
  let errors = "";
  child.stdout.on("data", (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (errors += chunk.toString()));
  child.stdin.end(JSON.stringify(acts));
  await new Promise((resolve) => child.once("close", resolve));
  const answers = out.split("\n").filter(Boolean);
  if (answers.length !== acts.length) throw new Error(`the client of ${user} failed: ${errors}`);
  return answers.map((line) => JSON.parse(line) as PikaAnswer);
}
