/** Shapes that several kinds of documents share: expressions, maps, deliver, failures. */
import { CLASSES, type ErrorClass } from "../../errors.ts";
import {
  anything,
  dictionary,
  duration,
  fieldPath,
  file,
  id,
  list,
  map,
  oneOf,
  percent,
  rate,
  text,
  whole,
  yesNo,
  type Schema,
} from "./schema.ts";

export const ERROR_CLASSES = Object.keys(CLASSES) as readonly ErrorClass[];

const jsonata = text("JSONata over the contract's record; `$headers`, `$call`, `$id` name the message's facts.", "$length(idnp) = 13", {
  "x-literal": true,
  maxLength: 65_536,
});
const xpath = text("XPath over the XML document.", "/v:Vehicles/v:Vehicle", { "x-literal": true, maxLength: 65_536 });
const namespaces = dictionary(text("Namespace of the prefix.", "urn:transport:vehicles:2"), "Prefixes of the XPath.", {
  v: "urn:transport:vehicles:2",
});

export const expression: Schema = map({ jsonata, xpath, namespaces }, [], "An expression: `jsonata` or `xpath`, exactly one.", {
  "x-one": ["jsonata", "xpath"],
});

const plainValue = (description: string, example: unknown): Schema => ({
  type: ["string", "number", "boolean"],
  description,
  examples: [example],
  "x-literal": true,
});

export const predicate: Schema = map(
  {
    jsonata,
    xpath,
    namespaces,
    field: fieldPath("Field to look at, with one of equals, notEquals, in, exists, matches beside it.", "residence.country"),
    equals: plainValue("True when the field has this value.", "MD"),
    notEquals: plainValue("True when the field has another value.", "MD"),
    in: list(plainValue("One value.", "MD"), "True when the field has one of these values.", ["MD", "RO"]),
    exists: yesNo("True when the field is there and not null (or, with false, when it is not).", true),
    matches: text("True when the whole value fits this pattern.", "[0-9]{13}", { "x-literal": true, maxLength: 256 }),
  },
  [],
  "A question with the answer true or false: `jsonata`, `xpath`, or `field` with a comparison.",
  { "x-one": ["jsonata", "xpath", "field"] },
);

/** A field path, or an expression whose value is taken as text. */
export const key: Schema = {
  type: ["string", "object"],
  pattern: fieldPath("", "").pattern ?? "",
  "x-write": 'write a field path, `headers.NAME`, or `{ jsonata: "…" }`',
  properties: { jsonata, xpath, namespaces },
  additionalProperties: false,
  "x-one": ["jsonata", "xpath"],
  description: "What gives the key: a field path, or an expression.",
  examples: ["idnp", { jsonata: "vin & ':' & $string(revision)" }],
};

export const mapFile: Schema = file("File of the map, relative to this file.", "./map/person.map.yaml");
export const mapping: Schema = map({ map: mapFile }, ["map"], "How one shape becomes the other.");
export const order: Schema = map(
  { by: { ...key, examples: ["idnp", "none"] } },
  ["by"],
  "Messages of one key go one at a time; `none` undoes it.",
);

const errorClass = oneOf(ERROR_CLASSES, "Class of error.");
const retryRule = text("A class of error; `provider-fault:CODE` for one fault of the provider.", "timeout", { "x-kind": "retry-rule" });

const retry = map(
  {
    on: list(retryRule, "Classes of error after which another attempt is made.", ["timeout", "unreachable"]),
    attempts: whole("Attempts in total, the first included.", 3, 1, 1000),
    backoff: map(
      {
        first: duration("Wait after the first attempt.", "200ms"),
        factor: { type: "number", minimum: 1, maximum: 100, description: "Each wait is this many times the one before.", examples: [2] },
        max: duration("Longest wait.", "1s"),
        jitter: oneOf(["full", "none"], "`full`: each wait is a random part of its length, so that callers do not come back together."),
      },
      [],
      "Waits between attempts.",
    ),
    giveUpAfter: duration("Time from the first attempt after which no other is made.", "24h"),
  },
  [],
  "When and how often to try again.",
);

const breaker: Schema = {
  ...map(
    {
      scope: oneOf(["endpoint"], "The breaker belongs to the provider's address, shared by the routes that use it."),
      window: duration("Time over which failures are counted.", "30s"),
      minimumCalls: whole("Calls in the window below which the breaker never opens.", 20),
      openAtFailureRate: percent("Share of failed calls that opens it.", "50%"),
      openFor: duration("Time it stays open before probes are let through.", "15s"),
      probes: whole("Calls let through when half open; all must succeed.", 3, 1, 100),
      whenOpen: {
        type: ["string", "object"],
        pattern: "^(wait|fault)$",
        "x-write": "write wait, fault, or { fault: provider-unavailable, retryAfter: 15s }",
        properties: {
          fault: oneOf(["provider-unavailable"], "Class of the error that the caller gets."),
          retryAfter: duration("What the caller is told to wait.", "15s"),
        },
        required: ["fault"],
        additionalProperties: false,
        description: "`wait` keeps messages until it closes (events); `fault` refuses at once (queries).",
        examples: ["wait", { fault: "provider-unavailable", retryAfter: "15s" }],
      },
    },
    [],
    "Circuit breaker of the provider's address; `none` for no breaker.",
  ),
  type: ["object", "string"],
  examples: [{ openAtFailureRate: "50%", openFor: "15s" }, "none"],
  pattern: "^none$",
  "x-write": "write a block of settings, or `none`",
};

export const deliver: Schema = map(
  {
    use: id("Policy whose values stand where this block says nothing.", "async-standard"),
    deadline: duration("Limit of the whole exchange: waiting and every attempt.", "9s"),
    attempt: map({ timeout: duration("Limit of one attempt.", "2500ms") }, [], "One attempt."),
    retry,
    breaker,
    limits: map(
      {
        concurrency: whole("Calls to the endpoint at once.", 16, 1, 10_000),
        queue: whole("Messages that may wait for a free call; above it new ones are refused with Retry-After.", 200, 0, 1_000_000),
        rate: rate("Calls per time.", "50/s"),
      },
      [],
      "What the endpoint can bear.",
    ),
    order,
  },
  [],
  "How hard the bus tries.",
);

export const failures: Schema = list(
  map(
    {
      on: {
        type: ["array", "string"],
        items: errorClass,
        minItems: 1,
        pattern: "^default$",
        "x-write": "write a list of classes, for example [timeout, expired], or `default`",
        description: "Classes of error; `default` for all that no line before names.",
        examples: [["contract-violation"], "default"],
      },
      code: text("The provider's fault code; only with provider-fault.", "PersonNotFound"),
      do: oneOf(["reject", "reply", "deadletter", "drop", "stop"], "What happens to the message."),
      with: anything("The reply's fields, with `do: reply`.", { status: "not-found" }),
    },
    ["on", "do"],
    "One rule.",
  ),
  "What happens when trying was not enough; the first line that fits wins.",
  [{ on: "default", do: "deadletter" }],
);
