/** Stock SOAP clients on the default engine. */
import { DEFAULT_ENGINE } from "#test/harness/flow-engines.ts";
import { clientFlows } from "./clients.ts";

clientFlows(DEFAULT_ENGINE, true);
