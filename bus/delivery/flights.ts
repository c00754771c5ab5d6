/** Deliveries under way, and which of them still wait for breaker or limits: those can be called back without a trace. */
export interface Flight {
  readonly signal: AbortSignal;
  /** The provider was asked: from here on only `recallAll` ends it. */
  readonly sent: () => void;
  end(): void;
}

export interface Flights {
  /** `recalled`: called back at once, as after a pause that came while the message was on its way. */
  begin(recalled: boolean): Flight;
  recallWaiting(): void;
  recallAll(): void;
}

const RECALLED = new Error("called back: the branch pauses or closes");

export function createFlights(): Flights {
  const waiting = new Set<AbortController>();
  const asked = new Set<AbortController>();
  const recall = (controllers: Set<AbortController>): void => {
    for (const controller of controllers) controller.abort(RECALLED);
  };
  return {
    begin(recalled) {
      const controller = new AbortController();
      waiting.add(controller);
      if (recalled) controller.abort(RECALLED);
      return {
        signal: controller.signal,
        sent: () => {
          waiting.delete(controller);
          asked.add(controller);
        },
        end: () => {
          waiting.delete(controller);
          asked.delete(controller);
        },
      };
    },
    recallWaiting: () => recall(waiting),
    recallAll() {
      recall(waiting);
      recall(asked);
    },
  };
}
