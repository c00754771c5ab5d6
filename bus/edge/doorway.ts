/** An inlet that is an address of the web host: mounted at start, its messages counted by a gate, drained and unmounted at close. */
import type { BusError } from "../errors.ts";
import type { Accept, Inlet } from "../ports.ts";
import type { EdgeLimits, WebHost, WebRequest, WebResponse } from "../wire.ts";
import { createGate } from "./gate.ts";

/** What differs between the protocols that come through an address. */
export type Doorway = Readonly<{
  /** Answers what is no message, such as a wrong method or a question for the description; undefined = it is a message. */
  aside(request: WebRequest): WebResponse | undefined;
  /** The protocol's own words for a message that the gate keeps out. */
  refuse(error: BusError, request: WebRequest): WebResponse;
  /** One message, from its bytes to its answer. */
  take(request: WebRequest, accept: Accept): Promise<WebResponse>;
}>;

export type DoorwayAt = Readonly<{ host: WebHost; path: string; limits: EdgeLimits }>;

/** `drain`: milliseconds that `close` waits for messages still in the bus. */
export function createDoorway(at: DoorwayAt, drain: number, doorway: Doorway): Inlet {
  const gate = createGate(at.limits.maxInFlight);
  let unmount: (() => void) | undefined;
  const answer = async (request: WebRequest, accept: Accept): Promise<WebResponse> => {
    const aside = doorway.aside(request);
    if (aside !== undefined) return aside;
    const kept = gate.enter();
    if (kept !== undefined) return doorway.refuse(kept, request);
    try {
      return await doorway.take(request, accept);
    } finally {
      gate.leave();
    }
  };
  return {
    async start(accept) {
      unmount = at.host.mount("systems", at.path, (request) => answer(request, accept));
    },
    async close() {
      await gate.close(drain);
      unmount?.();
    },
  };
}
