/** The verbs of `mbus contract`. */
import type { Command } from "commander";
import type { ImportArguments } from "./contract-import.ts";
import type { Register } from "./register.ts";

const IMPORT = [
  ["--owner <team>!", "team that answers for the contracts"],
  ["--system <system>!", "system that provides the service, for example cnas/pensions"],
  ["-o, --out <dir>!", "root of the files: contracts/ and routes/ are written below it"],
  ["--operation <name...>", "only these operations"],
  ["--service <name>", "service of the WSDL, where it has several"],
  ["--consumer <system>", "registered system that may call it (default: the provider itself, for a trial)"],
  ["--idno <idno>", "IDNO of the provider's institution, where the system is not registered yet"],
  ["--institution <name>", "its name"],
  ["--from <date>", "first day of the trial grants (default: today)"],
  ["--force", "write over files that differ"],
] as const;

export function contracts(program: Command, verb: Register): void {
  const contract = program.command("contract").description("contracts");
  verb(contract, "list", "contracts and where they are served", [], async (output) => (await import("./status.ts")).contracts(output));
  verb(contract, "show <contract>", "one contract with its fields, laws and providers", [], async (output, [id = ""]) =>
    (await import("./contract-catalogue.ts")).show(output, id),
  );
  for (const [name, text] of [
    ["openapi", "OpenAPI 3.1 of the REST faces"],
    ["asyncapi", "AsyncAPI 3.0 of topics and events"],
  ] as const) {
    verb(contract, name, text, [["--system <system>", "only what this system may use"]], async (output, _, options: { system?: string }) =>
      (await import("./contract-catalogue.ts")).description(output, name, options.system),
    );
  }
  verb(contract, "check [files...]", "compare the schemas on disk with those that are registered", [], async (output, files) =>
    (await import("./contract-check.ts")).check(output, files),
  );
  verb(
    contract,
    "import-wsdl <wsdl>",
    "make contracts, routes and tests of a SOAP service",
    IMPORT,
    async (output, [wsdl = ""], options: ImportArguments) => (await import("./contract-import.ts")).importWsdl(output, wsdl, options),
  );
}
