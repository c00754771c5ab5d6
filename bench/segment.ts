/** The raw limit of a durable log: one file, append, fdatasync, group commit, nothing else. Also the bare scan of rows. */
import { close, fdatasync, open, write, type PathLike } from "node:fs";
import { promisify } from "node:util";

const openFile = promisify(open);
const LARGEST = 4_194_304;

export type Segment = Readonly<{ append(record: Uint8Array): Promise<void>; close(): Promise<void> }>;

/** Everything queued goes out with one write and one flush; its appends resolve after the flush. */
export async function openSegment(path: PathLike): Promise<Segment> {
  const file = await openFile(path, "a");
  let queue: Readonly<{ record: Uint8Array; resolve: () => void; reject: (error: Error) => void }>[] = [];
  let busy = false;
  const buffer = Buffer.allocUnsafe(LARGEST);

  const flush = (): void => {
    if (queue.length === 0) {
      busy = false;
      return;
    }
    const batch = queue;
    queue = [];
    let at = 0;
    for (const { record } of batch) {
      at = buffer.writeUInt32LE(record.length, at);
      buffer.set(record, at);
      at += record.length;
    }
    const done = (error: Error | null): void => {
      for (const one of batch) {
        if (error === null) one.resolve();
        else one.reject(error);
      }
      setImmediate(flush);
    };
    write(file, buffer, 0, at, null, (error) => (error === null ? fdatasync(file, done) : done(error)));
  };
  return {
    append: (record) =>
      new Promise((resolve, reject) => {
        queue.push({ record, resolve, reject });
        if (busy) return;
        busy = true;
        setImmediate(flush);
      }),
    close: () => promisify(close)(file),
  };
}
