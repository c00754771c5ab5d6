/** The verbs about systems and their certificates. */
import type { Command } from "commander";
import type { Register } from "./register.ts";
import type { AddOptions } from "./system-cert.ts";

export function systems(program: Command, verb: Register): void {
  const system = program.command("system").description("registered systems");
  verb(system, "list", "systems", [], async (output) => (await import("./status.ts")).systems(output));
  verb(
    system,
    "add <name>",
    "register a system in a file, with a development certificate or that of a file",
    [
      ["--idno <idno>!", "IDNO of its institution"],
      ["--title <text>!", "what it is, in one line"],
      ["--institution <name>", "name of the institution (default: as another system of it says)"],
      ["--certificate <file>", "its certificate, PEM or DER; none is issued then"],
      ["--file <file>", "file to write into (default: routes/systems.yaml)"],
      ["-o, --out <dir>", "folder for cert.pem, key.pem, ca.pem (default: in the data folder)"],
    ],
    async (output, [name = ""], options: AddOptions) => (await import("./system-cert.ts")).add(output, name, options),
  );
  verb(
    system,
    "cert <name>",
    "issue a development certificate",
    [
      ["-o, --out <dir>!", "folder for cert.pem, key.pem, ca.pem"],
      ["--replace", "take back those that were issued for it before"],
    ],
    async (output, [name = ""], options: { out: string; replace?: boolean }) =>
      (await import("./system-cert.ts")).cert(output, name, options),
  );
  verb(
    system,
    "import <name> <file>",
    "add a certificate, PEM or DER, to a registered system",
    [],
    async (output, [name = "", file = ""]) => (await import("./system-cert.ts")).bring(output, name, file),
  );
  verb(system, "withdraw <fingerprint>", "take a development certificate back", [], async (output, [fingerprint = ""]) =>
    (await import("./system-cert.ts")).withdraw(output, fingerprint),
  );
}
