/** Brings one record of a source that keeps it (a file, a table) to the bus, with patience where the bus has no room at the moment. */
import { asBusError, type BusError } from "../errors.ts";
import type { Accept, Clock, Inbound } from "../ports.ts";

/** `left`: the bus cannot take it now, so it stays where it is. An error: the record itself is refused, for good. */
export type Taken = "taken" | "known" | "left" | BusError;

/** Milliseconds between tries where the bus names none, and how often one record is tried. */
const WAIT = 1000;
const TRIES = 60;

export async function takeOne(accept: Accept, inbound: Inbound, clock: Clock, closing: AbortSignal): Promise<Taken> {
  for (let tries = 1; ; tries++) {
    try {
      const outcome = await accept(inbound);
      return outcome.kind === "accepted" && outcome.duplicate ? "known" : "taken";
    } catch (thrown) {
      const error = asBusError(thrown);
      if (!isPassing(error)) return error;
      if (error.class === "internal" || tries >= TRIES || closing.aborted) return "left";
      await clock.sleep(Math.min(error.retryAfter ?? WAIT, 30_000), closing).catch(() => undefined);
    }
  }
}

/** The bus's own trouble is not the record's fault. */
function isPassing(error: BusError): boolean {
  return error.class === "throttled" || error.class === "provider-unavailable" || error.class === "internal";
}
