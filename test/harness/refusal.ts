/** The error with which the bus refuses what a test does; a test whose deed goes through fails. */
import { asBusError, BusError } from "#bus/errors.ts";

export async function refusalOf(deed: Promise<unknown> | (() => unknown)): Promise<BusError> {
  try {
    await (typeof deed === "function" ? deed() : deed);
  } catch (thrown) {
    return asBusError(thrown);
  }
  throw new Error("it was not refused");
}

/** The same of work that is done at once. What it throws besides a BusError is thrown on. */
export function refusal(work: () => unknown): BusError {
  try {
    work();
  } catch (thrown) {
    if (thrown instanceof BusError) return thrown;
    throw thrown;
  }
  throw new Error("it was not refused");
}
