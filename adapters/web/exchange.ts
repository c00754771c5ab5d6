/** One call on a pool's connection, with undici's dispatch: no stream objects stand between the socket and the answer's bytes. */
import type { Dispatcher, Pool } from "undici";
import { BusError } from "#bus/errors.ts";
import type { WebCall, WebReply } from "#bus/wire.ts";
import { failureOf, statusFailure } from "./client-failure.ts";

/** Bytes of a refusal (429, 502, 503, 504) that are read to keep its connection usable. */
const REFUSAL_BYTES = 65_536;

/** Where calls to one address go: the connections to its origin, and path with query. */
export type Target = Readonly<{ pool: Pool; origin: string; path: string }>;

/** Rejects with a BusError; after an abort of the signal nothing of the call goes on. */
export function exchange(target: Target, call: WebCall, signal: AbortSignal): Promise<WebReply> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(failureOf(signal.reason, target.origin, signal));
      return;
    }
    const answer = new Answer(target.origin, call.maxBytes, signal, resolve, reject);
    target.pool.dispatch({ path: target.path, method: call.method, headers: call.headers, body: call.body }, answer);
  });
}

/** Collects one answer. A class, because undici looks at its handler many times a call, and all of them look alike then. */
class Answer implements Dispatcher.DispatchHandler {
  readonly #origin: string;
  readonly #signal: AbortSignal;
  readonly #resolve: (reply: WebReply) => void;
  readonly #reject: (error: BusError) => void;
  readonly #maxBytes: number;
  readonly #abort = (): void => this.#giveUp();
  readonly #chunks: Buffer[] = [];
  #controller: Dispatcher.DispatchController | undefined;
  #status = 0;
  #headers: Record<string, string> = {};
  /** Set when the status says "not now". */
  #refused: BusError | undefined;
  #most: number;
  #size = 0;

  constructor(
    origin: string,
    maxBytes: number,
    signal: AbortSignal,
    resolve: (reply: WebReply) => void,
    reject: (error: BusError) => void,
  ) {
    this.#origin = origin;
    this.#maxBytes = maxBytes;
    this.#most = maxBytes;
    this.#signal = signal;
    this.#resolve = resolve;
    this.#reject = reject;
    signal.addEventListener("abort", this.#abort, ONCE);
  }

  #giveUp(): void {
    this.#controller?.abort(this.#signal.reason as Error);
    this.#reject(failureOf(this.#signal.reason, this.#origin, this.#signal));
  }

  #tooLarge(): BusError {
    const text = `${this.#origin} answered with more than ${this.#maxBytes} bytes`;
    return new BusError("provider-reply-invalid", text, { providerCode: "too-large" });
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#signal.aborted) controller.abort(this.#signal.reason as Error);
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number, received: Headers): void {
    if (status < 200) return;
    this.#status = status;
    this.#headers = flatten(received);
    this.#refused = statusFailure(status, this.#headers["retry-after"], this.#origin);
    if (this.#refused) this.#most = Math.min(this.#most, REFUSAL_BYTES);
    if (Number(this.#headers["content-length"]) > this.#most) controller.abort(this.#refused ?? this.#tooLarge());
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#size += chunk.byteLength;
    if (this.#size > this.#most) controller.abort(this.#refused ?? this.#tooLarge());
    else if (!this.#refused) this.#chunks.push(chunk);
  }

  onResponseEnd(): void {
    this.#signal.removeEventListener("abort", this.#abort);
    if (this.#refused) this.#reject(this.#refused);
    else this.#resolve({ status: this.#status, headers: this.#headers, body: this.#body() });
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#signal.removeEventListener("abort", this.#abort);
    this.#reject(this.#refused ?? (error instanceof BusError ? error : failureOf(error, this.#origin, this.#signal)));
  }

  #body(): Uint8Array {
    const [first] = this.#chunks;
    return this.#chunks.length === 1 && first ? first : Buffer.concat(this.#chunks, this.#size);
  }
}

const ONCE = { once: true };

type Headers = Readonly<Record<string, string | string[] | undefined>>;

function flatten(headers: Headers): Record<string, string> {
  const flat: Record<string, string> = {};
  for (const name in headers) {
    const value = headers[name];
    if (value !== undefined) flat[name] = typeof value === "string" ? value : value.join(", ");
  }
  return flat;
}
