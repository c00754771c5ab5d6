/**
 * The register's outbox: tells the bus of each change, oldest first, again and again under the same message id until it is
 * accepted. What is not accepted stays in the register's file and goes on after a restart.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { backOff, busService, type BusService } from "../lib/bus.ts";
import type { Outgoing, Register } from "./register.ts";

export interface Outbox {
  /** There is something new to send. */
  wake(): void;
  close(): Promise<void>;
}

const LONGEST_WAIT = 5_000;
const BATCH = 100;
/** How long the end of the program waits for an answer of the bus; without one the event is sent again after the start. */
const PATIENCE = 500;

export function startOutbox(register: Register, bus: string): Outbox {
  const service = busService(`${bus}/mconnect/soap/rsp/population/PersonChanges`, "rsp/population");
  const ending = new AbortController();
  let woken = Promise.withResolvers<void>();
  const report = onChange((problem) => process.stderr.write(`population-register: the bus does not take events; they wait: ${problem}\n`));
  const run = async (): Promise<void> => {
    let failures = 0;
    while (!ending.signal.aborted) {
      const [first, ...rest] = register.pending(BATCH);
      if (!first) {
        await woken.promise;
        woken = Promise.withResolvers<void>();
        continue;
      }
      const accepted = await sendAll(register, service, [first, ...rest], ending.signal, report);
      failures = accepted ? 0 : failures + 1;
      if (!accepted) await backOff(failures, LONGEST_WAIT, ending.signal);
    }
  };
  const running = run();
  return {
    wake: () => woken.resolve(),
    close: async () => {
      ending.abort();
      woken.resolve();
      await Promise.race([running, sleep(PATIENCE)]);
    },
  };
}

/** In order; stops at the first that is not accepted, because a later change must not come before an earlier one. */
async function sendAll(
  register: Register,
  service: BusService,
  batch: readonly Outgoing[],
  signal: AbortSignal,
  report: (problem: string | undefined) => void,
): Promise<boolean> {
  for (const { id, event } of batch) {
    if (signal.aborted) return false;
    const problem = await send(service, id, event);
    register.settle(id, problem === undefined);
    report(problem);
    if (problem !== undefined) return false;
  }
  return true;
}

async function send(service: BusService, messageId: string, event: Outgoing["event"]): Promise<string | undefined> {
  try {
    const answer = await service.call("PersonChanged", event, { messageId });
    return answer.ok ? undefined : answer.fault;
  } catch (error) {
    return error instanceof Error ? error.message || error.name : String(error);
  }
}

/** Says each problem once, until it changes or has passed. */
function onChange(say: (problem: string) => void): (problem: string | undefined) => void {
  let last: string | undefined;
  return (problem) => {
    if (problem !== undefined && problem !== last) say(problem);
    last = problem;
  };
}
