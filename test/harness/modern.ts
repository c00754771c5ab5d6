/** A modern institution's own client on a broker, in words that both brokers have: it publishes, asks, receives, and tries what it may not. */
import { actAs, type Act } from "./pika.ts";
import { openRawNats } from "./raw-nats.ts";

export type Sent = Readonly<{ id?: string; contentType?: string; headers?: Readonly<Record<string, string>> }>;
export type Got = Readonly<{
  topic: string;
  contentType: string;
  id: string | undefined;
  bytes: Buffer;
  json: () => Record<string, unknown>;
}>;

export interface Modern {
  /** Resolves when the broker has confirmed it. */
  publish(topic: string, body: string | Uint8Array, sent?: Sent): Promise<void>;
  ask(topic: string, body: string | Uint8Array, sent?: Sent): Promise<Got>;
  /** The next message that is for it, settled. */
  receive(): Promise<Got>;
  /** The broker's refusal to let it publish there; empty where it did not refuse. */
  forbidden(topic: string): Promise<string>;
  close(): void;
}

/** `user`: the token of a system. NATS by bare lines over a socket. */
export async function modernOnNats(url: string, user: string, password: string): Promise<Modern> {
  const raw = await openRawNats(url, user, password);
  const headersOf = ({ id, contentType = "application/json", headers }: Sent): Record<string, string> => ({
    "content-type": contentType,
    ...(id !== undefined && { "x-message-id": id }),
    ...headers,
  });
  const got = ({ subject, headers, body, bytes }: Awaited<ReturnType<typeof raw.fetch>>): Got => ({
    topic: subject,
    contentType: headers["content-type"] ?? "",
    id: headers["ce-id"] ?? headers["x-message-id"],
    bytes,
    json: () => JSON.parse(body) as Record<string, unknown>,
  });
  return {
    async publish(topic, body, sent = {}) {
      const { body: answer } = await raw.request(topic, body, headersOf(sent));
      if (!answer.includes('"stream"')) throw new Error(`NATS did not keep it: ${answer}`);
    },
    ask: async (topic, body, sent = {}) => got(await raw.request(topic, body, headersOf(sent))),
    receive: async () => got(await raw.fetch(user)),
    forbidden: (topic) => raw.violates(() => raw.publish(topic, "{}", { "content-type": "application/json" })),
    close: () => raw.close(),
  };
}

/** RabbitMQ by python3-pika. */
export function modernOnRabbit(url: string, user: string, password: string): Modern {
  const act = async (one: Act) => (await actAs(url, user, password, [one]))[0] ?? { ok: false };
  const actOf = (word: string, topic: string, body: string | Uint8Array, { id, contentType, headers = {} }: Sent): Act => ({
    do: word,
    exchange: "mbus.from",
    key: topic,
    userId: user,
    ...(typeof body === "string" ? { body } : { base64: Buffer.from(body).toString("base64") }),
    ...(id !== undefined && { messageId: id }),
    ...(contentType !== undefined && { contentType }),
    headers,
  });
  const got = (answer: Awaited<ReturnType<typeof act>>): Got => {
    if (!answer.ok) throw new Error("nothing came");
    return {
      topic: answer.key ?? "",
      contentType: answer.contentType ?? "",
      id: answer.headers?.["cloudEvents_id"] ?? answer.headers?.["x-message-id"],
      bytes: Buffer.from(answer.base64 ?? "", "base64"),
      json: () => JSON.parse(answer.body ?? "") as Record<string, unknown>,
    };
  };
  return {
    async publish(topic, body, sent = {}) {
      const answer = await act(actOf("publish", topic, body, sent));
      if (!answer.ok) throw new Error(`RabbitMQ refused it: ${answer.code}`);
    },
    ask: async (topic, body, sent = {}) => got(await act(actOf("ask", topic, body, sent))),
    receive: async () => got(await act({ do: "receive", queue: `to.${user}` })),
    forbidden: async (topic) => String((await act(actOf("publish", topic, "{}", {}))).code ?? ""),
    close: () => undefined,
  };
}
