import { appendFile, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { BusError } from "#bus/errors.ts";
import type { Accept, Clock, Inbound } from "#bus/ports.ts";
import type { FileInletSettings } from "#bus/edge/drop/settings.ts";
import { accepted } from "#test/conformance/inlet.ts";
import { lines } from "#test/harness/lines.ts";
import { openFound } from "./content.ts";
import type { DropInlet as FileInlet, FileReport } from "#bus/edge/drop/inlet.ts";
import { createFileInlet } from "./inlet.ts";
import { globOf } from "#bus/edge/drop/look.ts";

let directory: string;
let time: number;
let slept: number[];
let seen: Inbound[];
let whileAsleep: () => Promise<void>;
let inlets: FileInlet[];

/** Time passes only while somebody sleeps. */
const clock: Clock = {
  now: () => time,
  async sleep(ms) {
    slept.push(ms);
    time += ms;
    await whileAsleep();
  },
};

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "drop-"));
  [time, slept, seen, inlets] = [1_000_000, [], [], []];
  whileAsleep = async () => {};
});
afterEach(async () => {
  for (const inlet of inlets) await inlet.close();
  await rm(directory, { recursive: true, force: true });
});

/** Takes what reads well, and knows ids that came before, as the bus does. */
const reading: Accept = async (inbound) => {
  inbound.read();
  const known = seen.some((one) => one.id === inbound.id);
  if (!known) seen.push(inbound);
  return { ...accepted(inbound), kind: "accepted", duplicate: known };
};

async function open(settings: Partial<FileInletSettings> = {}, accept = reading): Promise<FileInlet> {
  const standard = {
    match: "*.txt*",
    stableFor: 5000,
    order: "name",
    done: "done",
    failed: "failed",
    every: undefined,
    stopAfter: 3,
  } as const;
  const binding = { route: "import", from: "drop", system: "transport/mainframe", pattern: "event" } as const;
  const inlet = createFileInlet({
    directory,
    ...standard,
    splitter: lines,
    binding,
    limits: { maxBytes: 1000, maxInFlight: 4 },
    clock,
    ...settings,
  });
  inlets.push(inlet);
  await inlet.start(accept);
  return inlet;
}
const drop = (name: string, text: string | Uint8Array): Promise<void> => writeFile(join(directory, name), text);
const inFolder = async (name: string): Promise<string[]> => (await readdir(join(directory, name))).sort();
const outcomes = (report: FileReport): Record<string, string> => Object.fromEntries(report.files.map((file) => [file.name, file.outcome]));
const texts = (): string[] => seen.map((one) => Buffer.from(one.bytes).toString());

describe("a good file", () => {
  it("becomes one message per record and goes to done", async () => {
    const inlet = await open();
    await drop("a.txt", "one\ntwo\nthree");
    expect(await inlet.run()).toEqual({ files: [{ name: "a.txt", outcome: "done", taken: 3, known: 0, failed: 0 }] });
    expect(texts()).toEqual(["one", "two", "three"]);
    expect(seen[0]).toMatchObject({
      route: "import",
      from: "drop",
      system: "transport/mainframe",
      mediaType: "text/csv",
      headers: { "file-name": "a.txt", "record-index": "1" },
    });
    expect(new Set(seen.map((one) => one.correlationId)).size).toBe(1);
    expect([await inFolder("done"), await inFolder("failed")]).toEqual([["a.txt"], []]);
  });

  it("packed with gzip is unpacked by its name", async () => {
    const inlet = await open();
    await drop("a.txt.gz", gzipSync("one\ntwo"));
    await inlet.run();
    expect(texts()).toEqual(["one", "two"]);
  });

  it("with a taken name keeps both", async () => {
    const inlet = await open();
    for (const text of ["one", "two", "three"]) {
      await drop("a.txt", text);
      await inlet.run();
    }
    expect(await inFolder("done")).toEqual(["a.txt", "a.txt.1", "a.txt.2"]);
    expect(await readFile(join(directory, "done", "a.txt"), "utf8")).toBe("one");
  });

  it.each(["name", "mtime"] as const)("comes in order of %s", async (order) => {
    const inlet = await open({ order, limits: { maxBytes: 1000, maxInFlight: 1 } });
    await drop("a.txt", "a");
    await drop("b.txt", "b");
    await utimes(join(directory, "b.txt"), 1000, 1000);
    await inlet.run();
    expect(texts()).toEqual(order === "name" ? ["a", "b"] : ["b", "a"]);
  });
});

describe("a file that still grows", () => {
  it("is waited for until it has not changed for the whole time", async () => {
    const inlet = await open();
    await drop("a.txt", "one\n");
    whileAsleep = async () => void (slept.length === 1 && (await appendFile(join(directory, "a.txt"), "two\n")));
    await inlet.run();
    expect(texts()).toEqual(["one", "two"]);
    expect(slept).toEqual([5000, 5000]);
  });

  it("while it is read stays, and is read again as a whole without doubling its first records", async () => {
    let grown = false;
    const inlet = await open({}, async (inbound) => {
      if (!grown) {
        grown = true;
        await appendFile(join(directory, "a.txt"), "two\n");
      }
      return reading(inbound);
    });
    await drop("a.txt", "one\n");
    expect(outcomes(await inlet.run())).toEqual({ "a.txt": "left" });
    expect((await inlet.run()).files).toEqual([{ name: "a.txt", outcome: "done", taken: 1, known: 1, failed: 0 }]);
    expect(texts()).toEqual(["one", "two"]);
  });
});

describe("bad records", () => {
  it("are listed without their content, and the others go on", async () => {
    const inlet = await open();
    await drop("a.txt", "one\nbad 2000000000001\nthree\n");
    expect((await inlet.run()).files).toEqual([{ name: "a.txt", outcome: "done", taken: 2, known: 0, failed: 1 }]);
    const list = await readFile(join(directory, "failed", "a.txt.errors.jsonl"), "utf8");
    expect(JSON.parse(list)).toEqual({
      index: 2,
      line: 2,
      code: "csv-violation",
      class: "contract-violation",
      text: "a column breaks its contract",
      places: [{ line: 2, path: "text", rule: "pattern" }],
    });
    expect(list).not.toContain("2000000000001");
  });

  it("end the file when there are too many", async () => {
    const inlet = await open({ limits: { maxBytes: 1000, maxInFlight: 1 } });
    await drop("a.txt", `${"bad\n".repeat(50)}good\n`);
    expect((await inlet.run()).files).toEqual([{ name: "a.txt", outcome: "failed", taken: 0, known: 0, failed: 3 }]);
    expect(await inFolder("failed")).toEqual(["a.txt", "a.txt.errors.jsonl"]);
  });

  it("above the size limit are bad records, too", async () => {
    const inlet = await open();
    await drop("a.txt", `${"x".repeat(2000)}\nok\n`);
    expect((await inlet.run()).files[0]).toMatchObject({ taken: 1, failed: 1 });
  });
});

describe("an unreadable file", () => {
  it.each([
    ["a.txt", "one\nEND", "xml-malformed"],
    ["a.txt.gz", "this is not gzip", "media-type"],
    ["b.txt.gz", gzipSync("one\n".repeat(500)).subarray(0, -10), "media-type"],
    ["c.txt.gz", gzipSync(Buffer.alloc(20_000_000)), "message-too-large"],
  ])("%s goes to failed with the reason, and the next file is read", async (name, content, code) => {
    const inlet = await open();
    await drop(name, content);
    await drop("z.txt", "fine");
    expect(outcomes(await inlet.run())).toEqual({ [name]: "failed", "z.txt": "done" });
    const last = (await readFile(join(directory, "failed", `${name}.errors.jsonl`), "utf8")).trim().split("\n").at(-1) ?? "";
    expect(JSON.parse(last)).toMatchObject({ code });
    expect(texts()).toContain("fine");
  });
});

describe("what is no file to take", () => {
  it("is refused or left alone: links, folders, hidden and other names", async () => {
    const inlet = await open();
    await writeFile(join(directory, "done", "secret"), "secret");
    await symlink(join(directory, "done", "secret"), join(directory, "link.txt"));
    await mkdir(join(directory, "folder.txt"));
    await drop(".hidden.txt", "x");
    await drop("other.csv", "x");
    expect(outcomes(await inlet.run())).toEqual({ "link.txt": "refused" });
    expect(seen).toEqual([]);
    expect(await inFolder(".")).toContain("link.txt");
  });

  it("is a link that takes a file's place before it is opened", async () => {
    const inlet = await open();
    await drop("a.txt", "one");
    await drop("secret", "secret");
    const path = join(directory, "a.txt");
    await open({ every: undefined });
    whileAsleep = async () => {
      await rm(path);
      await symlink(join(directory, "secret"), path);
    };
    expect(outcomes(await inlet.run())).toEqual({ "a.txt": "refused" });
    expect(seen).toEqual([]);
  });

  it("is a link to a file that looks just like the one seen before", async () => {
    await drop("secret", "secret");
    const { size, mtimeMs } = await stat(join(directory, "secret"));
    const path = join(directory, "a.txt");
    await symlink(join(directory, "secret"), path);
    await expect(openFound({ name: "a.txt", path, size, mtimeMs })).rejects.toMatchObject({ code: "not-found" });
  });

  it("names match as written", () => {
    const match = (pattern: string, name: string): boolean => globOf(pattern).test(name);
    expect(match("vehicles-*.xml.gz", "vehicles-2026.xml.gz")).toBe(true);
    expect(match("vehicles-*.xml.gz", "vehicles-2026xxmlxgz")).toBe(false);
    expect([match("a?c", "abc"), match("a?c", "ac"), match("a(b)+[c]", "a(b)+[c]"), match("*", "x\ny"), match("a", "ab")]).toEqual([
      true,
      false,
      true,
      true,
      false,
    ]);
  });

  it("is a folder that would be read for ever", async () => {
    await expect(open({ done: "." })).rejects.toMatchObject({ code: "configuration" });
    await expect(open({ failed: directory })).rejects.toMatchObject({ code: "configuration" });
  });
});

describe("the bus's own trouble", () => {
  it("makes the folder wait as long as the bus says, and nothing is lost", async () => {
    let refusals = 3;
    const inlet = await open({}, async (inbound) => {
      if (refusals-- > 0) throw new BusError("queue-full", "the line is full", { retryAfter: 700 });
      return reading(inbound);
    });
    await drop("a.txt", "one\ntwo");
    expect((await inlet.run()).files[0]).toMatchObject({ outcome: "done", taken: 2, failed: 0 });
    expect(slept.filter((ms) => ms === 700)).toHaveLength(3);
  });

  it.each([new BusError("journal-failed", "disk"), new Error("surprise")])("leaves the file for a later run: %s", async (trouble) => {
    let broken = true;
    const inlet = await open({ limits: { maxBytes: 1000, maxInFlight: 1 } }, async (inbound) => {
      if (broken && Buffer.from(inbound.bytes).toString() === "two") throw trouble;
      return reading(inbound);
    });
    await drop("a.txt", "one\ntwo\nthree");
    expect((await inlet.run()).files[0]).toMatchObject({ outcome: "left", taken: 1 });
    broken = false;
    expect((await inlet.run()).files[0]).toMatchObject({ outcome: "done", known: 1, taken: 2 });
    expect(texts()).toEqual(["one", "two", "three"]);
  });

  it("a crash before the move has no second effect: a new process finds the same ids", async () => {
    const inlet = await open();
    await drop("a.txt", "one\none\ntwo");
    await inlet.run();
    await rename(join(directory, "done", "a.txt"), join(directory, "a.txt"));
    expect((await (await open()).run()).files[0]).toMatchObject({ outcome: "done", taken: 0, known: 3 });
    expect(texts()).toEqual(["one", "one", "two"]);
  });

  it("never has more records in the bus than it may", async () => {
    let inside = 0;
    let most = 0;
    const inlet = await open({}, async (inbound) => {
      most = Math.max(most, ++inside);
      await new Promise((resolve) => setImmediate(resolve));
      inside -= 1;
      return reading(inbound);
    });
    await drop("a.txt", Array.from({ length: 100 }, (_, i) => `r${i}`).join("\n"));
    await inlet.run();
    expect([most, seen.length]).toEqual([4, 100]);
  });
});

describe("running", () => {
  it("twice at once is one run", async () => {
    const inlet = await open();
    await drop("a.txt", "one");
    const [first, second] = await Promise.all([inlet.run(), inlet.run()]);
    expect(second).toBe(first);
  });

  it("in its own rhythm looks again and again until it is closed", async () => {
    const reports: FileReport[] = [];
    const found = Promise.withResolvers<void>();
    whileAsleep = () => new Promise((resolve) => setTimeout(resolve, 5));
    await drop("a.txt", "one");
    const binding = { route: "import", from: "drop", system: undefined, pattern: "event" } as const;
    const limits = { maxBytes: 1000, maxInFlight: 1 };
    const settings = {
      directory,
      match: "*",
      stableFor: 10,
      order: "name",
      done: "done",
      failed: "failed",
      every: 50,
      splitter: lines,
      binding,
      stopAfter: 1,
      limits,
      clock,
    } as const;
    const inlet = createFileInlet(settings, {
      onReport(report) {
        reports.push(report);
        if (reports.length === 2) found.resolve();
      },
    });
    await inlet.start(reading);
    setTimeout(() => void drop("b.txt", "two"), 30);
    await found.promise;
    await inlet.close();
    expect(reports.map(outcomes)).toEqual([{ "a.txt": "done" }, { "b.txt": "done" }]);
  });
});
