/**
 * The counter's own circuit breaker towards the bus. While the bus does not answer, each clerk would wait out a timeout of many
 * seconds; after a few of those the breaker opens, and clerks hear at once that they should come again.
 */
import CircuitBreaker from "opossum";
import type { RestAnswer } from "../lib/bus.ts";

/** How long it stays open before one call is let through to see whether the bus is back. */
const PROBE_AFTER = 2000;

/** Answers 503 of the bus, and no answer at all, count as failures; the breaker opens at half of at least four calls within 10 s. */
export function guarded(): (call: () => Promise<RestAnswer>) => Promise<RestAnswer> {
  const breaker = new CircuitBreaker((call: () => Promise<RestAnswer>) => call().then(upheld), {
    // the call has a timeout of its own that really ends it
    timeout: false,
    volumeThreshold: 4,
    errorThresholdPercentage: 49,
    rollingCountTimeout: 10_000,
    resetTimeout: PROBE_AFTER,
  });
  return async (call) => {
    try {
      return await breaker.fire(call);
    } catch (error) {
      if (error instanceof Away) return error.answer;
      return { status: 503, value: { error: breaker.opened ? "the bus does not answer; please try again in a moment" : textOf(error) } };
    }
  };
}

/** The bus answered that it takes nothing now: an answer for the clerk, a failure for the breaker. */
class Away extends Error {
  readonly answer: RestAnswer;
  constructor(answer: RestAnswer) {
    super("the bus takes no messages now");
    this.answer = answer;
  }
}

function upheld(answer: RestAnswer): RestAnswer {
  if (answer.status === 503) throw new Away(answer);
  return answer;
}

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
