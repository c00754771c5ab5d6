import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { lintFiles } from "#bus/route/lint/lint.ts";
import { BusError } from "#bus/errors.ts";
import { filesFrom } from "#test/files-of.ts";
import { acceptHazards, judge, waiversOf } from "./hazards.ts";

const sync = {
  setting: "nats.sync",
  found: "sync_interval is 2m.",
  danger: "A power cut loses what was confirmed in these two minutes.",
  change: "Set sync_interval: always.",
};
const replicas = {
  setting: "nats.replicas",
  found: "The stream has one copy.",
  danger: "A lost disk loses it.",
  change: "Use three servers.",
};
const because = "a developer's machine, its data may be lost";
const folder = mkdtempSync(join(tmpdir(), "mbus-waivers-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function refusalOf(act: () => unknown): BusError {
  try {
    act();
  } catch (error) {
    if (error instanceof BusError) return error;
  }
  throw new Error("nothing was refused");
}

describe("dangers of outside engines", () => {
  it("pass when there are none", () => {
    expect(judge([], [], "config/production.yaml")).toEqual([]);
  });

  it("are refused one by one, each with what was found, what can happen and what to change", () => {
    const error = refusalOf(() => judge([sync, replicas], [{ setting: "nats.sync", because }], "config/production.yaml"));
    expect(error.code).toBe("configuration");
    expect(error.message).toContain("one danger was found");
    for (const text of [replicas.setting, replicas.found, replicas.danger, replicas.change, "config/production.yaml"])
      expect(error.message).toContain(text);
    expect(error.message).not.toContain(sync.found);
    expect(error.places).toHaveLength(1);
  });

  it("are taken by those who wrote why", () => {
    const waivers = [sync, replicas].map(({ setting }) => ({ setting, because }));
    expect(judge([sync, replicas], waivers, "x")).toEqual([sync, replicas].map((hazard) => ({ hazard, because })));
  });

  it("are refused with the lines that waive them: pasted with a reason, they lint and are enough", () => {
    const { message } = refusalOf(() => judge([sync, replicas, sync], [], "config/testing.yaml"));
    const lines = message.slice(message.indexOf("waive:\n")).replaceAll("…", because);
    const text = `bus: environment/v1\nid: testing\nvars: {}\n${lines}\n`;
    const { findings, documents } = lintFiles(filesFrom({ "config/testing.yaml": text }), []);
    expect(findings).toEqual([]);
    expect(judge([sync, replicas], documents.environments.get("testing")?.waive ?? [], "x")).toHaveLength(2);
  });
});

describe("waivers of a stage", () => {
  it("are those of its own file, and none where that does not lint", async () => {
    mkdirSync(join(folder, "config"));
    const write = (stage: string, reason: string) =>
      writeFileSync(
        join(folder, `config/${stage}.yaml`),
        `bus: environment/v1\nid: ${stage}\nvars: {}\nwaive:\n  - { setting: nats.sync, because: "${reason}" }\n`,
      );
    write("testing", because);
    write("other", "short");
    expect(await waiversOf(folder, "testing", {})).toEqual({ file: "config/testing.yaml", waivers: [{ setting: "nats.sync", because }] });
    expect(await waiversOf(folder, "other", {})).toEqual({ file: "config/other.yaml", waivers: [] });
    const lines: object[] = [];
    const log = { info: () => undefined, error: () => undefined, warn: (line: object) => void lines.push(line) };
    const accept = (stage: string) => acceptHazards({ root: folder, stage, env: {}, log });
    await accept("testing")([sync]);
    expect(lines).toEqual([{ ...sync, because, file: "config/testing.yaml" }]);
    await expect(accept("other")([sync])).rejects.toThrow("in config/other.yaml");
    await accept("other")([]);
    expect(await waiversOf(folder, "absent", {})).toEqual({ file: "config/absent.yaml", waivers: [] });
  });
});
