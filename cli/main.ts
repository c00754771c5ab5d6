/** The command line `mbus`. Verbs load their code when they are called, so that each starts fast. Exit 0 ok, 1 found faults, 2 bad usage. */
import { userInfo } from "node:os";
import { Command, CommanderError } from "commander";
import { changing } from "./change-verbs.ts";
import { contracts } from "./contract-verbs.ts";
import { CommandFailed, type Output } from "./output.ts";
import type { Register } from "./register.ts";
import { systems } from "./system-verbs.ts";

export async function run(args: readonly string[]): Promise<void> {
  const program = new Command("mbus")
    .description("A government data-exchange bus: run it, look inside, replay.")
    .option("--json", "print JSON for machines")
    .exitOverride()
    .showHelpAfterError();
  let code = 0;
  /** Registers a verb; `call` gets what commander parsed. */
  const verb = (
    parent: Command,
    usage: string,
    text: string,
    options: readonly (readonly [string, string])[],
    call: (output: Output, positional: string[], options: never) => Promise<number> | number,
  ): void => {
    const command = parent.command(usage).description(text).option("--json", "print JSON for machines");
    for (const [flags, help] of options) {
      if (flags.endsWith("!")) command.requiredOption(flags.slice(0, -1), help);
      else command.option(flags, help);
    }
    command.action(async (...given: unknown[]) => {
      const own = given.at(-2) as Record<string, unknown>;
      const positional = (given.slice(0, -2) as (string | string[] | undefined)[]).flat().filter((each) => each !== undefined);
      const json = own["json"] === true || program.opts()["json"] === true;
      const { json: _, ...rest } = own;
      code = await call({ json, out: (line) => console.log(line), err: (line) => console.error(line) }, positional, rest as never);
    });
  };
  register(program, verb);
  try {
    await program.parseAsync([...args], { from: "user" });
  } catch (error) {
    code = failed(error);
  }
  process.exitCode = code;
}

function failed(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  if (error instanceof CommandFailed) {
    console.error(error.message);
    return error.exitCode;
  }
  console.error(error instanceof Error ? error.message : String(error));
  if (process.env["MBUS_DEBUG"] !== undefined) console.error(error);
  return 1;
}

const WHO = userInfo().username;
const ACT = [
  ["--reason <text>!", "why; kept in the journal"],
  ["--operator <name>", "who (default: your login)"],
] as const;
const FIND = [
  ["--id <id>", "message id"],
  ["--correlation <id>", "correlation id"],
  ["--route <route>", "route"],
  ["--branch <branch>", "branch"],
  ["--entity <idno>", "on whose behalf was asked (CallingEntity)"],
  ["--system <system>", "sending system"],
  ["--contract <contract>", "contract"],
  ["--step <step>", "accepted, replied, refused, delivered, attempt, dropped, deadletter, replayed, act, verified, audited"],
  ["--outcome <outcome>", "ok, denied, failed, duplicate, dropped, dead"],
  ["--from <time>", "from this time (ISO 8601, or 10m, 2h, 3d ago)"],
  ["--to <time>", "before this time"],
  ["--field <name=value...>", "a search field of the route"],
  ["--limit <n>", "rows (default 100)"],
] as const;

function register(program: Command, verb: Register): void {
  verb(
    program,
    "start",
    "run a bus",
    [["--samples [part]", "with the sample world; `faces`: only the systems' face on plain HTTP, without its programs"]],
    async (output, _positional, options: { samples?: string | true }) => (await import("./start.ts")).start(output, options.samples),
  );
  verb(program, "lint [paths...]", "check the administrator's files", [], async (output, paths) =>
    (await import("./lint.ts")).lint(output, paths),
  );
  verb(
    program,
    "test [paths...]",
    "run the tests of routes, without a broker",
    [["--coverage", "name what no test exercised"]],
    async (output, paths, options: { coverage?: boolean }) => (await import("./test.ts")).test(output, paths, options.coverage === true),
  );
  verb(
    program,
    "show <route>",
    "a route with every default and where it comes from",
    [["--effective", "the default and only form"]],
    async (output, [id = ""]) => (await import("./routes.ts")).show(output, id),
  );
  verb(program, "explain <route>", "a route in plain words, with its timetable of attempts", [], async (output, [id = ""]) =>
    (await import("./routes.ts")).explain(output, id),
  );
  verb(
    program,
    "explain-access",
    "why a system may or may not use a contract",
    [
      ["--system <system>!", "who asks or receives"],
      ["--contract <contract>!", "what it would use"],
      ["--at <time>", "at this time (ISO 8601; default: now)"],
      ["--user <idnp>", "CallingUser"],
      ["--entity <idno>", "CallingEntity"],
      ["--basis <text>", "CallBasis"],
      ["--reason <text>", "CallReason"],
    ],
    async (output, _, options: { system: string; contract: string }) => (await import("./access.ts")).explainAccess(output, options),
  );
  verb(program, "grants", "grants that run, and when they end", [], async (output) => (await import("./access.ts")).grants(output));
  verb(program, "schema", "the JSON Schema of the administrator's files", [], async (output) =>
    (await import("./routes.ts")).schema(output),
  );
  verb(program, "status", "what runs", [], async (output) => (await import("./status.ts")).status(output));
  verb(program, "breakers", "endpoints and their circuit breakers", [], async (output) => (await import("./status.ts")).breakers(output));
  verb(program, "pause <route>", "pause a route", ACT, async (output, [id = ""], options: Acting) =>
    (await import("./pause.ts")).pause(output, id, true, acting(options)),
  );
  verb(program, "resume <route>", "let a paused route go on", ACT, async (output, [id = ""], options: Acting) =>
    (await import("./pause.ts")).pause(output, id, false, acting(options)),
  );
  changing(program, verb, WHO);
  sending(program, verb);
  looking(program, verb);
  brokers(program, verb);
  repairing(program, verb);
  keeping(program, verb);
}

type Acting = { reason: string; operator?: string };
const acting = <T extends { operator?: string }>(options: T): T & { operator: string } => ({
  ...options,
  operator: options.operator ?? WHO,
});

function sending(program: Command, verb: Register): void {
  const options = [
    ["--as <system>!", "the system that sends"],
    ["--data <file>!", "JSON of the message; - is standard input"],
    ["--user <idnp>", "CallingUser"],
    ["--entity <idno>", "CallingEntity"],
    ["--basis <text>", "CallBasis"],
    ["--reason <text>", "CallReason"],
    ["--id <id>", "message id"],
  ] as const;
  for (const name of ["call", "publish"]) {
    const text = name === "call" ? "ask a query or send a command over the JSON face" : "publish an event over the JSON face";
    verb(program, `${name} <contract>`, text, options, async (output, [contract = ""], given) =>
      (await import("./call.ts")).call(output, contract, given),
    );
  }
}

function looking(program: Command, verb: Register): void {
  const journal = program.command("journal").description("the record of every message and step");
  verb(journal, "find", "search the journal, newest first", FIND, async (output, _positional, options) =>
    (await import("./journal.ts")).find(output, options),
  );
  verb(journal, "show <position>", "one record", [], async (output, [position = ""]) =>
    (await import("./journal.ts")).show(output, position),
  );
  verb(journal, "tail", "print records as they come", FIND, async (output, _positional, options) => {
    const stop = new AbortController();
    process.once("SIGINT", () => stop.abort());
    return (await import("./journal.ts")).tail(output, options, stop.signal);
  });
  verb(program, "trace <id>", "every record of one exchange", [], async (output, [id = ""]) =>
    (await import("./journal.ts")).trace(output, id),
  );
  verb(
    journal,
    "check",
    "compare the journal with what was sealed of it",
    [["--from <position>", "from this position on"]],
    async (output, _, options) => (await import("./journal-check.ts")).check(output, options),
  );
  verb(
    program,
    "evidence <id>",
    "write what can be proved of one exchange",
    [["-o, --out <file>!", "ASiC-E container to write"]],
    async (output, [id = ""], options: { out: string }) => (await import("./evidence.ts")).evidence(output, id, options.out),
  );
  verb(
    program,
    "verify <file>",
    "check evidence, offline",
    [["--ca <file>", "certificate of the authority you trust (default: the data folder's)"]],
    async (output, [file = ""], options: { ca?: string }) => (await import("./evidence.ts")).verify(output, file, options.ca),
  );
  contracts(program, verb);
  systems(program, verb);
}

function brokers(program: Command, verb: Register): void {
  verb(program, "broker-config <broker>", "what NATS (nats) or RabbitMQ (amqp) must allow each system", [], async (output, [broker = ""]) =>
    (await import("./broker-config.ts")).brokerConfig(output, broker),
  );
}

function repairing(program: Command, verb: Register): void {
  const replay = [
    ["--route <route>!", "route"],
    ["--from <time>", "accepted from this time"],
    ["--to <time>", "accepted before this time"],
    ["--branch <branch>", "to this branch only"],
    ["--where <jsonata>", "only messages for which this is true"],
    ["--id <id>", "one message"],
    ["--correlation <id>", "one exchange"],
    ["--position <n>", "from this journal position"],
    ["--rate <n/s>", "messages per second (default 20)"],
    ["--stop-on-failure", "stop at the first that fails"],
    ["--dry-run", "count and change nothing"],
    ["--reason <text>", "why; kept in the journal"],
    ["--operator <name>", "who (default: your login)"],
  ] as const;
  verb(
    program,
    "replay",
    "deliver accepted events or commands again",
    replay,
    async (output, _positional, options: { operator?: string; route: string }) =>
      (await import("./replay.ts")).replay(output, acting(options)),
  );
  const letters = program.command("deadletters").description("messages that failed for good");
  const filter = [
    ["--route <route>", "of this route"],
    ["--branch <branch>", "of this branch"],
    ["--state <state>", "open, replayed, discarded (default: open)"],
    ["--groups", "grouped by what they have in common"],
  ] as const;
  verb(letters, "list", "dead letters", filter, async (output, _positional, options) =>
    (await import("./deadletters.ts")).list(output, options),
  );
  verb(letters, "show <id>", "one dead letter with its record", [], async (output, [id = ""]) =>
    (await import("./deadletters.ts")).show(output, id),
  );
  const chosen = [
    ["--group <fingerprint>", "all of one group"],
    ["--all", "all open ones"],
    ["--route <route>", "with --all: of this route"],
    ...ACT,
  ] as const;
  for (const [name, act, text] of [
    ["replay", "replays", "send dead letters to their branch again"],
    ["discard", "discards", "close dead letters without sending them"],
  ] as const) {
    verb(letters, `${name} [ids...]`, text, chosen, async (output, ids, options: Acting) =>
      (await import("./deadletters.ts")).act(output, act, ids, acting(options)),
    );
  }
}

function keeping(program: Command, verb: Register): void {
  verb(program, "doctor", "check this machine and the data folder", [], async (output) => (await import("./doctor.ts")).doctor(output));
  verb(program, "bench [names...]", "measure figures beside their raw limits", [], async (output, names) =>
    (await import("./bench.ts")).bench(output, names),
  );
  verb(
    program,
    "reset",
    "remove the data folder of a stopped bus",
    [["--yes", "do it"]],
    async (output, _positional, options: { yes?: boolean }) => (await import("./reset.ts")).reset(output, options.yes === true),
  );
}
