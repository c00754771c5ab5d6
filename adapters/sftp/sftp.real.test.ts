/** Files in and out over OpenSSH's own server: the promises of inlets and outlets, and what only a far folder can do. */
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, truncateSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, describe, expect, it } from "vitest";
import { gunzip } from "#adapters/file/content.ts";
import type { DropInlet } from "#bus/edge/drop/inlet.ts";
import { BusError } from "#bus/errors.ts";
import type { Accept, Inbound } from "#bus/ports.ts";
import { accepted, GOOD_TEXT, inletConformance } from "#test/conformance/inlet.ts";
import { outletConformance } from "#test/conformance/outlet.ts";
import { echoJson } from "#test/harness/echo-json.ts";
import { lines } from "#test/harness/lines.ts";
import { messageOf } from "#test/harness/message.ts";
import { sftpServer, silentPort } from "#test/harness/sshd.ts";
import { createSftpInlet, type SftpInletSettings } from "./inlet.ts";
import { fingerprint, type SftpServer } from "./link.ts";
import { createSftpOutlet } from "./outlet.ts";

const peer = await sftpServer();
afterAll(() => peer?.close());

const clock = { now: () => Date.now(), sleep: (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms)) };
const binding = { route: "import", from: "drop", system: "transport/mainframe", pattern: "event" } as const;
const newFolder = (): string => mkdtempSync(join(peer?.folder ?? "", "drop-"));
const serverOf = (more: Partial<SftpServer> = {}): SftpServer => {
  if (!peer) throw new Error("no server");
  return { ...peer.server, ...more };
};
const settingsOf = (directory: string, more: Partial<SftpInletSettings> = {}): SftpInletSettings => ({
  server: serverOf(),
  places: { directory, done: "done", failed: "failed" },
  match: "*.txt*",
  stableFor: 1,
  order: "name",
  every: undefined,
  splitter: lines,
  gunzip,
  binding,
  stopAfter: 100,
  limits: { maxBytes: 10_000, maxInFlight: 4 },
  clock,
  ...more,
});

/** A bus that knows what it had. */
function reading(): { accept: Accept; seen: Inbound[]; texts: () => string[] } {
  const seen: Inbound[] = [];
  const accept: Accept = async (inbound) => {
    inbound.read();
    const duplicate = seen.some((one) => one.id === inbound.id);
    if (!duplicate) seen.push(inbound);
    return { ...accepted(inbound), kind: "accepted", duplicate };
  };
  return { accept, seen, texts: () => seen.map((one) => Buffer.from(one.bytes).toString()) };
}
const inlets: DropInlet[] = [];
async function open(directory: string, more: Partial<SftpInletSettings> = {}, accept = reading().accept): Promise<DropInlet> {
  const inlet = createSftpInlet(settingsOf(directory, more), { drain: 200 });
  inlets.push(inlet);
  await inlet.start(accept);
  return inlet;
}
afterAll(() => Promise.all(inlets.map((inlet) => inlet.close())));
const code = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => "",
    (error: unknown) => (error as BusError).code,
  );
const never = new AbortController().signal;
const outletTo = (directory: string, server: Partial<SftpServer> = {}) =>
  createSftpOutlet({ server: serverOf(server), directory, suffix: ".json", codec: echoJson });

describe.skipIf(!peer)("over OpenSSH", () => {
  inletConformance({
    name: "sftp",
    skip: { "refuses what passes its bound of unfinished messages": "a drop folder is read no faster than the bus takes records" },
    async open({ drain, maxInFlight }) {
      const directory = newFolder();
      const inlet = createSftpInlet(settingsOf(directory, { stopAfter: 1, limits: { maxBytes: 10_000, maxInFlight } }), { drain });
      return {
        inlet,
        async send(kind) {
          writeFileSync(join(directory, "one.txt"), kind === "good" ? GOOD_TEXT : "bad record");
          const report = await inlet.run();
          const left = readdirSync(join(directory, "failed")).map((name) => readFileSync(join(directory, "failed", name), "utf8"));
          return { ok: report.files[0]?.outcome === "done", text: [JSON.stringify(report), ...left].join("\n") };
        },
        close: () => inlet.close(),
      };
    },
  });

  const noAnswers = "a server of files gives no such answer";
  outletConformance({
    name: "sftp",
    faultCode: "no-such-file",
    skip: {
      "resolves only on confirmed delivery": "the server cannot be held; the rename is the confirmation",
      "passes the same idempotency key with each delivery of a message": "the file's name is the key, so a second delivery leaves one file",
      "gives unreachable when the far side is reset": "see the case of a connection that breaks below",
      "gives provider-unavailable when the far side is unavailable": noAnswers,
      "gives throttled when the far side is throttled": noAnswers,
      "gives provider-reply-invalid when the answer is garbage": noAnswers,
      "gives provider-reply-invalid when the answer is huge": noAnswers,
      "works again after a failure": "see the case of a server that comes back below",
      "after an abort nothing of the call goes on": "see the case of a silent server below",
      "throws the signal's own reason where that is a bus error": "see the case of a silent server below",
    },
    async open() {
      const directory = newFolder();
      let [outlet, gone] = [outletTo(directory), false];
      return {
        outlet: {
          get endpoint() {
            return outlet.endpoint;
          },
          send: (message, signal) => outlet.send(message, signal),
          close: () => outlet.close(),
        },
        async behave(next) {
          gone = next === "gone";
          if (next === "fault") rmSync(directory, { recursive: true });
          if (gone) outlet = outletTo(directory, { port: 1 });
        },
        release: () => {},
        keys: () => (gone ? [] : readdirSync(directory)),
        brokenOff: () => Promise.resolve(),
        message: (id) => messageOf({ text: id }, { id }),
        close: () => outlet.close(),
      };
    },
  });

  describe("a far folder", () => {
    it("gives its finished files in order, unpacked, and has them moved aside", async () => {
      const [directory, bus] = [newFolder(), reading()];
      writeFileSync(join(directory, "b.txt.gz"), gzipSync("three\nfour\n"));
      writeFileSync(join(directory, "a.txt"), "one\ntwo\n");
      for (const name of [".hidden.txt", "other.csv"]) writeFileSync(join(directory, name), "no\n");
      mkdirSync(join(directory, "folder.txt"));
      symlinkSync("/etc/passwd", join(directory, "link.txt"));
      const report = await (await open(directory, {}, bus.accept)).run();
      expect(report.files.map(({ name, outcome, taken, text }) => [name, outcome, taken, text])).toEqual([
        ["link.txt", "refused", 0, "is no regular file"],
        ["a.txt", "done", 2, undefined],
        ["b.txt.gz", "done", 2, undefined],
      ]);
      expect(bus.texts()).toEqual(["one", "two", "three", "four"]);
      expect(readdirSync(join(directory, "done")).toSorted()).toEqual(["a.txt", "b.txt.gz"]);
      expect(bus.seen[0]).toMatchObject({ system: "transport/mainframe", headers: { "file-name": "a.txt", "record-index": "1" } });
    });

    it("keeps a file that was taken before under a number, and lists bad records where they were", async () => {
      const directory = newFolder();
      const inlet = await open(directory);
      for (const text of ["one\nbad\n", "two\n"]) {
        writeFileSync(join(directory, "a.txt"), text);
        expect((await inlet.run()).files[0]).toMatchObject({ outcome: "done" });
      }
      expect(readdirSync(join(directory, "done")).toSorted()).toEqual(["a.txt", "a.txt.1"]);
      expect(JSON.parse(readFileSync(join(directory, "failed", "a.txt.errors.jsonl"), "utf8"))).toMatchObject({
        index: 2,
        code: "csv-violation",
      });
    });

    it("with a file in the making leaves it there", async () => {
      const [directory, bus] = [newFolder(), reading()];
      const path = join(directory, "grows.txt");
      writeFileSync(path, "one\n");
      let size = 4;
      const growing = { now: () => Date.now(), sleep: async () => truncateSync(path, (size += 1)) };
      const report = await (await open(directory, { stableFor: 5_000, clock: growing }, bus.accept)).run();
      expect([report.files, bus.seen]).toEqual([[], []]);
    });

    it("whose file changes while it is read has it read again, with one effect for what stayed", async () => {
      const [directory, bus] = [newFolder(), reading()];
      const path = join(directory, "a.txt");
      writeFileSync(path, "one\ntwo\n");
      let first = true;
      const inlet = await open(directory, {}, async (inbound) => {
        if (first) {
          writeFileSync(path, "one\nother\n");
          utimesSync(path, 1_000, 1_000);
        }
        first = false;
        return bus.accept(inbound);
      });
      expect((await inlet.run()).files[0]?.outcome).toBe("left");
      expect((await inlet.run()).files[0]?.outcome).toBe("done");
      expect(bus.texts()).toEqual(["one", "two", "other"]);
    });

    it("is told when it is not there, and taken when it is", async () => {
      const directory = join(newFolder(), "later");
      const inlet = await open(directory);
      expect((await inlet.run()).files[0]).toMatchObject({ outcome: "left", text: expect.stringContaining("it is not there") as string });
      mkdirSync(directory);
      writeFileSync(join(directory, "a.txt"), "one\n");
      expect((await inlet.run()).files[0]).toMatchObject({ name: "a.txt", outcome: "done" });
    });

    it("is never taken from into itself", async () => {
      for (const done of ["/x/in", ".", "/x/in/"]) {
        const inlet = createSftpInlet(settingsOf("/x/in", { places: { directory: "/x/in", done, failed: "f" } }));
        await expect(inlet.start(reading().accept), done).rejects.toThrow(/moved to another folder/u);
      }
    });
  });

  describe("a crash in the middle of a file", () => {
    const many = Array.from({ length: 300 }, (_, n) => `record ${n}`);

    it("of the connection loses nothing, and no record has two effects", async () => {
      const [directory, bus] = [newFolder(), reading()];
      writeFileSync(join(directory, "big.txt"), many.join("\n"));
      let killed: Promise<void> | undefined;
      const inlet = await open(directory, { limits: { maxBytes: 1_000, maxInFlight: 2 } }, async (inbound) => {
        if (bus.seen.length === 100) killed ??= peer?.kill();
        await killed;
        return bus.accept(inbound);
      });
      expect((await inlet.run()).files[0]).toMatchObject({ outcome: "left" });
      expect((await inlet.run()).files[0]).toMatchObject({
        outcome: "left",
        text: expect.stringContaining("could not be reached") as string,
      });
      await peer?.revive();
      expect((await inlet.run()).files[0]).toMatchObject({ name: "big.txt", outcome: "done", failed: 0 });
      expect(bus.texts()).toEqual(many);
    });

    it("of the bus loses nothing, and no record has two effects", async () => {
      const [directory, bus] = [newFolder(), reading()];
      writeFileSync(join(directory, "big.txt"), many.join("\n"));
      const stuck = Promise.withResolvers<void>();
      const dying = await open(directory, { limits: { maxBytes: 1_000, maxInFlight: 2 } }, async (inbound) => {
        if (bus.seen.length < 120) return bus.accept(inbound);
        stuck.resolve();
        return new Promise(() => {});
      });
      void dying.run();
      await stuck.promise;
      await dying.close();
      const report = await (await open(directory, {}, bus.accept)).run();
      expect(report.files[0]).toMatchObject({ outcome: "done", known: 120, taken: 180 });
      expect(bus.texts()).toEqual(many);
    });
  });

  describe("the server", () => {
    it("that shows another host key is not spoken to, and the key is told", async () => {
      const other = fingerprint(Buffer.from("another key"));
      const outlet = outletTo(newFolder(), { hostKeys: [other] });
      const error: unknown = await outlet.send(messageOf({ text: "x" }), never).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: "configuration", message: expect.stringContaining(serverOf().hostKeys[0] ?? "?") as string });
      await outlet.close();
      const both = outletTo(newFolder(), { hostKeys: [other, ...serverOf().hostKeys] });
      await both.send(messageOf({ text: "x" }), never);
      await both.close();
    });

    it.each([
      ["an account that it does not know", { user: "nobody-here" }, "configuration"],
      ["a password that it does not take", { key: undefined, password: "hunter2" }, "configuration"],
      ["a key that is none", { key: "-----BEGIN hunter2" }, "configuration"],
      ["a port where nobody is", { port: 1 }, "endpoint-unreachable"],
      ["a name that is unknown", { host: `${"x".repeat(64)}.invalid` }, "endpoint-unreachable"],
    ])("with %s refuses without showing a secret", async (_, server, wanted) => {
      const outlet = outletTo("/", server);
      const error = await outlet.send(messageOf({ text: "x" }), AbortSignal.timeout(20_000)).catch((thrown: unknown) => thrown as BusError);
      expect(error).toMatchObject({ code: wanted });
      expect((error as BusError).message).not.toMatch(/hunter2|nobody-here/u);
      await outlet.close();
    });

    it("that says nothing is left when the signal says so, with the signal's reason", async () => {
      const silent = await silentPort();
      const outlet = outletTo("/", { port: silent.port });
      const [hurried, other] = [new AbortController(), new AbortController()];
      const codes = [
        code(outlet.send(messageOf({ text: "x" }), hurried.signal)),
        code(outlet.send(messageOf({ text: "x" }), other.signal)),
      ];
      hurried.abort();
      other.abort(new BusError("deadline-passed", "nobody waits"));
      expect(await Promise.all(codes)).toEqual(["attempt-timeout", "deadline-passed"]);
      silent.close();
    });

    it("that was away is connected anew", async () => {
      const directory = newFolder();
      const outlet = outletTo(directory);
      await outlet.send(messageOf({ text: "1" }, { id: "m-1" }), never);
      await peer?.kill();
      expect(await code(outlet.send(messageOf({ text: "2" }, { id: "m-2" }), never))).toBe("endpoint-unreachable");
      await peer?.revive();
      await outlet.send(messageOf({ text: "2" }, { id: "m-2" }), never);
      expect(readdirSync(directory).toSorted()).toEqual(["m-1.json", "m-2.json"]);
      await outlet.close();
    });
  });

  it("a file that goes out is there whole, once, under its message's id, whatever the id holds", async () => {
    const directory = newFolder();
    const outlet = outletTo(directory);
    const ids = ["m-1", "../../etc/passwd", "a/b", ".hidden", "x".repeat(300)];
    for (const id of [...ids, "m-1"]) await outlet.send(messageOf({ text: `of ${id}` }, { id }), never);
    const names = readdirSync(directory);
    expect(names).toHaveLength(ids.length);
    expect(names.filter((name) => name.startsWith(".") || !name.endsWith(".json"))).toEqual([]);
    expect(new Set(names.map((name) => readFileSync(join(directory, name), "utf8")))).toEqual(
      new Set(ids.map((id) => `{"text":"of ${id}"}`)),
    );
    const big = "x".repeat(3_000_000);
    await Promise.all(["big-1", "big-2", "big-3"].map((id) => outlet.send(messageOf({ text: big }, { id }), never)));
    for (const id of ["big-1", "big-2", "big-3"]) expect(readFileSync(join(directory, `${id}.json`)).byteLength).toBe(big.length + 11);
    await outlet.close();
  });
});
