/** Options of the `postgres` adapter as a route file writes them: `postgres: { url: …, table: …, key: …, columns: […] }`. */
import type { AdapterSpec, OptionsSchema } from "#bus/wire.ts";

const name = (description: string, dots = false) => ({
  type: "string",
  pattern: dots ? "^[A-Za-z_][A-Za-z0-9_]{0,62}([.][A-Za-z_][A-Za-z0-9_]{0,62})?$" : "^[A-Za-z_][A-Za-z0-9_]{0,62}$",
  description,
});
const duration = (description: string) => ({ type: "string", pattern: "^[0-9]+(ms|s|m|h|d)$", description });

const database = {
  url: {
    type: "string",
    "x-secret": true,
    description: "Database: ${secret:asp/database}, which holds postgres://user:password@host:5432/name.",
  },
  security: { enum: ["tls", "none"], description: "`tls` (the default) demands a verified certificate; `none` is for development only." },
  ca: {
    type: "string",
    "x-secret": true,
    description: "Certificate authority (PEM) of the server, where it is no public one: ${secret:asp/ca}.",
  },
};

const inlet: OptionsSchema = {
  type: "object",
  description: "A table of which each row becomes one message: an outbox that is emptied (`failed`), or what lies behind a `cursor`.",
  additionalProperties: false,
  required: ["url", "table", "key", "columns"],
  properties: {
    ...database,
    table: name("Table or view, with its schema: exchange.outbox.", true),
    key: name("Column that is unique; an outbox is taken in its order."),
    columns: {
      type: "array",
      minItems: 1,
      maxItems: 200,
      items: name("Column."),
      description: "Columns that make the message, under their names. A view renames and computes.",
    },
    done: name("Outbox: column (timestamp) that gets the time when the row was taken. Without it taken rows are deleted."),
    failed: name("Outbox: column (text) that gets the error code of a row that was refused; it is not read again."),
    cursor: name("Instead of an outbox: column that grows, such as a time of change or a number."),
    settle: duration(
      "With a cursor that is a time: how long a row must lie there, because transactions end in another order than they begin.",
    ),
    batch: { type: "integer", minimum: 1, maximum: 1000, description: "Rows of one transaction; default 100." },
    every: duration("How often to look; default 5s. With a schedule only the schedule looks."),
  },
};

const outlet: OptionsSchema = {
  type: "object",
  description: "One statement for each message, in a transaction of its own.",
  additionalProperties: false,
  required: ["url", "statement"],
  properties: {
    ...database,
    statement: {
      type: "string",
      maxLength: 16_384,
      description:
        "SQL with the message's fields as parameters: `:number`, `:home.city`, `:$id`. For a contract with a reply the first row is the reply.",
    },
    once: name(
      "Table with a unique text column `message_id`: the statement runs once for each message, however often it is delivered.",
      true,
    ),
    connections: { type: "integer", minimum: 1, maximum: 32, description: "Connections at once; default 4." },
  },
};

export const postgres: AdapterSpec = { name: "postgres", title: "Rows of a PostgreSQL database", inlet, outlet, format: "json" };
