/** A closed-loop client: so many calls in flight, each counted when its answer is whole. */
import { Pool } from "undici";

export type Target = Readonly<{ url: string; path: string; headers: Readonly<Record<string, string>>; body: string }>;
export type Measured = Readonly<{ perSecond: number; p50: number; p99: number; failed: number; firstFailure: string | undefined }>;

/** Calls for `ms` milliseconds; times in milliseconds. */
export async function load(target: Target, inFlight: number, ms: number): Promise<Measured> {
  const pool = new Pool(target.url, { connections: inFlight, pipelining: 1 });
  const body = Buffer.from(target.body);
  const times: number[] = [];
  let failed = 0;
  let firstFailure: string | undefined;
  const started = performance.now();
  const worker = async (): Promise<void> => {
    while (performance.now() - started < ms) {
      const at = performance.now();
      const answer = await pool.request({ method: "POST", path: target.path, headers: target.headers, body });
      const text = await answer.body.text();
      if (answer.statusCode === 200) times.push(performance.now() - at);
      else {
        failed += 1;
        firstFailure ??= `${answer.statusCode} ${text.slice(0, 300)}`;
      }
    }
  };
  await Promise.all(Array.from({ length: inFlight }, worker));
  const elapsed = (performance.now() - started) / 1000;
  await pool.close();
  times.sort((a, b) => a - b);
  const at = (share: number): number => times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? Number.NaN;
  return { perSecond: times.length / elapsed, p50: at(0.5), p99: at(0.99), failed, firstFailure };
}

export const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
