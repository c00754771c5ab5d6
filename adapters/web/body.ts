/** Collects a request's body within a bound of bytes; Node's request timeout bounds the time. */
import type { IncomingMessage } from "node:http";
import type { Problem } from "./answer.ts";

const EMPTY = new Uint8Array(0);

/** What can be told from the headers alone: nothing is read of a body that would be refused anyway. */
export function refuseBody(request: IncomingMessage, maxBytes: number): Problem | undefined {
  const encoding = request.headers["content-encoding"];
  if (encoding !== undefined && encoding.toLowerCase() !== "identity")
    return {
      status: 415,
      title: "Content encoding is not accepted",
      detail: `The body is encoded as "${encoding.slice(0, 40)}"; send it without Content-Encoding.`,
      headers: { "accept-encoding": "identity" },
      close: true,
    };
  if (Number(request.headers["content-length"] ?? 0) > maxBytes) return tooLarge(maxBytes);
  return undefined;
}

/** The body, or why it is refused; undefined when the caller went away. */
export function readBody(request: IncomingMessage, maxBytes: number): Promise<Uint8Array | Problem | undefined> | Uint8Array {
  if (request.headers["content-length"] === undefined && request.headers["transfer-encoding"] === undefined) return EMPTY;
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let size = 0;
    request.on("data", (chunk: Buffer) => {
      size += chunk.byteLength;
      if (size <= maxBytes) chunks.push(chunk);
      else {
        request.pause();
        resolve(tooLarge(maxBytes));
      }
    });
    request.on("end", () => {
      const first = chunks[0];
      resolve(chunks.length === 1 && first !== undefined ? first : Buffer.concat(chunks, size));
    });
    request.on("error", () => resolve(undefined));
    request.on("close", () => resolve(undefined));
  });
}

function tooLarge(maxBytes: number): Problem {
  return { status: 413, title: "Message is too large", detail: `A body may have at most ${maxBytes} bytes.`, close: true };
}
