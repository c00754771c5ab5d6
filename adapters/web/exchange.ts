/** One call on a pool's connection, with undici's dispatch: no stream objects stand between the socket and the answer's bytes. */
import type { Dispatcher, Pool } from "undici";
import { BusError } from "#bus/errors.ts";
import type { WebCall, WebReply } from "#bus/wire.ts";
import { failureOf, statusFailure } from "./client-failure.ts";

/** Bytes of a refusal (429, 502, 503, 504) that are read to keep its connection usable. */
const REFUSAL_BYTES = 65_536;

/** Rejects with a BusError; after an abort of the signal nothing of the call goes on. */
export function exchange(pool: Pool, target: URL, call: WebCall, signal: AbortSignal): Promise<WebReply> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(failureOf(signal.reason, target.origin, signal));
      return;
    }
    const answer = collect(target.origin, call.maxBytes);
    const abort = (): void => {
      answer.abort(signal.reason as Error);
      reject(failureOf(signal.reason, target.origin, signal));
    };
    signal.addEventListener("abort", abort, { once: true });
    const options = {
      path: target.pathname + target.search,
      method: call.method,
      headers: call.headers,
      body: call.body,
    };
    pool.dispatch(options, {
      ...answer.handler,
      onResponseEnd() {
        signal.removeEventListener("abort", abort);
        const refused = answer.refused();
        if (refused) reject(refused);
        else resolve(answer.reply());
      },
      onResponseError(_controller, error) {
        signal.removeEventListener("abort", abort);
        const known = answer.refused() ?? (error instanceof BusError ? error : failureOf(error, target.origin, signal));
        reject(known);
      },
    });
  });
}

type Collected = Readonly<{
  handler: Pick<Dispatcher.DispatchHandler, "onRequestStart" | "onResponseStart" | "onResponseData">;
  abort(reason: Error): void;
  /** Set when the status says "not now". */
  refused(): BusError | undefined;
  reply(): WebReply;
}>;

function collect(origin: string, maxBytes: number): Collected {
  let controller: Dispatcher.DispatchController | undefined;
  let aborted: Error | undefined;
  let status = 0;
  let headers: Record<string, string> = {};
  let refused: BusError | undefined;
  let most = maxBytes;
  let size = 0;
  const chunks: Buffer[] = [];
  const tooLarge = (): BusError =>
    new BusError("provider-reply-invalid", `${origin} answered with more than ${maxBytes} bytes`, { providerCode: "too-large" });
  return {
    handler: {
      onRequestStart(given) {
        controller = given;
        if (aborted) given.abort(aborted);
      },
      onResponseStart(given, statusCode, received) {
        if (statusCode < 200) return;
        status = statusCode;
        headers = flatten(received);
        refused = statusFailure(statusCode, headers["retry-after"], origin);
        if (refused) most = Math.min(most, REFUSAL_BYTES);
        if (Number(headers["content-length"]) > most) given.abort(refused ?? tooLarge());
      },
      onResponseData(given, chunk) {
        size += chunk.byteLength;
        if (size > most) given.abort(refused ?? tooLarge());
        else if (!refused) chunks.push(chunk);
      },
    },
    abort(reason) {
      aborted = reason;
      controller?.abort(reason);
    },
    refused: () => refused,
    reply: () => ({ status, headers, body: chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks, size) }),
  };
}

function flatten(headers: Readonly<Record<string, string | string[] | undefined>>): Record<string, string> {
  const flat: Record<string, string> = {};
  for (const name in headers) {
    const value = headers[name];
    if (value !== undefined) flat[name] = typeof value === "string" ? value : value.join(", ");
  }
  return flat;
}
