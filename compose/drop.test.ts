/** Inlets of files as routes name them: where they look, when, and what of it is told. */
import { mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Accept } from "#bus/ports.ts";
import type { Source } from "#bus/route/runtime.ts";
import { sourceOf } from "#test/harness/bus-world.ts";
import { accepted } from "#test/conformance/inlet.ts";
import { eventually } from "#test/conformance/cases.ts";
import { lines } from "#test/harness/lines.ts";
import { contractOf, routeOf } from "#test/harness/route.ts";
import { dropInlet, durationOf } from "./drop.ts";
import { sftpOutlet, sftpServerOf } from "./sftp.ts";
import { echoJson } from "#test/harness/echo-json.ts";

let dataDir = "";
let time = 0;
let told: string[] = [];
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), "mbus-drop-"));
  [time, told] = [1_000_000, []];
});
afterEach(() => rmSync(dataDir, { recursive: true }));

const route = routeOf({ id: "import", contract: contractOf("event", "test.echo.v1") });
const make = (options: Record<string, unknown>, kind = "file", schedule?: Source["schedule"]) => {
  const source = sourceOf({
    name: "drop",
    ...(schedule && { schedule }),
    binding: { kind, options: { directory: "in", match: "*.txt", ...options }, splitter: lines },
  });
  const parts = {
    dataDir,
    clock: {
      now: () => time,
      // half an hour passes with each sleep
      async sleep(_: number, signal?: AbortSignal) {
        await new Promise((done) => setTimeout(done, 1));
        if (signal?.aborted !== true) time += 1_800_000;
      },
    },
    secret: (name: string) => `<${name}>`,
    onError: (error: unknown, where: string) => void told.push(`${where}: ${(error as Error).message}`),
  };
  const binding = { route: "import", from: "drop", system: "a/b", pattern: "event" } as const;
  return dropInlet(parts, route, source, binding, { maxBytes: 1_000, maxInFlight: 4 });
};
const taking = () => {
  const texts: string[] = [];
  const accept: Accept = async (inbound) => (texts.push(Buffer.from(inbound.bytes).toString()), accepted(inbound));
  return { texts, accept };
};

describe("a drop folder of this machine", () => {
  it("stands below the data folder, looks in its own rhythm, and moves files where the route says", async () => {
    const bus = taking();
    // oxlint-disable-next-line unicorn/no-thenable -- the route file's own word
    const inlet = make({ stableFor: "1ms", every: "1s", then: { move: "archive" } });
    await inlet.start(bus.accept);
    writeFileSync(join(dataDir, "in", "a.txt"), "one\n");
    await eventually(() => readdirSync(join(dataDir, "archive")).length === 1, "the file is in the archive");
    await inlet.close();
    expect(bus.texts).toEqual(["one"]);
    expect(readdirSync(join(dataDir, "in")).toSorted()).toEqual(["failed"]);
  });

  it("tells what is wrong once an hour, however often it looks", async () => {
    let looks = 0;
    const inlet = make({ stableFor: "1ms", every: "1s" });
    await inlet.start(taking().accept);
    symlinkSync("/etc/passwd", join(dataDir, "in", "link.txt"));
    const begun = time;
    await eventually(() => (looks = (time - begun) / 1_800_000) >= 8, "some hours have passed");
    await inlet.close();
    expect(told[0]).toBe("source `drop` of route `import`: link.txt: is no regular file");
    expect(told.length).toBeGreaterThan(1);
    expect(told.length).toBeLessThanOrEqual(looks);
  });

  it("with a schedule looks at its times, and at once for a run that was missed", async () => {
    const bus = taking();
    const inlet = make({ stableFor: "1ms" }, "file", { cron: "0 0 1 1 *", overlap: "skip", missed: "run-once" });
    const folder = join(dataDir, "in");
    const first = make({});
    await first.start(bus.accept);
    await first.close();
    writeFileSync(join(folder, "a.txt"), "one\n");
    await inlet.start(bus.accept);
    await eventually(() => readdirSync(join(folder, "done")).length === 1, "the missed run took it");
    await inlet.close();
    expect(bus.texts).toEqual(["one"]);
  });
});

describe("a folder on an SFTP server", () => {
  const key = `SHA256:${"a".repeat(43)}`;
  const options = {
    server: "files.example.md",
    user: "${secret:user}",
    key: "${secret:key}",
    hostKey: `${key}, ${key}`,
    directory: "/out",
  };

  it("has its server, account and keys from the route and its secrets", () => {
    expect(sftpServerOf(options, (name) => `<${name}>`)).toEqual({
      host: "files.example.md",
      port: 22,
      user: "<user>",
      password: undefined,
      key: "<key>\n",
      passphrase: undefined,
      hostKeys: [key, key],
    });
    expect(sftpServerOf({ ...options, server: "h:2222", key: undefined, password: "p" }, String)).toMatchObject({
      port: 2222,
      password: "p",
      key: undefined,
    });
    expect(sftpOutlet(options, String, echoJson).endpoint).toBe("sftp://files.example.md:22/out");
  });

  it("needs a key or a password", () => {
    expect(() => sftpServerOf({ ...options, key: undefined }, String)).toThrow(/needs `key` or `password`/u);
  });

  it("that is away is told, and the inlet goes on", async () => {
    const inlet = make({ ...options, key: undefined, password: "x", server: "127.0.0.1:1", every: "1s" }, "sftp");
    await inlet.start(taking().accept);
    await eventually(() => told.length > 0, "it was told");
    await inlet.close();
    expect(told[0]).toBe("source `drop` of route `import`: sftp://127.0.0.1:1/out: 127.0.0.1:1 could not be reached (ECONNREFUSED)");
  });
});

it.each([
  ["500ms", 500],
  ["2h", 7_200_000],
  ["1d", 86_400_000],
  ["soon", undefined],
  [undefined, undefined],
])("%s are %s milliseconds", (text, wanted) => {
  expect(durationOf(text)).toBe(wanted);
});
