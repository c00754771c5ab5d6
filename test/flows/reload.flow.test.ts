/** Reload on the default engine. */
import { DEFAULT_ENGINE } from "#test/harness/flow-engines.ts";
import { reloadFlows } from "./reload.ts";

reloadFlows(DEFAULT_ENGINE);
