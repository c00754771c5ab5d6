/** Closed-loop load: N publishers, each sends its next record when the last is durable. */
import { monitorEventLoopDelay } from "node:perf_hooks";

export type Load = Readonly<{ perSecond: number; p50: number; p99: number; delay99: number }>;

/** Runs for `ms` after a fifth of warm-up. Times in milliseconds. */
export async function closedLoop(
  publishers: number,
  ms: number,
  publish: (publisher: number, turn: number) => Promise<unknown>,
): Promise<Load> {
  const latencies = new Float64Array(4_000_000);
  let count = 0;
  const began = performance.now();
  const from = began + ms / 5;
  const until = from + ms;
  const delay = monitorEventLoopDelay({ resolution: 1 });
  const loop = async (publisher: number): Promise<void> => {
    for (let turn = 0; ; turn++) {
      const start = performance.now();
      if (start >= until) return;
      await publish(publisher, turn);
      if (start >= from && count < latencies.length) latencies[count++] = performance.now() - start;
    }
  };
  const loops = Array.from({ length: publishers }, (_, publisher) => loop(publisher));
  setTimeout(() => delay.enable(), ms / 5);
  await Promise.all(loops);
  delay.disable();
  const seconds = (performance.now() - from) / 1_000;
  const sorted = latencies.subarray(0, count).sort();
  const at = (share: number): number => sorted[Math.min(count - 1, Math.floor(count * share))] ?? 0;
  return { perSecond: Math.round(count / seconds), p50: at(0.5), p99: at(0.99), delay99: delay.percentile(99) / 1e6 };
}
