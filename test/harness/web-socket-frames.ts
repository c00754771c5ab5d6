/** Frames of RFC 6455 §5, both ways: what the test client writes, and what a server sent. */
import { randomBytes } from "node:crypto";

export const OPCODES = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

/** A client's frame: masked, whole, unless told otherwise. */
export function frameOf(opcode: number, payload: Uint8Array, { fin = true, masked = true } = {}): Buffer {
  const { length } = payload;
  const head = length < 126 ? Buffer.alloc(2) : length < 65_536 ? Buffer.alloc(4) : Buffer.alloc(10);
  head[0] = (fin ? 0x80 : 0) | opcode;
  head[1] = (masked ? 0x80 : 0) | (length < 126 ? length : length < 65_536 ? 126 : 127);
  if (length >= 65_536) head.writeBigUInt64BE(BigInt(length), 2);
  else if (length >= 126) head.writeUInt16BE(length, 2);
  if (!masked) return Buffer.concat([head, payload]);
  const mask = randomBytes(4);
  const body = Buffer.from(payload);
  for (let i = 0; i < length; i++) body[i] = (body[i] ?? 0) ^ (mask[i % 4] ?? 0);
  return Buffer.concat([head, mask, body]);
}

/** Takes bytes as they come; throws where a server breaks the protocol as this project keeps it: whole, unmasked frames. */
export function createFrames(frame: (opcode: number, payload: Buffer) => void): (bytes: Buffer) => void {
  let chunks: Buffer[] = [];
  let size = 0;
  return (bytes) => {
    chunks.push(bytes);
    size += bytes.length;
    let all = chunks.length === 1 ? bytes : Buffer.concat(chunks, size);
    for (let read = readOne(all); read; read = readOne(all)) {
      frame(read.opcode, all.subarray(read.from, read.to));
      all = all.subarray(read.to);
    }
    chunks = all.length === 0 ? [] : [all];
    size = all.length;
  };
}

function readOne(all: Buffer): { opcode: number; from: number; to: number } | undefined {
  if (all.length < 2) return undefined;
  const [first = 0, second = 0] = all;
  if ((first & 0xf0) !== 0x80) throw new Error(`the server sent a part of a message, or one with reserved bits: ${first}`);
  if ((second & 0x80) !== 0) throw new Error("the server masked a frame");
  const short = second & 0x7f;
  const from = short < 126 ? 2 : short === 126 ? 4 : 10;
  if (all.length < from) return undefined;
  const length = short < 126 ? short : short === 126 ? all.readUInt16BE(2) : Number(all.readBigUInt64BE(2));
  return all.length < from + length ? undefined : { opcode: first & 0x0f, from, to: from + length };
}
