/** Dropped files on the default engine. */
import { DEFAULT_ENGINE } from "#test/harness/flow-engines.ts";
import { fileFlows } from "./files.ts";

fileFlows(DEFAULT_ENGINE, 1_500, true);
