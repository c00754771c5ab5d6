/** The verbs that change which files run. */
import type { Command } from "commander";
import type { Register } from "./register.ts";

type Changing = { because?: string; operator?: string; anyway?: boolean };

/** `login`: who acts where nobody is named. */
export function changing(program: Command, verb: Register, login: string): void {
  const acting = (options: Changing): Changing & { operator: string } => ({ ...options, operator: options.operator ?? login });
  const who = ["--operator <name>", "who (default: your login)"] as const;
  const anyway = ["--anyway", "also where messages are left that nobody takes"] as const;
  const why = ["--because <text>", "why; kept with the revision"] as const;
  const must = ["--because <text>!", "why; kept with the revision"] as const;
  verb(program, "plan [paths...]", "what the files on disk would change in what runs", [], async (output, paths) =>
    (await import("./revisions.ts")).plan(output, paths),
  );
  verb(program, "apply [paths...]", "make the files on disk what runs", [why, who, anyway], async (output, paths, options: Changing) =>
    (await import("./revisions.ts")).apply(output, paths, acting(options)),
  );
  verb(
    program,
    "rollback <revision>",
    "make an earlier revision what runs",
    [must, who, anyway],
    async (output, [to = ""], options: Changing) => (await import("./revisions.ts")).rollback(output, to, acting(options)),
  );
  verb(
    program,
    "approve <proposal>",
    "approve a change that somebody else proposed",
    [why, who],
    async (output, [id = ""], options: Changing) => (await import("./revisions.ts")).approve(output, id, acting(options)),
  );
  verb(program, "reject <proposal>", "reject a proposed change", [must, who], async (output, [id = ""], options: Changing) =>
    (await import("./revisions.ts")).reject(output, id, acting(options)),
  );
  const revisions = program.command("revisions").description("revisions of the files, and what differs between them");
  verb(
    revisions,
    "list",
    "revisions, newest first",
    [["--limit <n>", "rows (default 50)"]],
    async (output, _positional, options: { limit?: string }) => (await import("./revisions.ts")).list(output, options.limit),
  );
  verb(revisions, "show <revision>", "a revision, its files and its plan", [], async (output, [revision = ""]) =>
    (await import("./revisions.ts")).show(output, revision),
  );
  verb(revisions, "diff <from> [to]", "what two revisions say differently (default: the newest)", [], async (output, [from = "", to]) =>
    (await import("./revision-diff.ts")).diff(output, from, to),
  );
}
