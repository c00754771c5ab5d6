/** The body of a message on a broker's topic: JSON, Confluent-framed Avro or a structured CloudEvent, as its content type says. */
import type { AvroRecord } from "../envelope.ts";
import { BusError } from "../errors.ts";
import type { Codec, TopicCodecs } from "../wire.ts";
import { readStructured, type EventFacts } from "./cloudevents.ts";

/** Media types of Confluent-framed Avro; the first byte and the schema's id are checked by the codec. */
const AVRO =
  /^(?:application\/vnd\.confluent\.avro|application\/avro|avro\/binary|application\/vnd\.apache\.avro\+binary|application\/octet-stream)$/u;
const STRUCTURED = "application/cloudevents+json";
export const AVRO_TYPE = "application/vnd.confluent.avro";

/** `event`: the attributes of a structured CloudEvent. `read` throws what is wrong with the content. */
export type TopicBody = Readonly<{ event?: EventFacts; read: () => AvroRecord }>;

/** A content type is asked for; nothing is guessed. Throws message-too-large, media-type, and what a CloudEvent lacks. */
export function readTopicBody(codecs: TopicCodecs, contentType: string, bytes: Uint8Array, maxBytes: number): TopicBody {
  if (bytes.byteLength > maxBytes) throw new BusError("message-too-large", `a message may have at most ${maxBytes} bytes`);
  const { json } = codecs;
  const type = essence(contentType);
  if (type === STRUCTURED) {
    const { event, data } = readStructured(bytes);
    return { event, read: () => json.read(data) };
  }
  const codec = type === "application/json" ? json : AVRO.test(type) ? codecs.avro : undefined;
  if (codec) return { read: () => codec.read(bytes) };
  const also = codecs.avro === undefined ? "" : ` or ${AVRO_TYPE}`;
  throw new BusError(
    "media-type",
    `the content type is "${type.slice(0, 80).replace(/\p{Cc}/gu, "?")}"; send application/json, ${STRUCTURED}${also}`,
  );
}

/** The answer to a question goes in the question's own format. */
export function answerCodec(replies: TopicCodecs | undefined, asked: string): Codec | undefined {
  return AVRO.test(essence(asked)) ? (replies?.avro ?? replies?.json) : replies?.json;
}

/** The media type alone, in small letters. */
export const essence = (contentType: string): string => (contentType.split(";", 1)[0] ?? "").trim().toLowerCase();

/** A system's id as the token of its topics, on every broker alike: letters, digits and `-` stay, other bytes become `_` and two hex digits. */
export function topicToken(system: string): string {
  return Buffer.from(system)
    .toString("latin1")
    .replace(/[^A-Za-z0-9-]/gu, (byte) => `_${byte.charCodeAt(0).toString(16).padStart(2, "0")}`);
}
