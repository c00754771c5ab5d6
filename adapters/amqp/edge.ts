/** The connection that inlets and outlets towards modern systems share, apart from the bus's own transport. */
import type { Accept } from "#bus/ports.ts";
import { openLink, type Link } from "./connection.ts";
import { namesOf, type Names } from "./names.ts";
import { takeUnrouted } from "./inlet.ts";
import { createPublisher, type Publisher } from "./publisher.ts";
import { openQuestions, type Questions } from "./questions.ts";
import type { TakingFrom } from "./taking.ts";

export type AmqpEdge = Readonly<{
  link: Link;
  names: Names;
  publisher: Publisher;
  /** Questions of this process to systems; opened with the first. */
  questions(): Questions;
  /** Begins, once, to tell the senders of what no route takes. */
  unrouted(accept: Accept): void;
  close(): Promise<void>;
}>;

export type AmqpEdgeOptions = Readonly<{
  url: string;
  node: string;
  /** Begins the names of the exchanges. Default `mbus`. */
  prefix?: string;
  /** Milliseconds that a message waits for the broker. Default 30,000. */
  patience?: number;
  onError?: (error: Error) => void;
}>;

const UNCONFIRMED = 1_000;
const CONFIRM_TIMEOUT = 10_000;

/** Throws transport-unavailable. */
export async function openAmqpEdge(options: AmqpEdgeOptions): Promise<AmqpEdge> {
  const { url, node, prefix = "mbus", patience = 30_000, onError = () => undefined } = options;
  const names = namesOf(prefix);
  const link = await openLink({ url, name: `${prefix} ${node} systems`, patience, onError });
  try {
    await link.connected();
  } catch (error) {
    await link.close();
    throw error;
  }
  const publisher = createPublisher(link, {
    limit: UNCONFIRMED,
    confirmTimeout: CONFIRM_TIMEOUT,
    prepare: async (channel) => void (await channel.assertExchange(names.to, "topic", { durable: true })),
  });
  let unrouted: TakingFrom | undefined;
  let questions: Questions | undefined;
  const edge: AmqpEdge = {
    link,
    names,
    publisher,
    questions: () => (questions ??= openQuestions(link, names)),
    unrouted: (accept) => void (unrouted ??= takeUnrouted(edge, accept)),
    async close() {
      await unrouted?.close(0);
      await questions?.close();
      await publisher.close();
      await link.close();
    },
  };
  return edge;
}
