/** A mail server for tests: the package `smtp-server` as a process of its own, with STARTTLS and accounts. */
import { fork, type ChildProcess } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { firstOf } from "./servers.ts";
import type { Mail, SmtpBehaviour, Tells, Told } from "./smtp-peer.ts";

export type SmtpPeer = Readonly<{
  port: number;
  /** Mails that were taken, as known when it was last settled. */
  mails: readonly Mail[];
  /** Message-IDs of the mails that arrived, taken or not. */
  begun: readonly string[];
  /** Resolves when it behaves so. */
  behave(behaviour: SmtpBehaviour): Promise<void>;
  /** Resolves when all that happened there before is known here. */
  settled(): Promise<void>;
  release(): void;
  /** Resolves when a connection ends from now on. */
  broken(): Promise<void>;
  /** Ends the process at once. */
  kill(): Promise<void>;
}>;

export type SmtpOptions = Readonly<{ key?: string; cert?: string; secure?: boolean; hideSTARTTLS?: boolean }>;

export async function smtpPeer(options: SmtpOptions = {}): Promise<SmtpPeer> {
  let peer: SmtpPeer | undefined;
  const { version } = JSON.parse(readFileSync(new URL("../../node_modules/smtp-server/package.json", import.meta.url), "utf8")) as {
    version: string;
  };
  await firstOf("SMTP", [
    {
      from: "package",
      async open() {
        peer = await start(options);
        return { url: `smtp://127.0.0.1:${peer.port}`, version: `smtp-server ${version}`, from: "package", close: peer.kill };
      },
    },
  ]);
  if (peer === undefined) throw new Error("the mail server did not start");
  return peer;
}

async function start(options: SmtpOptions): Promise<SmtpPeer> {
  const program = fileURLToPath(new URL("./smtp-peer.ts", import.meta.url));
  const child: ChildProcess = fork(program, [JSON.stringify(options)], { execArgv: [] });
  const mails: Mail[] = [];
  const begun: string[] = [];
  let broken = Promise.withResolvers<void>();
  let said = Promise.withResolvers<void>();
  const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const port = await new Promise<number>((resolve, reject) => {
    child.once("exit", (code) => reject(new Error(`the mail server ended with ${code}`)));
    child.on("message", (told: Tells) => {
      if ("ready" in told) resolve(told.ready);
      else if ("begun" in told) begun.push(told.begun);
      else if ("mail" in told) mails.push(told.mail);
      else if ("heard" in told) said.resolve();
      else broken.resolve();
    });
  });
  const say = (told: Told): void => void (child.connected && child.send(told));
  const answered = (told: Told): Promise<void> => {
    if (!child.connected) return Promise.resolve();
    said = Promise.withResolvers();
    child.send(told);
    return said.promise;
  };
  return {
    port,
    mails,
    begun,
    behave: (behave) => answered({ behave }),
    settled: () => answered({ settle: true }),
    release: () => say({ release: true }),
    broken: () => (broken = Promise.withResolvers()).promise,
    async kill() {
      child.kill("SIGKILL");
      await gone;
    },
  };
}
