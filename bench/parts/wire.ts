/**
 * HTTP/1.1 as little as the benchmarks need, on bare sockets: where one message ends in the bytes that came. Client and provider of the
 * SOAP benchmarks stand on it, because they share two cores with the party that is measured and should take none of its time.
 */

const HEAD_END = Buffer.from("\r\n\r\n");
const LAST_CHUNK = Buffer.from("0\r\n\r\n");

/** Collects the bytes of one connection; `take` gives the next whole message (head and body) or undefined. */
export type Inbox = Readonly<{ add(bytes: Buffer): void; take(): Buffer | undefined }>;

export function createInbox(): Inbox {
  let held: Buffer = Buffer.alloc(0);
  return {
    add(bytes) {
      held = held.length === 0 ? bytes : Buffer.concat([held, bytes]);
    },
    take() {
      const length = lengthOf(held);
      if (length === undefined || held.length < length) return undefined;
      const message = held.subarray(0, length);
      held = held.subarray(length);
      return message;
    },
  };
}

/** Bytes of the first message; undefined while that cannot be told. A chunked body must come without anything behind it. */
function lengthOf(bytes: Buffer): number | undefined {
  const end = bytes.indexOf(HEAD_END);
  if (end < 0) return undefined;
  const head = bytes.toString("latin1", 0, end);
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
  if (length !== undefined) return end + HEAD_END.length + Number(length);
  if (!/\r\ntransfer-encoding: *chunked/i.test(head)) return end + HEAD_END.length;
  return bytes.subarray(-LAST_CHUNK.length).equals(LAST_CHUNK) ? bytes.length : undefined;
}

/** Status of an answer. */
export function statusOf(answer: Buffer): number {
  return Number(answer.toString("latin1", 9, 12));
}
