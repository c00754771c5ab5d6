/** A batch of rows to the bus, a bounded number at a time. */
import { createHash } from "node:crypto";
import { takeOne, type Taken } from "#bus/edge/take.ts";
import { BusError } from "#bus/errors.ts";
import type { Accept, Clock, Inbound } from "#bus/ports.ts";
import type { Codec, EdgeLimits, SourceBinding } from "#bus/wire.ts";

/** One row: its key as text, and the columns of the message. */
export type Row = Readonly<{ key: string; content: Readonly<Record<string, unknown>> }>;

export type Batch = Readonly<{
  rows: readonly Row[];
  table: string;
  accept: Accept;
  codec: Codec;
  binding: SourceBinding;
  limits: EdgeLimits;
  clock: Clock;
  closing: AbortSignal;
  /** Aborted when the inlet has waited for its rows as long as it may. */
  abandoned: AbortSignal;
}>;

/** What became of each row, in order. What still was in the bus when it was abandoned is `left`. */
export async function takeRows(batch: Batch): Promise<readonly Taken[]> {
  const { rows, accept, clock, closing, abandoned, limits } = batch;
  const results: Taken[] = rows.map(() => "left");
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let at = next++; at < rows.length && !closing.aborted; at = next++) {
      const row = rows[at];
      if (row) results[at] = await takeOne(accept, inboundOf(batch, row), clock, closing);
    }
  };
  const given = Promise.withResolvers<void>();
  const abort = (): void => given.resolve();
  if (abandoned.aborted) abort();
  abandoned.addEventListener("abort", abort, { once: true });
  const lanes = Array.from({ length: Math.min(rows.length, Math.max(1, limits.maxInFlight)) }, lane);
  await Promise.race([Promise.all(lanes), given.promise]);
  abandoned.removeEventListener("abort", abort);
  return [...results];
}

/** The id is made of table, key and content: the same row is one message however often it is read, a changed one is another. */
function inboundOf({ table, codec, binding, limits }: Batch, { key, content }: Row): Inbound {
  const bytes = Buffer.from(JSON.stringify(content));
  const digest = createHash("sha256").update(bytes).digest("hex");
  return {
    route: binding.route,
    from: binding.from,
    system: binding.system,
    id: createHash("sha256")
      .update(JSON.stringify([table, key, digest]))
      .digest("hex"),
    call: {},
    headers: {},
    bytes,
    mediaType: codec.mediaType,
    read() {
      if (bytes.byteLength > limits.maxBytes) throw new BusError("message-too-large", `the row has more than ${limits.maxBytes} bytes`);
      return codec.read(bytes);
    },
  };
}
