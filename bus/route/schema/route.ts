/** The route: from where, under which contract and grant, through which steps, to where, how hard we try, what if not. */
import type { AdapterSpec } from "../../wire.ts";
import { deliver, failures, mapFile, mapping, order, predicate } from "./common.ts";
import {
  anything,
  contractId,
  duration,
  fieldPath,
  file,
  id,
  list,
  map,
  matching,
  oneOf,
  systemId,
  text,
  whole,
  type Schema,
} from "./schema.ts";
import { steps } from "./steps.ts";

const schedule = map(
  {
    cron: text("Five or six fields: minute, hour, day, month, weekday.", "30 2 * * 1-6"),
    timezone: text("Time zone of the cron line; default UTC.", "Europe/Chisinau"),
    overlap: oneOf(["skip", "queue"], "What happens when the run before is not done."),
    missed: oneOf(["run-once", "skip"], "What happens after a start that was missed while the bus was down."),
    deadline: duration("Limit of one run.", "2h"),
  },
  ["cron"],
  "Starts the source by the clock.",
);

/** Adapter keys of one side, with their own option schemas. */
function edges(specs: readonly AdapterSpec[], side: "inlet" | "outlet"): Readonly<Record<string, Schema>> {
  const found = specs.flatMap((spec): [string, Schema][] => {
    const options = spec[side] as Schema | undefined;
    return options ? [[spec.name, { ...options, description: options.description ?? spec.title }]] : [];
  });
  return Object.fromEntries(found);
}

function fromSchema(specs: readonly AdapterSpec[]): Schema {
  const adapters = edges(specs, "inlet");
  return map(
    {
      name: id("Name of this source within the route.", "erp"),
      system: systemId("The only system that may send here; without it any system with a grant.", "asp/vehicles"),
      ...adapters,
      in: mapping,
      out: mapping,
      schedule,
      wait: duration("How long the caller of a command is held for its reply before it gets a ticket; at most 30s.", "8s"),
    },
    ["name"],
    "One source, with exactly one adapter.",
    { "x-one": Object.keys(adapters), "x-noun": "adapter" },
  );
}

function toSchema(specs: readonly AdapterSpec[], fan: boolean): Schema {
  const adapters = edges(specs, "outlet");
  const branch = { when: predicate, map: mapFile, name: id("Name of the branch.", "statistics"), steps, deliver, order };
  return map(
    {
      ...(fan ? branch : {}),
      system: systemId("System that receives.", "rsp/population"),
      ...adapters,
      in: mapping,
      out: mapping,
    },
    fan ? ["name"] : [],
    fan ? "One branch with its own cursor, retries and dead letters." : "Where the message goes, with exactly one adapter.",
    { "x-one": Object.keys(adapters), "x-noun": "adapter" },
  );
}

/** Adapters that reach the system itself. */
const PUSHES = new Set(["http", "soap", "nats", "amqp"]);

function replySchema(specs: readonly AdapterSpec[]): Schema {
  const adapters = edges(
    specs.filter(({ name }) => PUSHES.has(name)),
    "outlet",
  );
  return map(
    {
      name: id("Name of the branch that delivers them.", "to-townhall"),
      system: systemId("The sender whose replies these are.", "primaria/registry"),
      ...adapters,
      map: mapFile,
      deliver,
    },
    ["name", "system"],
    "Where the replies to one sender go, with exactly one adapter.",
    { "x-one": Object.keys(adapters), "x-noun": "adapter" },
  );
}

const contract = map(
  {
    request: contractId("Contract of a query.", "person.request.v1"),
    reply: contractId("Contract of the reply.", "person.response.v1"),
    command: contractId("Contract of a command.", "benefit.register.v1"),
    event: contractId("Contract of an event.", "person.changed.v1"),
  },
  [],
  "What is carried: `request` with `reply`, `command` (with `reply`), or `event`.",
  { "x-one": ["request", "command", "event"] },
);

const head = {
  bus: text("Kind and version of this document.", "route/v1"),
  id: id("Name of the route, unique in all files.", "person-lookup"),
  title: text("What it is for, in one line.", "Person lookup for the tax office", { maxLength: 200 }),
  owner: text("Team that answers for it; shown in the console and in every alert.", "population-registry-team", { maxLength: 120 }),
  state: oneOf(["active", "paused", "draft"], "`paused` keeps queueing, `draft` is checked but never deployed."),
} satisfies Record<string, Schema>;

const stringOrList = (item: Schema, description: string, example: unknown): Schema => ({
  ...item,
  type: ["string", "array"],
  items: item,
  maxItems: 100,
  description,
  examples: [example],
});

export function routeSchema(specs: readonly AdapterSpec[]): Schema {
  return map(
    {
      ...head,
      contract,
      from: list(fromSchema(specs), "Where messages come from.", [{ name: "erp" }], { minItems: 1, maxItems: 50 }),
      access: map(
        {
          grant: stringOrList(
            id("A grant.", "asp-person-2026"),
            "The grants that count here; without it all grants of the contract.",
            "asp-person-2026",
          ),
          require: list(
            matching(
              "^headers\\.[a-z0-9-]{1,64}$",
              "write `headers.` and the header's name in lower case",
              "A header that must be there.",
              "headers.case-number",
            ),
            "What each message must bring.",
            ["headers.case-number"],
          ),
        },
        [],
        "Who may send.",
      ),
      order,
      steps,
      to: toSchema(specs, false),
      fanOut: list(toSchema(specs, true), "Branches; each gets every message.", [{ name: "statistics" }], { minItems: 1, maxItems: 200 }),
      replies: list(replySchema(specs), "A command's replies, pushed to whoever sent it.", [{ name: "to-townhall" }], {
        minItems: 1,
        maxItems: 200,
      }),
      deliver,
      failures,
      deadletter: map(
        {
          keep: duration("How long dead letters are kept.", "30d"),
          replay: oneOf(["never", "manual"], "May an operator send them again?"),
        },
        [],
        "Messages that failed for good.",
      ),
      journal: map(
        {
          payload: oneOf(["full", "hash", "none"], "What the journal keeps of the content."),
          keep: duration("How long records are kept.", "7y"),
          index: list(
            fieldPath("A field to search by.", "headers.case-number"),
            "Fields that operators can search by; never personal data.",
            ["headers.case-number"],
            { maxItems: 16 },
          ),
        },
        [],
        "What is recorded.",
      ),
      stopAfter: map(
        { failedRecords: whole("Failed records after which the route stops.", 100) },
        ["failedRecords"],
        "A wholly broken file must not make a mountain of dead letters.",
      ),
      notify: map(
        {
          on: list(
            matching(
              "^(stopped|paused|deadletter|breaker-open|not-started-by [0-2][0-9]:[0-5][0-9])$",
              "write stopped, paused, deadletter, breaker-open or `not-started-by 04:00`",
              "An occasion.",
              "stopped",
            ),
            "Occasions.",
            ["stopped"],
          ),
          to: list(id("Who is told.", "transport-oncall"), "Who is told.", ["transport-oncall"], { minItems: 1 }),
        },
        ["on", "to"],
        "Who is told when something happens.",
      ),
      tests: stringOrList(
        file("A file of tests.", "./tests/person-lookup.test.yaml"),
        "Files of tests.",
        "./tests/person-lookup.test.yaml",
      ),
    },
    ["bus", "id", "title", "owner", "contract", "from"],
    "A route.",
    { "x-one": ["to", "fanOut"] },
  );
}

/** A route made from a template: only these keys. */
export const instanceSchema: Schema = map(
  {
    ...head,
    template: id("Template that the route is made from.", "register-lookup"),
    with: anything("Values of the template's parameters.", { consumer: "asp/vehicles" }),
  },
  ["bus", "id", "template"],
  "A route made from a template.",
);
