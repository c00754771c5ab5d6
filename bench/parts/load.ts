/** A closed-loop client on bare sockets: so many calls in flight, each counted when its answer is whole. */
import { connect, type Socket } from "node:net";
import { createInbox, statusOf } from "./wire.ts";

/** `body`: always the same one, or another one for each call. */
export type Target = Readonly<{ url: string; path: string; headers: Readonly<Record<string, string>>; body: string | (() => string) }>;
export type Measured = Readonly<{ perSecond: number; p50: number; p99: number; failed: number; firstFailure: string | undefined }>;

type Count = { readonly times: number[]; failed: number; firstFailure: string | undefined };

/** Calls for `ms` milliseconds; times in milliseconds. */
export async function load(target: Target, inFlight: number, ms: number): Promise<Measured> {
  const { hostname, port, host } = new URL(target.url);
  const { body } = target;
  const same = typeof body === "string" ? requestOf(target, host, body) : undefined;
  const request = (): Buffer => same ?? requestOf(target, host, typeof body === "string" ? body : body());
  const count: Count = { times: [], failed: 0, firstFailure: undefined };
  const started = performance.now();
  const until = started + ms;
  await Promise.all(
    Array.from({ length: inFlight }, () => caller(connect({ host: hostname, port: Number(port), noDelay: true }), request, until, count)),
  );
  const elapsed = (performance.now() - started) / 1000;
  const times = count.times.sort((a, b) => a - b);
  const at = (share: number): number => times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? Number.NaN;
  return { perSecond: times.length / elapsed, p50: at(0.5), p99: at(0.99), failed: count.failed, firstFailure: count.firstFailure };
}

function requestOf(target: Target, host: string, text: string): Buffer {
  const body = Buffer.from(text);
  const lines = Object.entries({ host, ...target.headers, "content-length": String(body.length) }).map(
    ([name, value]) => `${name}: ${value}`,
  );
  return Buffer.concat([Buffer.from(`POST ${target.path} HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`), body]);
}

/** One connection, one call at a time until `until`. */
function caller(socket: Socket, request: () => Buffer, until: number, count: Count): Promise<void> {
  return new Promise((resolve, reject) => {
    const inbox = createInbox();
    let sentAt = 0;
    const send = (): void => {
      sentAt = performance.now();
      if (sentAt < until) socket.write(request());
      else socket.end();
    };
    socket.on("connect", send);
    socket.on("data", (bytes: Buffer) => {
      inbox.add(bytes);
      const answer = inbox.take();
      if (answer === undefined) return;
      if (statusOf(answer) === 200) count.times.push(performance.now() - sentAt);
      else {
        count.failed += 1;
        count.firstFailure ??= answer.toString("utf8").slice(0, 400);
      }
      send();
    });
    socket.on("error", reject);
    socket.on("close", () => resolve());
  });
}

export const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
