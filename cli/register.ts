/** How a part of the command line adds its verbs. */
import type { Command } from "commander";
import type { Output } from "./output.ts";

/** `!` at the end of an option's flags: it must be given. `call` gets what commander parsed and gives the exit code. */
export type Register = (
  parent: Command,
  usage: string,
  text: string,
  options: readonly (readonly [string, string])[],
  call: (output: Output, positional: string[], options: never) => Promise<number> | number,
) => void;
