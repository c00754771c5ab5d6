/** Tickets on the default engine. */
import { DEFAULT_ENGINE } from "#test/harness/flow-engines.ts";
import { ticketFlows } from "./tickets.ts";

ticketFlows(DEFAULT_ENGINE);
