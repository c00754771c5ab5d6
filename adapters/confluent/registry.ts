/**
 * The registry port over an outside Confluent-compatible registry. The stock client registers; texts by id and compatibility are asked by
 * the REST API itself, as the client has no words for them. The registry's own levels are obeyed and never changed.
 */
import { COMPATIBILITY, SchemaRegistry, SchemaType } from "@kafkajs/confluent-schema-registry";
import { BusError } from "#bus/errors.ts";
import type { Registry } from "#bus/ports.ts";
import { addressOf, failure, openRest } from "./rest.ts";

export type ConfluentOptions = Readonly<{
  /** `http(s)://[user:password@]host[:port][/path]` */
  url: string;
  /** Milliseconds for one request. */
  timeout?: number;
}>;

const TIMEOUT = 10_000;
/** Texts by id never change. */
const MAX_CACHED = 2_000;

export function openConfluentRegistry({ url, timeout = TIMEOUT }: ConfluentOptions): Promise<Registry> {
  const address = addressOf(url);
  const rest = openRest(address, timeout);
  const client = new SchemaRegistry({
    host: address.host,
    clientId: "mconnect-bus",
    retry: { retries: 2, maxRetryTimeInSecs: timeout / 1_000 },
    ...(address.auth === undefined ? {} : { auth: address.auth }),
  });
  const texts = new Map<number, string>();
  let closed = false;
  const open = (): void => {
    if (closed) throw new BusError("bus-stopping", "the schema registry is closed");
  };

  /** The client refuses to register under a level that it was not told. */
  const levelOf = async (subject: string): Promise<COMPATIBILITY | undefined> => {
    const { status, json } = await rest("GET", `/config/${encodeURIComponent(subject)}`);
    if (status === 404) return undefined;
    if (status !== 200) throw failure(status, json["message"], `tell the level of ${subject}`);
    return Object.values(COMPATIBILITY).find((level) => level === json["compatibilityLevel"]);
  };

  return Promise.resolve({
    async register(subject, schema) {
      open();
      const compatibility = await levelOf(subject);
      const options = { subject, updateConfig: false, ...(compatibility === undefined ? {} : { compatibility }) };
      const { id } = await client.register({ type: SchemaType.AVRO, schema }, options).catch((error: unknown) => {
        throw registering(error, subject);
      });
      return id;
    },
    async schema(id) {
      open();
      const known = texts.get(id);
      if (known !== undefined) return known;
      const { status, json } =
        Number.isInteger(id) && id > 0 ? await rest("GET", `/schemas/ids/${id}`) : { status: 404, json: {} as Record<string, unknown> };
      if (status === 404) throw new BusError("schema-unknown", `the schema registry has no schema with id ${id}`);
      const text = json["schema"];
      if (status !== 200 || typeof text !== "string") throw failure(status, json["message"], `give schema ${id}`);
      if (texts.size < MAX_CACHED) texts.set(id, text);
      return text;
    },
    async compatibility(subject, schema) {
      open();
      const { status, json } = await rest("POST", `/compatibility/subjects/${encodeURIComponent(subject)}/versions?verbose=true`, {
        schema,
      });
      // A registry may say that a subject nobody registered is not found.
      if (status === 404) return [];
      if (status !== 200) throw failure(status, json["message"], `compare a schema with ${subject}`);
      if (json["is_compatible"] === true) return [];
      const messages = Array.isArray(json["messages"]) ? json["messages"].map(String) : [];
      return messages.length > 0 ? messages : [`the schema registry says that the schema is not compatible with ${subject}`];
    },
    close() {
      closed = true;
      return Promise.resolve();
    },
  });
}

/** The client checks a schema before it sends it; only what the registry answered has a status. */
function registering(error: unknown, subject: string): BusError {
  const message = error instanceof Error ? error.message : "";
  if (error instanceof Error && "status" in error && typeof error.status === "number")
    return failure(error.status, message, `register a schema under ${subject}`);
  return new BusError("schema-invalid", `the schema for ${subject} is no sound Avro schema: ${message}`, { cause: error });
}
