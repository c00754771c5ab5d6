/** A subscriber that tests can break: takes events and commands over HTTP, keeps a ledger, fails when it is told to. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";

export type Received = Readonly<{
  id: string;
  path: string;
  body: string;
  at: number;
  headers: Readonly<Record<string, string | string[] | undefined>>;
}>;

export type Receiver = Readonly<{
  url: string;
  port: number;
  /** Every request that was answered well, in order of arrival; repeated ids stand here again. */
  received: readonly Received[];
  /** First arrival of each id: the effects an idempotent receiver would have. */
  effects: ReadonlyMap<string, Received>;
  /** How it answers from now on; default `() => 200`. */
  answer(with_: (request: Received) => number | Promise<number>): void;
  close(): Promise<void>;
}>;

export type ReceiverOptions = Readonly<{ port?: number; reply?: (request: Received) => Readonly<{ type: string; body: string }> }>;

export async function openReceiver(options: ReceiverOptions = {}): Promise<Receiver> {
  const received: Received[] = [];
  const effects = new Map<string, Received>();
  let answer: (request: Received) => number | Promise<number> = () => 200;
  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const id = String(request.headers["idempotency-key"] ?? request.headers["x-message-id"] ?? request.headers["ce-id"] ?? "");
    const one: Received = { id, path: request.url ?? "", body: Buffer.concat(chunks).toString(), at: Date.now(), headers: request.headers };
    const status = await answer(one);
    if (status < 300) {
      received.push(one);
      if (!effects.has(id)) effects.set(id, one);
    }
    const reply = options.reply?.(one) ?? { type: "application/json", body: "{}" };
    response.writeHead(status, { "content-type": reply.type }).end(status < 300 ? reply.body : "");
  };
  const server = createServer((request, response) => void serve(request, response).catch(() => response.destroy()));
  await new Promise<void>((resolve) => server.listen(options.port ?? 0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" && address ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    received,
    effects,
    answer(with_) {
      answer = with_;
    },
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Waits until `holds` does, looking every 20 ms; throws with what `tell` says after `patience`. */
export async function eventually(holds: () => boolean | Promise<boolean>, tell: () => string, patience = 30_000): Promise<void> {
  const end = Date.now() + patience;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`after ${patience} ms: ${tell()}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
