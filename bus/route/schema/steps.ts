/** The steps. Each is a map with one key; the key is the step's kind. */
import { GROUP_MAX } from "../../gather-item.ts";
import { expression, key, mapFile, mapping, predicate } from "./common.ts";
import { contractId, duration, fieldPath, file, list, map, matching, oneOf, size, text, whole, yesNo, type Schema } from "./schema.ts";

const steps: Schema = list({ $ref: "#/$defs/step" }, "Steps, from top to bottom.", [{ map: "./map/person.map.yaml" }]);

const choose = list(
  {
    ...map(
      {
        when: predicate,
        otherwise: { type: "boolean", enum: [true], description: "The last case: taken when no other is.", examples: [true] },
        steps,
      },
      ["steps"],
      "One case.",
    ),
    "x-one": ["when", "otherwise"],
  },
  "The first case that is true is taken. The last one is `otherwise: true`.",
  [{ otherwise: true, steps: [] }],
);

const dedupe = map(
  {
    key,
    window: duration("How long a key is remembered.", "10m"),
    onDuplicate: oneOf(["drop", "fault", "return-first-reply"], "What happens to a second message with the same key."),
  },
  ["key", "window"],
  "Lets a key through once within a window.",
);

const aggregate = map(
  {
    correlate: key,
    complete: map(
      {
        count: whole("Messages that make the group whole.", 10, 1, GROUP_MAX),
        timeout: duration("Time after which the group goes on as it is.", "5m"),
        when: predicate,
      },
      ["timeout"],
      "When the group is whole. `timeout` is always needed.",
    ),
  },
  ["correlate", "complete"],
  "Gathers messages of one key into one.",
);

const split = map(
  {
    ...expression.properties,
    stream: yesNo("Read the document piece by piece (always so for files).", true),
    maxRecord: size("Limit of one piece.", "256KiB"),
  },
  [],
  "One message becomes many.",
  { "x-one": ["jsonata", "xpath"] },
);

const one: Readonly<Record<string, Schema>> = {
  choose,
  filter: map(
    { when: predicate, onDrop: oneOf(["journal"], "A dropped message always leaves a journal record.") },
    ["when"],
    "Drops messages for which `when` is false.",
  ),
  map: mapFile,
  validate: map(
    {
      xsd: file("XSD that the message must fit.", "./xsd/vehicles.xsd"),
      contract: contractId("Contract that the message must fit.", "person.request.v1"),
    },
    [],
    "Checks the message once more.",
    { "x-one": ["xsd", "contract"] },
  ),
  enrich: map(
    {
      contract: contractId("Contract to ask.", "person.request.v1"),
      input: mapping,
      into: fieldPath("Field that takes the reply.", "person"),
      cache: duration("How long an answer serves for the same question.", "5m"),
    },
    ["contract", "into"],
    "Asks another contract and adds its reply.",
  ),
  tap: map(
    {
      topic: text("Topic that gets the copy.", "audit.person-lookup.v1", { maxLength: 200 }),
      fields: list(fieldPath("A field to copy.", "headers.case-number"), "The only fields that are copied.", ["headers.case-number"], {
        minItems: 1,
      }),
    },
    ["topic", "fields"],
    "Sends a copy of some fields beside the flow; never fails the flow.",
  ),
  dedupe,
  split,
  aggregate,
  delay: map({ for: duration("How long to wait, durably.", "5m"), until: expression }, [], "Holds the message back.", {
    "x-one": ["for", "until"],
  }),
  reject: map(
    {
      code: matching(
        "^[a-z][a-z0-9-]{0,63}$",
        "write lower-case letters, digits and hyphens",
        "Code that the sender gets.",
        "bad-personal-code",
      ),
      reason: text("Sentence that the sender gets.", "An IDNP has 13 digits"),
    },
    ["code", "reason"],
    "Refuses the message.",
  ),
  "xml-to-json": map(
    { from: fieldPath("Field that holds the XML text.", "xml"), into: fieldPath("Field that takes the plain values.", "content") },
    [],
    "Untyped XML text to plain values.",
  ),
};

export const step: Schema = {
  type: "object",
  properties: one,
  additionalProperties: false,
  minProperties: 1,
  maxProperties: 1,
  "x-noun": "step",
  description: "One step: a map with one key.",
  examples: [{ dedupe: { key: "$id", window: "10m", onDuplicate: "drop" } }],
};

export { steps };
