/** A mail server as a program of its own: told by its parent how to behave, it tells what it was given. Started by smtp.ts. */
import { createServer, type Socket } from "node:net";
import { SMTPServer, type SMTPServerOptions } from "smtp-server";

export type SmtpBehaviour = "ok" | "hold" | "silent" | "reset" | "garbage" | "huge" | "refuse" | "busy" | "closing";
export type Told = Readonly<{ behave: SmtpBehaviour }> | Readonly<{ release: true }> | Readonly<{ settle: true }>;
export type Mail = Readonly<{ from: string; to: readonly string[]; raw: string; secure: boolean; user: string | undefined }>;
export type Tells =
  | Readonly<{ ready: number }>
  /** A mail is at hand; `behave` decides what it is answered. */
  | Readonly<{ begun: string }>
  | Readonly<{ mail: Mail }>
  | Readonly<{ heard: true }>
  | Readonly<{ broken: true }>;

let behaviour: SmtpBehaviour = "ok";
let held = Promise.withResolvers<void>();
const tell = (message: Tells): void => void process.send?.(message);
const refusal = (code: number, text: string): Error => Object.assign(new Error(text), { responseCode: code });

const options = JSON.parse(process.argv[2] ?? "{}") as SMTPServerOptions;
const server = new SMTPServer({
  ...options,
  authOptional: true,
  disableReverseLookup: true,
  size: 100_000,
  closeTimeout: 100,
  onAuth: ({ username, password }, _, done) =>
    password === "correct horse" ? done(null, { user: username }) : done(refusal(535, `no such account: ${username} ${password}`)),
  onRcptTo({ address }, _, done) {
    if (address.startsWith("gone")) return done(refusal(550, `${address} is unknown`));
    if (address.startsWith("full")) return done(refusal(452, `${address} is full`));
    done();
  },
  onData(stream, session, done) {
    const chunks: Buffer[] = [];
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("end", () => {
      const raw = Buffer.concat(chunks).toString("utf8");
      tell({ begun: /^Message-ID: <(.*)@/imu.exec(raw)?.[1] ?? "" });
      const { mailFrom, rcptTo } = session.envelope;
      const mail = {
        from: mailFrom === false ? "" : mailFrom.address,
        to: rcptTo.map((one) => one.address),
        raw,
        secure: session.secure,
        user: typeof session.user === "string" ? session.user : undefined,
      };
      const take = (): void => (tell({ mail }), done());
      if (behaviour === "ok") take();
      else if (behaviour === "hold") void held.promise.then(take);
      else if (behaviour === "refuse") done(refusal(554, "spam of a citizen named Ana"));
      else if (behaviour === "busy") done(refusal(451, "later"));
      else if (behaviour === "closing") done(refusal(421, "closing"));
    });
  },
});
server.on("error", () => undefined);

const open = new Set<Socket>();
const front = createServer((socket) => {
  open.add(socket);
  socket.on("error", () => undefined);
  socket.on("close", () => (open.delete(socket), tell({ broken: true })));
  if (behaviour === "reset") socket.resetAndDestroy();
  else if (behaviour === "garbage") socket.end("}<not what was agreed\r\n");
  else if (behaviour === "huge") socket.write("220-".padEnd(300_000, "x"));
  else server.server.emit("connection", socket);
});
front.listen(0, "127.0.0.1", () => tell({ ready: (front.address() as { port: number }).port }));

process.on("message", (told: Told) => {
  if ("release" in told) return held.resolve();
  if ("behave" in told) {
    behaviour = told.behave;
    if (behaviour === "hold") held = Promise.withResolvers();
  }
  tell({ heard: true });
});
process.on("disconnect", () => process.exit());
