import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { stamp } from "./stamp.ts";

let root = "";
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "mbus-stamp-"));
  mkdirSync(join(root, "routes/deep/er"), { recursive: true });
  for (const file of ["routes/a.yaml", "routes/deep/b.yaml", "routes/deep/er/c.yaml"]) writeFileSync(join(root, file), "a: 1\n");
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const look = (): Promise<string> => stamp([join(root, "routes"), join(root, "contracts")]);

describe("the stamp of folders", () => {
  it("stays the same while nothing is edited", async () => {
    expect(await look()).toBe(await look());
  });

  it.each<[string, () => void]>([
    ["another length", () => writeFileSync(join(root, "routes/deep/er/c.yaml"), "a: 12\n")],
    ["another time of change, of the same length", () => utimesSync(join(root, "routes/a.yaml"), 1, 1)],
    ["another name", () => renameSync(join(root, "routes/a.yaml"), join(root, "routes/z.yaml"))],
    ["one file more, deep below", () => writeFileSync(join(root, "routes/deep/er/d.yaml"), "")],
    ["one file less", () => rmSync(join(root, "routes/deep/b.yaml"))],
    ["a folder less", () => rmSync(join(root, "routes/deep"), { recursive: true })],
    ["a folder that was not there", () => (mkdirSync(join(root, "contracts")), writeFileSync(join(root, "contracts/x.avsc"), "{}"))],
  ])("differs by %s", async (_, edit) => {
    const before = await look();
    edit();
    expect(await look()).not.toBe(before);
  });

  it("takes a link that leads nowhere for no file", async () => {
    const before = await look();
    symlinkSync(join(root, "nowhere"), join(root, "routes/link.yaml"));
    expect(await look()).toBe(before);
  });

  it("lets others run while it looks at many files", async () => {
    for (let i = 0; i < 1000; i++) writeFileSync(join(root, `routes/many-${i}.yaml`), "");
    let turns = 0;
    let done = false;
    const others = (): void => {
      if (done) return;
      turns += 1;
      setImmediate(others);
    };
    setImmediate(others);
    const text = await look();
    done = true;
    expect(text.split("\n")).toHaveLength(1003);
    expect(turns).toBeGreaterThanOrEqual(10);
  });
});
