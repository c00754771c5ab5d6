/** The other kinds of documents, and the table of all of them. */
import { AUDIT_KINDS } from "../../contract/contract.ts";
import type { AdapterSpec, OptionsSchema } from "../../wire.ts";
import { deliver } from "./common.ts";
import { identity } from "./identity.ts";
import { events } from "./events.ts";
import { instanceSchema, routeSchema } from "./route.ts";
import {
  anything,
  contractId,
  dictionary,
  fieldPath,
  file,
  id,
  list,
  map,
  matching,
  moment,
  oneOf,
  quota,
  systemId,
  text,
  yesNo,
  type Schema,
} from "./schema.ts";
import { step } from "./steps.ts";
import { testSchema } from "./tests.ts";

export const KINDS = ["system", "contract", "route", "grant", "policy", "template", "environment", "test"] as const;
export type KindName = (typeof KINDS)[number];

const bus = (kind: KindName): Schema => text("Kind and version of this document.", `${kind}/v1`);
const owner = text("Team or role that answers for it.", "data-protection-officer", { maxLength: 120 });

const system = map(
  {
    bus: bus("system"),
    id: systemId("Name of the system: institution and system.", "rsp/population"),
    title: text("What it is, in one line.", "State population register", { maxLength: 200 }),
    institution: map(
      {
        idno: matching("^[0-9]{13}$", "write 13 digits in quotes", "IDNO of the institution.", "1003600034203", { "x-kind": "idno" }),
        name: text("Name of the institution.", "Public Services Agency"),
      },
      ["idno", "name"],
      "The public body that owns it.",
    ),
    addresses: list(
      matching(
        "^(https?|nats|amqps?)://[^\\s]+$",
        "write a URL, for example https://host:port/path",
        "An address.",
        "https://rsp.example.md:9443",
      ),
      "Base addresses, the preferred first.",
      ["https://rsp.example.md:9443"],
      { maxItems: 16 },
    ),
    contact: text("Whom to call.", "oncall@rsp.example.md"),
    ...identity,
  },
  ["bus", "id", "title", "institution"],
  "An information system of an institution.",
);

const contract = map(
  {
    bus: bus("contract"),
    id: contractId("Name and version.", "person.request.v1"),
    title: text("What it carries, in one line.", "Data of one person", { maxLength: 200 }),
    owner,
    pattern: oneOf(["query", "command", "event"], "Request and reply, an order, or news."),
    schema: file("Avro schema of the request, command or event.", "./person.request.v1.avsc"),
    reply: map(
      {
        id: contractId("Name and version of the reply.", "person.response.v1"),
        schema: file("Its Avro schema.", "./person.response.v1.avsc"),
      },
      ["id", "schema"],
      "The reply's type.",
    ),
    compatibility: oneOf(["backward", "forward", "full", "none"], "What a next version may change."),
    state: oneOf(["active", "deprecated", "retired"], "`retired`: no route may use it any more."),
    idempotent: yesNo("The provider handles one message id once, however often it comes.", true),
    requires: list(
      oneOf(["user", "entity", "basis", "reason"], "A value of the call context."),
      "Values of the call context that each message must bring.",
      ["user", "reason"],
    ),
    subject: fieldPath("Field with the IDNP of the person the message is about.", "idnp"),
    audit: oneOf(AUDIT_KINDS, "What the audit journal calls such an exchange; default: `access` for queries, `transfer` for the rest."),
    soap: map(
      {
        namespace: text("Target namespace.", "https://mconnect.gov.md"),
        service: text("Name of the service.", "PersonRegistry"),
        operation: text("Name of the operation.", "GetPerson"),
      },
      ["namespace", "service", "operation"],
      "Names on the bus's own SOAP face.",
    ),
    events,
  },
  ["bus", "id", "title", "owner", "pattern", "schema"],
  "What systems agreed to exchange.",
);

const grant = map(
  {
    bus: bus("grant"),
    id: id("Name of the grant.", "taxoffice-person-2026"),
    owner,
    consumer: systemId("System that may ask or receive.", "taxoffice/erp"),
    producer: systemId("System that may publish.", "rsp/population"),
    contract: contractId("Contract it may use.", "person.request.v1"),
    legalBasis: map(
      {
        act: text("The act.", "Taxation Act"),
        section: text("Its section.", "§ 27(1)2"),
        purpose: text("What for.", "tax-assessment"),
        check: oneOf(
          ["any", "prefix", "exact"],
          "What the CallBasis of a call must be: `exact` = act and section, `prefix` = the act and whatever follows, `any` (default) = anything.",
        ),
        reasons: list(
          text("A reason.", "tax-assessment"),
          "How the CallReason of a call must begin; default: any reason.",
          ["tax-assessment"],
          {
            minItems: 1,
            maxItems: 50,
          },
        ),
      },
      ["act", "section", "purpose"],
      "Why this is lawful.",
    ),
    reply: map(
      {
        allow: list(
          fieldPath("A field.", "residence.country"),
          "The only fields of the reply (or event) that the consumer sees.",
          ["idnp"],
          { minItems: 1 },
        ),
      },
      ["allow"],
      "What of the answer may be seen.",
    ),
    valid: map(
      { from: moment("First day.", "2026-01-01"), until: moment("Last day (whole), or the moment it ends.", "2026-12-31") },
      ["from", "until"],
      "When it holds.",
    ),
    quota: quota("How many messages in how long.", "5000/day"),
  },
  ["bus", "id", "owner", "contract", "legalBasis", "valid"],
  "Who may use a contract, and why.",
  { "x-one": ["consumer", "producer"] },
);

const policy = map(
  { bus: bus("policy"), id: id("Name of the policy.", "async-standard"), deliver },
  ["bus", "id", "deliver"],
  "Delivery settings under a name.",
);

const parameter = map(
  {
    type: oneOf(["string", "integer", "boolean", "duration"], "Type of the value."),
    required: yesNo("Must each route give it?", true),
    default: {
      type: ["string", "number", "boolean"],
      description: "Value where a route gives none.",
      examples: ["10s"],
      "x-literal": true,
    },
    description: text("What it is for.", "System that asks"),
  },
  ["type", "description"],
  "One parameter.",
);

const template = map(
  {
    bus: bus("template"),
    id: id("Name of the template.", "register-lookup"),
    parameters: dictionary(parameter, "Parameters by name; the route writes `${param:name}`.", {
      consumer: { type: "string", description: "System that asks" },
    }),
    route: anything("A route without `bus` and `id`.", { title: "Lookup for ${param:consumer}" }),
  },
  ["bus", "id", "parameters", "route"],
  "A route with parameters; no loops, no logic.",
);

const environment = map(
  {
    bus: bus("environment"),
    id: id("Name of the stage.", "development"),
    vars: dictionary(
      { type: ["string", "number", "boolean"], description: "Value.", examples: ["https://stat.example.md"], "x-literal": true },
      "Values of `${var:name}`.",
      { "statistics.url": "https://stat.example.md" },
    ),
    waive: list(
      map(
        {
          setting: matching(
            "^(nats|amqp|mongodb)\\.[a-z][A-Za-z0-9-]*(\\.[A-Za-z0-9-]+){0,4}$",
            "write the name that the refused start printed",
            "Name of the danger, as the refused start prints it.",
            "nats.sync",
          ),
          because: matching(
            "^(?=\\s*\\S[\\s\\S]{18,}\\S\\s*$)",
            "say in 20 characters or more why this stage may run so",
            "Why this stage may run with it; the log repeats it at every start.",
            "a developer's machine, its data may be lost",
            { maxLength: 500 },
          ),
        },
        ["setting", "because"],
        "One danger that is taken knowingly.",
      ),
      "Dangers of outside engines that this stage takes; without it the bus refuses to start on such an engine.",
      [{ setting: "nats.sync", because: "a developer's machine, its data may be lost" }],
      { maxItems: 50 },
    ),
  },
  ["bus", "id", "vars"],
  "Values that differ between stages.",
);

/** Topics of the bus itself need no adapter; their options stand here. */
const topicName = {
  type: "string",
  minLength: 1,
  maxLength: 200,
  pattern: "^[A-Za-z0-9._-]+$",
  description: "Name of the topic: a contract id, or `from.…` and `to.…` of a modern system.",
  examples: ["person.changed.v1"],
};
const topicOptions: OptionsSchema = {
  type: "object",
  description: "A topic of the bus.",
  additionalProperties: false,
  required: ["name"],
  properties: {
    name: topicName,
    broker: { type: "string", minLength: 1, description: "Engine that holds the topic; default: the bus's own.", examples: ["embedded"] },
    durable: {
      type: "string",
      pattern: "^[a-z0-9-]{1,80}$",
      description: "Name of the cursor; default: the route's id.",
      examples: ["person-changed-fanout"],
    },
  },
};
const TOPIC: AdapterSpec = { name: "topic", title: "Topics", inlet: topicOptions, outlet: topicOptions, format: "none" };

/** The given adapters, and topics where no adapter brings its own. */
export function withTopic(specs: readonly AdapterSpec[]): readonly AdapterSpec[] {
  return specs.some((spec) => spec.name === "topic") ? specs : [...specs, TOPIC];
}

export type Schemas = Readonly<{ kinds: Readonly<Record<KindName, Schema>>; instance: Schema; defs: Readonly<Record<string, Schema>> }>;

/** The schema of every kind, for these adapters. */
export function schemasFor(specs: readonly AdapterSpec[]): Schemas {
  const kinds = { system, contract, route: routeSchema(withTopic(specs)), grant, policy, template, environment, test: testSchema };
  return { kinds, instance: instanceSchema, defs: { step } };
}
