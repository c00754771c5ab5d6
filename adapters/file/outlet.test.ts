import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { BusError } from "#bus/errors.ts";
import { echoJson } from "#test/harness/echo-json.ts";
import { messageOf } from "#test/harness/message.ts";
import { fileName } from "#bus/edge/drop/name.ts";
import { createFileOutlet } from "./outlet.ts";

let directory: string;
beforeEach(async () => void (directory = await mkdtemp(join(tmpdir(), "out-"))));
afterEach(() => rm(directory, { recursive: true, force: true }));

const never = new AbortController().signal;

describe("a message as a file", () => {
  it("is whole, named by its id, and alone there", async () => {
    const outlet = createFileOutlet({ directory: join(directory, "new", "folder"), suffix: ".json", codec: echoJson });
    expect(await outlet.send(messageOf({ text: "one" }, { id: "urn:uuid:1" }), never)).toBeUndefined();
    await outlet.send(messageOf({ text: "two" }, { id: "urn:uuid:1" }), never);
    expect(await readdir(join(directory, "new", "folder"))).toEqual(["urn%3Auuid%3A1.json"]);
    expect(await readFile(join(directory, "new", "folder", "urn%3Auuid%3A1.json"), "utf8")).toBe('{"text":"two"}');
  });

  it("that cannot be written may be tried again later", async () => {
    await writeFile(join(directory, "taken"), "a file, no folder");
    const outlet = createFileOutlet({ directory: join(directory, "taken"), suffix: ".json", codec: echoJson });
    await expect(outlet.send(messageOf({ text: "one" }), never)).rejects.toMatchObject({
      code: "endpoint-unavailable",
      class: "provider-unavailable",
    });
    await rm(join(directory, "taken"));
    await outlet.send(messageOf({ text: "one" }), never);
  });

  it("after an abort leaves nothing, and throws the signal's own reason", async () => {
    const outlet = createFileOutlet({ directory, suffix: ".json", codec: echoJson });
    const controller = new AbortController();
    const sent = outlet.send(messageOf({ text: "x".repeat(100_000) }), controller.signal);
    controller.abort(new BusError("deadline-passed", "nobody waits any more"));
    await expect(sent).rejects.toMatchObject({ code: "deadline-passed" });
    expect(await readdir(directory)).toEqual([]);
  });
});

describe("file names", () => {
  it("never leave the folder, hide, or grow too long; two ids never share one", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.integer({ min: 0x21, max: 0x7e }).map((code) => String.fromCharCode(code)), minLength: 1, maxLength: 200 }),
        (id) => {
          const name = fileName(id);
          expect(name).toMatch(/^[A-Za-z0-9%_-]{1,180}$/);
          if (name.length !== 64) expect(decodeURIComponent(name)).toBe(id);
        },
      ),
    );
    expect(fileName("../../etc/passwd")).toBe("%2E%2E%2F%2E%2E%2Fetc%2Fpasswd");
    expect(fileName("/".repeat(200))).toMatch(/^[0-9a-f]{64}$/);
  });
});
