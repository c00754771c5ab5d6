/**
 * Reads the one form of ZIP archive that evidence comes in: stored files without times, comments or extra fields. It writes the
 * archive anew from what it read and compares, so that no byte of the file is without meaning.
 */
import { crc32 } from "node:zlib";

export class Refused extends Error {
  override readonly name = "Refused";
}

const LOCAL = 0x04034b50;
const HEADER = 30;

/** Files by name, in their order. Throws Refused. */
export function readArchive(bytes: Buffer): ReadonlyMap<string, Buffer> {
  const files = new Map<string, Buffer>();
  let at = 0;
  while (at + HEADER <= bytes.length && bytes.readUInt32LE(at) === LOCAL) {
    const size = bytes.readUInt32LE(at + 18);
    const nameEnd = at + HEADER + bytes.readUInt16LE(at + 26);
    if (nameEnd + size > bytes.length) throw new Refused("the archive ends within one of its files");
    const name = bytes.toString("utf8", at + HEADER, nameEnd);
    if (files.has(name)) throw new Refused(`the archive holds \`${name}\` twice`);
    files.set(name, bytes.subarray(nameEnd, nameEnd + size));
    at = nameEnd + size;
  }
  if (!archiveOf(files).equals(bytes))
    throw new Refused("the archive is not as the bus writes it: a byte of it was changed, added or removed");
  return files;
}

function archiveOf(files: ReadonlyMap<string, Buffer>): Buffer {
  const content: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const [name, bytes] of files) {
    const path = Buffer.from(name);
    const facts = Buffer.alloc(26);
    facts.writeUInt16LE(20, 0);
    facts.writeUInt16LE(0x0800, 2);
    facts.writeUInt16LE(0x0021, 8);
    facts.writeUInt32LE(crc32(bytes), 10);
    facts.writeUInt32LE(bytes.length, 14);
    facts.writeUInt32LE(bytes.length, 18);
    facts.writeUInt16LE(path.length, 22);
    const where = Buffer.alloc(14);
    where.writeUInt32LE(offset, 10);
    directory.push(Buffer.from("PK\u0001\u0002\u0014\0"), facts, where, path);
    content.push(Buffer.from("PK\u0003\u0004"), facts, path, bytes);
    offset += HEADER + path.length + bytes.length;
  }
  const index = Buffer.concat(directory);
  const end = Buffer.alloc(18);
  end.writeUInt16LE(files.size, 4);
  end.writeUInt16LE(files.size, 6);
  end.writeUInt32LE(index.length, 8);
  end.writeUInt32LE(offset, 12);
  return Buffer.concat([...content, index, Buffer.from("PK\u0005\u0006"), end]);
}
