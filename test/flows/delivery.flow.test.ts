/** Delivery on the default engine. */
import { DEFAULT_ENGINE } from "#test/harness/flow-engines.ts";
import { deliveryFlows } from "./delivery.ts";

deliveryFlows(DEFAULT_ENGINE, 1_000, true);
