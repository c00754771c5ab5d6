/** Writes answers, and the host's own refusals as RFC 9457 problem documents. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { ErrorCode } from "#bus/errors.ts";
import type { WebResponse } from "#bus/wire.ts";

/**
 * Bodies of so many bytes leave in one write with their headers, which Node does for text only: as text of one character for
 * each byte they stay the bytes they are.
 */
const ONE_WRITE = 65_536;

/** A refusal of the host itself, before any handler ran. `close`: the connection cannot be used any more. */
export type Problem = Readonly<{
  status: number;
  title: string;
  detail: string;
  headers?: Readonly<Record<string, string>>;
  close?: boolean;
  /** Of bus/errors.ts; default `http-request`. */
  code?: ErrorCode;
}>;

export function problemAnswer(problem: Problem, instance: string): WebResponse {
  const body = {
    type: `urn:mconnect-bus:error:${problem.code ?? "http-request"}`,
    title: problem.title,
    status: problem.status,
    detail: problem.detail,
    instance,
  };
  return {
    status: problem.status,
    headers: { "content-type": "application/problem+json", ...problem.headers },
    body: JSON.stringify(body),
  };
}

/** `close` ends the connection after this answer. Nothing is written when the caller is gone already. */
export function writeAnswer(request: IncomingMessage, response: ServerResponse, answer: WebResponse, close: boolean): void {
  if (response.destroyed || response.headersSent) return;
  const { body = "" } = answer;
  const bytes = typeof body === "string" ? Buffer.from(body) : Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  const headers: Record<string, string | number> = { "x-content-type-options": "nosniff", "cache-control": "no-store", ...answer.headers };
  if (answer.status !== 204 && answer.status !== 304) headers["content-length"] = bytes.length;
  if (close) {
    headers["connection"] = "close";
    response.shouldKeepAlive = false;
  }
  response.writeHead(answer.status, headers);
  if (request.method === "HEAD" || bytes.length === 0) response.end();
  else if (bytes.length > ONE_WRITE) response.end(bytes);
  else response.end(bytes.toString("latin1"), "latin1");
}

export function isProblem(value: object): value is Problem {
  return "title" in value;
}
