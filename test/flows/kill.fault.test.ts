/** kill -9 of the bus on the default engine. */
import { DEFAULT_ENGINE } from "#test/harness/flow-engines.ts";
import { killFlows } from "./kill.ts";

killFlows(DEFAULT_ENGINE, 50);
