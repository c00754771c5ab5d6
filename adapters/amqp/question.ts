/** A question to a modern system over RabbitMQ, with its facts as headers; the answer is read by its content type. */
import { readTopicAnswer, writeQuestion } from "#bus/edge/question.ts";
import type { Outlet } from "#bus/ports.ts";
import type { TopicAsking, TopicTarget } from "#bus/wire.ts";
import type { AmqpEdge } from "./edge.ts";

export type AmqpQuestionSettings = TopicTarget & Readonly<{ edge: Pick<AmqpEdge, "names" | "questions">; asks: TopicAsking }>;

/** Longest text of a basic property, in bytes. */
const SHORT = 255;

export function createAmqpQuestions({ edge, system, contract, codec, asks }: AmqpQuestionSettings): Outlet {
  const key = edge.names.callKey(system, contract);
  return {
    endpoint: `amqp:${key}`,
    async send({ envelope, value }, signal) {
      const { headers, waits } = writeQuestion(envelope, asks, Date.now());
      const options = {
        contentType: codec.mediaType,
        headers,
        timestamp: Math.floor(envelope.time / 1000),
        ...(Buffer.byteLength(envelope.id) <= SHORT && { messageId: envelope.id }),
      };
      const answer = await edge.questions().ask({ system, contract, body: codec.write(value), waits, options }, signal);
      const { contentType, headers: told } = answer.properties as { contentType?: unknown; headers?: Readonly<Record<string, unknown>> };
      const fault: unknown = told?.["x-error-code"];
      return readTopicAnswer(asks, {
        from: key,
        contentType: typeof contentType === "string" ? contentType : "",
        bytes: answer.content,
        fault: typeof fault === "string" && fault !== "" ? fault : undefined,
      });
    },
    // The edge is shared with other outlets; its owner closes it.
    close: () => Promise.resolve(),
  };
}
