/** One conversation with a mail server: greeting, TLS, login, then mails one after the other. An abort ends it at once. */
import { createRequire } from "node:module";
import type SmtpConnection from "nodemailer/lib/smtp-connection";
import type { SMTPConnectionOptions } from "nodemailer/lib/smtp-connection";

export type MailServer = Readonly<{
  host: string;
  port: number;
  security: "starttls" | "tls" | "none";
  /** PEM of a private authority. */
  ca: string | undefined;
  login: Readonly<{ user: string; password: string }> | undefined;
}>;

export type Session = Readonly<{
  send(from: string, to: string, mail: Buffer): Promise<void>;
  /** After a refused mail, before the next one. */
  reset(): Promise<void>;
  end(): void;
}>;

/** Loaded at its first use: a bus without such routes spends neither time nor memory on it. */
const library = (): typeof SmtpConnection => createRequire(import.meta.url)("nodemailer/lib/smtp-connection") as typeof SmtpConnection;

const CONNECT = 10_000;
const SILENCE = 60_000;
const LONGEST_ANSWER = 65_536;

/** Rejects with nodemailer's errors, or the signal's reason. */
export async function openSession(server: MailServer, signal: AbortSignal): Promise<Session> {
  signal.throwIfAborted();
  const connection = new (library())(optionsOf(server));
  let over: (reason: unknown) => void = () => {};
  let ended = false;
  const fail = (reason: unknown): void => over(reason);
  connection.on("error", fail);
  connection.on("end", () => fail(Object.assign(new Error("the connection ended"), { code: "ECONNECTION" })));
  const abort = (): void => {
    fail(signal.reason);
    connection.close();
  };
  signal.addEventListener("abort", abort, { once: true });
  const end = (say: boolean): void => {
    if (ended) return;
    ended = true;
    signal.removeEventListener("abort", abort);
    if (say) connection.quit();
    else connection.close();
  };
  const step = (work: (done: (error?: Error | null) => void) => void): Promise<void> =>
    new Promise<void>((resolve, reject) => {
      over = reject;
      if (signal.aborted) return reject(signal.reason as Error);
      work((error) => (error ? reject(error) : resolve()));
    });
  try {
    await step((done) => connection.connect(done));
    const { login } = server;
    if (login) await step((done) => connection.login({ user: login.user, pass: login.password }, done));
  } catch (error) {
    end(false);
    throw error;
  }
  return {
    send: (from, to, mail) => step((done) => connection.send({ from, to: [to], size: mail.byteLength }, mail, done)),
    reset: () => step((done) => connection.reset(done)),
    end: () => end(!signal.aborted),
  };
}

function optionsOf({ host, port, security, ca }: MailServer): SMTPConnectionOptions {
  return {
    host,
    port,
    secure: security === "tls",
    requireTLS: security === "starttls",
    ignoreTLS: security === "none",
    tls: { minVersion: "TLSv1.2", rejectUnauthorized: true, ...(ca !== undefined && { ca }) },
    connectionTimeout: CONNECT,
    greetingTimeout: CONNECT,
    dnsTimeout: CONNECT,
    socketTimeout: SILENCE,
    socketCloseTimeout: 1_000,
    maxResponseSize: LONGEST_ANSWER,
    allowInternalNetworkInterfaces: true,
    logger: false,
  };
}
