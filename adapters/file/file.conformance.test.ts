import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GOOD_TEXT, inletConformance } from "#test/conformance/inlet.ts";
import { outletConformance } from "#test/conformance/outlet.ts";
import { echoJson } from "#test/harness/echo-json.ts";
import { lines } from "#test/harness/lines.ts";
import { messageOf } from "#test/harness/message.ts";
import { createFileInlet } from "./inlet.ts";
import { fileName } from "#bus/edge/drop/name.ts";
import { createFileOutlet } from "./outlet.ts";

const clock = { now: () => Date.now(), sleep: (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms)) };

inletConformance({
  name: "file",
  skip: { "refuses what passes its bound of unfinished messages": "a drop folder is read no faster than the bus takes records" },
  async open({ drain, maxInFlight }) {
    const directory = await mkdtemp(join(tmpdir(), "drop-"));
    const binding = { route: "import", from: "drop", system: "transport/mainframe", pattern: "event" } as const;
    const inlet = createFileInlet(
      {
        directory,
        match: "*.txt",
        stableFor: 1,
        order: "name",
        done: "done",
        failed: "failed",
        every: undefined,
        splitter: lines,
        binding,
        stopAfter: 1,
        limits: { maxBytes: 10_000, maxInFlight },
        clock,
      },
      { drain },
    );
    return {
      inlet,
      async send(kind) {
        await writeFile(join(directory, "one.txt"), kind === "good" ? GOOD_TEXT : "bad record");
        const report = await inlet.run();
        const left = await readdir(join(directory, "failed"));
        const texts = await Promise.all(left.map((name) => readFile(join(directory, "failed", name), "utf8")));
        return { ok: report.files[0]?.outcome === "done", text: [JSON.stringify(report), ...texts].join("\n") };
      },
      close: () => rm(directory, { recursive: true }),
    };
  },
});

const noNetwork = "a folder does not answer";
outletConformance({
  name: "file",
  faultCode: "",
  skip: {
    "resolves only on confirmed delivery": "a file system cannot be held; the rename is the confirmation",
    "passes the same idempotency key with each delivery of a message": "the file's name is the key, so a second delivery leaves one file",
    "gives unreachable when the far side is gone": noNetwork,
    "gives unreachable when the far side is reset": noNetwork,
    "gives provider-unavailable when the far side is unavailable": "has no Retry-After; see outlet.test.ts",
    "gives throttled when the far side is throttled": noNetwork,
    "gives provider-fault when the far side is fault": noNetwork,
    "gives provider-reply-invalid when the answer is garbage": noNetwork,
    "gives provider-reply-invalid when the answer is huge": noNetwork,
    "works again after a failure": "see outlet.test.ts",
    "after an abort nothing of the call goes on": "a write cannot be made to hang; see outlet.test.ts",
    "throws the signal's own reason where that is a bus error": "a write cannot be made to hang; see outlet.test.ts",
  },
  async open() {
    const directory = await mkdtemp(join(tmpdir(), "out-"));
    let names: string[] = [];
    const outlet = createFileOutlet({ directory, suffix: ".json", codec: echoJson });
    return {
      outlet: {
        ...outlet,
        async send(message, signal) {
          const reply = await outlet.send(message, signal);
          names = await readdir(directory);
          return reply;
        },
      },
      behave: () => chmod(directory, 0o700),
      release: () => {},
      keys: () => names,
      brokenOff: () => Promise.resolve(),
      message: (id) => messageOf({ text: fileName(id) }, { id }),
      close: () => rm(directory, { recursive: true }),
    };
  },
});
