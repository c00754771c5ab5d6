/** The face in OpenAPI 3.1, for people and generators. */
import { DEFAULT_GROUP } from "./wish.ts";

type Json = Readonly<Record<string, unknown>>;

const text = (description: string): Json => ({ description, content: { "text/plain": { schema: { type: "string" } } } });
const ERRORS: Json = {
  "400": text("The request is not one of these; the text says what to send."),
  "401": text("The system, its grant or the event's source is refused; the text says what would allow it."),
  "404": text("There is no such event type or consumer instance."),
  "503": text("Come again after Retry-After seconds."),
};
const PRODUCED: Json = {
  "202": { description: "All events of the request are durable." },
  ...ERRORS,
  "413": text("An event above 64 KiB or a request above 1 MiB."),
  "422": text("The data does not fit the schema of its type; the text names the event and the place."),
};

const flag = (name: string, otherwise: boolean, description: string): Json => ({
  name,
  in: "query",
  description,
  schema: { type: "boolean", default: otherwise },
});
const WISH: readonly Json[] = [
  flag("events", true, "Ordinary events of the types that the system may consume."),
  flag("test", true, "Test events that the system sent to itself."),
  flag("dead", false, "Dead letters of the group."),
  {
    name: "group",
    in: "query",
    description: "Consumers of one group share its events.",
    schema: { type: "string", default: DEFAULT_GROUP },
  },
];
const INSTANCE: readonly Json[] = ["group", "instance"].map((name) => ({ name, in: "path", required: true, schema: { type: "string" } }));
const CONFIRM = flag("confirm", false, "Confirms first what this instance was given before.");

const TIMEOUT: Json = {
  name: "timeout",
  in: "query",
  description: "Milliseconds to wait at most for a first event.",
  schema: { type: "integer" },
};

const event: Json = {
  type: "object",
  required: ["specversion", "id", "source", "type"],
  properties: {
    specversion: { const: "1.0" },
    id: { type: "string" },
    source: { type: "string", format: "uri-reference" },
    type: { type: "string", description: "Organization.System.Entity.Action" },
    subject: { type: "string" },
    time: { type: "string", format: "date-time" },
    datacontenttype: { const: "application/json" },
    partitionkey: { type: "string", description: "Events of one key stay in order." },
    offset: { type: "string", readOnly: true, description: "Grows within one session; confirm it." },
    data: {},
  },
};

const operation = (summary: string, more: Json): Json => ({ summary, ...more });
const body = (type: string, schema: Json): Json => ({ required: true, content: { [type]: { schema } } });
const taken = (summary: string, type: string, schema: Json): Json =>
  operation(summary, { requestBody: body(type, schema), responses: PRODUCED });
const given = (summary: string, type: string, schema: Json): Json =>
  operation(summary, {
    parameters: [...INSTANCE, CONFIRM, TIMEOUT],
    responses: {
      "200": { description: "Events.", content: { [type]: { schema } } },
      "204": { description: "None came in time." },
      ...ERRORS,
    },
  });

const EVENT = { $ref: "#/components/schemas/Event" };
const EVENTS = { type: "array", items: EVENT };
const AT = "/ce/consumers/{group}/instances/{instance}";

/** `server`: the address of the face as the caller named it. */
export function openApi(server: string): Json {
  return {
    openapi: "3.1.0",
    info: {
      title: "MConnect Events",
      version: "1.0",
      description: "Events between institutions, as CloudEvents 1.0. Callers are told by their system certificate.",
    },
    servers: [{ url: server }],
    paths: {
      "/ce/produce/raw": { post: taken("Produces one event: attributes as ce- headers, the body is its data", "application/json", {}) },
      "/ce/produce/event": { post: taken("Produces one event in the JSON format", "application/cloudevents+json", EVENT) },
      "/ce/produce/events": { post: taken("Produces a batch, all or none of it", "application/cloudevents-batch+json", EVENTS) },
      "/ce/consume/ws": {
        get: operation("Consumes by WebSocket, sub-protocol cloudevents.json; answer confirm:<offset> or dead:<event>", {
          parameters: WISH,
          responses: { "101": { description: "One event a text frame, with its offset." }, ...ERRORS },
        }),
      },
      "/ce/consumers": {
        post: operation("Makes a consumer instance that polls", {
          parameters: WISH,
          responses: {
            "201": { description: "Location is the instance's base.", headers: { location: { schema: { type: "string" } } } },
            ...ERRORS,
          },
        }),
      },
      [AT]: { delete: operation("Removes the instance", { parameters: INSTANCE, responses: { "204": { description: "It is gone." } } }) },
      [`${AT}/raw`]: { get: given("The next event: attributes as ce- headers", "application/json", {}) },
      [`${AT}/event`]: { get: given("The next event in the JSON format", "application/cloudevents+json", EVENT) },
      [`${AT}/events`]: { get: given("The next events", "application/cloudevents-batch+json", EVENTS) },
      [`${AT}/confirm`]: {
        post: operation("Confirms all up to an offset", {
          parameters: [...INSTANCE, { name: "offset", in: "query", required: true, schema: { type: "string" } }],
          responses: { "204": { description: "Durable." }, ...ERRORS },
        }),
      },
      [`${AT}/dead`]: {
        post: operation("Puts an event aside as a dead letter of the group", {
          parameters: INSTANCE,
          requestBody: body("application/cloudevents+json", EVENT),
          responses: { "202": { description: "It is a dead letter now." }, ...ERRORS },
        }),
      },
      "/ce/tools/my-settings": {
        get: operation("What the calling system may produce and consume", {
          responses: { "200": { description: "Its settings." }, ...ERRORS },
        }),
      },
      "/ce/tools/consumer/test": { post: taken("Sends an event to the system's own consumers", "application/cloudevents+json", EVENT) },
    },
    components: { schemas: { Event: event } },
  };
}
