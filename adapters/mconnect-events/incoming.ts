/** Events as producers send them: CloudEvents 1.0 in HTTP binary mode, in the JSON format, and as a batch of it. */
import { decodeValue } from "#bus/edge/cloudevents.ts";
import { EVENT_BYTES, type EventIn } from "#bus/edge/events.ts";
import { itemsOf, membersOf, utf8Of } from "#bus/edge/json-text.ts";
import { BusError } from "#bus/errors.ts";

export const REQUEST_BYTES = 1_048_576;
const MOST_ATTRIBUTES = 64;
/** Of one attribute: characters. */
const MOST_TEXT = 2_048;

const NAME = /^[a-z0-9]{1,64}$/u;
const ID = /^[\x21-\x7e]{1,200}$/u;
const TIME = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,12})?([Zz]|[+-]\d\d:\d\d)$/u;
const OWN: ReadonlySet<string> = new Set(["specversion", "id", "source", "type", "subject", "time", "partitionkey", "datacontenttype"]);

type Headers = Readonly<Record<string, string | undefined>>;

/** `produce/raw`: attributes as `ce-` headers, the body is the data. Throws http-request, media-type, message-too-large. */
export function readRaw(headers: Headers, body: Uint8Array): EventIn {
  const attributes = new Map<string, string>();
  let size = body.byteLength;
  for (const name in headers) {
    const value = headers[name];
    if (!name.startsWith("ce-") || value === undefined) continue;
    attributes.set(name.slice(3), decodeValue(name, value));
    size += name.length + value.length + 6;
  }
  if (attributes.has("datacontenttype")) throw bad("ce-datacontenttype must not be sent: Content-Type says what the body is");
  const type = essence(headers["content-type"]);
  if (!isJson(type))
    throw new BusError(
      "media-type",
      `Content-Type is ${type === "" ? "missing" : `"${type}"`}; this type's data is JSON, send application/json`,
    );
  if (size > EVENT_BYTES) throw tooLarge(size);
  return eventOf(attributes, body);
}

/** `produce/event`: one JSON object. `offset` is taken and dropped where `given` says that the event was handed out before. */
export function readStructured(body: Uint8Array, given = false): EventIn {
  return structured(utf8Of(body), given);
}

/** `produce/events`: an array of them, at least one. Each error names the event by its index. */
export function readBatch(body: Uint8Array): readonly EventIn[] {
  const items = itemsOf(utf8Of(body));
  if (items.length === 0) throw bad("the batch is empty: send at least one event");
  return items.map((item, index) => {
    try {
      return structured(item, false);
    } catch (error) {
      if (!(error instanceof BusError)) throw error;
      throw new BusError(error.code, `event ${index} (from 0): ${error.message}. Nothing of this request was taken.`, { cause: error });
    }
  });
}

function structured(text: string, given: boolean): EventIn {
  const size = Buffer.byteLength(text);
  if (size > EVENT_BYTES) throw tooLarge(size);
  const members = membersOf(text);
  const attributes = new Map<string, string>();
  for (const [name, raw] of members) {
    if (name === "data" || (given && name === "offset")) continue;
    if (name === "data_base64") throw bad("data_base64 is not taken here: this type's data is JSON, send it as data");
    const value: unknown = JSON.parse(raw);
    if (value === null) continue; // as if it was not there, says the format
    if (typeof value !== "string" && typeof value !== "boolean" && !Number.isSafeInteger(value))
      throw bad(`the attribute ${name.slice(0, 64)} is no text, whole number or boolean`);
    attributes.set(name, typeof value === "string" ? value : raw);
  }
  const data = members.get("data");
  if (data === undefined) throw bad("the event has no data");
  const type = essence(attributes.get("datacontenttype") ?? "application/json");
  if (!isJson(type)) throw new BusError("media-type", `datacontenttype is "${type}"; this type's data is JSON, write application/json`);
  return eventOf(attributes, Buffer.from(data));
}

function eventOf(attributes: ReadonlyMap<string, string>, data: Uint8Array): EventIn {
  const missing = ["specversion", "id", "source", "type"].filter((name) => (attributes.get(name) ?? "") === "");
  if (missing.length > 0) throw bad(`the event lacks ${missing.join(", ")}`);
  if (attributes.get("specversion") !== "1.0") throw bad("specversion must be 1.0");
  if (attributes.size > MOST_ATTRIBUTES) throw bad(`the event has ${attributes.size} attributes; at most ${MOST_ATTRIBUTES} are taken`);
  const more: Record<string, string> = {};
  for (const [name, text] of attributes) {
    if (!NAME.test(name)) throw bad(`${JSON.stringify(name.slice(0, 64))} is no attribute's name: lower-case letters and digits only`);
    if (text.length > MOST_TEXT || /\p{Cc}/u.test(text))
      throw bad(`the attribute ${name} is longer than ${MOST_TEXT} characters or has control characters`);
    if (name === "offset") throw bad("offset is the platform's own attribute; leave it out");
    if (!OWN.has(name)) more[name] = text;
  }
  const at = (name: string): string => attributes.get(name) ?? "";
  if (!ID.test(at("id"))) throw bad("id must be 1 to 200 visible ASCII characters without spaces");
  if (more["correlationid"] !== undefined && !ID.test(more["correlationid"]))
    throw bad("correlationid must be 1 to 200 visible ASCII characters without spaces");
  const time = attributes.get("time");
  if (time !== undefined && (!TIME.test(time) || Number.isNaN(Date.parse(time))))
    throw bad("time must be a moment of RFC 3339, such as 2026-11-25T08:30:00Z");
  const subject = attributes.get("subject");
  const partitionKey = attributes.get("partitionkey");
  return {
    id: at("id"),
    source: at("source"),
    type: at("type"),
    ...(subject !== undefined && subject !== "" && { subject }),
    ...(time !== undefined && { time }),
    ...(partitionKey !== undefined && partitionKey !== "" && { partitionKey }),
    more,
    data,
  };
}

const bad = (text: string): BusError => new BusError("http-request", text);
const tooLarge = (size: number): BusError =>
  new BusError("message-too-large", `the event has ${size} bytes; at most ${EVENT_BYTES} are taken`);

/** A media type without its parameters, in lower case. */
export function essence(contentType: string | undefined): string {
  return (
    (contentType ?? "")
      .split(";", 1)[0]
      ?.trim()
      .toLowerCase()
      .replace(/\p{Cc}/gu, "?")
      .slice(0, 80) ?? ""
  );
}

const isJson = (type: string): boolean =>
  type === "application/json" || type === "text/json" || /^application\/[a-z0-9.+-]+\+json$/u.test(type);
