/** Brings the records of one file to the bus, a bounded number at a time, and sorts their failures. */
import { createHash } from "node:crypto";
import { asBusError, BusError } from "../../errors.ts";
import type { Accept, Inbound } from "../../ports.ts";
import type { DropSettings } from "./settings.ts";
import type { Piece } from "../../wire.ts";
import { takeOne } from "../take.ts";
import type { ErrorLog, Found } from "./folder.ts";

/**
 * `read`: every record was handed over. `unreadable`, `too-many-errors`: the file is given up. `left`: the bus could not take
 * it now; the file stays, and a later run goes over it again, whose first records the bus knows already.
 */
export type Ending = "read" | "unreadable" | "too-many-errors" | "left";
export type Count = { taken: number; known: number; failed: number };

export type Work = Readonly<{
  file: Found;
  settings: DropSettings;
  accept: Accept;
  log: ErrorLog;
  count: Count;
  /** Aborted when the inlet closes. */
  closing: AbortSignal;
  /** Aborted when the inlet has waited for its records as long as it may. */
  abandoned: AbortSignal;
}>;

export async function handOver(work: Work, chunks: AsyncIterable<Uint8Array>): Promise<Ending> {
  const { settings, closing, count, abandoned } = work;
  const window = createWindow(Math.max(1, settings.limits.maxInFlight), abandoned);
  const state: { ending: Ending | undefined } = { ending: undefined };
  const stopAfter = settings.stopAfter ?? Number.POSITIVE_INFINITY;
  const one = async (piece: Piece): Promise<void> => {
    const left = await handOne(work, piece).catch(() => true);
    if (left) state.ending ??= "left";
    else if (count.failed >= stopAfter) state.ending ??= "too-many-errors";
    window.leave();
  };
  try {
    for await (const piece of settings.splitter.split(chunks)) {
      await window.enter();
      if (closing.aborted) state.ending ??= "left";
      if (state.ending !== undefined) break;
      window.count += 1;
      void one(piece);
    }
  } catch (error) {
    await window.empty();
    if (state.ending !== undefined) return state.ending;
    await work.log.add(asBusError(error));
    return "unreadable";
  }
  await window.empty();
  return abandoned.aborted ? "left" : (state.ending ?? "read");
}

/** Lets a bounded number of records be in the bus at once; an abort lets go of those that never come back. */
function createWindow(limit: number, abandoned: AbortSignal) {
  let wake = (): void => {};
  const change = (): Promise<void> => new Promise((resolve) => (wake = resolve));
  abandoned.addEventListener("abort", () => wake(), { once: true });
  const window = {
    count: 0,
    async enter() {
      while (window.count >= limit && !abandoned.aborted) await change();
    },
    leave() {
      window.count -= 1;
      wake();
    },
    async empty() {
      while (window.count > 0 && !abandoned.aborted) await change();
    },
  };
  return window;
}

/** True when the bus cannot take the record now. */
async function handOne(work: Work, piece: Piece): Promise<boolean> {
  const { count } = work;
  const taken = await takeOne(work.accept, inboundOf(work, piece), work.settings.clock, work.closing);
  if (taken === "left") return true;
  if (taken === "known") count.known += 1;
  else if (taken === "taken") count.taken += 1;
  else {
    count.failed += 1;
    await work.log.add(taken, { index: piece.index, line: piece.line });
  }
  return false;
}

/** The id is made of name, place and content, so that the same record of the same file is one message however often it is read. */
function inboundOf({ file, settings }: Work, piece: Piece): Inbound {
  const digest = createHash("sha256").update(piece.bytes).digest("hex");
  return {
    route: settings.binding.route,
    from: settings.binding.from,
    system: settings.binding.system,
    id: createHash("sha256").update(`${file.name}\n${piece.index}\n${digest}`).digest("hex"),
    correlationId: createHash("sha256").update(`${file.name}\n${file.size}\n${file.mtimeMs}`).digest("hex").slice(0, 32),
    call: {},
    headers: { "file-name": file.name, "record-index": String(piece.index) },
    bytes: piece.bytes,
    mediaType: piece.bytes[0] === 0x3c ? "application/xml" : "text/csv",
    read: () => readBounded(piece, settings.limits.maxBytes),
  };
}

function readBounded(piece: Piece, maxBytes: number): ReturnType<Piece["read"]> {
  if (piece.bytes.byteLength > maxBytes) throw new BusError("message-too-large", `record ${piece.index} has more than ${maxBytes} bytes`);
  return piece.read();
}
