/**
 * ZIP archives of stored files (APPNOTE 6.3.3), one way to write a list of files and no other: no times, no comments, no extra fields,
 * so that a reader can write the archive anew and compare every byte.
 */
import { crc32 } from "node:zlib";

export type ZipFile = Readonly<{ name: string; bytes: Uint8Array }>;

/** Names are UTF-8. At most 65,535 files and 4 GiB. */
export function zip(files: readonly ZipFile[]): Uint8Array {
  const parts: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  let offset = 0;
  for (const { name, bytes } of files) {
    const path = Buffer.from(name);
    const facts = factsOf(path, bytes);
    const local = Buffer.concat([Buffer.from("PK\u0003\u0004"), facts, path]);
    directory.push(Buffer.concat([Buffer.from("PK\u0001\u0002"), u16(20), facts, u16(0), u16(0), u16(0), u32(0), u32(offset), path]));
    parts.push(local, bytes);
    offset += local.length + bytes.length;
  }
  const index = Buffer.concat(directory);
  const end = [u16(0), u16(0), u16(files.length), u16(files.length), u32(index.length), u32(offset), u16(0)];
  return Buffer.concat([...parts, index, Buffer.from("PK\u0005\u0006"), ...end]);
}

/** What a local header and its copy in the directory share: version 2.0, UTF-8 names, stored, 1 January 1980. */
function factsOf(path: Uint8Array, bytes: Uint8Array): Buffer {
  const size = u32(bytes.length);
  return Buffer.concat([u16(20), u16(0x0800), u16(0), u16(0), u16(0x0021), u32(crc32(bytes)), size, size, u16(path.length), u16(0)]);
}

function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(value);
  return bytes;
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}
