/** The error with which the bus refuses what a test does; a test whose deed goes through fails. */
import { asBusError, type BusError } from "#bus/errors.ts";

export async function refusalOf(deed: Promise<unknown> | (() => unknown)): Promise<BusError> {
  try {
    await (typeof deed === "function" ? deed() : deed);
  } catch (thrown) {
    return asBusError(thrown);
  }
  throw new Error("it was not refused");
}
