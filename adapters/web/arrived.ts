/** A request as its handler sees it. What few handlers look at is made when they look. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { WebRequest } from "#bus/wire.ts";

export type Known = Readonly<{ path: string; query: string; origin: string; body: Uint8Array; system: string | undefined }>;

/** A class, because getters of a literal are defined anew for every request. */
export class Arrived implements WebRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly system: string | undefined;
  readonly origin: string;
  readonly body: Uint8Array;
  readonly #response: ServerResponse;
  readonly #query: string;
  #parameters: URLSearchParams | undefined;
  #signal: AbortSignal | undefined;

  constructor(request: IncomingMessage, response: ServerResponse, known: Known) {
    this.method = request.method === "HEAD" ? "GET" : (request.method ?? "GET");
    this.path = known.path;
    // Only set-cookie is ever a list, and only in answers.
    this.headers = request.headers as Record<string, string | undefined>;
    this.system = known.system;
    this.origin = known.origin;
    this.body = known.body;
    this.#response = response;
    this.#query = known.query;
  }

  get query(): URLSearchParams {
    return (this.#parameters ??= new URLSearchParams(this.#query));
  }

  get signal(): AbortSignal {
    return (this.#signal ??= signalOf(this.#response));
  }
}

/** Aborts when the caller leaves before the answer is whole. */
function signalOf(response: ServerResponse): AbortSignal {
  const controller = new AbortController();
  const gone = (): void => {
    if (!response.writableFinished) controller.abort(new Error("the caller went away"));
  };
  if (response.destroyed) gone();
  else response.once("close", gone);
  return controller.signal;
}
