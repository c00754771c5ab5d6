/** A drop folder in a temporary directory, on a clock that only runs while somebody sleeps. */
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createFileInlet } from "#adapters/file/inlet.ts";
import type { DropInlet as FileInlet, FileReport } from "#bus/edge/drop/inlet.ts";
import type { AvroRecord } from "#bus/envelope.ts";
import type { Accept, Inbound } from "#bus/ports.ts";
import type { FileInletSettings } from "#bus/edge/drop/settings.ts";
import { accepted } from "#test/conformance/inlet.ts";
import { lines } from "#test/harness/lines.ts";

export type DropFolder = AsyncDisposable &
  Readonly<{
    directory: string;
    /** What the bus took, and the values it read. */
    seen: Inbound[];
    values: AvroRecord[];
    /** Milliseconds of each sleep. */
    slept: number[];
    inlet: FileInlet;
    drop(name: string | Buffer, content: string | Uint8Array): Promise<void>;
    run(): Promise<FileReport>;
    /** Names below the folder or one of its own, in order. */
    names(below?: string): Promise<string[]>;
    text(...path: readonly string[]): Promise<string>;
    /** Called at each sleep. */
    asleep: { act: () => Promise<void> };
  }>;

export async function openDropFolder(settings: Partial<FileInletSettings> = {}): Promise<DropFolder> {
  const directory = await mkdtemp(join(tmpdir(), "drop-"));
  const [seen, values, slept]: [Inbound[], AvroRecord[], number[]] = [[], [], []];
  const asleep = { act: async (): Promise<void> => {} };
  let time = 1_000_000;
  const accept: Accept = async (inbound) => {
    const value = inbound.read();
    const duplicate = seen.some((one) => one.id === inbound.id);
    if (!duplicate) {
      seen.push(inbound);
      values.push(value);
    }
    return { ...accepted(inbound), kind: "accepted", duplicate };
  };
  const inlet = createFileInlet({
    directory,
    match: "*",
    stableFor: 5_000,
    order: "name",
    done: "done",
    failed: "failed",
    every: undefined,
    stopAfter: 100,
    splitter: lines,
    binding: { route: "import", from: "drop", system: "transport/mainframe", pattern: "event" },
    limits: { maxBytes: 100_000, maxInFlight: 8 },
    clock: {
      now: () => time,
      async sleep(ms) {
        slept.push(ms);
        time += ms;
        await asleep.act();
      },
    },
    ...settings,
  });
  await inlet.start(accept);
  return {
    directory,
    seen,
    values,
    slept,
    inlet,
    asleep,
    drop: (name, content) =>
      writeFile(typeof name === "string" ? join(directory, name) : Buffer.concat([Buffer.from(`${directory}/`), name]), content),
    run: () => inlet.run(),
    names: async (below = ".") =>
      (await readdir(join(directory, below))).filter((name) => below !== "." || !["done", "failed"].includes(name)).sort(),
    text: (...path) => readFile(join(directory, ...path), "utf8"),
    async [Symbol.asyncDispose]() {
      await inlet.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
